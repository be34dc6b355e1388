package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
)

// Run runs statements as they stand, in order, in one session and one transaction, which is committed at the end
// (Airflow's DbApiHook.run). One text may hold several statements. When one fails, what came before is rolled back. A
// statement that commits by itself ends that transaction, and the next one starts another. With Options.Autocommit
// there is no transaction but the statements' own. A list of blank texts is ErrInvalid. Rows are dropped.
func (h *Hook) Run(ctx context.Context, statements ...string) error {
	statements, err := h.statements(statements)
	if err != nil {
		return err
	}
	s, err := h.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	defer s.endTransaction()
	return h.fail(ctx, s.runAll(ctx, statements))
}

// statements leaves the blank ones out.
func (h *Hook) statements(all []string) ([]string, error) {
	some := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return strings.Trim(s, blanks) == "" })
	if len(some) == 0 {
		return nil, h.invalid("list of SQL statements is empty")
	}
	return some, nil
}

// runAll runs the texts of one Run. In a pinned session it commits what it began, and nothing else.
func (s *session) runAll(ctx context.Context, statements []string) error {
	s.began = false
	for i, sql := range statements {
		if err := s.run(ctx, sql); err != nil {
			if len(statements) > 1 {
				err = fmt.Errorf("statement %d of %d: %w", i+1, len(statements), err)
			}
			return err
		}
	}
	if s.pinned && !s.began {
		return nil
	}
	return s.commit(ctx)
}

// run runs one text of Run, in a transaction unless autocommit is on.
func (s *session) run(ctx context.Context, sql string) error {
	if err := s.noCopyIn(sql); err != nil {
		return err
	}
	if !s.hook.options.Autocommit && s.pg().TxStatus() == 'I' {
		if err := s.simple(ctx, "BEGIN"); err != nil {
			return err
		}
		s.began = true
	}
	return s.simple(ctx, sql)
}

func (s *session) commit(ctx context.Context) error {
	if s.pg().TxStatus() == 'I' {
		return nil
	}
	if s.hook.options.Autocommit {
		return s.hook.invalid("the statements leave a transaction open: it is rolled back")
	}
	results, err := s.pg().Exec(ctx, "COMMIT").ReadAll()
	if err == nil && len(results) == 1 && results[0].CommandTag.String() == "ROLLBACK" {
		err = s.hook.invalid("the transaction had failed: it is rolled back")
	}
	if err == nil {
		s.committed()
	}
	return err
}

// Exec runs one statement with its parameters ($1, or one pgx.NamedArgs) and commits it. Rows are dropped. A
// transaction that it leaves open is rolled back and ErrInvalid: sessions are shared, so use Run.
func (h *Hook) Exec(ctx context.Context, sql string, args ...any) error {
	s, err := h.openFor(ctx, sql)
	if err != nil {
		return err
	}
	defer s.close()
	defer s.endTransaction()
	if err := s.exec(ctx, sql, args); err != nil {
		return h.fail(ctx, err)
	}
	return h.leftOpen(s)
}

func (s *session) exec(ctx context.Context, sql string, args []any) error {
	if len(args) == 0 {
		return s.simple(ctx, sql)
	}
	_, err := s.conn.Exec(ctx, sql, slices.Concat(s.mode, args)...)
	s.saw(sql, err)
	return err
}

// openFor opens a session for one statement, after a look at it.
func (h *Hook) openFor(ctx context.Context, sql string) (*session, error) {
	if _, err := h.statements([]string{sql}); err != nil {
		return nil, err
	}
	s, err := h.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.noCopyIn(sql); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (h *Hook) leftOpen(s *session) error {
	if s.pg().TxStatus() == 'I' {
		return nil
	}
	return h.invalid("the statement leaves a transaction open, which ends with this call: it is rolled back; use Run for several statements")
}

// noCopyIn refuses COPY … FROM STDIN: the server would wait for data that nobody sends, and pgx for the server.
func (s *session) noCopyIn(sql string) error {
	for _, statement := range s.dialect.split(sql) {
		if in, _ := s.dialect.copyStream(statement); in {
			return s.hook.invalid("COPY FROM STDIN has no data here")
		}
	}
	return nil
}

// broken reports whether the network or the server ended the session.
func broken(err error) bool {
	var n net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &n) ||
		strings.HasSuffix(err.Error(), "conn closed") // pgconn has no exported value for it
}
