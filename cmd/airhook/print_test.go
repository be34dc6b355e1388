package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
)

func TestAListOnATerminalShortensWhatIsTooWide(t *testing.T) {
	endpoint := "my-cluster.123456789012.us-gov-west-1.redshift-serverless.amazonaws.com"[:widest]
	conns := []airhook.Connection{{ID: strings.Repeat("i", 200), Type: "postgres", Host: endpoint, Login: strings.Repeat("数", 100), Schema: strings.Repeat("x", 300)}}
	for _, terminal := range []bool{true, false} {
		var out bytes.Buffer
		a := &app{stdout: &output{w: &out, terminal: terminal}, flags: globals{output: "table"}}
		if err := a.printConnections(conns); err != nil {
			t.Fatal(err)
		}
		row := strings.Fields(strings.Split(out.String(), "\n")[1])
		if row[0] != conns[0].ID || row[2] != endpoint {
			t.Errorf("terminal %v: id and host are %q and %q, want them whole", terminal, row[0], row[2])
		}
		login, schema := conns[0].Login, conns[0].Schema
		if terminal {
			login, schema = strings.Repeat("数", widest/2-1)+"…", strings.Repeat("x", widest-1)+"…"
		}
		if row[3] != login || row[4] != schema {
			t.Errorf("terminal %v: login and schema are %q and %q, want %q and %q", terminal, row[3], row[4], login, schema)
		}
	}
}

func TestExtraTakesOneLineForPeople(t *testing.T) {
	extra, err := airhook.ParseExtra("{\n  \"iam\": true,\r\n\t\"a\": \"x  y\"\n}")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &app{stdout: &output{w: &out}, flags: globals{output: "table"}}
	if err := a.printConnection(airhook.Connection{ID: "a", Type: "postgres", Extra: extra}, true); err != nil {
		t.Fatal(err)
	}
	if want := "extra      { \"iam\": true, \"a\": \"x  y\" }\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("got %q, want it to end with %q", &out, want)
	}
}

// On a terminal the report stands right above what standard error would say again.
func TestAFailureThatATerminalShowsIsNotToldAgain(t *testing.T) {
	closed := airhook.Connection{ID: "a", Type: "postgres", Host: "127.0.0.1", Port: 1, Login: "u"}
	reports := testAll(t.Context(), airhooktest.Client(t), []found{{conn: closed}})
	for _, c := range []struct {
		terminal bool
		reports  []tested
		want     string
	}{
		{false, reports, "failed: a at tcp"},
		{true, reports, ""},
		{true, append(reports, reports...), "2 of 2 failed: a at tcp, a at tcp"},
	} {
		var stderr bytes.Buffer
		a := &app{stdout: &output{w: io.Discard, terminal: c.terminal}, stderr: &stderr}
		code := a.report(t.Context(), a.outcome(c.reports))
		if code != 5 || strings.TrimSuffix(strings.TrimPrefix(stderr.String(), "airhook: "), "\n") != c.want {
			t.Errorf("terminal %v: exit %d, %q, want %q", c.terminal, code, &stderr, c.want)
		}
	}
}

func TestTypedLine(t *testing.T) {
	for typed, want := range map[string]string{
		"s3cret\r": "s3cret", "s3cret\nrest": "s3cret", "s3cret\x04rest": "s3cret", "s3cret": "s3cret", "\x04": "", "\x00": "",
		"s3é\x7f\x08\x7f\x7f\x7fx\r": "x", "wrong\x15right\r": "right", "": "",
	} {
		if got, err := typedLine(strings.NewReader(typed)); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", typed, got, err, want)
		}
	}
	if _, err := typedLine(strings.NewReader("s3c\x03")); !errors.Is(err, airhook.ErrCancelled) {
		t.Errorf("Ctrl-C: %v, want cancelled", err)
	}
}
