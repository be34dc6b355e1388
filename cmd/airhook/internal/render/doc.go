// Package render writes rows as JSON, JSON lines, CSV or a table for people, one row at a time and in bounded memory.
//
// It reads what PostgreSQL sends in text format and follows the value rules of the project's contract: digits are
// never lost, NULL stays apart from the empty string, times are ISO 8601.
//
//	w, err := render.New(os.Stdout, render.CSV, columns)
//	err = w.Row(values) // [][]byte in text format, nil is NULL
//	err = w.Close()
//
// It knows no connection and runs no statement; the caller finds out the columns' types.
package render
