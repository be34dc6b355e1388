package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/airhook-go/airhook/airhooktest"
)

// hostile answers every statement with rows that need not fit the types of their columns, and the catalog's with rows of
// its own.
type hostile struct {
	types   []uint32
	rows    [][][]byte
	catalog [][]byte
	style   string // DateStyle
}

func (h hostile) play(ctx context.Context, s *airhooktest.Session) error {
	if h.style != "" {
		if err := airhooktest.Send(&pgproto3.ParameterStatus{Name: "DateStyle", Value: h.style})(ctx, s); err != nil {
			return err
		}
	}
	types, rows := h.types, h.rows
	for {
		msg, err := s.Receive()
		if err != nil {
			return err
		}
		switch msg := msg.(type) {
		case *pgproto3.Parse:
			types, rows = h.types, h.rows
			if strings.Contains(msg.Query, "pg_type") {
				types, rows = make([]uint32, len(h.catalog)), [][][]byte{h.catalog}
			}
			s.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Bind:
			s.Send(&pgproto3.BindComplete{})
		case *pgproto3.Describe:
			if msg.ObjectType == 'S' {
				s.Send(&pgproto3.ParameterDescription{})
			}
			fields := make([]pgproto3.FieldDescription, len(types))
			for i, oid := range types {
				fields[i] = pgproto3.FieldDescription{Name: []byte("c"), DataTypeOID: oid, DataTypeSize: -1, TypeModifier: -1}
			}
			s.Send(&pgproto3.RowDescription{Fields: fields})
		case *pgproto3.Execute:
			for _, row := range rows {
				s.Send(&pgproto3.DataRow{Values: row})
			}
			s.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
		case *pgproto3.Sync:
			if err := airhooktest.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})(ctx, s); err != nil {
				return err
			}
		}
	}
}

func TestAServerThatMeansHarmGetsAnErrorOrText(t *testing.T) {
	const own = 90001 // a type of a database's own
	one := [][][]byte{{[]byte("x")}}
	texts := func(values ...string) (row [][]byte) {
		for _, v := range values {
			row = append(row, []byte(v))
		}
		return row
	}
	for name, c := range map[string]struct {
		server hostile
		code   int
		out    string
		says   string
	}{
		"a domain over itself":         {hostile{types: []uint32{own}, rows: one, catalog: texts("90001", "d", "90001", "S", "0", ",")}, 0, "x", ""},
		"an array of itself":           {hostile{types: []uint32{own}, rows: one, catalog: texts("90001", "b", "0", "A", "90001", ",")}, 0, "x", ""},
		"a catalog of NULLs":           {hostile{types: []uint32{own}, rows: one, catalog: make([][]byte, 6)}, 0, "x", ""},
		"a catalog of empty texts":     {hostile{types: []uint32{own}, rows: one, catalog: texts("", "", "", "", "", "")}, 0, "x", ""},
		"a catalog of one column":      {hostile{types: []uint32{own}, rows: one, catalog: texts("90001")}, 0, "x", ""},
		"more values than columns":     {hostile{types: []uint32{pgtype.TextOID}, rows: [][][]byte{texts("x", "y")}}, 1, "", "the server sent 2 values for 1 columns"},
		"fewer values than columns":    {hostile{types: []uint32{pgtype.TextOID, pgtype.TextOID}, rows: one}, 1, "", "the server sent 1 values for 2 columns"},
		"fewer dates than columns":     {hostile{types: []uint32{pgtype.DateOID, pgtype.DateOID}, rows: one, style: "SQL, DMY"}, 1, "", "the server sent 1 values for 2 columns"},
		"eight million open brackets":  {hostile{types: []uint32{pgtype.Int4ArrayOID}, rows: [][][]byte{{bytes.Repeat([]byte("{"), 8<<20)}}}, 0, "{{{{", ""},
		"dates that would never end":   {hostile{types: []uint32{pgtype.DateArrayOID}, rows: [][][]byte{{[]byte("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04\x3a\x7f\xff\xff\xff\x00\x00\x00\x01")}}, style: "SQL, DMY"}, 0, "", ""},
		"a lookup of another lookup's": {hostile{types: []uint32{own, own + 1}, rows: [][][]byte{texts("x", "y")}, catalog: texts("1", "d", "90001", "S", "0", ",")}, 0, "x", ""},
	} {
		for _, format := range []string{"table", "json", "csv"} {
			setConnection(t, "db", airhooktest.Script(t, airhooktest.Welcome(), c.server.play))
			var out bytes.Buffer
			code, stderr := inProcess(t, &out, "sql", "db", "SELECT 1", "-o", format)
			if code != c.code || !strings.Contains(out.String(), c.out) || !strings.Contains(stderr, c.says) {
				t.Errorf("%s as %s: exit %d, %.100q, %q, want exit %d, %q, %q", name, format, code, out.String(), stderr, c.code, c.out, c.says)
			}
			out = bytes.Buffer{} // megabytes, and cobra's table of completions keeps every command of this process
		}
	}
}
