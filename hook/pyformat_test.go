package hook

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/airhook-go/airhook"
)

func TestPyformatTranslatesPlaceholders(t *testing.T) {
	ab := map[string]any{"a": 1, "b": "x"}
	for _, test := range []struct {
		name, sql string
		args      any
		want      string
		used      []any
	}{
		{"nothing to do", "SELECT 1", []any{}, "SELECT 1", nil},
		{"no args, no format", "SELECT 5 % 2, '100%%'", nil, "SELECT 5 % 2, '100%%'", nil},
		{"in order", "INSERT INTO t VALUES (%s, %s)", []any{1, nil}, "INSERT INTO t VALUES ($1, $2)", []any{1, nil}},
		{"a slice of any type", "SELECT %s, %s", []string{"a", "b"}, "SELECT $1, $2", []any{"a", "b"}},
		{"by name", "SELECT %(a)s, %(b)s, %(a)s", ab, "SELECT $1, $2, $1", []any{1, "x"}},
		{"by name in the order of use", "SELECT %(b)s, %(a)s", pgx.NamedArgs(ab), "SELECT $1, $2", []any{"x", 1}},
		{"not every name is used", "SELECT %(b)s", ab, "SELECT $1", []any{"x"}},
		{"percent signs", "SELECT 5 %% 2 WHERE a LIKE 'x%%' -- 100%%", []any{}, "SELECT 5 % 2 WHERE a LIKE 'x%' -- 100%", nil},
		{"quotes hold no placeholders", `SELECT '%s', "%s", $$%s$$, E'\'%s', %s`, []any{1}, `SELECT '%s', "%s", $$%s$$, E'\'%s', $1`, []any{1}},
		{"comments hold no placeholders", "SELECT %s /* %s 50% */ -- %(x)s", []any{1}, "SELECT $1 /* %s 50% */ -- %(x)s", []any{1}},
		{"a single percent sign in quotes", "SELECT a LIKE 'b%' AND c = %s", []any{1}, "SELECT a LIKE 'b%' AND c = $1", []any{1}},
		{"names and digits keep apart", "SELECT %s1, x%s", []any{1, 2}, "SELECT $1 1, x $2", []any{1, 2}},
		{"cast", "SELECT %s::date", []any{"2024-01-01"}, "SELECT $1::date", []any{"2024-01-01"}},
		{"own parameters without placeholders", "SELECT $1", ab, "SELECT $1", nil},
	} {
		got, used, err := Pyformat(test.sql, test.args)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		if d := cmp.Diff(test.used, used); d != "" {
			t.Errorf("%s: parameters (-want +got):\n%s", test.name, d)
		}
	}
}

func TestPyformatKnowsEachServersQuotes(t *testing.T) {
	for _, test := range []struct {
		name      string
		translate func(string, any) (string, []any, error)
		sql, want string
	}{
		{"PostgreSQL: a backslash is one", Pyformat, `SELECT 'a\', %s, '%s'`, `SELECT 'a\', $1, '%s'`},
		{"Redshift: a backslash escapes", PyformatRedshift, `SELECT 'it\'s %s', %s`, `SELECT 'it\'s %s', $1`},
		{"Redshift: and itself", PyformatRedshift, `SELECT 'a\\', %s, '%s'`, `SELECT 'a\\', $1, '%s'`},
	} {
		got, used, err := test.translate(test.sql, []any{1})
		if err != nil || got != test.want || len(used) != 1 {
			t.Errorf("%s: got %q with %v, %v, want %q", test.name, got, used, err, test.want)
		}
	}
}

func TestPyformatRefusesWhatDoesNotFit(t *testing.T) {
	for _, test := range []struct {
		sql  string
		args any
		want string
	}{
		{"SELECT %s, %s", []any{1}, "more placeholders than the 1 values"},
		{"SELECT %s", []any{1, 2}, "1 placeholders and 2 values"},
		{"SELECT %(a)s", map[string]any{}, "no value for %(a)s"},
		{"SELECT %(a)s", []any{1}, "args is a slice"},
		{"SELECT %s", map[string]any{"a": 1}, "args is a map"},
		{"SELECT 5 % 2", []any{}, "byte 10: a percent sign is written %%"},
		{"SELECT %d", []any{1}, "a percent sign is written %%"},
		{"SELECT %(a)d", map[string]any{"a": 1}, "a named placeholder is written %(name)s"},
		{"SELECT %(a", map[string]any{"a": 1}, "a named placeholder is written %(name)s"},
		{"SELECT $1, %s", []any{1}, "stand in one statement"},
		{"SELECT %s", "secret", "args is a string"},
		{"SELECT %s", []byte("x"), "args is a []uint8"},
		{"SELECT %s", 5, "args is a int"},
	} {
		_, _, err := Pyformat(test.sql, test.args)
		if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Pyformat(%q, %v): %v, want an ErrInvalid with %q", test.sql, test.args, err, test.want)
		}
	}
}

func FuzzPyformat(f *testing.F) {
	for _, seed := range []string{"SELECT %s", "%(a)s%(b)s", "'%s%%'", "%%s", "$$%%", "a%s1%s$", "-- %\n%s", "%(a)s)s", "%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		if got, _, err := Pyformat(strings.ReplaceAll(sql, "%", "%%"), []any{}); err != nil || got != sql {
			t.Fatalf("escaped %q came back as %q, %v", sql, got, err)
		}
		got, used, err := Pyformat(sql, map[string]any{"a": 1, "b": 2})
		if err == nil && len(used) > 2 {
			t.Fatalf("Pyformat(%q) = %q with %d parameters of two", sql, got, len(used))
		}
		values := make([]any, strings.Count(sql, "%s"))
		for len(values) >= 0 {
			got, used, err = Pyformat(sql, values)
			if err == nil && len(used) != len(values) {
				t.Fatalf("Pyformat(%q) = %q with %d parameters of %d", sql, got, len(used), len(values))
			}
			if err == nil || len(values) == 0 {
				return
			}
			values = values[1:]
		}
	})
}
