package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// tableRows is how many rows decide the widths of a table's columns; later ones are written as they come.
const tableRows = 1000

type tableWriter struct {
	w       *bufio.Writer
	columns []Column
	widths  []int
	pending [][]string
	started bool
}

func newTable(w io.Writer, columns []Column) *tableWriter {
	t := &tableWriter{w: bufio.NewWriterSize(w, bufferSize), columns: columns, widths: make([]int, len(columns))}
	for i, c := range columns {
		t.widths[i] = width(visible([]byte(c.Name)))
	}
	return t
}

func (t *tableWriter) Row(values [][]byte) error {
	cells := make([]string, len(values))
	for i, v := range values {
		if v != nil {
			cells[i] = visible(appendText(nil, t.columns[i].Type, v))
		} else {
			cells[i] = "NULL"
		}
	}
	if t.started {
		return t.line(cells)
	}
	for i, c := range cells {
		t.widths[i] = max(t.widths[i], width(c))
	}
	t.pending = append(t.pending, cells)
	if len(t.pending) < tableRows {
		return nil
	}
	return t.start()
}

func (t *tableWriter) start() error {
	t.started = true
	names, rules := make([]string, len(t.columns)), make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = visible([]byte(c.Name))
		rules[i] = strings.Repeat("=", t.widths[i])
	}
	if err := t.line(names); err != nil {
		return err
	}
	if _, err := t.w.WriteString(strings.Join(rules, "=+=") + "\n"); err != nil {
		return err
	}
	for _, cells := range t.pending {
		if err := t.line(cells); err != nil {
			return err
		}
	}
	t.pending = nil
	return nil
}

// line writes cells padded to their columns, numbers to the right, nothing after the last.
func (t *tableWriter) line(cells []string) error {
	for i, c := range cells {
		if i > 0 {
			_, _ = t.w.WriteString(" | ")
		}
		pad := strings.Repeat(" ", max(0, t.widths[i]-width(c)))
		switch k := t.columns[i].Type.Kind; {
		case k == Integer || k == Number:
			_, _ = t.w.WriteString(pad + c)
		case i == len(cells)-1:
			_, _ = t.w.WriteString(c)
		default:
			_, _ = t.w.WriteString(c + pad)
		}
	}
	return t.w.WriteByte('\n')
}

func (t *tableWriter) Close() error {
	if !t.started {
		if err := t.start(); err != nil {
			return err
		}
	}
	return t.w.Flush()
}

// Visible is text that stays on its line and away from a terminal's controls, which are written as in JSON: \n, \u001b.
func Visible(text string) string { return visible([]byte(text)) }

// Width counts the columns that text takes on a terminal.
func Width(text string) int { return width(text) }

func visible(b []byte) string {
	clean := true
	for _, c := range b {
		clean = clean && c >= ' ' && c < 0x7f
	}
	if clean {
		return string(b)
	}
	var s strings.Builder
	for _, r := range string(b) {
		switch {
		case r < ' ':
			s.Write(appendEscaped(nil, byte(r)))
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			fmt.Fprintf(&s, `\u%04x`, r)
		default:
			s.WriteRune(r)
		}
	}
	return s.String()
}

// width counts what takes a column on a terminal: marks that combine take none, East Asian wide letters two.
func width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r < 0x300:
			n++
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) || unicode.Is(unicode.Cf, r):
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) || r >= 0x1f300 && r < 0x1fb00 || r >= 0xff01 && r <= 0xff60:
			n += 2
		default:
			n++
		}
	}
	return n
}
