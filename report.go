package airhook

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Stage is a step of the road from an id to rows.
type Stage string

// The stages in order. Test walks them and stops at the first that fails.
const (
	StageTarget     Stage = "target"     // the connection is understood
	StageEndpoint   Stage = "endpoint"   // host, port and region are known
	StageDNS        Stage = "dns"        // the host has an address
	StageTCP        Stage = "tcp"        // somebody listens there
	StageTLS        Stage = "tls"        // and proves to be that host
	StageCredential Stage = "credential" // AWS gives a token, or there is a password
	StageLogin      Stage = "login"      // the database accepts it
	StageQuery      Stage = "query"      // and answers SQL
)

// Step is what Test found at one stage. It is plain data and holds no secret.
type Step struct {
	Stage   Stage  `json:"stage"`
	OK      bool   `json:"ok"`
	Skipped bool   `json:"skipped"`
	TookMS  Millis `json:"took_ms"`
	Detail  string `json:"detail,omitempty"`
	Problem string `json:"problem,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// Report is the result of a Test: plain data, ready for JSON.
type Report struct {
	Connection    string `json:"connection"`
	OK            bool   `json:"ok"`
	TookMS        Millis `json:"took_ms"`
	User          string `json:"user,omitempty"`
	Database      string `json:"database,omitempty"`
	ServerVersion string `json:"server_version,omitempty"`
	Steps         []Step `json:"steps"`
	// Warnings are the target's: what a person should look at, also when the test passes.
	Warnings []string `json:"warnings,omitempty"`

	err error
}

// Err returns the failure that ended the test, an *Error with its kind, or nil.
func (r Report) Err() error { return r.err }

// Millis is a duration that encodes to JSON as milliseconds with three decimals.
type Millis time.Duration

// MarshalJSON writes milliseconds.
func (m Millis) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

func (m Millis) String() string { return fmt.Sprintf("%.3f", float64(m)/1e6) }

// WriteText writes the report for people: a line a stage, then "connected as USER to DATABASE" or the failing stage
// with its problem and hint.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, s := range r.Steps {
		state, note := "ok", s.Detail
		if s.Skipped {
			state = "--"
		} else if !s.OK {
			state, note = "FAILED", s.Problem
		}
		fmt.Fprintf(&b, "%-10s  %-6s  %8.1f ms  %s\n", s.Stage, state, float64(s.TookMS)/1e6, note)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", warning)
	}
	if last := r.Steps[len(r.Steps)-1]; r.OK {
		fmt.Fprintf(&b, "%s: connected as %s to %s\n", r.Connection, r.User, r.Database)
	} else {
		fmt.Fprintf(&b, "%s: failed at %s: %s\n", r.Connection, last.Stage, last.Problem)
		if last.Hint != "" {
			fmt.Fprintf(&b, "hint: %s\n", last.Hint)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
