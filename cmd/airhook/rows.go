package main

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/cmd/airhook/internal/render"
)

// print runs the statement whose rows are wanted. It is described first: types that only the catalog knows are looked
// up before the rows flow, and what DateStyle would garble is asked for in binary.
func (s *sqlRun) print(ctx context.Context, statement string, params []string, sink *sink) error {
	if copies(statement) {
		return s.printCopy(ctx, statement, params, sink)
	}
	described, err := s.conn.Prepare(ctx, "", statement, nil)
	if err != nil {
		return s.failed(statement, err)
	}
	known, asked, err := s.types(ctx, described.Fields)
	if err != nil {
		return s.failed("", err)
	}
	if asked { // the lookup has taken the unnamed statement's place
		if described, err = s.conn.Prepare(ctx, "", statement, nil); err != nil {
			return s.failed(statement, err)
		}
	}
	if got, want := len(params), len(described.ParamOIDs); got != want {
		return s.miscounted(got, want)
	}
	formats, binary := s.formats(described.Fields)
	result := s.conn.ExecPrepared(ctx, "", values(params), nil, formats)
	rows, err := s.stream(result, known, binary, sink)
	if err != nil {
		_ = s.conn.Conn().Close() // whoever writes has failed: the rest need not arrive
		return err
	}
	tag, err := result.Close()
	if err != nil {
		return s.failed(statement, err) // the output stays without its end: what is cut off must not look complete
	}
	fields := result.FieldDescriptions()
	if rows == nil && len(fields) == 0 {
		s.said(tag)
		return sink.empty()
	}
	return s.end(rows, fields, known, sink)
}

// miscounted is a statement with more parameters than values, or fewer.
func (s *sqlRun) miscounted(got, want int) error {
	has, hint := fmt.Sprintf("%d parameters", want), "give each by -p VALUE"
	switch want {
	case 0:
		has = "no parameter"
	case 1:
		has = "1 parameter"
	}
	if got > want {
		hint = fmt.Sprintf("leave out %d -p, or write $%d into the SQL", got-want, got)
	}
	return &airhook.Error{ID: s.id, Kind: airhook.ErrInvalid, Err: fmt.Errorf("the statement has %s, and -p gives %d", has, got), Hint: hint}
}

// printCopy writes what COPY … TO STDOUT says as it comes.
func (s *sqlRun) printCopy(ctx context.Context, statement string, params []string, sink *sink) error {
	if len(params) > 0 {
		return usagef("write the values into the SQL", "COPY takes no -p")
	}
	w := bufio.NewWriterSize(sink.begin(), 64<<10)
	rows, err := s.copyOut(ctx, statement, w)
	if err == nil {
		err = w.Flush()
	}
	if sink.err != nil {
		return sink.failed(sink.err)
	}
	sink.rows = rows
	return err
}

func values(params []string) [][]byte {
	var out [][]byte
	for _, p := range params {
		out = append(out, []byte(p))
	}
	return out
}

// formats asks for text, and for binary where a DateStyle other than ISO would make the text ambiguous.
func (s *sqlRun) formats(fields []pgconn.FieldDescription) (formats []int16, binary []bool) {
	style := s.conn.ParameterStatus("DateStyle")
	if style == "" || strings.HasPrefix(style, "ISO") {
		return nil, nil
	}
	formats, binary = make([]int16, len(fields)), make([]bool, len(fields))
	for i, f := range fields {
		if render.DependsOnDateStyle(f.DataTypeOID) {
			formats[i], binary[i] = 1, true
		}
	}
	return formats, binary
}

// stream writes the rows as they come. Its errors are those of writing, and of rows that no server should send; what the
// server says is wrong comes from Close. Without a row the
// writer is nil.
func (s *sqlRun) stream(result *pgconn.ResultReader, known map[uint32]render.Type, binary []bool, sink *sink) (rows render.Writer, err error) {
	var fields []pgconn.FieldDescription
	for result.NextRow() {
		if rows == nil {
			fields = result.FieldDescriptions()
			if rows, err = s.begin(fields, known, sink); err != nil {
				return nil, err
			}
		}
		row := result.Values()
		if len(row) != len(fields) || len(binary) > len(row) {
			return rows, &airhook.Error{ID: s.id, Stage: airhook.StageQuery, Err: fmt.Errorf("read row %d: the server sent %d values for %d columns", sink.rows+1, len(row), len(fields))}
		}
		for i := range binary {
			if binary[i] {
				row[i] = render.FromBinary(fields[i].DataTypeOID, row[i])
			}
		}
		if err := rows.Row(row); err != nil {
			return rows, sink.failed(err)
		}
		sink.rows++
	}
	return rows, nil
}

// end completes the output; a result without rows still has its columns.
func (s *sqlRun) end(rows render.Writer, fields []pgconn.FieldDescription, known map[uint32]render.Type, sink *sink) (err error) {
	if rows == nil {
		if rows, err = s.begin(fields, known, sink); err != nil {
			return err
		}
	}
	if err := rows.Close(); err != nil {
		return sink.failed(err)
	}
	return nil
}

func (s *sqlRun) begin(fields []pgconn.FieldDescription, known map[uint32]render.Type, sink *sink) (render.Writer, error) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	names, renamed := render.Unique(names)
	if len(renamed) > 0 {
		s.app.note("note: columns of the same name are called %s", strings.Join(renamed, ", "))
	}
	columns := make([]render.Column, len(fields))
	for i, f := range fields {
		columns[i] = render.Column{Name: names[i], Type: known[f.DataTypeOID]}
	}
	return render.New(sink.begin(), sink.format, columns)
}

// superOID is Redshift's SUPER, whose text is JSON.
const superOID = 4000

const typeQuery = `SELECT t.oid, t.typtype, t.typbasetype, t.typcategory, t.typelem, t.typdelim FROM pg_catalog.pg_type t WHERE t.oid IN (`

// types says how each column's type is written. What is not built in is asked of the catalog: arrays of enums,
// domains and extensions' types.
func (s *sqlRun) types(ctx context.Context, fields []pgconn.FieldDescription) (known map[uint32]render.Type, asked bool, err error) {
	known = map[uint32]render.Type{}
	unknown := map[uint32]bool{}
	for _, f := range fields {
		t, ok := render.TypeOf(f.DataTypeOID)
		if s.redshift && f.DataTypeOID == superOID {
			t = render.Type{Kind: render.Document}
		}
		known[f.DataTypeOID] = t
		if !ok && !s.redshift {
			unknown[f.DataTypeOID] = true
		}
	}
	if len(unknown) == 0 {
		return known, false, nil
	}
	c := catalog{run: s, entries: map[uint32]catalogType{}}
	for oid := range unknown {
		if known[oid], err = c.typeOf(ctx, oid, 0); err != nil {
			return nil, true, err
		}
	}
	return known, true, nil
}

type catalogType struct {
	typtype, category byte
	base, elem        uint32
	delim             byte
}

// catalog answers from pg_type, each OID once.
type catalog struct {
	run     *sqlRun
	entries map[uint32]catalogType
}

// deepest is how many types may be made of one another; a catalog that says more of them goes round in circles.
const deepest = 20

func (c *catalog) typeOf(ctx context.Context, oid uint32, depth int) (render.Type, error) {
	if t, ok := render.TypeOf(oid); ok || depth == deepest {
		return t, nil
	}
	e, err := c.entry(ctx, oid)
	if err != nil {
		return render.Type{}, err
	}
	switch {
	case e.typtype == 'd':
		return c.typeOf(ctx, e.base, depth+1)
	case e.category == 'A' && e.elem != 0:
		elem, err := c.typeOf(ctx, e.elem, depth+1)
		if err != nil {
			return render.Type{}, err
		}
		delim := e.delim
		if inner, ok := c.entries[e.elem]; ok {
			delim = inner.delim
		}
		return render.ArrayOf(elem, delim), nil
	}
	return render.Type{}, nil
}

func (c *catalog) entry(ctx context.Context, oid uint32) (catalogType, error) {
	if e, ok := c.entries[oid]; ok {
		return e, nil
	}
	result := c.run.conn.ExecParams(ctx, typeQuery+strconv.FormatUint(uint64(oid), 10)+")", nil, nil, nil, nil).Read()
	if result.Err != nil || len(result.Rows) == 0 || len(result.Rows[0]) < 6 {
		return catalogType{}, result.Err
	}
	row := result.Rows[0]
	letter := func(text []byte, instead byte) byte {
		if len(text) == 0 { // no catalog says so, but who knows what answers
			return instead
		}
		return text[0]
	}
	number := func(text []byte) uint32 {
		n, _ := strconv.ParseUint(string(text), 10, 32)
		return uint32(n)
	}
	e := catalogType{typtype: letter(row[1], 0), base: number(row[2]), category: letter(row[3], 0), elem: number(row[4]), delim: letter(row[5], ',')}
	c.entries[oid] = e
	return e, nil
}
