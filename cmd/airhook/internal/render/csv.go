package render

import (
	"bytes"
	"io"
)

type csvWriter struct {
	w     io.Writer
	types []Type
	buf   []byte
}

func newCSV(w io.Writer, columns []Column) (*csvWriter, error) {
	c := &csvWriter{w: w, buf: make([]byte, 0, bufferSize+4096)}
	for i, col := range columns {
		if i > 0 {
			c.buf = append(c.buf, ',')
		}
		c.buf = appendField(c.buf, []byte(col.Name))
		c.types = append(c.types, col.Type)
	}
	c.buf = append(c.buf, '\n')
	return c, nil
}

func (c *csvWriter) Row(values [][]byte) error {
	for i, v := range values {
		if i > 0 {
			c.buf = append(c.buf, ',')
		}
		if v != nil {
			c.buf = appendValue(c.buf, c.types[i], v)
		}
	}
	c.buf = append(c.buf, '\n')
	if len(c.buf) <= bufferSize {
		return nil
	}
	return c.flush()
}

// appendValue writes what is a text already as a field, and of other kinds the text that they have. No server's needs
// quotes, except that of one that means harm.
func appendValue(dst []byte, t Type, v []byte) []byte {
	switch t.Kind {
	case Text, Document, Array, Vector, Integer, Number:
		return appendField(dst, v)
	}
	at := len(dst)
	dst = appendText(dst, t, v)
	if len(dst) > at && !needsQuotes(dst[at:]) {
		return dst
	}
	return appendField(dst[:at], bytes.Clone(dst[at:]))
}

func (c *csvWriter) flush() error {
	_, err := c.w.Write(c.buf)
	c.buf = reuse(c.buf)
	return err
}

func (c *csvWriter) Close() error { return c.flush() }

// appendField quotes as RFC 4180 does where it must, the empty string so that it is not NULL, and \. because COPY
// takes it for the end.
func appendField(dst, field []byte) []byte {
	if len(field) > 0 && !needsQuotes(field) {
		return append(dst, field...)
	}
	dst = append(dst, '"')
	for {
		i := bytes.IndexByte(field, '"')
		if i < 0 {
			break
		}
		dst = append(append(dst, field[:i+1]...), '"')
		field = field[i+1:]
	}
	return append(append(dst, field...), '"')
}

func needsQuotes(field []byte) bool {
	for _, b := range field {
		if b == ',' || b == '"' || b == '\n' || b == '\r' {
			return true
		}
	}
	return len(field) == 2 && field[0] == '\\' && field[1] == '.'
}
