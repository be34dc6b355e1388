package hook

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Session is one session that [Hook.Session] holds for several calls. Its verbs are the hook's, one at a time. What they
// leave – temporary tables, settings, prepared statements, locks – stays for the next one and ends with the Session.
type Session struct {
	hook *Hook
	s    *session

	mu     sync.Mutex // guards what follows
	over   bool
	busy   bool
	cancel context.CancelFunc // ends the call that runs
	open   *rows              // of a Query, not closed yet
	calls  sync.WaitGroup
}

// Session holds one session of the pool while do runs, and gives it back as a fresh one whatever do did: returned, failed
// or panicked. It starts with what the hook's earlier calls SET; what is set inside ends with it. A transaction that
// Exec(ctx, "BEGIN") opens spans the calls up to COMMIT; one that do leaves open is rolled back and ErrInvalid. The error
// of do comes back as it is. Calls of h inside do take another session of the pool.
func (h *Hook) Session(ctx context.Context, do func(*Session) error) error {
	inner, err := h.open(ctx)
	if err != nil {
		return err
	}
	inner.pinned = true
	defer inner.close()
	defer inner.endTransaction()
	s := &Session{hook: h, s: inner}
	defer s.end() // after a panic too
	if err := do(s); err != nil {
		return err
	}
	s.end()
	if !inner.pg().IsClosed() && inner.pg().TxStatus() != 'I' {
		return h.invalid("the function leaves a transaction open: it is rolled back; end it with COMMIT")
	}
	return nil
}

// end stops what still runs, here or in another goroutine, and waits for it.
func (s *Session) end() {
	s.mu.Lock()
	s.over = true
	open := s.open
	if open == nil && s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	if open != nil {
		open.left.Store(true)
		open.Close() // as Query says: what may write does first what it has to do
	}
	s.calls.Wait()
}

// begin starts a call and refuses those that cannot be; done ends it.
func (s *Session) begin(ctx context.Context) (_ context.Context, done func(), _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return nil, nil, s.hook.givenBack()
	case s.busy:
		return nil, nil, s.hook.invalid("the session is busy: close the rows of Query first, and make one call at a time")
	}
	ctx, cancel := context.WithCancel(ctx)
	s.busy, s.cancel = true, cancel
	s.calls.Add(1)
	return ctx, func() {
		defer func() { // settle may hear a notice, and the caller's function panic
			cancel()
			s.mu.Lock()
			s.busy, s.cancel, s.open = false, nil, nil
			s.mu.Unlock()
			s.calls.Done()
		}()
		s.s.settle()
	}, nil
}

func (h *Hook) givenBack() error {
	return h.invalid("the session has been given back: use it inside the function only")
}

// settle lets a cancel that arrives late hit nothing that matters.
func (s *session) settle() {
	if !s.stopped || s.pg().IsClosed() {
		return
	}
	s.stopped = false
	ctx, cancel := context.WithTimeout(context.Background(), endWait)
	defer cancel()
	_ = s.pg().Exec(ctx, "SELECT 1").Close()
}

// Run is [Hook.Run]. Inside a transaction that an earlier call opened it takes no other one and commits nothing.
func (s *Session) Run(ctx context.Context, statements ...string) error {
	statements, err := s.hook.statements(statements)
	if err != nil {
		return err
	}
	running, done, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	err = s.s.runAll(running, statements)
	if err != nil && s.s.began {
		s.s.endTransaction()
	}
	return s.hook.fail(running, err)
}

// Exec is [Hook.Exec], except that a transaction that it opens stays open for the next call.
func (s *Session) Exec(ctx context.Context, sql string, args ...any) error {
	running, done, err := s.beginFor(ctx, sql)
	if err != nil {
		return err
	}
	defer done()
	return s.hook.fail(running, s.s.exec(running, sql, args))
}

// Query is [Hook.Query]. The session is busy until the rows are closed. Inside a transaction closing them early reads to
// the end: a cancel would abort it.
func (s *Session) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	running, done, err := s.beginFor(ctx, sql)
	if err != nil {
		return nil, err
	}
	r, err := s.s.query(running, sql, args, func(err error) error { done(); return err })
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	over := s.over
	s.open = r
	s.mu.Unlock()
	if over { // meanwhile, in another goroutine
		r.Close()
		return nil, s.hook.givenBack()
	}
	return r, nil
}

// GetRecords is [Hook.GetRecords].
func (s *Session) GetRecords(ctx context.Context, sql string, args ...any) ([][]any, error) {
	rows, err := s.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return s.hook.records(ctx, rows)
}

// GetFirst is [Hook.GetFirst].
func (s *Session) GetFirst(ctx context.Context, sql string, args ...any) ([]any, error) {
	rows, err := s.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return s.hook.first(ctx, rows)
}

// beginFor is begin for one statement, after a look at it.
func (s *Session) beginFor(ctx context.Context, sql string) (context.Context, func(), error) {
	if _, err := s.hook.statements([]string{sql}); err != nil {
		return nil, nil, err
	}
	running, done, err := s.begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := s.s.noCopyIn(sql); err != nil {
		done()
		return nil, nil, err
	}
	return running, done, nil
}
