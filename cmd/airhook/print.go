package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/airhook-go/airhook/cmd/airhook/internal/render"
)

// printValue writes a value as indented JSON. Bytes are JSON already, and keep their digits. What could control a terminal
// is in strings only, where JSON has the same escapes as everything else that we print.
func (a *app) printValue(v any) error {
	raw, err := marshal(v)
	if err != nil {
		return err
	}
	text, err := prettyJSON(raw)
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.stdout, text)
	return err
}

// prettyJSON is JSON for people, with a newline at the end.
func prettyJSON(raw []byte) (string, error) {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return "", fmt.Errorf("print JSON: %w", err)
	}
	var text strings.Builder
	for line := range strings.Lines(b.String()) {
		text.WriteString(render.Visible(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return text.String(), nil
}

func marshal(v any) ([]byte, error) {
	if raw, ok := v.(json.RawMessage); ok {
		return raw, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("print JSON: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// printLine writes one line for people.
func (a *app) printLine(format string, args ...any) error {
	_, err := fmt.Fprintln(a.stdout, render.Visible(fmt.Sprintf(format, args...)))
	return err
}

// printPairs writes names and values in two columns; pairs without a value are left out.
func (a *app) printPairs(pairs [][2]string) error {
	width := 0
	for _, p := range pairs {
		if p[1] != "" {
			width = max(width, len(p[0]))
		}
	}
	for _, p := range pairs {
		if p[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(a.stdout, "%-*s  %s\n", width, p[0], render.Visible(p[1])); err != nil {
			return err
		}
	}
	return nil
}

// printGrid writes a header and rows in aligned columns, nothing after the last.
func (a *app) printGrid(header []string, rows [][]string) error {
	widths := make([]int, len(header))
	all := [][]string{header}
	for _, row := range rows {
		all = append(all, cells(row))
	}
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], render.Width(cell))
		}
	}
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-render.Width(cell)+2))
			}
		}
		if _, err := fmt.Fprintln(a.stdout, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

func cells(row []string) []string {
	visible := make([]string, len(row))
	for i, cell := range row {
		visible[i] = render.Visible(cell)
	}
	return visible
}

// widest is a column of a list on a terminal: an endpoint of AWS fits, a value that somebody pasted does not.
const widest = 64

// shortened cuts what is wider; -o json and `get` show the whole.
func shortened(text string) string {
	text = render.Visible(text)
	if render.Width(text) <= widest {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && render.Width(string(runes)) >= widest {
		runes = runes[:min(len(runes)-1, widest)]
	}
	return string(runes) + "…"
}
