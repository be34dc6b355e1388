package airhook

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/airhook-go/airhook/internal/suggest"
)

// The kinds of failure that callers branch on, with errors.Is. Each one's text is the word that the CLI's JSON has
// for it.
var (
	ErrInvalid           error = kind("invalid")
	ErrExists            error = kind("exists")
	ErrReadOnly          error = kind("read_only")
	ErrNotFound          error = kind("not_found")
	ErrAccessDenied      error = kind("access_denied")
	ErrLogin             error = kind("login_refused")
	ErrTokenExpired      error = kind("token_expired")
	ErrClusterNotFound   error = kind("cluster_not_found")
	ErrWorkgroupNotFound error = kind("workgroup_not_found")
	ErrUnreachable       error = kind("unreachable")
	ErrTLS               error = kind("tls")
	ErrSQL               error = kind("sql")
	ErrCancelled         error = kind("cancelled")
)

type kind string

func (k kind) Error() string { return string(k) }

// Error is a failure on the road from an id to rows: which connection, at which stage, of which kind, why, and what
// to try next. It never holds a secret. Empty fields are unknown.
type Error struct {
	// ID is the connection's id.
	ID string
	// Stage is where it happened.
	Stage Stage
	// Kind is one of the sentinels of this package; errors.Is matches it.
	Kind error
	// Hint is the next thing to try, a sentence without a full stop.
	Hint string
	// SQLState is the server's code, when a server answered.
	SQLState string
	// Principal is the ARN that asked, Resource the ARN it asked for.
	Principal, Resource string
	// Policy is the IAM document that would allow it.
	Policy json.RawMessage
	// Err is the cause; its text is the message.
	Err error
}

// Error returns the connection's id, where known, and the cause.
func (e *Error) Error() string {
	text := "unknown failure"
	if e.Err != nil {
		text = e.Err.Error()
	} else if e.Kind != nil {
		text = strings.ReplaceAll(e.Kind.Error(), "_", " ")
	}
	if id := suggest.Short(e.ID); id != "" && !strings.Contains(text, `"`+id+`"`) {
		return `connection "` + id + `": ` + text
	}
	return text
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// KindOf returns the word of contract for an error: "not_found", "tls", …; "failed" when it has none.
func KindOf(err error) string {
	var k kind
	if errors.As(err, &k) {
		return string(k)
	}
	return "failed"
}

// about returns err as an *Error of that connection and stage, without losing what it already says.
func about(id string, stage Stage, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Err: err}
	var inner *Error
	if errors.As(err, &inner) {
		clone := *inner
		e = &clone
		if err != error(inner) { //nolint:errorlint // somebody wrapped it: keep their words
			e.Err = err
		}
	}
	if e.ID == "" {
		e.ID = id
	}
	if e.Stage == "" {
		e.Stage = stage
	}
	return e
}
