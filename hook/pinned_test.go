package hook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/hook"
)

// engines are clients of a PostgreSQL and of the dev stack's Redshift.
func engines(t *testing.T) map[string]*airhook.Client {
	t.Helper()
	return map[string]*airhook.Client{"postgresql": airhooktest.Client(t, airhooktest.Postgres(t)), "redshift": redshift(t)}
}

// wantIdle wants that every session of the pool has come back.
func wantIdle(t *testing.T, client *airhook.Client) {
	t.Helper()
	pool, err := client.Pool(t.Context(), airhooktest.ID)
	if err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(10 * time.Second); pool.Stat().AcquiredConns() > 0; runtime.Gosched() { // one that ended is counted until it is closed
		if time.Now().After(late) {
			t.Fatalf("%d sessions are still out", pool.Stat().AcquiredConns())
		}
	}
}

func TestASessionIsTheSameForAllItsCalls(t *testing.T) {
	t.Parallel()
	for engine, client := range engines(t) {
		t.Run(engine, func(t *testing.T) {
			h, next := hook.New(client, airhooktest.ID), hook.New(client, airhooktest.ID)
			mustRun(t, h, "SET work_mem = '125MB'")
			var backend any
			if err := h.Session(t.Context(), func(s *hook.Session) error {
				row, err := s.GetFirst(t.Context(), "SELECT pg_backend_pid()")
				backend = row[0]
				return errors.Join(err,
					s.Run(t.Context(), "CREATE TEMP TABLE left_over (i int)", "SET work_mem = '123MB'"),
					s.Exec(t.Context(), "INSERT INTO left_over VALUES ($1), ($2)", 1, 2),
					s.Exec(t.Context(), "PREPARE left_over AS SELECT 1"),
					s.Run(t.Context(), "EXECUTE left_over"),
					inside(t, s, "work_mem", "SELECT current_setting('work_mem')", "123MB"),
					inside(t, s, "sum", "SELECT sum(i) FROM left_over WHERE i < $1", int64(3), 10),
					inside(t, s, "backend", "SELECT pg_backend_pid()", backend),
				)
			}); err != nil {
				t.Fatal(err)
			}
			wantIdle(t, client)
			for of, want := range map[*hook.Hook]string{h: "125MB", next: ""} {
				row, err := of.GetFirst(t.Context(), "SELECT current_setting('work_mem'), (SELECT count(*) FROM pg_class WHERE relname = 'left_over' AND pg_table_is_visible(oid))")
				if err != nil || row[0] == "123MB" || want != "" && row[0] != want || row[1] != int64(0) {
					t.Errorf("after the session: %v, %v; want %q", row, err, want)
				}
			}
		})
	}
}

// inside wants one value in a session.
func inside(t *testing.T, s *hook.Session, what, sql string, want any, args ...any) error {
	t.Helper()
	row, err := s.GetFirst(t.Context(), sql, args...)
	if err == nil && (len(row) != 1 || row[0] != want) {
		err = fmt.Errorf("%s is %v, want %v", what, row, want)
	}
	return err
}

func TestATransactionSpansTheCallsOfASession(t *testing.T) {
	t.Parallel()
	for engine, client := range engines(t) {
		for name, test := range map[string]struct {
			autocommit bool
			do         func(ctx context.Context, s *hook.Session) error
			want       string // in the error
			rows       int64
		}{
			"committed": {false, func(ctx context.Context, s *hook.Session) error {
				return errors.Join(s.Exec(ctx, "BEGIN"), s.Exec(ctx, "INSERT INTO t VALUES ($1)", 1), s.Run(ctx, "INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (3)"), s.Exec(ctx, "COMMIT"))
			}, "", 3},
			"rolled back, a Run included": {false, func(ctx context.Context, s *hook.Session) error {
				return errors.Join(s.Exec(ctx, "BEGIN"), s.Run(ctx, "INSERT INTO t VALUES (2)"), s.Exec(ctx, "ROLLBACK"))
			}, "", 0},
			"left open by Exec": {false, func(ctx context.Context, s *hook.Session) error {
				return errors.Join(s.Exec(ctx, "BEGIN"), s.Exec(ctx, "INSERT INTO t VALUES (2)"))
			}, "leaves a transaction open", 0},
			"left open by Run in autocommit": {true, func(ctx context.Context, s *hook.Session) error {
				return s.Run(ctx, "BEGIN", "INSERT INTO t VALUES (2)")
			}, "leaves a transaction open", 0},
			"failed, then committed": {false, func(ctx context.Context, s *hook.Session) error {
				if err := errors.Join(s.Exec(ctx, "BEGIN"), s.Exec(ctx, "INSERT INTO t VALUES (1)"), wantSQL(s.Exec(ctx, "SELECT 1/0"))); err != nil {
					return err
				}
				return s.Exec(ctx, "COMMIT")
			}, "the transaction had failed", 0},
			"each Run is one": {false, func(ctx context.Context, s *hook.Session) error {
				return errors.Join(s.Run(ctx, "INSERT INTO t VALUES (1)"), wantSQL(s.Run(ctx, "INSERT INTO t VALUES (2)", "SELECT 1/0")), s.Run(ctx, "INSERT INTO t VALUES (3)"))
			}, "", 2},
			"a Run that ends it and goes on": {false, func(ctx context.Context, s *hook.Session) error {
				return errors.Join(s.Exec(ctx, "BEGIN"), s.Run(ctx, "INSERT INTO t VALUES (1)", "COMMIT", "INSERT INTO t VALUES (2)"))
			}, "", 2},
			"rows closed early": {false, func(ctx context.Context, s *hook.Session) error {
				err := errors.Join(s.Exec(ctx, "BEGIN"), s.Exec(ctx, "INSERT INTO t VALUES (1)"))
				rows, err2 := s.Query(ctx, "SELECT i FROM generate_series(1, 20000) i")
				if err = errors.Join(err, err2); err != nil {
					return err
				}
				rows.Next()
				rows.Close()
				return errors.Join(rows.Err(), s.Exec(ctx, "COMMIT"))
			}, "", 1},
		} {
			t.Run(engine+", "+name, func(t *testing.T) {
				h := hook.New(client, airhooktest.ID).With(hook.Options{Autocommit: test.autocommit})
				mustRun(t, h, "DROP TABLE IF EXISTS t", "CREATE TABLE t (i int)")
				err := h.Session(t.Context(), func(s *hook.Session) error { return test.do(t.Context(), s) })
				if test.want == "" && err != nil {
					t.Error(err)
				}
				if test.want != "" {
					wantError(t, err, airhook.ErrInvalid, "", test.want)
				}
				if n := one(t, hook.New(client, airhooktest.ID), "SELECT count(*) FROM t"); n != test.rows {
					t.Errorf("%v rows, want %d", n, test.rows)
				}
				wantIdle(t, client)
			})
		}
	}
}

// However a session's function ends, the session comes back as a fresh one.
func TestASessionComesBackClean(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone home")
	for engine, client := range engines(t) {
		for name, do := range map[string]func(ctx context.Context, h *hook.Hook, s *hook.Session) error{
			"an error":  func(context.Context, *hook.Hook, *hook.Session) error { return gone },
			"a panic":   func(context.Context, *hook.Hook, *hook.Session) error { panic(gone) },
			"no return": func(context.Context, *hook.Hook, *hook.Session) error { runtime.Goexit(); return nil },
			"open rows": func(ctx context.Context, _ *hook.Hook, s *hook.Session) error { return unclosed(ctx, s, "SELECT 1") },
			"a big read": func(ctx context.Context, _ *hook.Hook, s *hook.Session) error {
				return unclosed(ctx, s, "SELECT i FROM generate_series(1, 1000000) i")
			},
			"a failed transaction": func(ctx context.Context, _ *hook.Hook, s *hook.Session) error {
				return errors.Join(s.Exec(ctx, "BEGIN"), s.Exec(ctx, "SELECT 1/0"))
			},
			"a cut session": func(ctx context.Context, h *hook.Hook, s *hook.Session) error {
				row, err := s.GetFirst(ctx, "SELECT pg_backend_pid()")
				return errors.Join(err, s.Exec(ctx, "BEGIN"), h.Exec(ctx, "SELECT pg_terminate_backend($1)", row[0]), s.Run(ctx, "SELECT 1"))
			},
			"a session in it": func(ctx context.Context, h *hook.Hook, s *hook.Session) error {
				return h.Session(ctx, func(other *hook.Session) error {
					return errors.Join(other.Run(ctx, "CREATE TEMP TABLE left_over (i int)"), other.Exec(ctx, "BEGIN"))
				})
			},
			"a call that goes on": func(ctx context.Context, h *hook.Hook, s *hook.Session) error {
				go func() { _ = s.Run(context.WithoutCancel(ctx), "SELECT /* goes on */ pg_sleep(100)") }()
				until(t, h, "goes on", 1)
				return nil
			},
			"a cancelled call": func(ctx context.Context, h *hook.Hook, s *hook.Session) error {
				ctx, cancel := context.WithCancel(ctx)
				done := make(chan error)
				go func() { done <- s.Run(ctx, "SELECT /* cancelled */ pg_sleep(100)") }()
				until(t, h, "cancelled", 1)
				cancel()
				if err := <-done; !errors.Is(err, airhook.ErrCancelled) {
					return fmt.Errorf("it ended with %w", err)
				}
				return s.Run(context.WithoutCancel(ctx), "SELECT 1") // the session goes on
			},
		} {
			t.Run(engine+", "+name, func(t *testing.T) {
				h, next := hook.New(client, airhooktest.ID), hook.New(client, airhooktest.ID)
				done := make(chan struct{})
				go func() { // for the one that ends its goroutine
					defer close(done)
					defer func() { _ = recover() }()
					_ = h.Session(t.Context(), func(s *hook.Session) error {
						if err := s.Run(t.Context(), "SET work_mem = '123MB'", "CREATE TEMP TABLE left_over (i int)", "PREPARE left_over AS SELECT 1"); err != nil {
							t.Error(err)
						}
						return do(t.Context(), h, s)
					})
				}()
				<-done
				wantIdle(t, client)
				if left := one(t, next, leftovers[engine]); left != "" {
					t.Errorf("the next caller finds %q", left)
				}
			})
		}
	}
}

// unclosed leaves rows open.
func unclosed(ctx context.Context, s *hook.Session, sql string) error {
	rows, err := s.Query(ctx, sql)
	if err == nil && !rows.Next() {
		err = rows.Err()
	}
	return err
}

func TestMisuseOfASessionIsTold(t *testing.T) {
	t.Parallel()
	client := airhooktest.Client(t, airhooktest.Postgres(t))
	h := hook.New(client, airhooktest.ID)
	var kept *hook.Session
	if err := h.Session(t.Context(), func(s *hook.Session) error {
		kept = s
		rows, err := s.Query(t.Context(), "SELECT 1 UNION SELECT 2")
		if err != nil {
			return err
		}
		for verb, err := range verbs(t.Context(), s) {
			wantError(t, fmt.Errorf("%s: %w", verb, err), airhook.ErrInvalid, "", "busy")
		}
		rows.Close()
		wantError(t, s.Run(t.Context(), " "), airhook.ErrInvalid, "", "empty")
		wantError(t, s.Exec(t.Context(), "COPY t FROM STDIN"), airhook.ErrInvalid, "", "COPY FROM STDIN")
		wantError(t, s.Run(t.Context(), "COPY t FROM STDIN"), airhook.ErrInvalid, "", "COPY FROM STDIN")
		wantError(t, s.Exec(t.Context(), "nonsense"), airhook.ErrSQL, "42601", "syntax error")
		return s.Run(t.Context(), "SELECT 1")
	}); err != nil {
		t.Error(err)
	}
	for verb, err := range verbs(t.Context(), kept) {
		wantError(t, fmt.Errorf("%s: %w", verb, err), airhook.ErrInvalid, "", "given back")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, h.Session(ctx, func(*hook.Session) error { t.Error("it ran"); return nil }), airhook.ErrCancelled, "", "cancelled")
	wantIdle(t, client)
}

func verbs(ctx context.Context, s *hook.Session) map[string]error {
	_, records := s.GetRecords(ctx, "SELECT 1")
	_, first := s.GetFirst(ctx, "SELECT 1")
	_, query := s.Query(ctx, "SELECT 1")
	return map[string]error{"Run": s.Run(ctx, "SELECT 1"), "Exec": s.Exec(ctx, "SELECT 1"), "GetRecords": records, "GetFirst": first, "Query": query}
}

// What the extra sets, every caller has, whatever somebody before set, reset or discarded.
func TestSettingsOfTheExtraSurviveEveryReset(t *testing.T) {
	t.Parallel()
	for engine, client := range engines(t) {
		t.Run(engine, func(t *testing.T) {
			conn, err := client.Get(t.Context(), airhooktest.ID)
			if err != nil {
				t.Fatal(err)
			}
			settings := map[string]string{"search_path": "of_the_extra, public", "statement_timeout": "77s", "application_name": "of_the_extra"}
			if engine == "redshift" {
				settings["query_group"] = "of_the_extra"
			}
			text, err := json.Marshal(settings)
			if err != nil {
				t.Fatal(err)
			}
			if conn.Extra, err = airhook.ParseExtra(string(text)); err != nil {
				t.Fatal(err)
			}
			client := airhooktest.Client(t, conn)
			for _, sql := range []string{"SELECT 1", "SET search_path TO other; SET statement_timeout TO 0", "RESET ALL", "DISCARD ALL", "SET application_name = 'x'; SELECT 1/0", "BEGIN; SET search_path TO other; SELECT 1/0"} {
				_ = hook.New(client, airhooktest.ID).With(hook.Options{Autocommit: true}).Run(t.Context(), sql) // some fail
				_ = hook.New(client, airhooktest.ID).Session(t.Context(), func(s *hook.Session) error { return s.Exec(t.Context(), sql) })
				for name, want := range settings {
					if got := one(t, hook.New(client, airhooktest.ID), "SHOW "+name); fmt.Sprint(got) != want && strings.ReplaceAll(fmt.Sprint(got), `"`, "") != want {
						t.Errorf("after %q %s is %v, want %s", sql, name, got, want)
					}
				}
			}
		})
	}
}

func ExampleHook_Session() {
	var h *hook.Hook // of hook.New
	ctx, ids := context.Background(), []int{1, 2, 3}
	_ = h.Session(ctx, func(s *hook.Session) error {
		if err := s.Run(ctx, "CREATE TEMP TABLE staged (id int)"); err != nil {
			return err
		}
		if err := s.Exec(ctx, "INSERT INTO staged SELECT unnest(@ids::int[])", pgx.NamedArgs{"ids": ids}); err != nil {
			return err
		}
		return s.Run(ctx, "DELETE FROM target USING staged WHERE target.id = staged.id", "INSERT INTO target SELECT id FROM staged") // one transaction
	})
}
