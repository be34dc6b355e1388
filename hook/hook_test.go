package hook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/hook"
)

// real returns a hook for a new database, and another one for looking at it.
func real(t *testing.T) (h, eye *hook.Hook) {
	t.Helper()
	conn := airhooktest.Postgres(t)
	return hook.New(airhooktest.Client(t, conn), conn.ID), hook.New(airhooktest.Client(t, conn), conn.ID)
}

func mustRun(t *testing.T, h *hook.Hook, statements ...string) {
	t.Helper()
	if err := h.Run(t.Context(), statements...); err != nil {
		t.Fatalf("Run(%q): %v", statements, err)
	}
}

func one(t *testing.T, h *hook.Hook, sql string, args ...any) any {
	t.Helper()
	row, err := h.GetFirst(t.Context(), sql, args...)
	if err != nil || len(row) == 0 {
		t.Fatalf("GetFirst(%q): %v, %v", sql, row, err)
	}
	return row[0]
}

func wantError(t *testing.T, err, kind error, sqlstate, text string) {
	t.Helper()
	var e *airhook.Error
	if !errors.As(err, &e) || !errors.Is(err, kind) || e.SQLState != sqlstate || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v (%+v), want %v with SQLSTATE %q and %q", err, e, kind, sqlstate, text)
		return
	}
	if e.ID != airhooktest.ID || e.Stage != airhook.StageQuery {
		t.Errorf("the error is of connection %q at %q, want %q at query", e.ID, e.Stage, airhooktest.ID)
	}
}

func TestRecordsHaveGoTypes(t *testing.T) {
	t.Parallel()
	h, _ := real(t)
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	got, err := h.GetRecords(t.Context(), `SELECT 1::int2, 2::int4, 3::int8, 1.5::float8, true, 'text', NULL, '\x0102'::bytea,
		DATE '2024-02-29', TIMESTAMPTZ '2024-02-29 01:00+01', ARRAY[1,2], '{"a": [1]}'::jsonb, 12.50::numeric`)
	if err != nil {
		t.Fatal(err)
	}
	numeric, _ := got[0][12].(pgtype.Numeric)
	if f, err := numeric.Float64Value(); err != nil || f.Float64 != 12.5 {
		t.Errorf("numeric is %v (%T), want 12.50", got[0][12], got[0][12])
	}
	at, _ := got[0][9].(time.Time)
	if !at.Equal(day) {
		t.Errorf("timestamptz is %v, want %v", got[0][9], day)
	}
	want := []any{int16(1), int32(2), int64(3), 1.5, true, "text", nil, []byte{1, 2}, day}
	if d := cmp.Diff(want, got[0][:9]); d != "" {
		t.Errorf("values (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]any{[]any{int32(1), int32(2)}, map[string]any{"a": []any{float64(1)}}}, got[0][10:12]); d != "" {
		t.Errorf("array and jsonb (-want +got):\n%s", d)
	}
}

func TestRecordsOfNothing(t *testing.T) {
	t.Parallel()
	h, _ := real(t)
	if got, err := h.GetRecords(t.Context(), "SELECT 1 WHERE false"); err != nil || got == nil || len(got) != 0 {
		t.Errorf("no rows: %#v, %v, want an empty slice", got, err)
	}
	if got, err := h.GetRecords(t.Context(), "CREATE TABLE t (i int)"); err != nil || got != nil {
		t.Errorf("no result: %#v, %v, want nil", got, err)
	}
	if row, err := h.GetFirst(t.Context(), "SELECT i FROM t"); err != nil || row != nil {
		t.Errorf("first of no rows: %#v, %v, want nil", row, err)
	}
}

func TestParametersFollowTheSQL(t *testing.T) {
	t.Parallel()
	h, _ := real(t)
	mustRun(t, h, "CREATE TABLE t (i int, s text, d date, n numeric)")
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	if err := h.Exec(t.Context(), "INSERT INTO t VALUES ($1, $2, $3, $4), ($5, NULL, NULL, NULL)", 1, `it's \ "x"`, day, "1.50", 2); err != nil {
		t.Fatal(err)
	}
	got, err := h.GetRecords(t.Context(), "SELECT i, s, d, n::text FROM t WHERE i = ANY(@ids) ORDER BY i LIMIT @n", pgx.NamedArgs{"ids": []int{1, 2}, "n": 10})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]any{{int32(1), `it's \ "x"`, day, "1.50"}, {int32(2), nil, nil, nil}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	sql, args, err := hook.Pyformat("SELECT s FROM t WHERE i = %(i)s AND s LIKE 'it%%'", map[string]any{"i": 1})
	if err != nil {
		t.Fatal(err)
	}
	if got := one(t, h, sql, args...); got != want[0][1] {
		t.Errorf("by pyformat: got %q", got)
	}
	if err := h.Exec(t.Context(), "DELETE FROM t WHERE i = @i", pgx.NamedArgs{"i": 1}); err != nil {
		t.Error(err)
	}
	if n := one(t, h, "SELECT count(*) FROM t"); n != int64(1) {
		t.Errorf("%v rows are left, want 1", n)
	}
}

func TestWrongParametersAreInvalid(t *testing.T) {
	t.Parallel()
	h, _ := real(t)
	_, err := h.GetRecords(t.Context(), "SELECT $1::int", 1, 2)
	wantError(t, err, airhook.ErrInvalid, "", "expected 1 arguments, got 2")
	err = h.Exec(t.Context(), "SELECT $1::int", struct{}{})
	wantError(t, err, airhook.ErrInvalid, "", "args[0]")
	_, err = h.GetFirst(t.Context(), " ")
	wantError(t, err, airhook.ErrInvalid, "", "list of SQL statements is empty")
	wantError(t, h.Run(t.Context()), airhook.ErrInvalid, "", "list of SQL statements is empty")
	wantError(t, h.Run(t.Context(), "", " \n"), airhook.ErrInvalid, "", "list of SQL statements is empty")
	wantError(t, h.Exec(t.Context(), ""), airhook.ErrInvalid, "", "list of SQL statements is empty")
}

func TestRunIsOneTransaction(t *testing.T) {
	t.Parallel()
	h, eye := real(t)
	mustRun(t, h, "CREATE TABLE t (i int)")
	err := h.Run(t.Context(), "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)", "INSERT INTO t VALUES ('x')", "INSERT INTO t VALUES (3)")
	wantError(t, err, airhook.ErrSQL, "22P02", "statement 2 of 3")
	if n := one(t, eye, "SELECT count(*) FROM t"); n != int64(0) {
		t.Errorf("%v rows after a failure, want 0", n)
	}
	mustRun(t, h, "INSERT INTO t VALUES (1);", "", "-- nothing", "INSERT INTO t SELECT count(*) FROM t")
	if n := one(t, eye, "SELECT sum(i) FROM t"); n != int64(2) {
		t.Errorf("the sum is %v, want 2", n)
	}
}

func TestRunObeysTheStatementsOwnTransactions(t *testing.T) {
	t.Parallel()
	h, eye := real(t)
	mustRun(t, h, "BEGIN; CREATE TABLE t (i int); COMMIT;", "BEGIN;", "INSERT INTO t VALUES (1)", "COMMIT", "INSERT INTO t VALUES (2)", "ROLLBACK", "INSERT INTO t VALUES (3)")
	if n := one(t, eye, "SELECT sum(i) FROM t"); n != int64(4) {
		t.Errorf("the sum is %v, want 1 and 3", n)
	}
	err := h.Run(t.Context(), "INSERT INTO t VALUES (5)", "COMMIT", "INSERT INTO t VALUES ('x')")
	wantError(t, err, airhook.ErrSQL, "22P02", "statement 3 of 3")
	if n := one(t, eye, "SELECT sum(i) FROM t"); n != int64(9) {
		t.Errorf("the sum is %v, want what was committed to stay", n)
	}
}

func TestDeferredConstraintsFailTheRun(t *testing.T) {
	t.Parallel()
	h, _ := real(t)
	mustRun(t, h, "CREATE TABLE t (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
	wantError(t, h.Run(t.Context(), "INSERT INTO t VALUES (1), (1)"), airhook.ErrSQL, "23505", "duplicate key")
}

func TestAutocommitTakesNoTransaction(t *testing.T) {
	t.Parallel()
	h, eye := real(t)
	err := h.Run(t.Context(), "VACUUM")
	wantError(t, err, airhook.ErrSQL, "25001", "VACUUM")
	var e *airhook.Error
	if errors.As(err, &e); !strings.Contains(e.Hint, "Autocommit") {
		t.Errorf("the hint is %q, want it to name Autocommit", e.Hint)
	}
	auto := h.With(hook.Options{Autocommit: true})
	mustRun(t, auto, "VACUUM", "CREATE TABLE t (i int)")
	err = auto.Run(t.Context(), "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES ('x')")
	wantError(t, err, airhook.ErrSQL, "22P02", "statement 2 of 2")
	if n := one(t, eye, "SELECT count(*) FROM t"); n != int64(1) {
		t.Errorf("%v rows, want that of the first statement to stay", n)
	}
	wantError(t, auto.Run(t.Context(), "BEGIN", "INSERT INTO t VALUES (2)"), airhook.ErrInvalid, "", "leave a transaction open")
	if n := one(t, eye, "SELECT count(*) FROM t"); n != int64(1) {
		t.Errorf("%v rows, want the open transaction rolled back", n)
	}
}

func TestAnOpenTransactionEndsWithItsCall(t *testing.T) {
	t.Parallel()
	h, _ := real(t)
	wantError(t, h.Exec(t.Context(), "BEGIN"), airhook.ErrInvalid, "", "use Run")
	_, err := h.GetRecords(t.Context(), "BEGIN")
	wantError(t, err, airhook.ErrInvalid, "", "use Run")
	if n := one(t, h, "SELECT 1"); n != int32(1) {
		t.Errorf("the next call got %v", n)
	}
}

func TestNoticesReachTheHook(t *testing.T) {
	t.Parallel()
	conn := airhooktest.Postgres(t)
	var got []string
	h := hook.New(airhooktest.Client(t, conn), conn.ID).With(hook.Options{OnNotice: func(n *pgconn.Notice) { got = append(got, n.Severity+" "+n.Message) }})
	mustRun(t, h, "DROP TABLE IF EXISTS nothing", "DO $$ BEGIN RAISE WARNING 'look'; END $$")
	if want := []string{`NOTICE table "nothing" does not exist, skipping`, "WARNING look"}; cmp.Diff(want, got) != "" {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoticesGoToTheLoggerWithoutTheSQL(t *testing.T) {
	t.Parallel()
	conn := airhooktest.Postgres(t)
	var log bytes.Buffer
	h := hook.New(airhooktest.Client(t, conn), conn.ID).With(hook.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	mustRun(t, h, "SELECT 'hidden'; DROP TABLE IF EXISTS nothing")
	if got := log.String(); !strings.Contains(got, `msg="server notice" conn=test_postgres severity=NOTICE`) || strings.Contains(got, "hidden") {
		t.Errorf("the log is %q", got)
	}
}

func TestAlteredTablesAreReadAnew(t *testing.T) {
	t.Parallel()
	h, _ := real(t)
	mustRun(t, h, "CREATE TABLE t (i int)", "INSERT INTO t VALUES (1)")
	one(t, h, "SELECT * FROM t")
	mustRun(t, h, "ALTER TABLE t ADD COLUMN s text DEFAULT 'new'")
	if row, err := h.GetFirst(t.Context(), "SELECT * FROM t"); err != nil || len(row) != 2 {
		t.Errorf("got %v, %v, want both columns", row, err)
	}
}

func TestFirstRowRunsTheStatementToItsEnd(t *testing.T) {
	t.Parallel()
	h, eye := real(t)
	mustRun(t, h, "CREATE TABLE t (i int)")
	if got := one(t, h, "INSERT INTO t SELECT generate_series(1, 20000) RETURNING i"); got != int32(1) {
		t.Errorf("got %v, want 1", got)
	}
	if n := one(t, eye, "SELECT count(*) FROM t"); n != int64(20000) {
		t.Errorf("%v rows, want all 20000", n)
	}
}

func TestErrorsOfTheServerHaveTheirCode(t *testing.T) {
	t.Parallel()
	h, _ := real(t)
	_, err := h.GetRecords(t.Context(), "SELECT * FROM missing")
	wantError(t, err, airhook.ErrSQL, "42P01", `relation "missing" does not exist`)
	_, err = h.GetFirst(t.Context(), "SELECT 1 / (i - 2) FROM generate_series(1, 3) i")
	wantError(t, err, airhook.ErrSQL, "22012", "division by zero")
	wantError(t, h.Exec(t.Context(), "SELECT 1 / $1::int", 0), airhook.ErrSQL, "22012", "division by zero")
	_, err = h.GetRecords(t.Context(), "SELECT 1; SELECT 2")
	wantError(t, err, airhook.ErrSQL, "42601", "multiple commands")
}

func TestCopyFromStdinIsRefusedAndDoesNotHang(t *testing.T) {
	t.Parallel()
	h, _ := real(t)
	mustRun(t, h, "CREATE TABLE stdin (i int)")
	wantError(t, h.Run(t.Context(), "SELECT 1; COPY stdin FROM STDIN"), airhook.ErrInvalid, "", "no data")
	wantError(t, h.Exec(t.Context(), "COPY stdin FROM stdin"), airhook.ErrInvalid, "", "no data")
	wantError(t, h.Exec(t.Context(), "COPY stdin FROM STDOUT"), airhook.ErrInvalid, "", "no data") // the server takes it for the same
	_, err := h.Query(t.Context(), "-- load\nCOPY stdin FROM STDIN")
	wantError(t, err, airhook.ErrInvalid, "", "no data")
	mustRun(t, h, "COPY (SELECT 1) TO STDOUT")
	mustRun(t, h, "COPY stdin TO STDOUT")
}

func TestAnUnknownConnectionIsNotFound(t *testing.T) {
	t.Parallel()
	h := hook.New(airhooktest.Client(t, airhook.Connection{ID: "rds_prod", Type: "postgres"}), "rds_prd")
	err := h.Run(t.Context(), "SELECT 1")
	var e *airhook.Error
	if !errors.Is(err, airhook.ErrNotFound) || !errors.As(err, &e) || !strings.Contains(e.Hint, "rds_prod") {
		t.Errorf("got %v, want not found with the nearest id as hint", err)
	}
	if _, _, _, err := h.GetIAMToken(t.Context()); !errors.Is(err, airhook.ErrNotFound) {
		t.Errorf("GetIAMToken: %v, want not found", err)
	}
}

func TestTokenIsTheLogins(t *testing.T) {
	t.Parallel()
	extra, err := airhook.ParseExtra(`{"iam": true, "region_name": "eu-central-1"}`)
	if err != nil {
		t.Fatal(err)
	}
	conn := airhook.Connection{ID: "rds", Type: "postgres", Host: "db.example.com", Port: 6543, Login: "app", Extra: extra}
	client, err := airhook.New(airhook.Config{
		Registry: airhooktest.Registry(conn, airhook.Connection{ID: "plain", Type: "postgres", Host: "db.example.com", Login: "app"}),
		Logins: map[string]airhook.Login{airhook.MethodRDS: func(_ context.Context, t airhook.Target) (airhook.Credential, error) {
			return airhook.Credential{User: t.User, Password: airhook.NewSecret(fmt.Sprintf("token for %s:%d", t.SignHost, t.SignPort))}, nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	user, token, port, err := hook.New(client, "rds").GetIAMToken(t.Context())
	if err != nil || user != "app" || token.Reveal() != "token for db.example.com:6543" || port != 6543 {
		t.Errorf("got %q, %q, %d, %v", user, token.Reveal(), port, err)
	}
	_, token, _, err = hook.New(client, "plain").GetIAMToken(t.Context())
	if !errors.Is(err, airhook.ErrInvalid) || !token.IsZero() {
		t.Errorf("of a password connection: %v, want invalid and no token", err)
	}
	var e *airhook.Error
	if want := `set "iam": true in its extra`; !errors.As(err, &e) || e.Hint != want {
		t.Errorf("of a password connection: %+v, want the hint %s", err, want)
	}
}
