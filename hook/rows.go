package hook

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// GetRecords returns all rows of one query, each value as the Go type that pgx has for its PostgreSQL type (pgx
// documentation, package pgtype): numeric is a pgtype.Numeric, which is exact and has Float64Value. NULL is nil. A
// statement without a result gives nil, a query without rows an empty slice. For many rows use Query.
func (h *Hook) GetRecords(ctx context.Context, sql string, args ...any) ([][]any, error) {
	rows, err := h.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return h.records(ctx, rows)
}

// GetFirst returns the first row of a query, nil when there is none. The statement runs to its end, as in Airflow, so
// that INSERT … RETURNING does all of its work; a query of many rows wants a LIMIT.
func (h *Hook) GetFirst(ctx context.Context, sql string, args ...any) ([]any, error) {
	rows, err := h.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return h.first(ctx, rows)
}

func (h *Hook) records(ctx context.Context, rows pgx.Rows) ([][]any, error) {
	var records [][]any
	if len(rows.FieldDescriptions()) > 0 {
		records = [][]any{}
	}
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, h.fail(ctx, err)
		}
		records = append(records, values)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return records, nil
}

func (h *Hook) first(ctx context.Context, rows pgx.Rows) (first []any, err error) {
	if rows.Next() {
		if first, err = rows.Values(); err != nil {
			return nil, h.fail(ctx, err)
		}
		for rows.Next() { // to the end
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return first, nil
}

// Query runs one statement with its parameters and returns its rows as they arrive; only the current one is in memory.
// Close them: that gives the session back, and Client.Close waits for it. Closing before the last row cancels a query that
// only reads. What may write, by a function that is none of the server's own too, does first what it has to do; to end
// that, cancel the context. A view that writes looks like a table: cancelled, it writes nothing.
func (h *Hook) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	s, err := h.openFor(ctx, sql)
	if err != nil {
		return nil, err
	}
	r, err := s.query(ctx, sql, args, func(err error) error {
		if err == nil && !s.pg().IsClosed() {
			err = h.leftOpen(s)
		}
		s.endTransaction()
		s.close()
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// query starts a statement. done runs once, when nothing is left of it, gets its error and may add one.
func (s *session) query(ctx context.Context, sql string, args []any, done func(error) error) (*rows, error) {
	running, cancel := context.WithCancel(ctx)
	r := &rows{s: s, sql: sql, cancel: cancel, fail: func(err error) error { return s.hook.fail(ctx, err) }, done: done}
	r.inside = s.pg().TxStatus() != 'I'
	var err error
	r.Rows, err = s.conn.Conn().Query(running, sql, slices.Concat(s.mode, args)...)
	if err != nil {
		err = s.hook.fail(ctx, err) // before done, which may end ctx
		r.Rows.Close()
		r.end()
		return nil, err
	}
	return r, nil
}

// rows does what is to be done at the end, and its errors are the hook's.
type rows struct {
	pgx.Rows
	s      *session
	sql    string
	inside bool               // of a transaction of a pinned session, which a cancel would abort
	cancel context.CancelFunc // ends the statement
	fail   func(error) error
	done   func(error) error

	ended, stopped bool
	err            error
}

func (r *rows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.end()
	return false
}

func (r *rows) Close() {
	if !r.ended && !r.inside && r.s.dialect.onlyReads(r.sql) {
		r.stopped = true
		r.cancel()
	}
	r.Rows.Close()
	r.end()
}

func (r *rows) Err() error {
	if r.ended {
		return r.err
	}
	return r.fail(r.Rows.Err())
}

// end runs once, when no row is left to read.
func (r *rows) end() {
	if r.ended {
		return
	}
	r.ended = true
	if !r.stopped { // else the error is that of our own cancelling
		r.err = r.fail(r.Rows.Err())
	}
	r.s.saw(r.sql, r.err)
	r.s.stopped = r.s.stopped || r.stopped
	r.s.touched = r.s.touched || r.stopped
	r.err = r.done(r.err)
	r.cancel()
}
