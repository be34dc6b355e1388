package hook

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	r.whole(func() { r.Rows, err = s.conn.Conn().Query(running, sql, slices.Concat(s.mode, args)...) })
	if err != nil {
		err = s.hook.fail(ctx, err) // before done, which may end ctx
		r.Rows.Close()
		r.end()
		return nil, err
	}
	r.begun = true
	return r, nil
}

// rows does what is to be done at the end, and its errors are the hook's. The end of a pinned session closes rows that
// another goroutine may still read.
type rows struct {
	pgx.Rows
	s      *session
	sql    string
	inside bool               // of a transaction of a pinned session, which a cancel would abort
	cancel context.CancelFunc // ends the statement
	fail   func(error) error
	done   func(error) error

	ended   atomic.Bool
	stopped atomic.Bool // by us, before the last row
	left    atomic.Bool // open when the pinned session ended
	mu      sync.Mutex  // guards Rows and what follows
	begun   bool
	fields  []pgconn.FieldDescription // once ended: pgx's are in the session's memory
	err     error
}

func (r *rows) Next() (more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.whole(func() { more = r.Rows.Next() }); !more {
		r.end()
	}
	return more
}

func (r *rows) Close() {
	if !r.ended.Load() && !r.inside && r.s.dialect.onlyReads(r.sql) {
		r.stopped.Store(true)
		r.cancel() // before the lock: a Next that waits for a row has that
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended.Load() {
		r.whole(r.Rows.Close)
		r.end()
	}
}

func (r *rows) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended.Load() {
		return r.err
	}
	return r.fail(r.Rows.Err())
}

// Scan of rows that have ended is an error: the row's bytes are the session's, and somebody else's by now.
func (r *rows) Scan(dest ...any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended.Load() {
		return r.over()
	}
	return r.Rows.Scan(dest...)
}

func (r *rows) Values() ([]any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended.Load() {
		return nil, r.over()
	}
	return r.Rows.Values()
}

func (r *rows) RawValues() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended.Load() {
		return nil
	}
	return r.Rows.RawValues()
}

func (r *rows) FieldDescriptions() []pgconn.FieldDescription {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended.Load() {
		return r.fields
	}
	return r.Rows.FieldDescriptions()
}

func (r *rows) CommandTag() pgconn.CommandTag {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Rows.CommandTag()
}

func (r *rows) over() error {
	if r.err != nil {
		return r.err
	}
	return r.s.hook.invalid("the rows have ended: no row is left to read")
}

// whole runs a step of the protocol. When a function of the caller's that it calls (OnNotice, a tracer's) panics or ends
// the goroutine, nobody can go on in the middle of a message: the session ends.
func (r *rows) whole(step func()) {
	through := false
	defer func() {
		if !through {
			ctx, cancel := context.WithTimeout(context.Background(), endWait)
			defer cancel()
			_ = r.s.conn.Conn().Close(ctx)
			if r.end(); r.err == nil {
				r.err = r.s.hook.invalid("a function that heard it, like OnNotice, did not return: the session has ended")
			}
		}
	}()
	step()
	through = true
}

// end runs once, when no row is left to read, under the lock.
func (r *rows) end() {
	if r.ended.Swap(true) {
		return
	}
	stopped := r.stopped.Load()
	if r.begun {
		r.fields = slices.Clone(r.Rows.FieldDescriptions())
	}
	if r.Rows != nil && !stopped { // else it is the error of our own cancelling
		r.err = r.fail(r.Rows.Err())
	}
	r.s.saw(r.sql, r.err)
	r.s.stopped = r.s.stopped || stopped
	r.s.touched = r.s.touched || stopped
	defer r.cancel()
	r.err = r.done(r.err)
	if r.err == nil && r.left.Load() {
		r.err = r.s.hook.givenBack()
	}
}
