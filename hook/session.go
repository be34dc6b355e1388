package hook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/internal/fresh"
	"github.com/airhook-go/airhook/internal/notice"
)

const endWait = 5 * time.Second // for a rollback that the caller's context no longer waits for

// session is one session of the pool, for the length of one call, or of Hook.Session.
type session struct {
	conn    *pgxpool.Conn
	hook    *Hook
	dialect dialect
	target  airhook.Target
	mode    []any     // how pgx runs statements with results
	pending []setting // what the open transaction has set
	touched bool      // its state may differ from a fresh session's
	stopped bool      // a statement was cancelled, and the cancel may arrive late
	pinned  bool      // what it sets and opens outlives the call, and ends with it
	began   bool      // Run has begun a transaction of its own
}

func (h *Hook) open(ctx context.Context) (*session, error) {
	t, err := h.client.Target(ctx, h.id)
	if err != nil {
		return nil, h.fail(ctx, err)
	}
	s := &session{hook: h, target: t}
	if t.Engine == airhook.Redshift {
		s.dialect.backslash = true
	} else {
		s.touched = true // no text tells what a view, a trigger, an operator or a function does
		// pgx's cache would keep prepared statements in the session, and the first use of one after an ALTER TABLE by
		// somebody else fails. One more round trip is cheaper than that.
		s.mode = []any{pgx.QueryExecModeDescribeExec}
	}
	if err := s.take(ctx); err != nil {
		return nil, h.fail(ctx, err)
	}
	notice.Hear(s.pg(), h.notice)
	if err := s.restore(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// take takes a session of the pool. One that users without a hook had, who may leave anything in it, becomes a fresh one
// first, or another takes its place.
func (s *session) take(ctx context.Context) (err error) {
	for {
		if s.conn, err = s.hook.client.Acquire(ctx, s.hook.id); err != nil || fresh.Is(s.pg()) {
			return err
		}
		if s.renew(ctx); !s.pg().IsClosed() {
			return nil
		}
		s.conn.Release()
	}
}

func (s *session) pg() *pgconn.PgConn { return s.conn.Conn().PgConn() }

// close gives the session back as a fresh one, or ends it.
func (s *session) close() {
	notice.Hear(s.pg(), nil)
	if s.touched && !s.pg().IsClosed() {
		ctx, cancel := context.WithTimeout(context.Background(), endWait)
		defer cancel()
		s.renew(ctx)
	}
	fresh.Leave(s.pg())
	s.conn.Release()
}

// renew makes a session a fresh one, or ends it.
func (s *session) renew(ctx context.Context) {
	if s.target.Engine == airhook.Redshift || s.reset(ctx) != nil { // Redshift has no DISCARD
		_ = s.conn.Conn().Close(ctx)
	}
}

// reset makes a session of PostgreSQL a fresh one, in one round trip. Servers older than the minor releases of November
// 2024 (CVE-2024-10978) forget, with DISCARD ALL, the role that the startup packet or ALTER ROLE … SET role gave; RESET
// ROLE brings it back.
func (s *session) reset(ctx context.Context) error {
	p := s.pg().StartPipeline(ctx)
	for _, sql := range []string{"DISCARD ALL", "RESET ROLE"} {
		p.SendQueryParams(sql, nil, nil, nil, nil)
		p.SendPipelineSync() // each is a transaction by itself: DISCARD ALL runs in no other's
	}
	err := errors.Join(p.Flush(), p.Close())
	// What other users of the pool had prepared is gone, and pgx must know. It empties its cache and then asks the server to
	// do so too; with a context that is over it sends nothing. (An empty cache is 57 kB, less than asking what is prepared.)
	over, cancel := context.WithCancel(ctx)
	cancel()
	_ = s.conn.Conn().DeallocateAll(over)
	for unheard := error(nil); unheard == nil; { // notifications that came and nobody took; pgx keeps them for the next who waits
		_, unheard = s.conn.Conn().WaitForNotification(over)
	}
	return err
}

// endTransaction rolls back what is open. It works after the caller's context has ended.
func (s *session) endTransaction() {
	if s.pg().IsClosed() || s.pg().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), endWait)
	defer cancel()
	if s.pg().Exec(ctx, "ROLLBACK").Close() != nil {
		s.touched = true
	}
}

// simple runs SQL text as it stands, by the simple protocol, and drops its rows.
func (s *session) simple(ctx context.Context, sql string) error {
	failed := s.pg().TxStatus() == 'E'
	err := s.pg().Exec(ctx, sql).Close()
	s.saw(sql, err)
	if err == nil && failed && s.dialect.commits(sql) { // the server answers ROLLBACK, and that is no error to it
		return s.hook.invalid("the transaction had failed: it is rolled back")
	}
	return err
}

// commits reports whether a text begins with COMMIT or its other name.
func (d dialect) commits(sql string) bool {
	for first := range d.words(sql) {
		return first == "commit" || first == "end"
	}
	return false
}

// saw learns from a text that has run, maybe to its middle only, what it left in the session. A cancel that arrives late
// would hit the next caller's statement: PostgreSQL's reset takes the blow, on Redshift the session ends.
func (s *session) saw(sql string, err error) {
	s.stopped = s.stopped || cancelled(err)
	s.touched = s.touched || s.stopped || s.dialect.touches(sql)
	if err == nil && !s.pinned && !s.pg().IsClosed() {
		s.note(sql)
	}
}

func (h *Hook) notice(n *pgconn.Notice) {
	if h.options.OnNotice != nil {
		h.options.OnNotice(n)
		return
	}
	h.options.Logger.Info("server notice", slog.String("conn", h.id), slog.String("severity", n.SeverityUnlocalized),
		slog.String("message", strings.TrimSpace(n.Message)), slog.String("sqlstate", n.Code))
}

// SQLSTATEs that mean something to us (PostgreSQL, appendix A).
const (
	activeTransaction  = "25001"
	notPrivileged      = "42501"
	undefinedParameter = "42P02"
	queryCanceled      = "57014"
)

func cancelled(err error) bool {
	var pg *pgconn.PgError
	return errors.Is(err, airhook.ErrCancelled) || errors.As(err, &pg) && pg.Code == queryCanceled
}

// fail says what stopped a call. Errors of the client are complete; the others happened while SQL ran.
func (h *Hook) fail(ctx context.Context, err error) error {
	var known *airhook.Error
	var pg *pgconn.PgError
	e := &airhook.Error{ID: h.id, Stage: airhook.StageQuery, Err: err}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		e.Kind, e.Err = airhook.ErrCancelled, fmt.Errorf("cancelled: %w", context.Cause(ctx))
	case errors.As(err, &known):
		return err
	case errors.As(err, &pg):
		e.Kind, e.SQLState, e.Hint = airhook.ErrSQL, pg.Code, hint(pg)
	case broken(err):
		e.Kind, e.Err = airhook.ErrUnreachable, fmt.Errorf("the session ended in the middle of a statement: %w", err)
		e.Hint = "look whether the server restarted or ended the session; the statement may or may not have taken effect"
	default:
		e.Kind = airhook.ErrInvalid // pgx's: a parameter that doesn't fit, too many, too few
	}
	return e
}

func hint(pg *pgconn.PgError) string {
	switch pg.Code {
	case activeTransaction:
		return "run it with Options.Autocommit: it takes no transaction around it"
	case notPrivileged:
		return "GRANT it to the connection's database user"
	case undefinedParameter:
		return "give each $n of the statement its parameter"
	}
	return pg.Hint
}

func (h *Hook) invalid(format string, args ...any) error {
	return &airhook.Error{ID: h.id, Stage: airhook.StageQuery, Kind: airhook.ErrInvalid, Err: fmt.Errorf(format, args...)}
}
