package airflow_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airflow"
	"github.com/airhook-go/airhook/internal/pyjson"
)

// vector is one line of testdata/connections.jsonl; testdata/README.md says what it holds.
type vector struct {
	Line      int `json:"-"`
	Direction string
	Input     json.RawMessage
	Core, SDK *answer
	Token     string
	DDL       string
	Note      string
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Class, Message string }
}

// failed stands for a member that Airflow, or we, cannot give; absent for null.
const failed, absent = "<error>", "<null>"

// member returns the texts of a result's members.
func (a answer) members(t *testing.T) map[string]string {
	t.Helper()
	if a.Error != nil {
		return map[string]string{"error": failed}
	}
	var raw map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(a.Result)))
	decoder.UseNumber()
	if err := decoder.Decode(&raw); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for key, value := range raw {
		switch v := value.(type) {
		case nil:
			texts[key] = absent
		case string:
			texts[key] = v
		case json.Number:
			texts[key] = "number " + v.String()
		default:
			texts[key] = failed
		}
	}
	return texts
}

// ours is what this package makes of a connection, in the same words.
func ours(c airhook.Connection, err error) map[string]string {
	if err != nil {
		return map[string]string{"error": failed}
	}
	texts := map[string]string{"conn_id": c.ID, "password": absent, "port": absent, "as_json": airflow.FormatJSON(c)}
	for key, f := range map[string]struct {
		text  string
		field airhook.Field
	}{
		"conn_type": {c.Type, airhook.FieldType}, "description": {c.Description, airhook.FieldDescription}, "host": {c.Host, airhook.FieldHost},
		"login": {c.Login, airhook.FieldLogin}, "schema": {c.Schema, airhook.FieldSchema}, "extra": {c.Extra.Reveal(), airhook.FieldExtra},
	} {
		if texts[key] = absent; c.Has(f.field) {
			texts[key] = f.text
		}
	}
	if !c.Password.IsZero() {
		texts["password"] = c.Password.Reveal()
	}
	if c.Has(airhook.FieldPort) {
		texts["port"] = "number " + string(pyjson.Append(nil, number(c.Port), pyjson.Strict))
	}
	uri, err := airflow.FormatURI(c)
	if texts["get_uri"] = uri; err != nil {
		texts["get_uri"] = failed
	}
	return texts
}

func number(n int) pyjson.Value {
	b, _ := json.Marshal(n)
	return pyjson.Value{Kind: pyjson.Number, Text: string(b)}
}

func vectors(t *testing.T, directions ...string) []vector {
	t.Helper()
	f, err := os.Open("testdata/connections.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var found []vector
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for line := 1; lines.Scan(); line++ {
		v := vector{Line: line}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("line %d: %v", line, err)
		}
		for _, d := range directions {
			if v.Direction == d {
				found = append(found, v)
			}
		}
	}
	if err := lines.Err(); err != nil || len(found) == 0 {
		t.Fatalf("%v: found %d, %v", directions, len(found), err)
	}
	return found
}

// check compares our answer with Airflow's, or with what the table of deviations says of this line: that answer must be
// ours, and differ from Airflow's, so that the table lists nothing that isn't so.
func check(t *testing.T, v vector, got map[string]string) {
	t.Helper()
	want := v.Core.members(t)
	d, deviates := deviations[v.Line]
	if deviates {
		airflows := want
		if d.sdk {
			want = v.SDK.members(t)
		}
		want = d.apply(want)
		if cmp.Equal(airflows, want) {
			t.Errorf("line %d is no deviation from the server (%s)", v.Line, d.why)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line %d, %s %s (-want +got):\n%s", v.Line, v.Direction, v.Input, diff)
	}
}

func input[T any](t *testing.T, v vector) T {
	t.Helper()
	var in T
	if err := json.Unmarshal(v.Input, &in); err != nil {
		t.Fatalf("line %d: %v", v.Line, err)
	}
	return in
}

func TestParseVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "parse") {
		in := input[struct {
			ID  string `json:"conn_id"`
			URI string
		}](t, v)
		c, err := airflow.ParseURI(in.ID, in.URI)
		check(t, v, ours(c, err))
		mustBeInvalid(t, v, err)
	}
}

func TestFromJSONVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "from_json") {
		in := input[struct {
			ID   string `json:"conn_id"`
			JSON string
		}](t, v)
		c, err := airflow.ParseJSON(in.ID, in.JSON)
		check(t, v, ours(c, err))
		mustBeInvalid(t, v, err)
	}
}

func TestFormatVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "format") {
		c, err := built(t, v)
		check(t, v, ours(c, err))
	}
}

func TestEnvVectors(t *testing.T) {
	for _, v := range vectors(t, "env") {
		in := input[struct {
			ID    string `json:"conn_id"`
			Value string
		}](t, v)
		t.Setenv(airflow.EnvName(in.ID), in.Value)
		c, err := airflow.Env{}.Get(t.Context(), in.ID)
		check(t, v, ours(c, err))
		if strings.TrimSpace(in.Value) == "" { // Airflow's lookup swallows that error: not defined
			if !errors.Is(err, airhook.ErrNotFound) {
				t.Errorf("line %d: %v, want not found", v.Line, err)
			}
			continue
		}
		mustBeInvalid(t, v, err)
	}
}

func mustBeInvalid(t *testing.T, v vector, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var e *airhook.Error
	if !errors.Is(err, airhook.ErrInvalid) || !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("line %d: %v, want ErrInvalid with a hint", v.Line, err)
	}
}

// built makes a connection of the fields that Airflow's constructor was given.
func built(t *testing.T, v vector) (airhook.Connection, error) {
	t.Helper()
	in := input[struct {
		ID     string `json:"conn_id"`
		Fields map[string]json.RawMessage
	}](t, v)
	return fromFields(t, in.ID, in.Fields)
}

func fromFields(t *testing.T, id string, fields map[string]json.RawMessage) (airhook.Connection, error) {
	t.Helper()
	c := airhook.Connection{ID: id}
	var err error
	for key, raw := range fields {
		value, parseErr := pyjson.Parse(string(raw))
		if parseErr != nil {
			t.Fatal(parseErr)
		}
		if value.Kind == pyjson.Null {
			continue
		}
		text, field := value.Text, airhook.Field(0)
		switch key {
		case "conn_id":
			c.ID = text
		case "conn_type":
			c.Type, field = text, airhook.FieldType
		case "description":
			c.Description, field = text, airhook.FieldDescription
		case "host":
			c.Host, field = text, airhook.FieldHost
		case "login":
			c.Login, field = text, airhook.FieldLogin
		case "password":
			c.Password = airhook.NewSecret(text)
		case "schema":
			c.Schema, field = text, airhook.FieldSchema
		case "port":
			field = airhook.FieldPort
			if portErr := json.Unmarshal(raw, &c.Port); portErr != nil {
				err = portErr
			}
		case "extra":
			field = airhook.FieldExtra
			if value.Kind == pyjson.Object {
				text = string(pyjson.Append(nil, value, pyjson.Python))
			}
			extra, extraErr := airhook.ParseExtra(text)
			if c.Extra = extra; extraErr != nil {
				err = extraErr
			}
		default:
			t.Fatalf("unknown field %s", key)
		}
		if !c.Has(field) {
			c = c.WithEmpty(field)
		}
	}
	return c, err
}
