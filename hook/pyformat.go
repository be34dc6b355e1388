package hook

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/airhook-go/airhook"
)

// Pyformat translates the placeholders of Python's DB-API (PEP 249, pyformat and format) into PostgreSQL's $1: %s takes
// the next value of a slice, %(name)s the value of that key of a map. It returns the SQL and its parameters for Exec,
// GetRecords and Query. %% is a percent sign everywhere, as in psycopg; in quotes and comments there are no
// placeholders. With args nil the SQL is returned as it is, %% included. Keys that the SQL doesn't name are no mistake, as
// in psycopg; what else doesn't fit is ErrInvalid.
func Pyformat(sql string, args any) (string, []any, error) { return dialect{}.pyformat(sql, args) }

// PyformatRedshift is Pyformat for Redshift, where a backslash escapes in plain strings: 'it\'s %s'.
func PyformatRedshift(sql string, args any) (string, []any, error) {
	return dialect{backslash: true}.pyformat(sql, args)
}

func (d dialect) pyformat(sql string, args any) (string, []any, error) {
	if args == nil {
		return sql, nil, nil
	}
	f, err := newFormat(args)
	if err == nil {
		err = f.translate(d, sql)
	}
	if err != nil {
		return "", nil, &airhook.Error{Stage: airhook.StageQuery, Kind: airhook.ErrInvalid, Err: fmt.Errorf("translate placeholders: %w", err)}
	}
	return f.out.String(), f.used, nil
}

type format struct {
	named  map[string]any // of %(name)s
	listed []any          // of %s
	isMap  bool

	out   strings.Builder
	used  []any
	index map[string]int // of named values that were used
	glue  bool           // a placeholder was written last: a digit must not touch it
}

func newFormat(args any) (*format, error) {
	f := &format{index: map[string]int{}}
	v := reflect.ValueOf(args)
	switch {
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		f.isMap, f.named = true, map[string]any{}
		for key, value := range v.Seq2() {
			f.named[key.String()] = value.Interface()
		}
	case (v.Kind() == reflect.Slice || v.Kind() == reflect.Array) && v.Type().Elem().Kind() != reflect.Uint8:
		for _, value := range v.Seq2() {
			f.listed = append(f.listed, value.Interface())
		}
	default:
		return nil, fmt.Errorf("args is a %T, want a slice for %%s or a map for %%(name)s", args)
	}
	return f, nil
}

func (f *format) translate(d dialect, sql string) error {
	own := false
	for rest := sql; len(rest) > 0; {
		kind, n := d.next(rest)
		text := rest[:n]
		switch {
		case kind == symbol && text == "%":
			var err error
			if n, err = f.placeholder(rest); err != nil {
				return fmt.Errorf("byte %d: %w", len(sql)-len(rest)+1, err)
			}
		case kind == quoted, kind == comment:
			f.write(strings.ReplaceAll(text, "%%", "%"))
		default:
			own = own || text == "$" && len(rest) > 1 && isDigit(rest[1])
			f.write(text)
		}
		rest = rest[n:]
	}
	if own && len(f.used) > 0 {
		return errors.New("$1 and %s stand in one statement")
	}
	if !f.isMap && len(f.used) != len(f.listed) {
		return fmt.Errorf("there are %d placeholders and %d values", len(f.used), len(f.listed))
	}
	return nil
}

func (f *format) write(text string) {
	if f.glue && isNamePart(text[0]) {
		f.out.WriteByte(' ')
	}
	f.glue = false
	f.out.WriteString(text)
}

// placeholder writes what stands for the percent sign that s starts with, and returns how much of s that was.
func (f *format) placeholder(s string) (int, error) {
	switch {
	case strings.HasPrefix(s, "%%"):
		f.write("%")
		return 2, nil
	case strings.HasPrefix(s, "%s"):
		return 2, f.next()
	case strings.HasPrefix(s, "%("):
		name, _, closed := strings.Cut(s[2:], ")s")
		if !closed || strings.ContainsAny(name, ")%") {
			return 0, errors.New("a named placeholder is written %(name)s")
		}
		return len("%()s") + len(name), f.name(name)
	}
	return 0, errors.New("a percent sign is written %%, a placeholder %s or %(name)s")
}

func (f *format) next() error {
	if f.isMap {
		return errors.New("%s takes its value from a slice, and args is a map")
	}
	if len(f.used) == len(f.listed) {
		return fmt.Errorf("there are more placeholders than the %d values", len(f.listed))
	}
	f.used = append(f.used, f.listed[len(f.used)])
	f.parameter(len(f.used))
	return nil
}

func (f *format) name(name string) error {
	value, ok := f.named[name]
	if !f.isMap {
		return fmt.Errorf("%%(%s)s takes its value from a map, and args is a slice", name)
	}
	if !ok {
		return fmt.Errorf("there is no value for %%(%s)s", name)
	}
	if _, seen := f.index[name]; !seen {
		f.used = append(f.used, value)
		f.index[name] = len(f.used)
	}
	f.parameter(f.index[name])
	return nil
}

// parameter writes $n apart from names and numbers around it, which would swallow it.
func (f *format) parameter(n int) {
	if text := f.out.String(); text != "" && (isNamePart(text[len(text)-1]) || text[len(text)-1] == '$') {
		f.out.WriteByte(' ')
	}
	f.out.WriteString("$" + strconv.Itoa(n))
	f.glue = true
}
