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
	"github.com/airhook-go/airhook/internal/notice"
)

const endWait = 5 * time.Second // for a rollback that the caller's context no longer waits for

// session is one session of the pool, for the length of one call.
type session struct {
	conn    *pgxpool.Conn
	hook    *Hook
	dialect dialect
	target  airhook.Target
	mode    []any     // how pgx runs statements with results
	pending []setting // what the open transaction has set
	touched bool      // its state may differ from a fresh session's
}

func (h *Hook) open(ctx context.Context) (*session, error) {
	t, err := h.client.Target(ctx, h.id)
	if err != nil {
		return nil, h.fail(ctx, err)
	}
	conn, err := h.client.Acquire(ctx, h.id)
	if err != nil {
		return nil, h.fail(ctx, err)
	}
	s := &session{conn: conn, hook: h, target: t}
	if t.Engine == airhook.Redshift {
		s.dialect.backslash = true
	} else {
		// pgx's cache would keep prepared statements in the session, and the first use of one after an ALTER TABLE by
		// somebody else fails. One more round trip is cheaper than that.
		s.mode = []any{pgx.QueryExecModeDescribeExec}
	}
	notice.Hear(s.pg(), h.notice)
	if err := s.restore(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) pg() *pgconn.PgConn { return s.conn.Conn().PgConn() }

// close gives the session back as a fresh one, or ends it.
func (s *session) close() {
	notice.Hear(s.pg(), nil)
	if s.touched && !s.pg().IsClosed() {
		ctx, cancel := context.WithTimeout(context.Background(), endWait)
		defer cancel()
		if !s.reset(ctx) {
			_ = s.conn.Conn().Close(ctx)
		}
	}
	s.conn.Release()
}

// reset makes the session a fresh one where the server can: Redshift has no DISCARD, and that forgets a role of the
// startup packet's.
func (s *session) reset(ctx context.Context) bool {
	_, role := s.target.RuntimeParams["role"]
	_, options := s.target.RuntimeParams["options"]
	if s.target.Engine == airhook.Redshift || role || options {
		return false
	}
	if s.pg().Exec(ctx, "DISCARD ALL").Close() != nil || s.conn.Conn().DeallocateAll(ctx) != nil { // pgx remembers what it prepared
		return false
	}
	for _, statement := range s.target.Session {
		if s.pg().Exec(ctx, statement).Close() != nil {
			return false
		}
	}
	return true
}

// endTransaction rolls back what is open. It works after the caller's context has ended.
func (s *session) endTransaction() {
	if s.pg().IsClosed() || s.pg().TxStatus() == 'I' {
		return
	}
	s.touched = true
	ctx, cancel := context.WithTimeout(context.Background(), endWait)
	defer cancel()
	_ = s.pg().Exec(ctx, "ROLLBACK").Close()
}

// simple runs SQL text as it stands, by the simple protocol, and drops its rows.
func (s *session) simple(ctx context.Context, sql string) error {
	var tags []pgconn.CommandTag
	results := s.pg().Exec(ctx, sql)
	for results.NextResult() {
		tag, _ := results.ResultReader().Close() // its error is the results' too
		tags = append(tags, tag)
	}
	err := results.Close()
	s.saw(sql, err, tags...)
	return err
}

// saw learns from a statement that has run what it left in the session.
func (s *session) saw(sql string, err error, tags ...pgconn.CommandTag) {
	s.touched = s.touched || s.dialect.touches(sql, tags)
	if err == nil && !s.pg().IsClosed() {
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

// SQLSTATEs that have something to try next (PostgreSQL, appendix A).
const (
	activeTransaction  = "25001"
	notPrivileged      = "42501"
	undefinedParameter = "42P02"
)

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
