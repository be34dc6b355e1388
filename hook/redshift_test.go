package hook_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/devstack/gateway"
	"github.com/airhook-go/airhook/devstack/postgres"
	"github.com/airhook-go/airhook/hook"
)

// redshift returns a client of a connection to the dev stack's Redshift, with a database user's password.
func redshift(t *testing.T) *airhook.Client {
	t.Helper()
	programs, err := postgres.Find(t.Context(), postgres.FindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := postgres.Start(t.Context(), postgres.Options{Programs: programs})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), "host="+server.Dir()+" port=5432 user=postgres dbname=postgres sslmode=disable")
	if err == nil {
		_, err = pool.Exec(t.Context(), "CREATE ROLE etl LOGIN PASSWORD 'etl-password'; GRANT CREATE ON SCHEMA public TO etl", pgx.QueryExecModeSimpleProtocol)
	}
	var g *gateway.Gateway
	authority, err2 := gateway.NewAuthority()
	if err = errors.Join(err, err2); err == nil {
		g, err = gateway.Listen(t.Context(), gateway.Options{Kind: gateway.Redshift, Name: "my-cluster.xyz.us-east-1.redshift.amazonaws.com", Authority: authority, Roles: gateway.NewRoles(pool), Socket: server.Socket()})
	}
	if err != nil {
		t.Fatal(errors.Join(err, server.Close()))
	}
	extra, err := airhook.ParseExtra(`{"sslmode": "require", "query_group": "of_the_connection"}`)
	if err != nil {
		t.Fatal(err)
	}
	client, err := airhook.New(airhook.Config{Registry: airhooktest.Registry(airhook.Connection{
		ID: airhooktest.ID, Type: "redshift", Host: "127.0.0.1", Port: g.Port(), Login: "etl", Password: airhook.NewSecret("etl-password"), Schema: "postgres", Extra: extra,
	})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		pool.Close()
		if err := errors.Join(g.Close(), server.Close()); err != nil {
			t.Error(err)
		}
	})
	return client
}

func TestHooksOnRedshift(t *testing.T) {
	t.Parallel()
	client := redshift(t)
	h, next := hook.New(client, airhooktest.ID), hook.New(client, airhooktest.ID)
	mustRun(t, h, "SET enable_result_cache_for_session TO off") // as Airflow's guide does it: a call for each
	mustRun(t, h, "SET query_group TO 'etl_jobs'")
	mustRun(t, h, "CREATE TABLE t (s text); INSERT INTO t VALUES ('it\\'s; one')", `INSERT INTO t VALUES ('a\\b')`)
	if err := h.Exec(t.Context(), "INSERT INTO t VALUES ($1)", `c\d`); err != nil {
		t.Fatal(err)
	}
	rows, err := h.GetRecords(t.Context(), "SELECT s FROM t WHERE s LIKE $1 ORDER BY s", "%")
	if err != nil || len(rows) != 3 || rows[0][0] != `a\b` || rows[1][0] != `c\d` || rows[2][0] != "it's; one" {
		t.Errorf("got %q, %v", rows, err)
	}
	for want, hook := range map[string]*hook.Hook{"etl_jobs": h, "of_the_connection": next} {
		if got := one(t, hook, "SHOW query_group"); got != want {
			t.Errorf("query_group is %v, want %q", got, want)
		}
	}
	mustRun(t, h, "CREATE TEMP TABLE left_over (i int)")
	if got := one(t, next, "SELECT count(*) FROM pg_class WHERE relname = 'left_over' AND pg_table_is_visible(oid)"); got != int64(0) {
		t.Error("the next caller sees a temporary table")
	}
	sql, args, err := hook.PyformatRedshift(`SELECT 'it\'s %s', %(a)s::text`, map[string]any{"a": "b", "unused": 1})
	if row, err2 := h.GetFirst(t.Context(), sql, args...); errors.Join(err, err2) != nil || len(row) != 2 || row[0] != "it's %s" || row[1] != "b" {
		t.Errorf("by pyformat: %v, %v", row, errors.Join(err, err2))
	}
	if got := one(t, h, "SELECT 'a'::text"); got != "a" {
		t.Errorf("got %v (%T)", got, got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx, "SELECT /* redshift */ pg_sleep(100)") }()
	until(t, next, "redshift", 1)
	cancel()
	wantError(t, <-done, airhook.ErrCancelled, "", "cancelled")
	gone(t, next, "redshift")
}

func TestASessionOfRedshiftEndsOnlyWhenItChanged(t *testing.T) {
	t.Parallel()
	client := redshift(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, test := range map[string]struct {
		run  func(h *hook.Hook) error
		kept bool
	}{
		"a query":              {func(h *hook.Hook) error { return h.Run(ctx, "SELECT 1") }, true},
		"a failed query":       {func(h *hook.Hook) error { _, err := h.GetRecords(ctx, "SELECT 1/0"); return wantSQL(err) }, true},
		"a failed run":         {func(h *hook.Hook) error { return wantSQL(h.Run(ctx, "SELECT 1", "SELECT 1/0")) }, true},
		"a query closed early": {closedEarly, false},
		"a cancelled query": {func(h *hook.Hook) error {
			return wantSQL(h.Run(ctx, "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(100)"))
		}, false},
		"a SET":                    {func(h *hook.Hook) error { return h.Run(ctx, "SET query_group TO 'x'") }, false},
		"a SET before a failure":   {func(h *hook.Hook) error { return wantSQL(h.Exec(ctx, "SET query_group TO 'x'; SELECT 1/0")) }, false},
		"a failed temporary table": {func(h *hook.Hook) error { return wantSQL(h.Exec(ctx, "CREATE TEMP TABLE t AS SELECT 1/0")) }, false},
	} {
		before := one(t, hook.New(client, airhooktest.ID), "SELECT pg_backend_pid()")
		if err := test.run(hook.New(client, airhooktest.ID)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		after := one(t, hook.New(client, airhooktest.ID), "SELECT pg_backend_pid()")
		if (before == after) != test.kept {
			t.Errorf("after %s the session is %v, was %v, want it kept: %v", name, after, before, test.kept)
		}
	}
}

// What PostgreSQL's table of tests leaves behind, as far as it has words in Redshift or in what stands for it here.
func TestNothingLeaksToTheNextCallerOnRedshift(t *testing.T) {
	t.Parallel()
	client := redshift(t)
	for name, sql := range map[string]string{
		"set":               "SET query_group TO 'mine'",
		"set in a comment":  "/* SELECT */ SET query_group TO 'mine'",
		"set_config":        "SELECT set_config('work_mem', '123MB', false)",
		"quoted set_config": `SELECT "set_config"('work_mem', '123MB', false)`,
		"temporary table":   "CREATE TEMP TABLE left_over AS SELECT 1 AS i",
		"select into temp":  "SELECT 1 AS i INTO TEMPORARY left_over",
		"in pg_temp":        "CREATE TABLE pg_temp.left_over AS SELECT 1 AS i",
		"listen":            "LISTEN left_over",
		"prepared":          "PREPARE left_over AS SELECT 1",
		"session lock":      "SELECT pg_advisory_lock(1)",
		"tried lock":        "SELECT pg_catalog.pg_try_advisory_lock_shared(1)",
		"role":              "SET ROLE pg_monitor",
		"authorization":     "SET SESSION AUTHORIZATION pg_monitor",
		"cursor":            "DECLARE left_over CURSOR WITH HOLD FOR SELECT 1",
		"open transaction":  "BEGIN; SELECT txid_current()",
		"failed statement":  "SET work_mem = '123MB'; SELECT 1/0",
		"failed in between": "BEGIN; SET work_mem = '123MB'; SELECT 1/0",
		"procedure":         "CALL sets()",
		"block":             "DO $$ BEGIN SET work_mem = '123MB'; END $$",
	} {
		t.Run(name, func(t *testing.T) {
			h, next := hook.New(client, airhooktest.ID), hook.New(client, airhooktest.ID)
			mustRun(t, h, "CREATE OR REPLACE PROCEDURE sets() LANGUAGE plpgsql AS $$ BEGIN SET work_mem = '123MB'; END $$")
			ctx := t.Context()
			for verb, run := range map[string]func() error{
				"Run":            func() error { return h.Run(ctx, sql) },
				"Run autocommit": func() error { return h.With(hook.Options{Autocommit: true}).Run(ctx, sql) },
				"Exec":           func() error { return h.Exec(ctx, sql) },
				"GetRecords":     func() error { _, err := h.GetRecords(ctx, sql); return err },
				"Session":        func() error { return h.Session(ctx, func(s *hook.Session) error { return s.Exec(ctx, sql) }) },
			} {
				_ = run() // some fail; what they leave is looked at
				if left := one(t, next, leftovers["redshift"]); left != "" {
					t.Errorf("after %s(%q) the next caller finds %q", verb, sql, left)
				}
			}
		})
	}
}

// wantSQL turns the failure of a statement into none, and anything else into one.
func wantSQL(err error) error {
	if errors.Is(err, airhook.ErrSQL) {
		return nil
	}
	return fmt.Errorf("want the server to refuse it: %w", err)
}

func closedEarly(h *hook.Hook) error {
	rows, err := h.Query(context.Background(), "SELECT i, repeat('x', 1000) FROM generate_series(1, 10000) i, generate_series(1, 10000) j")
	if err != nil {
		return err
	}
	rows.Next()
	rows.Close()
	return rows.Err()
}
