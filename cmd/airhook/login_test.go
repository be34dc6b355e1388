//go:build unix

package main

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestLoginScripts plays testdata/login: sessions at a shell with a dev stack's AWS, in a home of their own. $MYDB_PORT, … are
// the ports of the instances, $MYDB_PASSWORD, … their administrators' passwords; fails and error are those of TestScripts.
func TestLoginScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a dev stack, and -short asks for none")
	}
	stack := newStack(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/login",
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, stack.Env()...)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("AIRHOOK_HOME", filepath.Join(env.WorkDir, ".airhook"))
			for _, in := range stack.Status().Instances {
				name := strings.ToUpper(strings.ReplaceAll(in.ID, "-", "_"))
				env.Setenv(name+"_PORT", strconv.Itoa(in.Port))
				env.Setenv(name+"_PASSWORD", in.PasswordLogin.Password)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"fails": fails, "error": errorObject},
	})
}
