package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/cmd/airhook/internal/render"
)

// exits is the one table from a failure's kind to the exit code. What is not in it is 1.
var exits = map[string]int{
	"usage": 2, "invalid": 2, "exists": 2, "read_only": 2,
	"not_found":     3,
	"access_denied": 4, "login_refused": 4, "token_expired": 4, "cluster_not_found": 4, "workgroup_not_found": 4,
	"unreachable": 5, "tls": 5,
	"sql":       6,
	"cancelled": 130,
}

// failure is an error as -o json prints it.
type failure struct {
	Kind       string          `json:"kind"`
	Stage      airhook.Stage   `json:"stage,omitempty"`
	Connection string          `json:"connection,omitempty"`
	Message    string          `json:"message"`
	Hint       string          `json:"hint,omitempty"`
	SQLState   string          `json:"sqlstate,omitempty"`
	Principal  string          `json:"principal,omitempty"`
	Resource   string          `json:"resource,omitempty"`
	Policy     json.RawMessage `json:"policy,omitempty"`
	File       string          `json:"file,omitempty"`
}

// shownError is a failure that standard output has told already: the text form is the summary, if any, and what a
// refusal by IAM has beside its text, when it is the only failure.
type shownError struct {
	summary string
	alone   bool
	err     error
}

func (e *shownError) Error() string { return e.err.Error() }
func (e *shownError) Unwrap() error { return e.err }

// fileError adds the name of the file that something went wrong with.
type fileError struct {
	file string
	err  error
}

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// closingError is what a command failed with, maybe nothing, and what then went wrong while it cleaned up.
type closingError struct{ err, closing error }

// joined adds what went wrong while cleaning up to what a command failed with; report tells both.
func joined(err, closing error) error {
	if closing == nil {
		return err
	}
	return &closingError{err, closing}
}

func (e *closingError) Error() string {
	if e.err == nil {
		return e.closing.Error()
	}
	return e.err.Error()
}

func (e *closingError) Unwrap() []error {
	if e.err == nil {
		return []error{e.closing}
	}
	return []error{e.err}
}

// closings are the failures of cleaning up that an error has, the last one first. alone: nothing else went wrong.
func closings(err error) (all []error, alone bool) {
	var e *closingError
	for rest := err; errors.As(rest, &e); rest = e.err {
		all, alone = append(all, e.closing), e.err == nil
	}
	return all, alone
}

// report prints an error and returns the exit code. What could not be cleaned up is told on lines of its own, and Ctrl-C
// is no excuse for it.
func (a *app) report(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	left, alone := closings(err)
	if alone { // the first of them is the failure
		left = left[:len(left)-1]
	}
	for _, closing := range slices.Backward(left) {
		a.tellLines("warning: " + withHint(closing))
	}
	f := describe(err)
	if f.Kind == "cancelled" || ctx.Err() != nil && f.Kind != "usage" && !alone {
		f = failure{Kind: "cancelled", Connection: f.Connection, Message: "cancelled"}
		err = context.Canceled
	}
	if a.wantsJSON() {
		a.printJSON(f)
	} else {
		a.printText(f, err)
	}
	if code, ok := exits[f.Kind]; ok {
		return code
	}
	return 1
}

func describe(err error) failure {
	var usage *usageError
	if errors.As(err, &usage) {
		return failure{Kind: "usage", Message: usage.problem, Hint: usage.hint}
	}
	f := failure{Kind: airhook.KindOf(err), Message: err.Error()}
	if f.Kind == "failed" && errors.Is(err, context.Canceled) {
		f.Kind = "cancelled"
	}
	var e *airhook.Error
	if errors.As(err, &e) {
		f.Stage, f.Connection, f.Hint, f.SQLState = e.Stage, e.ID, e.Hint, e.SQLState
		f.Principal, f.Resource, f.Policy = e.Principal, e.Resource, e.Policy
	}
	var file *fileError
	if errors.As(err, &file) {
		f.File = file.file
	}
	return f
}

// printJSON writes the error object on one line, which is the last.
func (a *app) printJSON(f failure) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]failure{"error": f}); err != nil { // a policy that is no JSON
		f.Policy = nil
		b.Reset()
		_ = enc.Encode(map[string]failure{"error": f})
	}
	a.tell(strings.TrimSuffix(b.String(), "\n"))
}

// printText writes "airhook: what: why", then the hint and, of a refusal by IAM, who asked for what and the policy that
// would allow it.
func (a *app) printText(f failure, err error) {
	var shown *shownError
	if errors.As(err, &shown) {
		f.Message, f.Hint = shown.summary, ""
		if !shown.alone {
			f = failure{Message: shown.summary}
		}
	}
	what := a.colour("1;31", "airhook:")
	if a.command != "" {
		what += " " + a.command + ":"
	}
	if f.Message != "" {
		_, _ = fmt.Fprintf(a.stderr, "%s %s\n", what, render.Visible(f.Message))
	}
	for _, line := range []struct{ name, text string }{
		{"hint", f.Hint}, {"asked by", f.Principal}, {"asked for", f.Resource},
	} {
		if line.text != "" {
			a.tell(line.name + ": " + line.text)
		}
	}
	if policy, err := prettyJSON(f.Policy); err == nil && len(f.Policy) > 0 {
		a.tellLines("policy:\n" + strings.TrimSuffix(policy, "\n"))
	}
}

// wantsJSON also looks at the raw arguments: a usage error may end parsing before -o is read.
func (a *app) wantsJSON() bool {
	format := a.flags.output
	for i, arg := range a.args {
		if arg == "--" {
			break
		}
		switch {
		case (arg == "-o" || arg == "--output") && i+1 < len(a.args):
			format = a.args[i+1]
		case strings.HasPrefix(arg, "--output="):
			format = arg[len("--output="):]
		case strings.HasPrefix(arg, "-o") && len(arg) > 2:
			format = strings.TrimPrefix(arg[2:], "=")
		}
	}
	return format == "json"
}
