package render

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func b(s string) []byte { return []byte(s) }

// all writes rows and returns the text.
func all(t *testing.T, f Format, columns []Column, rows ...[][]byte) string {
	t.Helper()
	var out bytes.Buffer
	w, err := New(&out, f, columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Row(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

var (
	integer   = Type{Kind: Integer}
	number    = Type{Kind: Number}
	document  = Type{Kind: Document}
	moment    = Type{Kind: Timestamp}
	momentTZ  = Type{Kind: TimestampTZ}
	bytesType = Type{Kind: Bytes}
)

func TestValues(t *testing.T) {
	for _, test := range []struct {
		name string
		t    Type
		in   string
		json string // one line
		csv  string
	}{
		{"text", Type{}, "it's", `"it's"`, "it's"},
		{"empty text", Type{}, "", `""`, `""`},
		{"text that says null", Type{}, "NULL", `"NULL"`, "NULL"},
		{"text with all escapes", Type{}, "\"\\\n\r\t\b\f\x01/é\u2028😀", `"\"\\\n\r\t\b\f\u0001/é` + "\u2028" + `😀"`, "\"\"\"\\\n\r\t\b\f\x01/é\u2028😀\""},
		{"no UTF-8", Type{}, "a\xffb\xc3", `"a\ufffdb\ufffd"`, "a\xffb\xc3"},
		{"true", Type{Kind: Bool}, "t", "true", "true"},
		{"false", Type{Kind: Bool}, "f", "false", "false"},
		{"large integer", integer, "9223372036854775807", "9223372036854775807", "9223372036854775807"},
		{"numeric of many digits", number, "123456789012345678901234567890.12345678901234567890", "123456789012345678901234567890.12345678901234567890", "123456789012345678901234567890.12345678901234567890"},
		{"trailing zeros", number, "-12.500", "-12.500", "-12.500"},
		{"float", number, "1e-05", "1e-05", "1e-05"},
		{"zero", number, "-0", "-0", "-0"},
		{"large float", number, "1.7976931348623157e+308", "1.7976931348623157e+308", "1.7976931348623157e+308"},
		{"no number", integer, "", `""`, `""`},
		{"two columns", integer, "1,2", `"1,2"`, `"1,2"`},
		{"two lines", moment, "2024-01-31 12:00:00\n", `"2024-01-31T12:00:00\n"`, "\"2024-01-31T12:00:00\n\""},
		{"NaN", number, "NaN", `"NaN"`, "NaN"},
		{"infinity", number, "Infinity", `"Infinity"`, "Infinity"},
		{"less than anything", number, "-Infinity", `"-Infinity"`, "-Infinity"},
		{"bytes", bytesType, `\x00ff`, `"\\x00ff"`, `\x00ff`},
		{"no bytes", bytesType, ``, `"\\x"`, `\x`},
		{"bytes of the old format", bytesType, `a\\\001\377'`, `"\\x615c01ff27"`, `\x615c01ff27`},
		{"timestamp", moment, "2024-01-31 12:00:00.5", `"2024-01-31T12:00:00.5"`, "2024-01-31T12:00:00.5"},
		{"timestamp without an end", moment, "infinity", `"infinity"`, "infinity"},
		{"timestamp BC", moment, "0044-03-15 12:00:00 BC", `"0044-03-15 12:00:00 BC"`, "0044-03-15 12:00:00 BC"},
		{"timestamp of five digits", moment, "10000-01-01 00:00:00", `"10000-01-01 00:00:00"`, "10000-01-01 00:00:00"},
		{"UTC", momentTZ, "2024-01-31 12:00:00.5+00", `"2024-01-31T12:00:00.5Z"`, "2024-01-31T12:00:00.5Z"},
		{"ahead", momentTZ, "2024-01-01 00:30:00.123456+01", `"2023-12-31T23:30:00.123456Z"`, "2023-12-31T23:30:00.123456Z"},
		{"behind, with minutes", momentTZ, "2024-02-28 22:00:00-03:30", `"2024-02-29T01:30:00Z"`, "2024-02-29T01:30:00Z"},
		{"with seconds", momentTZ, "1880-01-01 00:00:00+00:53:28", `"1879-12-31T23:06:32Z"`, "1879-12-31T23:06:32Z"},
		{"never", momentTZ, "-infinity", `"-infinity"`, "-infinity"},
		{"timestamptz BC", momentTZ, "0044-03-15 01:00:00+02 BC", `"0044-03-14 23:00:00+00 BC"`, "0044-03-14 23:00:00+00 BC"},
		{"the first hour", momentTZ, "0001-01-01 00:30:00+01", `"0001-12-31 23:30:00+00 BC"`, "0001-12-31 23:30:00+00 BC"},
		{"the last hour", momentTZ, "9999-12-31 23:30:00-01", `"10000-01-01 00:30:00+00"`, "10000-01-01 00:30:00+00"},
		{"back from five digits", momentTZ, "10000-01-01 00:30:00+01", `"9999-12-31T23:30:00Z"`, "9999-12-31T23:30:00Z"},
		{"another DateStyle", momentTZ, "31.01.2024 12:00:00 CET", `"31.01.2024 12:00:00 CET"`, "31.01.2024 12:00:00 CET"},
		{"half a moment", momentTZ, "2024", `"2024"`, "2024"},
		{"document", document, "{\"a\": [1.10, null],\n \"b\": \"x\"}", `{"a":[1.10,null],"b":"x"}`, "\"{\"\"a\"\": [1.10, null],\n \"\"b\"\": \"\"x\"\"}\""},
		{"document that is null", document, "null", "null", "null"},
		{"document that is none", document, "{a", `"{a"`, "{a"},
		{"document that is no UTF-8", document, "{\"a\": \"\xff\"}", `{"a":"` + "\uFFFD" + `"}`, "\"{\"\"a\"\": \"\"\xff\"\"}\""},
		{"vector", Type{Kind: Vector}, "1 2 3", "[1,2,3]", "1 2 3"},
		{"empty vector", Type{Kind: Vector}, "", "[]", `""`},
		{"comma", Type{}, "a,b", `"a,b"`, `"a,b"`},
		{"quote", Type{}, `"`, `"\""`, `""""`},
		{"carriage return", Type{}, "a\rb", `"a\rb"`, "\"a\rb\""},
		{"end of data", Type{}, `\.`, `"\\."`, `"\."`},
		{"blanks", Type{}, " a ", `" a "`, " a "},
	} {
		columns := []Column{{"v", test.t}}
		line := all(t, JSONL, columns, [][]byte{b(test.in)})
		if want := `{"v":` + test.json + "}\n"; line != want {
			t.Errorf("%s: %s, want %s", test.name, line, want)
		}
		if !json.Valid([]byte(line)) || !json.Valid([]byte(all(t, JSON, columns, [][]byte{b(test.in)}))) {
			t.Errorf("%s: %s is no JSON", test.name, line)
		}
		if got, want := all(t, CSV, columns, [][]byte{b(test.in)}), "v\n"+test.csv+"\n"; got != want {
			t.Errorf("%s: %q, want %q", test.name, got, want)
		}
	}
}

// A server that means harm can call any text a number or a moment. It stays one value of its row all the same.
func TestATextThatIsNoneOfItsTypeStaysOneValue(t *testing.T) {
	texts := []string{
		"", "-", "+1", "01", "-01", ".5", "1.", "1.e5", "1e", "1e+", "1e5.5", "--1", "1-2", "0x10", "1_000", "1 ", " 1", "1\n", "\u0661", "1,\"a\":2", "1}\n{\"v\":2", "1\n2,3", "1,2", "\x1b[2J", "1\x1b[2J",
		"2024-01-31 12:00:00,\"x\"\n", "2024-01-31 12:00:00\x1b[2J+00", `\x00,"` + "\n", `\.`,
	}
	for _, kind := range []Kind{Text, Integer, Number, Bool, Bytes, Timestamp, TimestampTZ, Document, Vector} {
		for _, text := range texts {
			for _, v := range []struct {
				t    Type
				text string
			}{{Type{Kind: kind}, text}, {ArrayOf(Type{Kind: kind}, ','), `{"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"}`}} {
				stays(t, v.t, v.text)
			}
		}
	}
}

// stays checks that a value is one in each format, and can't reach a terminal's controls but by CSV, whose texts are exact.
func stays(t *testing.T, kind Type, text string) {
	t.Helper()
	columns := []Column{{"v", kind}}
	for _, f := range []Format{JSON, JSONL} {
		out := all(t, f, columns, [][]byte{b(text)})
		rows := []map[string]any{{}}
		var into any = &rows
		if f == JSONL {
			into = &rows[0]
		}
		if err := json.Unmarshal([]byte(out), into); err != nil || len(rows) != 1 || len(rows[0]) != 1 || strings.Contains(out, "\x1b") {
			t.Errorf("%q as %v becomes %q in %s: %v", text, kind.Kind, out, f, err)
		}
	}
	out := all(t, CSV, columns, [][]byte{b(text)})
	if rows, err := csv.NewReader(strings.NewReader(out)).ReadAll(); err != nil || len(rows) != 2 || len(rows[1]) != 1 {
		t.Errorf("%q as %v becomes %q in CSV: %q, %v", text, kind.Kind, out, rows, err)
	}
	if out := all(t, Table, columns, [][]byte{b(text)}); strings.Count(out, "\n") != 3 || strings.Contains(out, "\x1b") {
		t.Errorf("%q as %v becomes %q in a table", text, kind.Kind, out)
	}
}

func TestArrays(t *testing.T) {
	text := ArrayOf(Type{}, ',')
	for _, test := range []struct {
		t        Type
		in, want string
	}{
		{text, "{}", "[]"},
		{text, "{a,b}", `["a","b"]`},
		{text, `{NULL,"NULL",null,""}`, `[null,"NULL",null,""]`},
		{text, `{"a,b","{c}","say \"hi\"","back\\slash"," "}`, `["a,b","{c}","say \"hi\"","back\\slash"," "]`},
		{text, "{{a,b},{c,NULL}}", `[["a","b"],["c",null]]`},
		{text, "{{{a}},{{b}}}", `[[["a"]],[["b"]]]`},
		{text, "[0:1]={a,b}", `["a","b"]`},
		{text, "[-1:0][2:2]={{a},{b}}", `[["a"],["b"]]`},
		{ArrayOf(integer, ','), "{1,NULL,9223372036854775807}", "[1,null,9223372036854775807]"},
		{ArrayOf(number, ','), "{1.50,NaN,-Infinity}", `[1.50,"NaN","-Infinity"]`},
		{ArrayOf(Type{Kind: Bool}, ','), "{t,f,NULL}", "[true,false,null]"},
		{ArrayOf(bytesType, ','), `{"\\x01","\\x"}`, `["\\x01","\\x"]`},
		{ArrayOf(document, ','), `{"{\"a\": 1}",null,NULL}`, `[{"a":1},null,null]`},
		{ArrayOf(momentTZ, ','), `{"2024-01-01 00:30:00+01",infinity}`, `["2023-12-31T23:30:00Z","infinity"]`},
		{ArrayOf(Type{}, ';'), "{(1,1),(0,0);(2,2),(1,1)}", `["(1,1),(0,0)","(2,2),(1,1)"]`},
		{text, "{{{{{{a}}}}}}", `[[[[[["a"]]]]]]`},
		{text, "{{{{{{{a}}}}}}}", `"{{{{{{{a}}}}}}}"`}, // more dimensions than there are
		{text, "{a", `"{a"`},
		{text, "a}", `"a}"`},
		{text, `{"a}`, `"{\"a}"`},
		{text, `{"a\`, `"{\"a\\"`},
		{text, "{a}}", `"{a}}"`},
		{text, "{a,}", `"{a,}"`},
		{text, "{,}", `"{,}"`},
		{text, "[0:1", `"[0:1"`},
		{text, "", `""`},
	} {
		if got, want := all(t, JSONL, []Column{{"v", test.t}}, [][]byte{b(test.in)}), `{"v":`+test.want+"}\n"; got != want {
			t.Errorf("%s: %s, want %s", test.in, got, want)
		}
		if got, want := all(t, CSV, []Column{{"v", test.t}}, [][]byte{b(test.in)}), "v\n"+string(appendField(nil, b(test.in)))+"\n"; got != want {
			t.Errorf("%s in CSV: %q, want PostgreSQL's own text %q", test.in, got, want)
		}
	}
}

// A server that means harm is no server of PostgreSQL, but must not take our memory or time.
func TestArraysThatNoServerSendsCostNothing(t *testing.T) {
	for _, n := range []int{1 << 20, 8 << 20} {
		text := strings.Repeat("{", n)
		if got := appendJSON(nil, ArrayOf(integer, ','), b(text), false); string(got) != `"`+text+`"` {
			t.Errorf("%d braces become %d bytes", n, len(got))
		}
	}
	header := func(words ...uint32) (form []byte) {
		for _, w := range words {
			form = binary.BigEndian.AppendUint32(form, w)
		}
		return form
	}
	const dates, null = 1182, 1<<32 - 1
	for name, c := range map[string]struct {
		form []byte
		want string
	}{
		"64 million elements":       {header(1, 0, dateOID, 64<<20, 1), ""},
		"2^31-1 elements":           {header(1, 0, dateOID, 1<<31-1, 1), ""},
		"fewer than none":           {header(1, 0, dateOID, null, 1), ""},
		"a million times a million": {header(2, 0, dateOID, 1<<20, 1, 1<<20, 1), ""},
		"lengths that overflow":     {header(4, 0, dateOID, 1<<16, 1, 1<<16, 1, 1<<16, 1, 1<<16, 1), ""},
		"seven dimensions":          {header(7, 0, dateOID, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, null), ""},
		"fewer dimensions than no":  {header(null), ""},
		"cut off":                   {header(1, 0, dateOID, 1), ""},
		"an element cut off":        {header(1, 0, dateOID, 1, 1, 4), ""},
		"no elements":               {header(0, 0, dateOID), "{}"},
		"NULL and a date":           {header(1, 1, dateOID, 2, 1, null, 4, 0), `{NULL,"2000-01-01"}`},
		"two by one, from 0":        {header(2, 1, dateOID, 2, 0, 1, 1, null, null), `[0:1][1:1]={{NULL},{NULL}}`},
	} {
		if got := string(FromBinary(dates, c.form)); got != c.want {
			t.Errorf("%s: %.60q, want %q", name, got, c.want)
		}
	}
}

func TestWholeOutputs(t *testing.T) {
	columns := []Column{{"i", integer}, {`a "b"`, Type{}}, {"doc", document}}
	rows := [][][]byte{{b("1"), b("x"), b(`{"k": 1}`)}, {b("22"), nil, nil}, {nil, b(""), b("[1, 2]")}}
	for f, want := range map[Format]string{
		JSON:  "[\n" + `{"i":1,"a \"b\"":"x","doc":{"k": 1}},` + "\n" + `{"i":22,"a \"b\"":null,"doc":null},` + "\n" + `{"i":null,"a \"b\"":"","doc":[1, 2]}` + "\n]\n",
		JSONL: `{"i":1,"a \"b\"":"x","doc":{"k":1}}` + "\n" + `{"i":22,"a \"b\"":null,"doc":null}` + "\n" + `{"i":null,"a \"b\"":"","doc":[1,2]}` + "\n",
		CSV:   "i,\"a \"\"b\"\"\",doc\n1,x,\"{\"\"k\"\": 1}\"\n22,,\n,\"\",\"[1, 2]\"\n",
		Table: "   i | a \"b\" | doc\n=====+=======+=========\n   1 | x     | {\"k\": 1}\n  22 | NULL  | NULL\nNULL |       | [1, 2]\n",
	} {
		if d := cmp.Diff(want, all(t, f, columns, rows...)); d != "" {
			t.Errorf("%s (-want +got):\n%s", f, d)
		}
	}
}

func TestNoRowsAndNoColumns(t *testing.T) {
	one := []Column{{"i", integer}}
	for f, want := range map[Format][2]string{
		JSON: {"[]\n", "[\n{},\n{}\n]\n"}, JSONL: {"", "{}\n{}\n"}, CSV: {"i\n", "\n\n\n"}, Table: {"i\n=\n", "\n\n\n\n"},
	} {
		if got := all(t, f, one); got != want[0] {
			t.Errorf("%s without rows: %q, want %q", f, got, want[0])
		}
		if got := all(t, f, nil, [][]byte{}, [][]byte{}); got != want[1] {
			t.Errorf("%s without columns: %q, want %q", f, got, want[1])
		}
	}
	if _, err := New(nil, "xml", nil); err == nil || !strings.Contains(err.Error(), "xml") {
		t.Errorf("of a format that is none: %v", err)
	}
}

func TestTablesStayOnTheirLines(t *testing.T) {
	got := all(t, Table, []Column{{"a\nb", Type{}}, {"größe", Type{}}, {"n", number}}, [][]byte{b("x\ty\x1b[31m"), b("日本"), b("1.5")},
		[][]byte{b("\u202egnp.exe"), b("é\u0301"), nil}, [][]byte{b("\u0085"), b("\xff"), b("-10")})
	want := strings.Join([]string{
		`a\nb           | größe |    n`,
		`===============+=======+=====`,
		`x\ty\u001b[31m | 日本  |  1.5`,
		`\u202egnp.exe  | é` + "\u0301" + `     | NULL`,
		`\u0085         | ` + "\uFFFD" + `     |  -10`, "",
	}, "\n")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestNamesBecomeUnique(t *testing.T) {
	for _, test := range []struct{ in, want, renamed []string }{
		{[]string{"a", "b"}, []string{"a", "b"}, nil},
		{[]string{"a", "a", "a"}, []string{"a", "a_2", "a_3"}, []string{"a_2", "a_3"}},
		{[]string{"a", "a", "a_2"}, []string{"a", "a_3", "a_2"}, []string{"a_3"}},
		{[]string{"a_2", "a", "a"}, []string{"a_2", "a", "a_3"}, []string{"a_3"}},
		{[]string{"?column?", "?column?"}, []string{"?column?", "?column?_2"}, []string{"?column?_2"}},
		{[]string{"", ""}, []string{"", "_2"}, []string{"_2"}},
		{[]string{"a", "A"}, []string{"a", "A"}, nil},
	} {
		got, renamed := Unique(test.in)
		if d := cmp.Diff([][]string{test.want, test.renamed}, [][]string{got, renamed}); d != "" {
			t.Errorf("%q (-want +got):\n%s", test.in, d)
		}
		seen := map[string]bool{}
		for _, name := range got {
			if seen[name] {
				t.Errorf("%q gives %q twice", test.in, name)
			}
			seen[name] = true
		}
	}
}

// narrow counts what is written, and fails after a while.
type narrow struct{ most, calls, room int }

var errFull = errors.New("full")

func (n *narrow) Write(p []byte) (int, error) {
	n.calls++
	n.most = max(n.most, len(p))
	if n.room -= len(p); n.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWritingIsBoundedAndFailuresAreTold(t *testing.T) {
	columns := []Column{{"v", Type{}}}
	row := [][]byte{bytes.Repeat([]byte("x"), 1000)}
	for _, f := range []Format{JSON, JSONL, CSV, Table} {
		out := &narrow{room: 10 << 20}
		w, err := New(out, f, columns)
		if err != nil {
			t.Fatal(err)
		}
		for range 5000 {
			if err = w.Row(row); err != nil {
				t.Fatal(err)
			}
		}
		if out.calls == 0 || out.most > 2*bufferSize {
			t.Errorf("%s: %d writes, the largest of %d bytes", f, out.calls, out.most)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		full, _ := New(&narrow{room: 100_000}, f, columns)
		for range 5000 {
			if err = full.Row(row); err != nil {
				break
			}
		}
		if err = errors.Join(err, full.Close()); !errors.Is(err, errFull) {
			t.Errorf("%s: %v, want that the disk is full", f, err)
		}
	}
}

func FuzzArray(f *testing.F) {
	for _, s := range []string{"{}", "{a,NULL}", `{"a\"b",{c}}`, "[0:1]={a,b}", `{"`, "{,", "[="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, elem := range []Type{{}, integer, number, document, momentTZ, bytesType, {Kind: Vector}} {
			if got := appendJSON(nil, ArrayOf(elem, ','), []byte(text), true); !json.Valid(got) {
				t.Fatalf("%q becomes %s", text, got)
			}
		}
	})
}
