package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/airhook-go/airhook"
)

func TestExitCodesAndKinds(t *testing.T) {
	of := func(kind error) error {
		return fmt.Errorf("outer: %w", &airhook.Error{Kind: kind, Err: errors.New("why")})
	}
	for _, c := range []struct {
		err  error
		kind string
		code int
	}{
		{errors.New("anything"), "failed", 1},
		{usagef("", "wrong flag"), "usage", 2},
		{of(airhook.ErrInvalid), "invalid", 2},
		{of(airhook.ErrExists), "exists", 2},
		{of(airhook.ErrReadOnly), "read_only", 2},
		{of(airhook.ErrNotFound), "not_found", 3},
		{of(airhook.ErrAccessDenied), "access_denied", 4},
		{of(airhook.ErrLogin), "login_refused", 4},
		{of(airhook.ErrTokenExpired), "token_expired", 4},
		{of(airhook.ErrClusterNotFound), "cluster_not_found", 4},
		{of(airhook.ErrWorkgroupNotFound), "workgroup_not_found", 4},
		{of(airhook.ErrUnreachable), "unreachable", 5},
		{of(airhook.ErrTLS), "tls", 5},
		{of(airhook.ErrSQL), "sql", 6},
		{of(airhook.ErrCancelled), "cancelled", 130},
		{fmt.Errorf("outer: %w", context.Canceled), "cancelled", 130},
		{&fileError{file: "x", err: &airhook.Error{Kind: airhook.ErrNotFound, Err: fs.ErrNotExist}}, "not_found", 3},
		{&shownError{err: of(airhook.ErrTLS)}, "tls", 5},
	} {
		var stderr bytes.Buffer
		a := &app{args: []string{"-o", "json"}, stderr: &stderr}
		code := a.report(t.Context(), c.err)
		var got struct{ Error failure }
		if err := json.Unmarshal(stderr.Bytes(), &got); err != nil {
			t.Fatalf("%v: %v in %s", c.err, err, &stderr)
		}
		if code != c.code || got.Error.Kind != c.kind || got.Error.Message == "" {
			t.Errorf("%v: exit %d, %+v, want exit %d and kind %s", c.err, code, got.Error, c.code, c.kind)
		}
	}
}

func TestAnErrorObjectHasEverythingThatIsKnown(t *testing.T) {
	err := &airhook.Error{
		ID: "rds", Stage: airhook.StageLogin, Kind: airhook.ErrAccessDenied, Hint: "try <this>", SQLState: "28000", Principal: "arn:p", Resource: "arn:r",
		Policy: json.RawMessage(`{"Version": "2012-10-17"}`), Err: errors.New(`connection "rds": access denied`),
	}
	var stderr bytes.Buffer
	(&app{args: []string{"--output=json"}, stderr: &stderr}).report(t.Context(), err)
	want := `{"error":{"kind":"access_denied","stage":"login","connection":"rds","message":"connection \"rds\": access denied","hint":"try <this>",` +
		`"sqlstate":"28000","principal":"arn:p","resource":"arn:r","policy":{"Version":"2012-10-17"}}}` + "\n"
	if stderr.String() != want {
		t.Errorf("got  %swant %s", &stderr, want)
	}
	stderr.Reset()
	(&app{command: "token", stderr: &stderr}).report(t.Context(), err)
	want = "airhook: token: connection \"rds\": access denied\nhint: try <this>\nasked by: arn:p\nasked for: arn:r\npolicy:\n  {\n    \"Version\": \"2012-10-17\"\n  }\n"
	if stderr.String() != want {
		t.Errorf("got  %swant %s", &stderr, want)
	}
}

func TestABrokenPolicyDoesNotHideTheError(t *testing.T) {
	var stderr bytes.Buffer
	(&app{args: []string{"-ojson"}, stderr: &stderr}).report(t.Context(), &airhook.Error{Kind: airhook.ErrTLS, Policy: json.RawMessage("{"), Err: errors.New("why")})
	if want := `{"error":{"kind":"tls","message":"why"}}` + "\n"; stderr.String() != want {
		t.Errorf("got %s, want %s", &stderr, want)
	}
}

func TestWhatWasCancelledIsCancelledWhateverElseFailed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	a := &app{command: "sql", stderr: &stderr}
	if code := a.report(ctx, &airhook.Error{ID: "x", Kind: airhook.ErrSQL, Err: errors.New("canceling statement")}); code != 130 || stderr.String() != "airhook: sql: cancelled\n" {
		t.Errorf("exit %d, %q", code, &stderr)
	}
	if code := a.report(ctx, usagef("", "wrong")); code != 2 {
		t.Errorf("a wrong flag has exit %d", code)
	}
	if code := a.report(ctx, nil); code != 0 {
		t.Errorf("what was done before Ctrl-C has exit %d", code)
	}
}

func TestWhatCouldNotBeCleanedUpIsAlwaysTold(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	closing := &airhook.Error{Err: errors.New("stop postgres: it\x1b hangs"), Hint: "kill 7"}
	twice := joined(joined(context.Canceled, errors.New("first")), errors.New("second\nline"))
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		code int
		want string
	}{
		"after Ctrl-C":           {cancelled, joined(context.Canceled, closing), 130, "warning: stop postgres: it\\u001b hangs – kill 7\nairhook: dev up: cancelled\n"},
		"twice":                  {cancelled, twice, 130, "warning: first\nwarning: second\n  line\nairhook: dev up: cancelled\n"},
		"wrapped":                {cancelled, fmt.Errorf("step: %w", twice), 130, "warning: first\nwarning: second\n  line\nairhook: dev up: cancelled\n"},
		"after a failure":        {t.Context(), joined(usagef("", "wrong"), closing), 2, "warning: stop postgres: it\\u001b hangs – kill 7\nairhook: dev up: wrong\n"},
		"when nothing else is":   {t.Context(), joined(nil, closing), 1, "airhook: dev up: stop postgres: it\\u001b hangs\nhint: kill 7\n"},
		"Ctrl-C as the plan was": {cancelled, joined(nil, closing), 1, "airhook: dev up: stop postgres: it\\u001b hangs\nhint: kill 7\n"},
		"all is well":            {cancelled, joined(nil, nil), 0, ""},
	} {
		var stderr bytes.Buffer
		if code := (&app{command: "dev up", stderr: &stderr}).report(c.ctx, c.err); code != c.code || stderr.String() != c.want {
			t.Errorf("%s: exit %d, %q, want exit %d, %q", name, code, &stderr, c.code, c.want)
		}
	}
	var stderr bytes.Buffer
	(&app{args: []string{"-o", "json"}, stderr: &stderr}).report(cancelled, joined(context.Canceled, closing))
	if want := "warning: stop postgres: it\\u001b hangs – kill 7\n" + `{"error":{"kind":"cancelled","message":"cancelled"}}` + "\n"; stderr.String() != want {
		t.Errorf("got %q, want %q", &stderr, want)
	}
}

func TestAFailedOutputHidesOnlyItself(t *testing.T) {
	full, gone := &outputError{errors.New("full")}, &outputError{syscall.EPIPE}
	other, closing := errors.New("other"), errors.New("closing")
	for name, c := range map[string]struct {
		out  *outputError
		err  error
		want string
	}{
		"nothing else":          {gone, fmt.Errorf("print: %w", gone), ""},
		"of any command":        {gone, nil, ""},
		"another beside it":     {gone, errors.Join(gone, other), "other"},
		"another in its place":  {gone, other, "other"},
		"one of cleaning up":    {gone, joined(gone, closing), "closing"},
		"a server that is gone": {gone, &airhook.Error{Err: fmt.Errorf("read: %w", syscall.EPIPE)}, "read: " + syscall.EPIPE.Error()},
		"a full disk":           {full, errors.Join(full, other), "write to standard output: full"},
		"before cleaning up":    {full, joined(full, closing), "write to standard output: full"},
	} {
		got := ""
		err := (&output{err: c.out}).blame(c.err)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		had, _ := closings(c.err)
		if left, _ := closings(err); len(left) != len(had) {
			t.Errorf("%s: of %v only %v is left", name, had, left)
		}
	}
}

func TestWantsJSON(t *testing.T) {
	for _, c := range []struct {
		args   []string
		parsed string
		want   bool
	}{
		{nil, "json", true},
		{nil, "table", false},
		{[]string{"sql", "-o", "json"}, "table", true},
		{[]string{"-ojson"}, "table", true},
		{[]string{"-o=json"}, "table", true},
		{[]string{"--output", "json"}, "table", true},
		{[]string{"--output=json"}, "table", true},
		{[]string{"--output=csv"}, "table", false},
		{[]string{"-o", "json", "-o", "csv"}, "table", false},
		{[]string{"--", "-o", "json"}, "table", false},
		{[]string{"-o"}, "table", false},
	} {
		if got := (&app{args: c.args, flags: globals{output: c.parsed}}).wantsJSON(); got != c.want {
			t.Errorf("%q: %v, want %v", c.args, got, c.want)
		}
	}
}
