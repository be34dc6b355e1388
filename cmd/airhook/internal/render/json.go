package render

import "io"

// bufferSize is where a buffer is written out: large enough for few system calls, small enough to forget about.
const bufferSize = 64 << 10

type jsonWriter struct {
	w     io.Writer
	lines bool
	keys  [][]byte // `{"a":`, `,"b":`
	types []Type
	buf   []byte
	rows  int
}

func newJSON(w io.Writer, f Format, columns []Column) *jsonWriter {
	j := &jsonWriter{w: w, lines: f == JSONL, buf: make([]byte, 0, bufferSize+4096)}
	for i, c := range columns {
		open := byte(',')
		if i == 0 {
			open = '{'
		}
		j.keys = append(j.keys, append(appendString([]byte{open}, c.Name), ':'))
		j.types = append(j.types, c.Type)
	}
	return j
}

func (j *jsonWriter) Row(values [][]byte) error {
	switch {
	case j.lines:
	case j.rows == 0:
		j.buf = append(j.buf, "[\n"...)
	default:
		j.buf = append(j.buf, ",\n"...)
	}
	j.rows++
	if len(values) == 0 {
		j.buf = append(j.buf, '{')
	}
	for i, v := range values {
		j.buf = append(j.buf, j.keys[i]...)
		j.buf = appendJSON(j.buf, j.types[i], v, j.lines)
	}
	j.buf = append(j.buf, '}')
	if j.lines {
		j.buf = append(j.buf, '\n')
	}
	return j.flush(bufferSize)
}

func (j *jsonWriter) flush(above int) error {
	if len(j.buf) <= above {
		return nil
	}
	_, err := j.w.Write(j.buf)
	j.buf = reuse(j.buf)
	return err
}

// reuse empties a buffer, and lets go of one that a huge value made huge.
func reuse(buf []byte) []byte {
	if cap(buf) > 16*bufferSize {
		return make([]byte, 0, bufferSize+4096)
	}
	return buf[:0]
}

func (j *jsonWriter) Close() error {
	if !j.lines {
		if j.rows == 0 {
			j.buf = append(j.buf, '[')
		} else {
			j.buf = append(j.buf, '\n')
		}
		j.buf = append(j.buf, "]\n"...)
	}
	return j.flush(0)
}
