package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airflow"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/hook"
)

func TestMain(m *testing.M) { testscript.Main(checked{m}, map[string]func(){"airhook": main}) }

// checked fails a run that leaves a goroutine behind.
type checked struct{ *testing.M }

func (c checked) Run() int {
	code := c.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// TestScripts plays testdata/script: sessions at a shell, in a home of their own. Beside testscript's commands they have
//
//	fails CODE airhook ARG…   runs it and wants this exit code
//	interrupt                 is Ctrl-C for the command in the background
//	left CODE                 wants that exit code of it, after wait
//	pg ID                     defines a connection to a database of its own on a real PostgreSQL, in the environment
//	script ID KIND            defines a connection to a scripted server: see scripted
//	running MARK              waits until a statement with MARK in it runs on that PostgreSQL
//	stopped MARK              waits until none does
//	mode OCTAL FILE…          wants these permissions
//	folder DIR                wants that nothing is in it
//	error KEY=VALUE…          reads the error object, the last line of standard error
func TestScripts(t *testing.T) {
	server := airhooktest.Postgres(t) // keeps one server for all of them
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, ".home")
			env.Setenv("HOME", home)
			env.Setenv("AIRHOOK_HOME", filepath.Join(home, "airhook"))
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			env.Values[background{}] = new(*exec.Cmd)
			return os.Mkdir(home, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails":     fails,
			"error":     errorObject,
			"mode":      mode,
			"folder":    folder,
			"interrupt": interrupt,
			"left":      left,
			"pg":        func(ts *testscript.TestScript, _ bool, args []string) { define(ts, args[0], airhooktest.Postgres(t)) },
			"script": func(ts *testscript.TestScript, _ bool, args []string) {
				conn := airhooktest.Script(t, scripted[args[1]]...)
				if args[1] == "silent" {
					conn = hurried(ts, conn)
				}
				define(ts, args[0], conn)
			},
			"running": func(ts *testscript.TestScript, _ bool, args []string) { ts.Check(await(t, server, args[0], true)) },
			"stopped": func(ts *testscript.TestScript, _ bool, args []string) { ts.Check(await(t, server, args[0], false)) },
		},
	})
}

// scripted are servers that fail.
var scripted = map[string][]airhooktest.Step{
	"wrong-password": {airhooktest.AskPassword(func(string, string) bool { return false })},
	"refuses":        {airhooktest.Refuse("28000", "PAM authentication failed for user \"app\"")},
	"full":           {airhooktest.Refuse("53300", "sorry, too many clients already")},
	"silent":         {airhooktest.Wait(nil)},
	"cut":            {airhooktest.Welcome(), airhooktest.Answer(airhooktest.Reply{Columns: []string{"a"}, Rows: [][]string{{"1"}}, Before: airhooktest.Cut()})},
}

// hurried gives up after a second.
func hurried(ts *testscript.TestScript, conn airhook.Connection) airhook.Connection {
	extra, err := airhook.ParseExtra(`{"sslmode": "disable", "connect_timeout": 1}`)
	ts.Check(err)
	conn.Extra = extra
	return conn
}

// define puts a connection into the script's environment.
func define(ts *testscript.TestScript, id string, conn airhook.Connection) {
	ts.Setenv(airflow.EnvName(id), airflow.FormatJSON(conn))
}

func fails(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fails CODE COMMAND…")
	}
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit) && exit.ExitCode() == want:
	case err == nil:
		ts.Fatalf("exit 0, want %d", want)
	default:
		ts.Fatalf("%v, want exit %d", err, want)
	}
	if text := ts.ReadFile("stderr"); strings.Contains(text, "goroutine ") || strings.Contains(text, "panic:") {
		ts.Fatalf("it panicked")
	}
}

func mode(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", file, got, args[0])
		}
	}
}

func folder(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) > 0 {
		ts.Fatalf("%s holds %v, want nothing", args[0], entries)
	}
}

// background is the key of the command that was interrupted.
type background struct{}

func interrupt(ts *testscript.TestScript, _ bool, _ []string) {
	cmds := ts.BackgroundCmds()
	if len(cmds) != 1 {
		ts.Fatalf("%d commands run in the background, want one", len(cmds))
	}
	*ts.Value(background{}).(**exec.Cmd) = cmds[0]
	ts.Check(cmds[0].Process.Signal(os.Interrupt))
}

func left(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := (*ts.Value(background{}).(**exec.Cmd)).ProcessState.ExitCode(); got != want {
		ts.Fatalf("exit %d, want %d", got, want)
	}
}

// errorObject compares keys of the error object with texts.
func errorObject(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stderr")), "\n")
	var got struct{ Error map[string]any }
	ts.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &got))
	for _, arg := range args {
		key, want, _ := strings.Cut(arg, "=")
		value, ok := got.Error[key]
		if text := fmt.Sprint(value); want == "" && ok || want != "" && text != want {
			ts.Fatalf("error has %s %q, want %q", key, text, want)
		}
	}
}

// await looks at the server until a statement with the mark in it runs, or none does. The server paces the loop.
func await(t *testing.T, server airhook.Connection, mark string, runs bool) error {
	h := hook.New(airhooktest.Client(t, server), server.ID)
	for range 600 {
		row, err := h.GetFirst(context.WithoutCancel(t.Context()),
			"SELECT count(*) > 0, pg_sleep(0.05)::text FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%"+mark+"%'")
		if err != nil || row[0] == runs {
			return err
		}
	}
	return fmt.Errorf("a statement with %s: running is not %v", mark, runs)
}
