package airhooktest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/airhook-go/airhook"
)

// ID is the id of the connections that Postgres and Script return.
const ID = "test_postgres"

// keepDB is go test's -keepdb, for a look at what a test left.
var keepDB = flag.Bool("keepdb", false, "keep the tests' databases and print how to open them (with AIRHOOK_TEST_PG only)")

// shared is the server of this package's run. Tests count themselves in and out; Main counts as one.
var shared server

type server struct {
	mu    sync.Mutex
	users int
	admin airhook.Connection
	stop  func() error
	err   error // why there is none, found out once
}

// Main runs a package's tests with one PostgreSQL server for all of them, stops it, and fails the run when a goroutine
// is left. Call it from TestMain, as its last statement.
func Main(m *testing.M) {
	flag.Parse()
	shared.mu.Lock()
	shared.users++
	shared.mu.Unlock()
	code := m.Run()
	err := shared.leave()
	if err == nil && code == 0 {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "airhooktest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Postgres returns a connection to a new database of a real PostgreSQL server, as a user that may do everything. The
// database is dropped at the end of the test, unless -keepdb. The server is the one that the environment's
// AIRHOOK_TEST_PG names (a postgresql:// URL), else one started from this machine's programs, as devstack/postgres finds
// them without fetching any; with neither, or with go test -short, the test is skipped.
func Postgres(t testing.TB) airhook.Connection {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no server is started")
	}
	admin, err := shared.join()
	t.Cleanup(func() {
		if err := shared.leave(); err != nil {
			t.Errorf("stop PostgreSQL: %v", err)
		}
	})
	if errors.Is(err, errNone) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("start PostgreSQL for the tests: %v", err)
	}
	client := Client(t, admin)
	name := "airhook_test_" + strings.ToLower(rand.Text())
	if err := execute(t.Context(), client, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create a database for the test: %v", err)
	}
	t.Cleanup(func() {
		if *keepDB {
			t.Logf("kept: psql -h %s -p %d -U %s %s", admin.Host, admin.Port, admin.Login, name)
			return
		}
		ctx := context.WithoutCancel(t.Context()) // ended when cleanups run
		if err := execute(ctx, client, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	admin.Schema = name
	return admin
}

func execute(ctx context.Context, client *airhook.Client, sql string) error {
	conn, err := client.Acquire(ctx, ID)
	if err != nil {
		return err
	}
	defer conn.Release()
	_, err = conn.Exec(ctx, sql)
	return err
}

// join returns the server's connection, starting it for the first who asks.
func (s *server) join() (airhook.Connection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
	if s.stop == nil && s.err == nil {
		s.admin, s.stop, s.err = find()
	}
	return s.admin, s.err
}

func (s *server) leave() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users > 0 || s.stop == nil {
		return nil
	}
	stop := s.stop
	s.stop = nil
	return stop()
}

// find returns the server that the environment names, or a new one.
func find() (airhook.Connection, func() error, error) {
	if text := os.Getenv("AIRHOOK_TEST_PG"); text != "" {
		admin, err := fromURL(text)
		return admin, func() error { return nil }, err
	}
	return start()
}

// fromURL reads a libpq URL (PostgreSQL manual, 34.1.1.2). Its parameters become the connection's extra.
func fromURL(text string) (airhook.Connection, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return airhook.Connection{}, errors.New("AIRHOOK_TEST_PG is no postgresql:// URL") // never its text: it holds a password
	}
	c := airhook.Connection{ID: ID, Type: "postgres", Host: u.Hostname(), Login: "postgres", Schema: strings.TrimPrefix(u.Path, "/")}
	c.Port, _ = strconv.Atoi(u.Port())
	if u.User != nil {
		password, _ := u.User.Password()
		c.Login, c.Password = u.User.Username(), airhook.NewSecret(password)
	}
	extra := map[string]string{}
	for key, values := range u.Query() {
		extra[key] = values[len(values)-1]
	}
	if extra["host"] != "" { // a socket's folder, which has no place before the path
		c.Host = extra["host"]
		delete(extra, "host")
	}
	if c.Schema == "" {
		c.Schema = "postgres"
	}
	if len(extra) == 0 {
		return c, nil
	}
	b, err := json.Marshal(extra)
	if err == nil {
		c.Extra, err = airhook.ParseExtra(string(b))
	}
	return c, err
}
