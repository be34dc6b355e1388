package airhooktest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

// Reply is how a scripted PostgreSQL answers one statement.
type Reply struct {
	// Columns are the names of the result's text columns; none: the statement has no result.
	Columns []string
	// Rows are their values.
	Rows [][]string
	// Tag is the command tag; empty is SELECT and the number of rows.
	Tag string
	// Notices are sent before the end.
	Notices []string
	// SQLState and Message, when set, are the error that comes in the tag's place.
	SQLState, Message string
	// Before runs after the rows and before the tag: Wait, Cut, or your own.
	Before Step
	// TxStatus is the transaction's state afterwards; 0 is 'I', none.
	TxStatus byte
}

// Answer answers the next statement, whichever protocol it comes by. What it says isn't looked at.
func Answer(r Reply) Step {
	return func(ctx context.Context, s *Session) error {
		failed, done := false, false
		for {
			msg, err := s.Receive()
			if err != nil {
				return err
			}
			switch msg := msg.(type) {
			case *pgproto3.Query:
				r.describe(s)
				if _, err := r.execute(ctx, s); err != nil {
					return err
				}
				r.ready(s)
				return s.Flush()
			case *pgproto3.Sync:
				r.ready(s)
				if err := s.Flush(); err != nil || done {
					return err
				}
			case *pgproto3.Execute:
				done = true
				if failed, err = r.execute(ctx, s); err != nil {
					return err
				}
			case *pgproto3.Terminate:
				return fmt.Errorf("the client leaves, and one more statement was to come")
			default:
				if !failed {
					r.prepare(s, msg)
				}
			}
		}
	}
}

// prepare answers what comes before Execute.
func (r Reply) prepare(s *Session, msg pgproto3.FrontendMessage) {
	switch msg := msg.(type) {
	case *pgproto3.Parse:
		s.Send(&pgproto3.ParseComplete{})
	case *pgproto3.Bind:
		s.Send(&pgproto3.BindComplete{})
	case *pgproto3.Close:
		s.Send(&pgproto3.CloseComplete{})
	case *pgproto3.Describe:
		if msg.ObjectType == 'S' {
			s.Send(&pgproto3.ParameterDescription{})
		}
		if len(r.Columns) == 0 {
			s.Send(&pgproto3.NoData{})
		}
		r.describe(s)
	}
}

func (r Reply) describe(s *Session) {
	if len(r.Columns) == 0 {
		return
	}
	var fields []pgproto3.FieldDescription
	for _, name := range r.Columns {
		fields = append(fields, pgproto3.FieldDescription{Name: []byte(name), DataTypeOID: pgtype.TextOID, DataTypeSize: -1, TypeModifier: -1})
	}
	s.Send(&pgproto3.RowDescription{Fields: fields})
}

// execute sends the result, and reports whether it is an error.
func (r Reply) execute(ctx context.Context, s *Session) (failed bool, err error) {
	for _, row := range r.Rows {
		var values [][]byte
		for _, v := range row {
			values = append(values, []byte(v))
		}
		s.Send(&pgproto3.DataRow{Values: values})
	}
	for _, text := range r.Notices {
		s.Send(&pgproto3.NoticeResponse{Severity: "NOTICE", SeverityUnlocalized: "NOTICE", Code: "00000", Message: text})
	}
	if r.Before != nil {
		if err := s.Flush(); err != nil {
			return false, err
		}
		if err := r.Before(ctx, s); err != nil {
			return false, err
		}
	}
	if r.SQLState != "" {
		s.Send(failure("ERROR", r.SQLState, r.Message))
		return true, nil
	}
	tag := r.Tag
	if tag == "" {
		tag = fmt.Sprintf("SELECT %d", len(r.Rows))
	}
	s.Send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
	return false, nil
}

func (r Reply) ready(s *Session) {
	status := r.TxStatus
	if status == 0 {
		status = 'I'
	}
	s.Send(&pgproto3.ReadyForQuery{TxStatus: status})
}
