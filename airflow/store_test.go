package airflow_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airflow"
	"github.com/airhook-go/airhook/airhooktest"
)

func openStore(t testing.TB, dir, keys string) *airflow.Store {
	t.Helper()
	s, err := airflow.OpenStore(airflow.StoreConfig{Dir: dir, FernetKeys: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func put(t testing.TB, s *airflow.Store, conns ...airhook.Connection) {
	t.Helper()
	for _, c := range conns {
		if err := s.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

func conn(t testing.TB, id, password, extra string) airhook.Connection {
	t.Helper()
	x, err := airhook.ParseExtra(extra)
	if err != nil {
		t.Fatal(err)
	}
	return airhook.Connection{ID: id, Type: "postgres", Host: "h", Password: airhook.NewSecret(password), Extra: x}
}

// database opens a store's file beside the store, as another program does.
func database(t testing.TB, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "airhook.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func run(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// dump is every row as text, for comparison to the last byte.
func dump(t testing.TB, db *sql.DB) map[string]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT conn_id, json_array(id, conn_type, description, host, schema, login, port, team_name, password, extra, is_encrypted, is_extra_encrypted), typeof(extra) FROM connection")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	all := map[string]string{}
	for rows.Next() {
		var id, text, kind string
		if err := rows.Scan(&id, &text, &kind); err != nil {
			t.Fatal(err)
		}
		all[id] = text + " " + kind
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestStoreKeepsTheContract(t *testing.T) {
	airhooktest.RegistryContract(t, func(t testing.TB, conns ...airhook.Connection) airhook.Registry {
		s := openStore(t, filepath.Join(t.TempDir(), "odd ?mode=ro&#%41 home"), "")
		put(t, s, conns...)
		return s
	})
}

func TestEnvKeepsTheContract(t *testing.T) {
	airhooktest.RegistryContract(t, func(t testing.TB, conns ...airhook.Connection) airhook.Registry {
		for _, c := range conns {
			uri, err := airflow.FormatURI(c)
			if err != nil {
				t.Fatal(err)
			}
			t.Setenv(airflow.EnvName(c.ID), uri)
		}
		return airflow.Env{}
	})
}

func TestEnvListsWhatGetFinds(t *testing.T) {
	t.Setenv("AIRFLOW_CONN_MY_DB", "postgres://h/db")
	t.Setenv("AIRFLOW_CONN_lower", "postgres://never-found/db")
	t.Setenv("AIRFLOW_CONN_BLANK", " \n")
	t.Setenv("AIRFLOW_CONN_BROKEN", "{")
	t.Setenv("AIRFLOW_CONN_JSON", ` {"conn_type": "redshift"}`)
	got := map[string]string{}
	for c, err := range (airflow.Env{}).List(t.Context()) {
		got[c.ID] = c.Type + " " + c.FoundIn
		if err != nil {
			got[c.ID] = err.Error()
		}
	}
	want := map[string]string{
		"my_db": "postgres environment", "json": "redshift environment",
		"broken": `connection "broken": read AIRFLOW_CONN_BROKEN: a key in double quotes is missing at line 1 column 2`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if c, err := (airflow.Env{}).Get(t.Context(), "My_Db"); err != nil || c.Host != "h" || c.ID != "My_Db" {
		t.Errorf("an id in another case: %v, %v", c, err)
	}
}

// TestBrokenPlaceEndsTheSearch: a variable that can't be read never lets the store answer in its place, nor a store that
// can't be read pass for one that doesn't know the id.
func TestBrokenPlaceEndsTheSearch(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, keyA)
	put(t, s, conn(t, "a", "p", ""))
	t.Setenv("AIRFLOW_CONN_A", "postgres://u:p#w@h/db")
	if _, err := airhook.Chain(airflow.Env{}, s).Get(t.Context(), "a"); !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), "AIRFLOW_CONN_A") {
		t.Errorf("broken variable: %v", err)
	}
	if _, err := airhook.Chain(openStore(t, dir, keyB), s).Get(t.Context(), "a"); !errors.Is(err, airhook.ErrInvalid) {
		t.Errorf("wrong key: %v", err)
	}
}

// airflowDB makes a store's file with Airflow's own table and the given rows.
func airflowDB(t *testing.T, rows ...map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	db := database(t, dir)
	run(t, db, vectors(t, "table")[0].DDL)
	for _, r := range rows {
		var columns, marks []string
		var values []any
		for column, value := range r {
			columns, marks, values = append(columns, column), append(marks, "?"), append(values, value)
		}
		run(t, db, "INSERT INTO connection ("+strings.Join(columns, ",")+") VALUES ("+strings.Join(marks, ",")+")", values...)
	}
	return dir
}

type rowInput struct {
	Key string `json:"fernet_key"`
	ID  string `json:"conn_id"`
	Row map[string]any
}

func TestRowVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "row") {
		in := input[rowInput](t, v)
		dir := airflowDB(t, in.Row)
		s := openStore(t, dir, in.Key)
		c, err := s.Get(t.Context(), in.Row["conn_id"].(string))
		check(t, v, ours(c, err))
		if err != nil || strings.Contains(v.Note, "rotate") || in.Row["conn_id"] == "plain" {
			continue
		}
		before := dump(t, database(t, dir))
		put(t, s, c)
		if diff := cmp.Diff(before, dump(t, database(t, dir))); diff != "" {
			t.Errorf("line %d: written back, nothing changed, and yet (-before +after):\n%s", v.Line, diff)
		}
	}
}

func TestRowErrorVectors(t *testing.T) {
	t.Parallel()
	last := map[string]map[string]any{}
	for _, v := range vectors(t, "row") {
		in := input[rowInput](t, v)
		last[in.Row["conn_id"].(string)] = in.Row
	}
	for _, v := range vectors(t, "row_error") {
		in := input[rowInput](t, v)
		s := openStore(t, airflowDB(t, last[in.ID]), in.Key)
		c, err := s.Get(t.Context(), in.ID)
		check(t, v, ours(c, err))
		if want := `connection "` + in.ID + `": open its `; err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "key") {
			t.Errorf("line %d: %v, want %s…", v.Line, err, want)
		}
	}
}

// TestStoredVectors: what Airflow was told to store, we store in the same columns.
func TestStoredVectors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir, keyA)
	for _, v := range vectors(t, "stored") {
		c, err := fromFields(t, "", input[map[string]json.RawMessage](t, v))
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, c)
	}
	got := map[string]map[string]any{}
	for _, v := range vectors(t, "row") {
		in := input[rowInput](t, v)
		if v.Note != "written with key A" {
			continue
		}
		var text string
		query := "SELECT json_object('conn_id', conn_id, 'conn_type', conn_type, 'description', description, 'host', host, 'schema', schema, 'login', login, 'port', port," +
			" 'team_name', team_name, 'password', password, 'extra', extra, 'is_encrypted', is_encrypted, 'is_extra_encrypted', is_extra_encrypted) FROM connection WHERE conn_id = ?"
		if err := database(t, dir).QueryRowContext(t.Context(), query, in.Row["conn_id"]).Scan(&text); err != nil {
			t.Fatal(err)
		}
		var ours map[string]any
		if err := json.Unmarshal([]byte(text), &ours); err != nil {
			t.Fatal(err)
		}
		delete(in.Row, "id")
		for _, r := range []map[string]any{ours, in.Row} { // tokens differ by time and chance, what they hold must not
			for _, column := range []string{"password", "extra"} {
				if token, ok := r[column].(string); ok && token != "" {
					plain, fits := airflow.Open(keyA, token)
					r[column] = fmt.Sprint(plain, fits)
				}
			}
		}
		if diff := cmp.Diff(in.Row, ours); diff != "" {
			t.Errorf("line %d (-airflow +ours):\n%s", v.Line, diff)
		}
		got[in.Row["conn_id"].(string)] = ours
	}
	if len(got) != 12 {
		t.Errorf("compared %d rows, want 12", len(got))
	}
}

func TestTableIsAirflows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, openStore(t, dir, ""), conn(t, "a", "p", ""))
	var ddl string
	if err := database(t, dir).QueryRowContext(t.Context(), "SELECT sql FROM sqlite_master WHERE name = 'connection'").Scan(&ddl); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Fields(ddl), strings.Fields(vectors(t, "table")[0].DDL); !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestForeignColumnsSurvive: a newer Airflow's columns, and its team, stay when a connection is replaced.
func TestForeignColumnsSurvive(t *testing.T) {
	t.Parallel()
	dir := airflowDB(t, map[string]any{"id": 7, "conn_id": "a", "conn_type": "postgres", "team_name": "blue", "is_encrypted": false, "is_extra_encrypted": false, "port": 5432})
	db := database(t, dir)
	run(t, db, "ALTER TABLE connection ADD COLUMN colour TEXT DEFAULT 'green'")
	s := openStore(t, dir, "")
	c, err := s.Get(t.Context(), "a")
	if err != nil || c.Port != 5432 {
		t.Fatalf("%v, %v", c, err)
	}
	run(t, db, "UPDATE connection SET colour = 'red'")
	c.Password = airhook.NewSecret("p")
	put(t, s, c, conn(t, "b", "", ""))
	var got string
	if err := db.QueryRowContext(t.Context(), "SELECT group_concat(conn_id || id || coalesce(team_name, '-') || colour) FROM connection").Scan(&got); err != nil || got != "a7bluered,b8-green" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestNothingIsMadeBeforeTheFirstWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deep", "home")
	s := openStore(t, dir, "no key at all")
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, airhook.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	for c, err := range s.List(t.Context()) {
		t.Errorf("listed %v, %v", c, err)
	}
	if err := s.Delete(t.Context(), "a"); !errors.Is(err, airhook.ErrNotFound) {
		t.Errorf("Delete: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
	if err := s.Put(t.Context(), conn(t, "a", "p", "")); !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), "AIRFLOW__CORE__FERNET_KEY") {
		t.Errorf("Put with a wrong key: %v", err)
	}
	if _, err := airflow.OpenStore(airflow.StoreConfig{}); !errors.Is(err, airhook.ErrInvalid) {
		t.Errorf("no folder: %v", err)
	}
}

// TestFileWithoutTheTableIsEmpty: another airhook has made the file and not yet its table, or crashed while it made the key.
func TestFileWithoutTheTableIsEmpty(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"airhook.db", "fernet.key.new"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := openStore(t, dir, "")
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, airhook.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if err := s.Delete(t.Context(), "a"); !errors.Is(err, airhook.ErrNotFound) {
		t.Errorf("Delete: %v", err)
	}
	for c, err := range s.List(t.Context()) {
		t.Errorf("listed %v, %v", c, err)
	}
	put(t, s, conn(t, "a", "p", ""))
	if c, err := openStore(t, dir, "").Get(t.Context(), "a"); err != nil || c.Password.Reveal() != "p" {
		t.Errorf("after a write: %v, %v", c, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "fernet.key.new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("fernet.key.new is left: %v", err)
	}
}

func TestCreateAndDeleteAll(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir(), "")
	for _, id := range []string{"a", "b", "c"} {
		if err := s.Create(t.Context(), conn(t, id, "p", "")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Create(t.Context(), conn(t, "b", "other", "")); !errors.Is(err, airhook.ErrExists) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("Create twice: %v", err)
	}
	var e *airhook.Error
	if err := s.DeleteAll(t.Context(), []string{"a", "x", "b"}); !errors.Is(err, airhook.ErrNotFound) || !errors.As(err, &e) || e.ID != "x" {
		t.Errorf("DeleteAll with an unknown id: %v", err)
	}
	if err := s.DeleteAll(t.Context(), []string{"a", "b", "a"}); err != nil {
		t.Errorf("DeleteAll: %v", err)
	}
	var left []string
	for c, err := range s.List(t.Context()) {
		if _, again := s.Get(t.Context(), c.ID); err != nil || again != nil { // the store may be used while it is listed
			t.Error(err, again)
		}
		left = append(left, c.ID)
	}
	if !cmp.Equal(left, []string{"c"}) {
		t.Errorf("left: %v", left)
	}
}

func TestStoreRefusesWhatAirflowCannotRead(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir(), "")
	for what, c := range map[string]airhook.Connection{
		"id": {Type: "aws"}, "id can't": {ID: "has space", Type: "aws"}, "the id": {ID: strings.Repeat("x", 251), Type: "aws"},
		"conn_type": {ID: "a"}, "host": {ID: "a", Type: "aws", Host: "\xff"},
	} {
		err := s.Put(t.Context(), c)
		if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), strings.Fields(what)[0]) {
			t.Errorf("%s: %v", what, err)
		}
	}
	put(t, s, airhook.Connection{ID: `a/b:c\d#!()é-_.`, Type: "aws"})
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir(), "")
	put(t, s, conn(t, "a", "p", ""))
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Get: %v", err)
	}
}

const processes, each = 4, 5

// writers are what this test's program does when it is started as another process.
var writers = map[string]func() int{"many": func() int {
	s, err := airflow.OpenStore(airflow.StoreConfig{Dir: os.Getenv("AIRFLOW_TEST_DIR")})
	for i := range each {
		if err == nil {
			c := airhook.Connection{ID: fmt.Sprintf("p%s_%d", os.Getenv("AIRFLOW_TEST_N"), i), Type: "postgres", Password: airhook.NewSecret("p")}
			err = s.Create(context.Background(), c)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}}

// TestProcessesShareAFreshStore: one key is made, and every row opens with it.
func TestProcessesShareAFreshStore(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "home")
	var started []*exec.Cmd
	for n := range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "AIRFLOW_TEST_WRITER=many", "AIRFLOW_TEST_DIR="+dir, fmt.Sprintf("AIRFLOW_TEST_N=%d", n))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		started = append(started, cmd)
	}
	for _, cmd := range started {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	found := 0
	for c, err := range openStore(t, dir, "").List(t.Context()) {
		if err != nil || c.Password.Reveal() != "p" {
			t.Errorf("%v: %v", c, err)
		}
		found++
	}
	if found != processes*each {
		t.Errorf("found %d connections, want %d", found, processes*each)
	}
}

func BenchmarkStoreGet(b *testing.B) {
	dir := b.TempDir()
	put(b, openStore(b, dir, keyA), conn(b, "a", "p", `{"iam": true}`))
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s := openStore(b, dir, keyA)
			if _, err := s.Get(b.Context(), "a"); err != nil {
				b.Fatal(err)
			}
			_ = s.Close()
		}
	})
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		s := openStore(b, dir, keyA)
		for b.Loop() {
			if _, err := s.Get(b.Context(), "a"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
