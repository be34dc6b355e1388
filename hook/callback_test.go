package hook_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/hook"
)

// gets are the verbs with rows, of a hook or a session.
type gets interface {
	GetRecords(ctx context.Context, sql string, args ...any) ([][]any, error)
	GetFirst(ctx context.Context, sql string, args ...any) ([]any, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Exec(ctx context.Context, sql string, args ...any) error
	Run(ctx context.Context, statements ...string) error
}

// A function of the caller's that panics, or ends its goroutine, in the middle of a message costs the session and nothing
// else: the panic comes out, and the session goes back.
func TestAFunctionThatDoesNotReturnHoldsNothing(t *testing.T) {
	t.Parallel()
	const noisy = "DROP TABLE IF EXISTS never_there"
	for engine, client := range engines(t) {
		for end, notice := range map[string]func(*pgconn.Notice){"a panic": func(*pgconn.Notice) { panic("my own bug") }, "no return": func(*pgconn.Notice) { runtime.Goexit() }} {
			h := hook.New(client, airhooktest.ID).With(hook.Options{OnNotice: notice})
			for verb, call := range map[string]func(context.Context, gets) error{
				"GetRecords": func(ctx context.Context, g gets) error { _, err := g.GetRecords(ctx, noisy); return err },
				"GetFirst":   func(ctx context.Context, g gets) error { _, err := g.GetFirst(ctx, noisy); return err },
				"Exec":       func(ctx context.Context, g gets) error { return g.Exec(ctx, noisy) },
				"Run":        func(ctx context.Context, g gets) error { return g.Run(ctx, noisy) },
				"Query": func(ctx context.Context, g gets) error {
					rows, err := g.Query(ctx, noisy)
					if err == nil {
						rows.Next() // and nobody closes them, in a session
					}
					return err
				},
			} {
				for where, run := range map[string]func() error{
					"a hook's": func() error { return call(t.Context(), h) },
					"a session's": func() error {
						return h.Session(t.Context(), func(s *hook.Session) error { return call(t.Context(), s) })
					},
				} {
					t.Run(fmt.Sprintf("%s, %s, %s %s", engine, end, where, verb), func(t *testing.T) {
						ended := make(chan error, 1)
						go func() {
							defer close(ended)
							defer func() { _ = recover() }()
							ended <- run()
						}()
						select {
						case err, returned := <-ended:
							if returned {
								t.Fatalf("it returned %v", err)
							}
						case <-time.After(20 * time.Second):
							t.Fatal("it waits for ever")
						}
						wantIdle(t, client)
					})
				}
			}
		}
	}
}

func TestRowsInWhichAFunctionPanickedHaveAnError(t *testing.T) {
	t.Parallel()
	client := airhooktest.Client(t, airhooktest.Postgres(t))
	mustRun(t, hook.New(client, airhooktest.ID), `CREATE FUNCTION noisy(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF i = 3 THEN RAISE NOTICE 'three'; END IF; RETURN i; END $$`)
	h := hook.New(client, airhooktest.ID).With(hook.Options{OnNotice: func(*pgconn.Notice) { panic("my own bug") }})
	for where, run := range map[string]func(func(gets) error) error{
		"hook": func(do func(gets) error) error { return do(h) },
		"session": func(do func(gets) error) error {
			return h.Session(t.Context(), func(s *hook.Session) error { return do(s) })
		},
	} {
		t.Run(where, func(t *testing.T) {
			err := run(func(g gets) error {
				rows, err := g.Query(t.Context(), "SELECT noisy(i) FROM generate_series(1, 5) i")
				if err != nil {
					return err
				}
				defer rows.Close()
				func() {
					defer func() { _ = recover() }()
					for rows.Next() {
					}
				}()
				_, values := rows.Values()
				return errors.Join(rows.Err(), values)
			})
			wantError(t, err, airhook.ErrInvalid, "", "did not return: the session has ended")
			wantIdle(t, client)
		})
	}
}

// Rows that another goroutine still reads end with their session, and say so.
func TestASessionsEndIsSafeForWhoStillReads(t *testing.T) {
	t.Parallel()
	for engine, client := range engines(t) {
		for name, sql := range map[string]string{
			"reads":     "SELECT repeat('x', 100) FROM generate_series(1, 200000)",
			"may write": "SELECT repeat('x', 100), set_config('my.x', 'y', false) FROM generate_series(1, 20000)",
		} {
			t.Run(engine+", "+name, func(t *testing.T) {
				h := hook.New(client, airhooktest.ID)
				for range 10 {
					begun, ended := make(chan struct{}), make(chan error)
					if err := h.Session(t.Context(), func(s *hook.Session) error {
						rows, err := s.Query(t.Context(), sql)
						if err != nil {
							return err
						}
						go func() { ended <- readAll(rows, begun) }()
						<-begun
						return nil
					}); err != nil {
						t.Fatal(err)
					}
					if err := <-ended; err == nil {
						t.Error("half of the rows pass for all of them")
					} else {
						wantError(t, err, airhook.ErrInvalid, "", "given back")
					}
				}
				wantIdle(t, client)
			})
		}
	}
}

func readAll(rows pgx.Rows, begun chan<- struct{}) error {
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		if n == 0 {
			close(begun)
		}
		if _, err := rows.Values(); err != nil {
			return err
		}
		if _ = rows.FieldDescriptions(); rows.RawValues() == nil && rows.Err() == nil {
			return errors.New("no row, and no error")
		}
	}
	return errors.Join(rows.Err())
}
