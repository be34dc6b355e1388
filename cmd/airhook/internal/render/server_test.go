package render_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/cmd/airhook/internal/render"
)

func TestMain(m *testing.M) { airhooktest.Main(m) }

func session(t *testing.T) *pgconn.PgConn {
	t.Helper()
	client := airhooktest.Client(t, airhooktest.Postgres(t))
	conn, err := client.Dial(t.Context(), airhooktest.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// query runs a statement by the extended protocol, with results in text or in binary.
func query(t *testing.T, conn *pgconn.PgConn, sql string, format int16) *pgconn.Result {
	t.Helper()
	result := conn.ExecParams(t.Context(), sql, nil, nil, nil, []int16{format}).Read()
	if result.Err != nil {
		t.Fatalf("%s: %v", sql, result.Err)
	}
	return result
}

func line(t *testing.T, f render.Format, result *pgconn.Result) string {
	t.Helper()
	var columns []render.Column
	for _, field := range result.FieldDescriptions {
		kind, ok := render.TypeOf(field.DataTypeOID)
		if !ok {
			t.Errorf("OID %d of %s is not known", field.DataTypeOID, field.Name)
		}
		columns = append(columns, render.Column{Name: field.Name, Type: kind})
	}
	var out bytes.Buffer
	w, err := render.New(&out, f, columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range result.Rows {
		if err := w.Row(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestTheServersValues renders what a real server sends. Where PostgreSQL has JSON of its own for a value, ours says the
// same.
func TestTheServersValues(t *testing.T) {
	t.Parallel()
	conn := session(t)
	for _, timezone := range []string{"UTC", "Asia/Kolkata", "America/New_York"} {
		if err := conn.Exec(t.Context(), "SET timezone = '"+timezone+"'").Close(); err != nil {
			t.Fatal(err)
		}
		for sql, want := range map[string]string{
			"NULL::int":                                    "null",
			"(-32768)::int2":                               "-32768",
			"9223372036854775807::int8":                    "9223372036854775807",
			"4294967295::oid":                              "4294967295",
			"0.1::float4":                                  "0.1",
			"1e300::float8":                                "1e+300",
			"'NaN'::float8":                                `"NaN"`,
			"'-Infinity'::float4":                          `"-Infinity"`,
			"123456789012345678901234567890.0100":          "123456789012345678901234567890.0100",
			"'NaN'::numeric":                               `"NaN"`,
			"true":                                         "true",
			"'x'::text":                                    `"x"`,
			"''::varchar":                                  `""`,
			"'ab'::char(4)":                                `"ab  "`,
			`'\x00ff'::bytea`:                              `"\\x00ff"`,
			"DATE '2024-01-31'":                            `"2024-01-31"`,
			"DATE 'infinity'":                              `"infinity"`,
			"DATE '0044-03-15 BC'":                         `"0044-03-15 BC"`,
			"DATE '12024-01-31'":                           `"12024-01-31"`,
			"TIME '12:00:00.5'":                            `"12:00:00.5"`,
			"TIMESTAMP '2024-01-31 12:00:00.5'":            `"2024-01-31T12:00:00.5"`,
			"TIMESTAMP '-infinity'":                        `"-infinity"`,
			"TIMESTAMP '12024-01-31 12:00'":                `"12024-01-31 12:00:00"`,
			"TIMESTAMPTZ '2024-01-31 12:00:00.5+00'":       `"2024-01-31T12:00:00.5Z"`,
			"TIMESTAMPTZ '1850-06-01 12:00:00+00'":         `"1850-06-01T12:00:00Z"`,
			"TIMESTAMPTZ '0044-03-15 12:00:00+00 BC'":      `"0044-03-15 12:00:00+00 BC"`,
			"TIMESTAMPTZ '10000-01-01 00:00:00+00'":        `"10000-01-01 00:00:00+00"`,
			"TIMESTAMPTZ 'infinity'":                       `"infinity"`,
			"INTERVAL '1 day 02:03:04.5'":                  `"1 day 02:03:04.5"`,
			"INTERVAL '-1 year 3 mons'":                    `"-9 mons"`,
			`'{"b": 1, "a": [1.10]}'::json`:                `{"b":1,"a":[1.10]}`,
			`'{"b": 1, "a": null}'::jsonb`:                 `{"a":null,"b":1}`,
			`'"text"'::jsonb`:                              `"text"`,
			"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid": `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`,
			"'192.168.0.1/24'::inet":                       `"192.168.0.1/24"`,
			"int4range(1, 5)":                              `"[1,5)"`,
			"point(1, 2)":                                  `"(1,2)"`,
			"ROW(1, 'a b')":                                `"(1,\"a b\")"`,
			"B'101'":                                       `"101"`,
			"ARRAY[1, NULL, 3]":                            "[1,null,3]",
			"ARRAY[]::int[]":                               "[]",
			"ARRAY[[1.50, 'NaN'], ['Infinity', NULL]]::numeric[]":      `[[1.50,"NaN"],["Infinity",null]]`,
			`ARRAY['a,b', '"', '\', 'NULL', NULL, '', '{}', ' ', 'ü']`: `["a,b","\"","\\","NULL",null,"","{}"," ","ü"]`,
			"'[3:4]={1,2}'::int[]":                                 "[1,2]",
			`ARRAY['{"a": "}"}'::jsonb, NULL]`:                     `[{"a":"}"},null]`,
			`ARRAY['\x01'::bytea]`:                                 `["\\x01"]`,
			"ARRAY[TIMESTAMPTZ '2024-01-31 12:00+00', 'infinity']": `["2024-01-31T12:00:00Z","infinity"]`,
			"ARRAY[DATE '2024-01-31', '0044-03-15 BC']":            `["2024-01-31","0044-03-15 BC"]`,
			"ARRAY[box '(1,1),(0,0)', '(2,2),(1,1)']":              `["(1,1),(0,0)","(2,2),(1,1)"]`,
			"ARRAY[true, false]":                                   "[true,false]",
			"'1 2 3'::int2vector":                                  "[1,2,3]",
			"'1 2'::oidvector":                                     "[1,2]",
		} {
			got := line(t, render.JSONL, query(t, conn, "SELECT "+sql+" AS v", 0))
			if got != `{"v":`+want+"}\n" {
				t.Errorf("in %s, %s: %s, want %s", timezone, sql, got, want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("%s: %s is no JSON", sql, got)
			}
		}
	}
}

func TestOursIsPostgreSQLsOwnJSON(t *testing.T) {
	t.Parallel()
	conn := session(t)
	const values = `SELECT 1::int8 AS i, 1.50::numeric AS n, 'NaN'::numeric AS nan, 0.1::float8 AS f, E'a"\\\n\t\x01é' AS s, NULL::text AS nothing, true AS t,
		ARRAY[[1, 2], [3, NULL]] AS a, ARRAY['x"y', NULL, 'NULL', ''] AS texts, '\xdeadbeef'::bytea AS bytes, DATE '2024-02-29' AS d, '[1, {"a": 2}]'::json AS j,
		TIMESTAMP '2024-02-29 12:34:56.789' AS ts, '{}'::int[] AS none`
	var want, got any
	if err := json.Unmarshal(query(t, conn, "SELECT row_to_json(v) FROM ("+values+") v", 0).Rows[0][0], &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(line(t, render.JSONL, query(t, conn, values, 0))), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-PostgreSQL's +ours):\n%s", d)
	}
}

// TestCSVIsReadBackByTheServer writes rows as CSV and gives them to COPY.
func TestCSVIsReadBackByTheServer(t *testing.T) {
	t.Parallel()
	conn := session(t)
	const rows = `(VALUES (1, 'plain', '\x00ff'::bytea, ARRAY['a,b', NULL], '{"a": "b\n"}'::jsonb, 1.50::numeric, true),
		(2, '', '', '{}', 'null', 'NaN', false), (3, NULL, NULL, NULL, NULL, NULL, NULL), (4, E'a"b,\r\nc', E'\\x01', ARRAY['"', '\'], '[]', -1, true), (5, '\.', '', '{}', '1', 0, true)) v (i, s, b, a, j, n, t)`
	if err := conn.Exec(t.Context(), `SET standard_conforming_strings = on; CREATE TABLE want AS SELECT * FROM `+rows+`; CREATE TABLE got (LIKE want)`).Close(); err != nil {
		t.Fatal(err)
	}
	text := line(t, render.CSV, query(t, conn, "SELECT * FROM want", 0))
	if _, err := conn.CopyFrom(t.Context(), strings.NewReader(text), "COPY got FROM STDIN (FORMAT csv, HEADER)"); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for _, sql := range []string{"SELECT * FROM want EXCEPT SELECT * FROM got", "SELECT * FROM got EXCEPT SELECT * FROM want"} {
		if left := query(t, conn, sql, 0).Rows; len(left) > 0 {
			t.Errorf("%s: %q of\n%s", sql, left, text)
		}
	}
	if n := string(query(t, conn, "SELECT count(*) FROM got", 0).Rows[0][0]); n != "5" {
		t.Errorf("%s rows came back, want 5", n)
	}
}

// TestBinaryMomentsHaveTheServersText compares FromBinary with the text of the same values.
func TestBinaryMomentsHaveTheServersText(t *testing.T) {
	t.Parallel()
	conn := session(t)
	if err := conn.Exec(t.Context(), "SET timezone = 'UTC'; SET datestyle = 'ISO'").Close(); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"SELECT DATE '2000-01-01' + i FROM generate_series(-800000, 3000000, 12345) i",
		"SELECT TIMESTAMP '2000-01-01' + i * INTERVAL '17 days 3 hours 4.000567 seconds' FROM generate_series(-40000, 200000, 997) i",
		"SELECT TIMESTAMPTZ '2000-01-01 00:00+00' + i * INTERVAL '17 days 3 hours 4.5 seconds' FROM generate_series(-40000, 200000, 997) i",
		"SELECT unnest(ARRAY['infinity', '-infinity', '4713-01-01 BC', '0001-01-01 BC', '0001-01-01', '9999-12-31', '10000-01-01', '5874897-12-31', NULL]::date[])",
		"SELECT unnest(ARRAY['infinity', '-infinity', '4713-01-01 00:00 BC', '1999-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999', NULL]::timestamp[])",
		"SELECT ARRAY['2024-01-31', NULL, 'infinity', '0044-03-15 BC']::date[]",
		"SELECT '[0:1][3:4]={{2024-01-31,2024-02-01},{NULL,infinity}}'::date[]",
		"SELECT ARRAY[]::timestamptz[]",
		"SELECT ARRAY[[TIMESTAMPTZ '2024-01-31 12:00+00'], [NULL::timestamptz]]",
	} {
		text, binary := query(t, conn, sql, 0), query(t, conn, sql, 1)
		oid := text.FieldDescriptions[0].DataTypeOID
		if !render.DependsOnDateStyle(oid) {
			t.Errorf("%s: OID %d is not known to depend on DateStyle", sql, oid)
		}
		for i := range text.Rows {
			want, got := text.Rows[i][0], render.FromBinary(oid, binary.Rows[i][0])
			if same := strings.ReplaceAll(string(got), `"`, "") == strings.ReplaceAll(string(want), `"`, ""); !same || (want == nil) != (got == nil) {
				t.Errorf("%s: row %d is %q, want %q", sql, i, got, want)
			}
		}
	}
	for _, bad := range [][]byte{{}, {1, 2, 3}, {0, 0, 0, 1}, {0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 4, 58, 0, 0, 0, 2}} {
		for _, oid := range []uint32{1082, 1184, 1182, 1185} {
			render.FromBinary(oid, bad) // no server sends these, and nothing may break
		}
	}
}

// TestAllBuiltInTypesAreKnown asks the server's catalog.
func TestAllBuiltInTypesAreKnown(t *testing.T) {
	t.Parallel()
	conn := session(t)
	result := query(t, conn, `SELECT a.oid::text, a.typname, e.typdelim::text FROM pg_type a JOIN pg_type e ON a.typelem = e.oid
		WHERE a.typcategory = 'A' AND a.oid < 10000 AND e.typarray = a.oid`, 0)
	for _, row := range result.Rows {
		var oid uint32
		if err := json.Unmarshal(row[0], &oid); err != nil {
			t.Fatal(err)
		}
		kind, ok := render.TypeOf(oid)
		if !ok || kind.Kind != render.Array || kind.Delim != row[2][0] {
			t.Errorf("%s (OID %d): %+v, %v, want an array with %q", row[1], oid, kind, ok, row[2])
		}
	}
	if len(result.Rows) < 60 {
		t.Errorf("only %d arrays", len(result.Rows))
	}
	if _, ok := render.TypeOf(16384); ok {
		t.Error("a user's type is said to be known")
	}
}
