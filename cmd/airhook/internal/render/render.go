package render

import (
	"fmt"
	"io"
	"strconv"
)

// Format is a way to write rows.
type Format string

// The formats. Table is for people, the others for programs.
const (
	Table Format = "table"
	JSON  Format = "json"
	JSONL Format = "jsonl"
	CSV   Format = "csv"
)

// Column is a name, unique among its neighbours, and the type of its values.
type Column struct {
	Name string
	Type Type
}

// Writer takes rows in PostgreSQL's text format; nil is NULL. The values are not kept after Row returns. Close ends
// the output; it does not close what is written to.
type Writer interface {
	Row(values [][]byte) error
	Close() error
}

// New returns a writer of rows with these columns.
func New(w io.Writer, f Format, columns []Column) (Writer, error) {
	switch f {
	case Table:
		return newTable(w, columns), nil
	case JSON, JSONL:
		return newJSON(w, f, columns), nil
	case CSV:
		return newCSV(w, columns)
	}
	return nil, fmt.Errorf("no format %q for rows", f)
}

// Unique makes names differ: the second "a" is "a_2", the third "a_3", past names that the query itself gave. The
// second result lists the new names.
func Unique(names []string) (unique, renamed []string) {
	taken := make(map[string]bool, len(names))
	for _, n := range names {
		taken[n] = true
	}
	seen := make(map[string]int, len(names))
	for _, n := range names {
		seen[n]++
		if k := seen[n]; k > 1 {
			fresh := n + "_" + strconv.Itoa(k)
			for ; taken[fresh]; fresh = n + "_" + strconv.Itoa(k) {
				k++
			}
			seen[n] = k
			taken[fresh] = true
			renamed = append(renamed, fresh)
			n = fresh
		}
		unique = append(unique, n)
	}
	return unique, renamed
}
