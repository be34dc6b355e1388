package pyjson_test

import (
	"encoding/json"
	"testing"

	"github.com/airhook-go/airhook/internal/pyjson"
)

func TestWritesWhatPythonWrites(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"a":[1.50,-0,1e5,true,null]}`: `{"b": 1, "a": [1.50, -0, 1e5, true, null]}`,
		`"é🔑\u00e9\/\ud83d"`:                  `"\u00e9\ud83d\udd11\u00e9/\ud83d"`,
		`[NaN,Infinity,-Infinity]`:            `[NaN, Infinity, -Infinity]`,
		`{"a":1,"b":2,"a":3}`:                 `{"a": 3, "b": 2}`,
		`"\u007f\u001f"`:                      "\"\x7f\\u001f\"",
		` 12345678901234567890 `:              `12345678901234567890`,
		`{}`:                                  `{}`,
	} {
		v, err := pyjson.Parse(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := string(pyjson.Append(nil, v, pyjson.Python)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestRefusesWhatPythonRefuses(t *testing.T) {
	for _, in := range []string{``, ` `, `{`, `{"a": 1,}`, `[1,]`, `{'a': 1}`, `01`, `+1`, `.5`, `1_000`, `"\x"`, `"\u12"`, "\"a\tb\"", "\ufeff{}", `{"a" 1}`, `tru`, `1 2`, `"`, `"\ud83d\u12"`, `-`, `1.`, `1e`, "\"\xff\""} {
		if v, err := pyjson.Parse(in); err == nil {
			t.Errorf("%q was read as %+v", in, v)
		}
	}
}

func TestErrorNamesLineAndColumn(t *testing.T) {
	_, err := pyjson.Parse("{\n  \"a\": 1,\n  b\n}")
	if want := "a key in double quotes is missing at line 3 column 3"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a": [1, "x", null, true]}`, `"\ud83d\ude80"`, `NaN`, `{"a":1,"a":2}`, `[[[]]]`, `1e400`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		v, err := pyjson.Parse(in)
		if err != nil {
			return
		}
		text := string(pyjson.Append(nil, v, pyjson.Python))
		again, err := pyjson.Parse(text)
		if err != nil {
			t.Fatalf("%q was written as %q, which does not parse: %v", in, text, err)
		}
		if twice := string(pyjson.Append(nil, again, pyjson.Python)); twice != text {
			t.Fatalf("not stable: %q then %q", text, twice)
		}
		if strict := pyjson.Append(nil, v, pyjson.Strict); !json.Valid(strict) {
			t.Fatalf("strict form of %q is not JSON: %s", in, strict)
		}
	})
}
