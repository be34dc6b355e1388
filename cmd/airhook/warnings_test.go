package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestALogIsWarningsUnlessALevelIsAskedFor: who reads a command's output is no log's reader.
func TestALogIsWarningsUnlessALevelIsAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		flags globals
		want  string
	}{
		"by itself": {globals{}, "warning: the clock is wrong: this machine's clock is 20m0s ahead of AWS's (conn red)\nwarning: refresh: no\\nway (conn red)\n"},
		"warn":      {globals{logLevel: "warn"}, "level=WARN"},
		"error":     {globals{logLevel: "error"}, ""},
	} {
		var out bytes.Buffer
		a := &app{stderr: &out, flags: c.flags}
		log := a.logger()
		log.Info("not this", "conn", "red")
		log.With("conn", "red").Warn("the clock is wrong", "why", "this machine's clock is 20m0s ahead of AWS's")
		log.Warn("refresh", "conn", "red", "err", errors.New("no\nway"))
		if got := out.String(); got != c.want && (c.want != "level=WARN" || strings.Count(got, c.want) != 2) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
