package airflow_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airflow"
	"github.com/airhook-go/airhook/internal/pyjson"
)

func TestEveryDeviationIsTested(t *testing.T) {
	t.Parallel()
	lines := maps.Clone(deviations)
	for _, v := range vectors(t, "parse", "format", "from_json", "env", "row", "row_error") {
		delete(lines, v.Line)
	}
	if len(lines) > 0 {
		t.Errorf("lines of the table that no test looks at: %v", slices.Sorted(maps.Keys(lines)))
	}
}

// TestErrorsQuoteNothing: a URI or JSON that is wrong may hold a password anywhere, and it is Airflow's own error that
// leaks it.
func TestErrorsQuoteNothing(t *testing.T) {
	const secret = "s3cr3t"
	for _, uri := range []string{
		"postgres://u:s3cr3t/x@h/db", "postgres://u:s3cr3t#x@h/db", "postgres://u:s3cr3t?x@h/db", "type://user:s3cr3t@proto://host://x",
		"type://user:s3cr3t@proto://host", "postgres://h:s3cr3t/db", "postgres://[s3cr3t]/x", "postgres://u:s3cr3t@[::1/x", "postgres://u:s3cr3t@h\u2100x/db",
		"postgres://h/db?__extra__=s3cr3t", "postgres://h/db?__extra__=[%22s3cr3t%22]", "postgres://u:s3cr3t\xff@h/db", "postgres://u:s3cr3t@h:65536/db",
		"postgres://u:s3cr3t@https://h/db", "postgres://u:p@s3cr3t://h/db",
	} {
		_, err := airflow.ParseURI("leaky", uri)
		mustHide(t, uri, err, secret)
	}
	for _, text := range []string{
		`{"password": "s3cr3t"`, `{"port": "s3cr3t"}`, `{"extra": "s3cr3t"}`, `{"extra": ["s3cr3t"]}`, `{"password": ["s3cr3t"]}`, `"s3cr3t"`,
		`{"uri": "postgres://u:s3cr3t/x@h"}`, `{"uri": "postgres://h", "password": "s3cr3t"}`, `{"conn_id": "s3cr3t"}`, "{\"a\": \"s3cr3t\xff\"}",
	} {
		_, err := airflow.ParseJSON("leaky", text)
		mustHide(t, text, err, secret)
		t.Setenv("AIRFLOW_CONN_LEAKY", text+" ")
		if _, err = (airflow.Env{}).Get(t.Context(), "leaky"); err != nil { // some of them are URIs
			mustHide(t, text, err, secret)
		}
	}
	_, err := airflow.FormatURI(airhook.Connection{ID: "leaky", Host: "\xff", Password: airhook.NewSecret(secret)})
	mustHide(t, "FormatURI", err, secret)
}

func mustHide(t *testing.T, what string, err error, secret string) {
	t.Helper()
	if err == nil {
		t.Errorf("%q: no error", what)
		return
	}
	if shown := fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err)); strings.Contains(shown, secret) || !strings.Contains(err.Error(), `"leaky"`) {
		t.Errorf("%q: the error shows the secret, or not the connection: %v", what, err)
	}
}

// uriTells is what a URI can tell of a connection: neither an empty login, port 0 and an empty extra from absent ones,
// nor the case of a host, nor how the extra is spaced and escaped.
func uriTells(c airhook.Connection) airhook.Connection {
	if c.Login == "" {
		c = without(c, airhook.FieldLogin)
	}
	c.Host = strings.ToLower(c.Host)
	return tells(c)
}

// jsonTells is what Airflow's JSON can tell: no empty type, port and extra.
func jsonTells(c airhook.Connection) airhook.Connection {
	if extra, err := pyjson.Parse(c.Extra.Reveal()); err == nil && len(extra.Members) == 0 {
		c.Extra = airhook.Extra{}
	}
	if c.Type == "" {
		c = without(c, airhook.FieldType)
	}
	return tells(c)
}

// without drops the mark that an empty field is present.
func without(c airhook.Connection, fields airhook.Field) airhook.Connection {
	bare := airhook.Connection{
		ID: c.ID, Type: c.Type, Description: c.Description, Host: c.Host, Login: c.Login, Schema: c.Schema, Password: c.Password, Port: c.Port, Extra: c.Extra,
	}
	for field := airhook.FieldType; field <= airhook.FieldExtra; field <<= 1 {
		if field&fields == 0 && c.Has(field) && !bare.Has(field) {
			bare = bare.WithEmpty(field)
		}
	}
	return bare
}

func tells(c airhook.Connection) airhook.Connection {
	c = without(c, airhook.FieldPort|airhook.FieldExtra)
	if extra, err := pyjson.Parse(c.Extra.Reveal()); err == nil {
		c.Extra, _ = airhook.ParseExtra(string(pyjson.Append(nil, extra, pyjson.Python)))
	}
	return c
}

func FuzzParseURI(f *testing.F) {
	for _, s := range []string{
		"postgres://u:p@h:5432/db?sslmode=require", "http://https://u:p@h/x", "my-type://my-type%3A%2F%2Fh", "s://https%3A%2F%2Fh", "//a%3A%2F%2Fb", "a://1b%3A%2F%2Fc/",
		"postgres://[2001:db8::a%25ETH1]:1/x", "postgres://%2FTmP%2F:1234", "postgres://h/x?n=%225%22&t=true&k=[1,%202]", "postgres://h?__extra__=%7B%22__extra__%22:1%7D",
		"x://@:0/", ":", "postgres://h/x?k=%22%5Cud83d%22", "postgres://Sales%2EDB/x", "a:///%F0%9F%9A", "HTTP://https://H/p", "x://h?=&a",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		c, err := airflow.ParseURI("fuzz", uri)
		if err != nil || uri == "" { // an empty text is no URI, it says nothing
			return
		}
		text, err := airflow.FormatURI(c)
		if err != nil {
			t.Fatalf("%q can't be written: %v", uri, err)
		}
		again, err := airflow.ParseURI("fuzz", text)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", uri, text, err)
		}
		if uriTells(again) != uriTells(c) {
			t.Fatalf("%q was written as %q:\n%v\n%v", uri, text, uriTells(c), uriTells(again))
		}
		if twice, err := airflow.FormatURI(again); err != nil || !strings.EqualFold(twice, text) {
			t.Fatalf("not stable: %q then %q (%v)", text, twice, err)
		}
		throughJSON(t, c)
	})
}

func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{
		`{"conn_type": "postgres", "host": "h", "login": "", "password": "p", "schema": "s", "port": "5_432", "description": "d", "extra": {"a": 1.50}}`,
		`{"extra": "{\"k\":1}"}`, `{"uri": "postgres://u:p@h/x?iam=true", "description": ""}`, `{"port": 5432.9}`, `{"host": 5}`, `{"login": "\ud83d"}`,
		`{"extra": {"a": NaN, "a": {"b": []}}}`, `{"port": "٥"}`, `{"team_name": null}`, `{"extra": {}}`, `{"port": true}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := airflow.ParseJSON("fuzz", text)
		if err != nil {
			return
		}
		throughJSON(t, c)
	})
}

func throughJSON(t *testing.T, c airhook.Connection) {
	t.Helper()
	text := airflow.FormatJSON(c)
	again, err := airflow.ParseJSON("fuzz", text)
	if err != nil {
		t.Fatalf("%v was written as %q: %v", c, text, err)
	}
	if jsonTells(again) != jsonTells(c) {
		t.Fatalf("it was written as %q:\n%v\n%v", text, jsonTells(c), jsonTells(again))
	}
	if twice := airflow.FormatJSON(again); twice != text {
		for _, lost := range []string{`"port": 0`, `"conn_type": ""`} { // Airflow reads these as absent
			text = strings.Replace(strings.Replace(text, ", "+lost, "", 1), lost+", ", "", 1)
			text = strings.Replace(text, lost, "", 1)
		}
		if twice != text {
			t.Fatalf("not stable: %q then %q", text, twice)
		}
	}
}
