package hook_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/hook"
)

// byPool runs SQL as the pool's users do who have no hook, and returns their session's backend.
func byPool(t *testing.T, client *airhook.Client, sql string) (backend int32) {
	t.Helper()
	conn, err := client.Acquire(t.Context(), airhooktest.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if err := conn.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		t.Fatal(err)
	}
	if err := conn.Conn().PgConn().Exec(t.Context(), sql).Close(); err != nil {
		t.Fatal(err)
	}
	return backend
}

// A hook takes the session that was in the pool, and finds nothing of what was done to it there.
func TestWhatOtherUsersOfThePoolLeaveReachesNoHook(t *testing.T) {
	t.Parallel()
	const leave = "SET work_mem = '123MB'; CREATE TEMP TABLE left_over (i int); PREPARE left_over AS SELECT 1; LISTEN left_over; SELECT pg_advisory_lock(1)"
	for engine, client := range engines(t) {
		h := hook.New(client, airhooktest.ID)
		for name, first := range map[string]func(sql string) (any, error){
			"a call": func(sql string) (any, error) {
				row, err := h.GetFirst(t.Context(), sql)
				return append(row, nil)[0], err
			},
			"a Session": func(sql string) (left any, _ error) {
				return left, h.Session(t.Context(), func(s *hook.Session) error {
					row, err := s.GetFirst(t.Context(), sql)
					left = append(row, nil)[0]
					return err
				})
			},
		} {
			byPool(t, client, leave)
			if left, err := first(leftovers[engine]); left != "" || err != nil {
				t.Errorf("%s, %s: a hook finds %q, %v", engine, name, left, err)
			}
			before := one(t, h, "SELECT pg_backend_pid()")
			if again := one(t, h, "SELECT pg_backend_pid()"); again != before { // what a hook left is fresh enough for a hook
				t.Errorf("%s, %s: the session is %v, was %v", engine, name, again, before)
			}
			if backend := byPool(t, client, leave); backend != before {
				t.Errorf("%s, %s: the pool's users have session %d, hooks %v", engine, name, backend, before)
			}
			if left, err := first(leftovers[engine]); left != "" || err != nil { // though a hook had it before
				t.Errorf("%s, %s: a hook finds %q again, %v", engine, name, left, err)
			}
		}
		before := byPool(t, client, "SELECT 1")
		if after := one(t, h, "SELECT pg_backend_pid()"); engine == "postgresql" && after != before {
			t.Errorf("the session is %v, was %v: it could have been reset", after, before)
		}
	}
}

func TestASessionThatCannotBeResetIsNotTaken(t *testing.T) {
	t.Parallel()
	resets := make(chan struct{}, 2)
	conn := airhooktest.Script(t, airhooktest.Welcome(), airhooktest.Answer(airhooktest.Reply{Columns: []string{"n"}, Rows: [][]string{{"1"}}}),
		func(ctx context.Context, s *airhooktest.Session) error {
			if msg, err := s.Backend.Receive(); err != nil || fmt.Sprintf("%T", msg) != "*pgproto3.Parse" {
				return fmt.Errorf("got %T, %w, want a reset", msg, err)
			}
			resets <- struct{}{}
			return airhooktest.Cut()(ctx, s)
		})
	client := airhooktest.Client(t, conn)
	pool, err := client.Pool(t.Context(), conn.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.QueryRow(t.Context(), "SELECT 1", pgx.QueryExecModeExec).Scan(nil); err != nil {
		t.Fatal(err)
	}
	if n := one(t, hook.New(client, conn.ID), "SELECT 1"); n != "1" {
		t.Errorf("got %v", n)
	}
	if len(resets) != 2 {
		t.Errorf("%d resets, want one of the pool's session and one of the hook's own", len(resets))
	}
	wantIdle(t, client)
}

// Old servers' DISCARD ALL forgets the role that a login starts with.
func TestAResetAsksForTheLoginsRole(t *testing.T) {
	t.Parallel()
	sent := make(chan string, 2)
	conn := airhooktest.Script(t, airhooktest.Welcome(), airhooktest.Answer(airhooktest.Reply{Tag: "BEGIN", TxStatus: 'T'}),
		airhooktest.Answer(airhooktest.Reply{TxStatus: 'T'}), airhooktest.Answer(airhooktest.Reply{Tag: "COMMIT"}),
		func(_ context.Context, s *airhooktest.Session) error {
			for {
				msg, err := s.Backend.Receive()
				if err != nil {
					return err
				}
				switch msg := msg.(type) {
				case *pgproto3.Parse:
					sent <- msg.Query
					s.Send(&pgproto3.ParseComplete{})
				case *pgproto3.Bind:
					s.Send(&pgproto3.BindComplete{})
				case *pgproto3.Describe:
					s.Send(&pgproto3.NoData{})
				case *pgproto3.Execute:
					s.Send(&pgproto3.CommandComplete{CommandTag: []byte("RESET")})
				case *pgproto3.Sync:
					if err := airhooktest.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})(t.Context(), s); err != nil {
						return err
					}
				case *pgproto3.Terminate:
					return io.EOF
				}
			}
		})
	client := airhooktest.Client(t, conn)
	mustRun(t, hook.New(client, conn.ID), "SELECT 1")
	client.Close()
	close(sent)
	var got []string
	for sql := range sent {
		got = append(got, sql)
	}
	if d := cmp.Diff([]string{"DISCARD ALL", "RESET ROLE"}, got); d != "" {
		t.Errorf("the reset (-want +got):\n%s", d)
	}
}

func TestNotificationsReachNobodyElse(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for engine, client := range engines(t) {
		h := hook.New(client, airhooktest.ID)
		const sql = "LISTEN left_over; NOTIFY left_over, 'a'; NOTIFY left_over, 'b'"
		for name, run := range map[string]func() error{
			"Run": func() error { return h.Run(t.Context(), sql) },
			"Session": func() error {
				return h.Session(t.Context(), func(s *hook.Session) error { return s.Run(t.Context(), sql) })
			},
		} {
			if err := run(); err != nil {
				t.Fatal(err)
			}
			conn, err := client.Acquire(t.Context(), airhooktest.ID)
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := conn.Conn().WaitForNotification(over); n != nil {
				t.Errorf("%s, %s: the next user of the session hears %q", engine, name, n.Payload)
			}
			if err := conn.Ping(t.Context()); err != nil {
				t.Errorf("%s, %s: the session ended: %v", engine, name, err)
			}
			conn.Release()
		}
	}
}
