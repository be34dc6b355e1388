package hook_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/hook"
)

func TestQueryStreams(t *testing.T) { // not parallel: it measures memory
	h, _ := real(t)
	rows, err := h.Query(t.Context(), "SELECT i, repeat('x', 1000) FROM generate_series(1, 200000) i")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	n, most := 0, uint64(0)
	for rows.Next() {
		if n++; n%20000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	}
	if rows.Err() != nil || n != 200000 {
		t.Fatalf("%d rows, %v", n, rows.Err())
	}
	if grown := int64(most) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("reading 200 MB kept %d MB", grown>>20)
	}
	if tag := rows.CommandTag(); tag.RowsAffected() != 200000 {
		t.Errorf("the tag is %q", tag)
	}
}

func TestQueryWorksWithPgxCollectors(t *testing.T) {
	t.Parallel()
	h, _ := real(t)
	rows, err := h.Query(t.Context(), "SELECT i FROM generate_series(1, $1) i", 3)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil || len(got) != 3 || got[2] != 3 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestClosingAReadEarlyCancelsItOnTheServer(t *testing.T) {
	t.Parallel()
	h, eye := real(t)
	rows, err := h.Query(t.Context(), "SELECT /* early */ i, repeat('x', 1000) FROM generate_series(1, 10000) i, generate_series(1, 10000) j")
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	rows.Close()
	if rows.Err() != nil || rows.Next() {
		t.Errorf("after Close: %v, and there is another row", rows.Err())
	}
	rows.Close()
	gone(t, eye, "early")
}

func TestClosingAWriteEarlyLetsItFinish(t *testing.T) {
	t.Parallel()
	h, eye := real(t)
	mustRun(t, h, "CREATE TABLE t (i int)")
	rows, err := h.Query(t.Context(), "INSERT INTO t SELECT generate_series(1, 20000) RETURNING i")
	if err != nil {
		t.Fatal(err)
	}
	rows.Next()
	rows.Close()
	if n := one(t, eye, "SELECT count(*) FROM t"); n != int64(20000) || rows.Err() != nil {
		t.Errorf("%v rows and %v, want all 20000", n, rows.Err())
	}
}

func TestClosingEarlyLetsAFunctionFinishItsWrites(t *testing.T) {
	t.Parallel()
	h, eye := real(t)
	mustRun(t, h, "CREATE TABLE t (i int)", "CREATE SCHEMA app",
		"CREATE FUNCTION work(i int) RETURNS int LANGUAGE sql AS $$ INSERT INTO t VALUES (i) RETURNING i $$",
		"CREATE FUNCTION app.round(i int) RETURNS int LANGUAGE sql AS $$ SELECT work(i) $$")
	for call, want := range map[string]int64{"work(i)": 20000, "app.round(i)": 20000} {
		mustRun(t, h, "TRUNCATE t")
		rows, err := h.Query(t.Context(), "SELECT "+call+", repeat('x', 1000) FROM generate_series(1, 20000) i")
		if err != nil {
			t.Fatal(err)
		}
		rows.Next()
		rows.Close()
		if n := one(t, eye, "SELECT count(*) FROM t"); n != want || rows.Err() != nil {
			t.Errorf("%s wrote %v rows (%v), want all %d", call, n, rows.Err(), want)
		}
	}
}

func TestCancellingEndsTheStatementOnTheServer(t *testing.T) {
	t.Parallel()
	for name, verb := range map[string]func(*hook.Hook, context.Context) error{
		"run": func(h *hook.Hook, ctx context.Context) error { return h.Run(ctx, "SELECT /* run */ pg_sleep(100)") },
		"exec": func(h *hook.Hook, ctx context.Context) error {
			return h.Exec(ctx, "SELECT /* exec */ pg_sleep($1)", 100)
		},
		"first": func(h *hook.Hook, ctx context.Context) error {
			_, err := h.GetFirst(ctx, "SELECT /* first */ pg_sleep(100)")
			return err
		},
		"records": func(h *hook.Hook, ctx context.Context) error {
			_, err := h.GetRecords(ctx, "SELECT /* records */ i, pg_sleep(0.01) FROM generate_series(1, 10000) i")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, eye := real(t)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- verb(h, ctx) }()
			until(t, eye, name, 1)
			cancel()
			err := <-done
			if wantError(t, err, airhook.ErrCancelled, "", "cancelled"); !errors.Is(err, context.Canceled) {
				t.Errorf("%v is no context.Canceled", err)
			}
			gone(t, eye, name)
			if n := one(t, h, "SELECT 1"); n != int32(1) {
				t.Errorf("the next call got %v", n)
			}
		})
	}
}

// until waits for so many running statements that hold the mark, by asking the server again and again.
func until(t *testing.T, eye *hook.Hook, mark string, want int64) {
	t.Helper()
	for {
		got := one(t, eye, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid()", "SELECT /* "+mark+" */%")
		if got == want {
			return
		}
		if err := eye.Exec(t.Context(), "SELECT pg_sleep(0.02)"); err != nil { // fails when the test's time is over
			t.Fatal(err)
		}
	}
}

func gone(t *testing.T, eye *hook.Hook, mark string) {
	t.Helper()
	until(t, eye, mark, 0)
}

func TestACancelledRunLeavesNothing(t *testing.T) {
	t.Parallel()
	h, eye := real(t)
	mustRun(t, h, "CREATE TABLE t (i int)")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx, "INSERT INTO t VALUES (1)", "SELECT /* leaves */ pg_sleep(100)") }()
	until(t, eye, "leaves", 1)
	cancel()
	wantError(t, <-done, airhook.ErrCancelled, "", "cancelled")
	mustRun(t, eye, "LOCK TABLE t IN ACCESS EXCLUSIVE MODE NOWAIT") // nobody holds it any more
	if n := one(t, eye, "SELECT count(*) FROM t"); n != int64(0) {
		t.Errorf("%v rows, want none", n)
	}
}

func scripted(t *testing.T, steps ...airhooktest.Step) *hook.Hook {
	t.Helper()
	conn := airhooktest.Script(t, steps...)
	return hook.New(airhooktest.Client(t, conn), conn.ID)
}

func TestASessionThatBreaksIsUnreachable(t *testing.T) {
	t.Parallel()
	h := scripted(t, airhooktest.Welcome(), airhooktest.Answer(airhooktest.Reply{
		Columns: []string{"s"}, Rows: [][]string{{"a"}, {"b"}}, Before: airhooktest.Cut(),
	}))
	_, err := h.GetRecords(t.Context(), "SELECT s FROM t")
	wantError(t, err, airhook.ErrUnreachable, "", "the session ended in the middle of a statement")
	wantError(t, h.Run(t.Context(), "DELETE FROM t"), airhook.ErrUnreachable, "", "the session ended in the middle of a statement")
}

func TestScriptsAnswerTheResetAfterACall(t *testing.T) {
	t.Parallel()
	h := scripted(t, airhooktest.Welcome(), airhooktest.Answer(airhooktest.Reply{Columns: []string{"s"}, Rows: [][]string{{"a"}}}),
		airhooktest.Answer(airhooktest.Reply{Columns: []string{"s"}, Rows: [][]string{{"b"}}}))
	for _, want := range []string{"a", "b"} { // a second session would answer "a" again
		if got := one(t, h, "SELECT s FROM t"); got != want {
			t.Errorf("got %v, want %q", got, want)
		}
	}
}

func TestARefusedLoginIsTold(t *testing.T) {
	t.Parallel()
	h := scripted(t, airhooktest.AskPassword(func(string, string) bool { return false }))
	if err := h.Run(t.Context(), "SELECT 1"); !errors.Is(err, airhook.ErrLogin) {
		t.Errorf("got %v, want login refused", err)
	}
}

func TestCancelReachesAServerThatIsSilent(t *testing.T) {
	t.Parallel()
	running := make(chan struct{})
	h := scripted(t, airhooktest.Welcome(), airhooktest.Answer(airhooktest.Reply{
		Columns: []string{"s"}, SQLState: "57014", Message: "canceling statement due to user request",
		Before: func(ctx context.Context, s *airhooktest.Session) error {
			close(running)
			return airhooktest.WaitForCancel()(ctx, s)
		},
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-running; cancel() }()
	_, err := h.GetFirst(ctx, "SELECT s FROM t")
	wantError(t, err, airhook.ErrCancelled, "", "cancelled")
}

func TestRedshiftIsAskedForTextAndNothingIsPrepared(t *testing.T) {
	t.Parallel()
	conn := airhooktest.Script(t, airhooktest.Welcome(), asksForText,
		airhooktest.Send(&pgproto3.ParseComplete{}, &pgproto3.BindComplete{},
			&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("i"), DataTypeOID: pgtype.Int8OID, DataTypeSize: 8}}},
			&pgproto3.DataRow{Values: [][]byte{[]byte("42")}}, &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'I'}))
	conn.Type = "redshift"
	h := hook.New(airhooktest.Client(t, conn), conn.ID)
	if got := one(t, h, "SELECT i FROM t WHERE i = $1", 42); got != int64(42) {
		t.Errorf("got %v (%T), want int64 42 from its text", got, got)
	}
}

// asksForText reads one statement of the extended protocol and looks at how it comes.
func asksForText(_ context.Context, s *airhooktest.Session) error {
	for {
		msg, err := s.Receive()
		if err != nil {
			return err
		}
		switch msg := msg.(type) {
		case *pgproto3.Parse:
			if msg.Name != "" {
				return fmt.Errorf("statement %q is prepared by name", msg.Name)
			}
		case *pgproto3.Bind:
			if slices.ContainsFunc(msg.ResultFormatCodes, func(c int16) bool { return c != pgtype.TextFormatCode }) {
				return errors.New("results are asked for in binary")
			}
		case *pgproto3.Sync:
			return nil
		}
	}
}
