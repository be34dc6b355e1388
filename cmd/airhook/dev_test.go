//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/airhook-go/airhook/devstack"
)

// shell is a home, a folder for temporary files and a shell in them, for commands that start processes.
type shell struct {
	t          *testing.T
	home, temp string
	env        []string
}

func newShell(t *testing.T, env ...string) *shell {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts a dev stack, and -short asks for none")
	}
	temp, err := os.MkdirTemp("/tmp", "aq")
	if err == nil {
		err = os.Chmod(temp, 0o755) // #nosec G302 -- under root, PostgreSQL's account walks through it
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	s := &shell{t: t, home: filepath.Join(t.TempDir(), "home"), temp: temp}
	s.env = append(append(withoutSecrets(os.Environ()), "HOME="+s.home, "AIRHOOK_HOME="+s.home, "TMPDIR="+temp), env...)
	return s
}

// run runs a program to its end.
func (s *shell) run(name string, args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), name, args...)
	var out, diag bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, &out, &diag
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), diag.String()
}

// airhook wants an exit code, and returns standard output.
func (s *shell) airhook(want int, args ...string) string {
	s.t.Helper()
	code, out, diag := s.run("airhook", args...)
	if code != want {
		s.t.Fatalf("airhook %s: exit %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, diag)
	}
	return out + diag
}

// start starts airhook and returns its standard output, which is to be read to its end before Wait.
func (s *shell) start(args ...string) (*exec.Cmd, *bufio.Reader) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "airhook", args...)
	cmd.Env = s.env
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return cmd, bufio.NewReader(out)
}

// interrupt sends a signal when a line with that text has come, and returns the exit code.
func (s *shell) interrupt(cmd *exec.Cmd, out *bufio.Reader, after string, signal os.Signal) int {
	s.t.Helper()
	for {
		line, err := out.ReadString('\n')
		if err != nil {
			s.t.Fatalf("it ended before it said %q", after)
		}
		if strings.Contains(line, after) {
			break
		}
	}
	if err := cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// clean wants that nothing is left among the temporary files, and no stack's folder.
func (s *shell) clean() {
	s.t.Helper()
	left, err := os.ReadDir(s.temp)
	if err != nil || len(left) > 0 {
		s.t.Errorf("left among the temporary files: %v, %v", left, err)
	}
	if _, err := os.Lstat(filepath.Join(s.home, "dev")); !errors.Is(err, fs.ErrNotExist) {
		s.t.Errorf("the stack's folder is left: %v", err)
	}
}

func (s *shell) status() devstack.Status {
	s.t.Helper()
	var status devstack.Status
	if err := json.Unmarshal([]byte(s.airhook(0, "dev", "status", "-o", "json")), &status); err != nil {
		s.t.Fatal(err)
	}
	return status
}

func TestDevStackFromUpToDown(t *testing.T) {
	s := newShell(t)
	if status := s.status(); status.Running || len(status.PIDs) > 0 {
		t.Errorf("before: %+v", status)
	}
	if text := s.airhook(3, "--home", "/nowhere", "dev", "env"); !strings.Contains(text, "airhook --home /nowhere dev up") {
		t.Errorf("no hint in %q", text)
	}
	if text := s.airhook(0, "dev", "up", "--detach"); strings.Contains(text, s.status().AWS.Principals[0].SecretAccessKey) || !strings.Contains(text, "my-serverless-workgroup") {
		t.Errorf("up says %q", text)
	}
	status := s.status()
	if !status.Running || len(status.PIDs) < 7 || status.Dir != filepath.Join(s.home, "dev") {
		t.Fatalf("status: %+v", status)
	}
	if text := s.airhook(2, "dev", "up", "-o", "json"); !strings.Contains(text, `"kind":"exists"`) {
		t.Errorf("a second one: %q", text)
	}
	s.principals()
	// What `dev up` tells people to do works as it stands, in a shell of somebody with an AWS identity of their own.
	_, advice, _ := strings.Cut(s.airhook(0, "dev", "status"), "In a shell:\n")
	advice, _, _ = strings.Cut(advice, "  PGPASSWORD=")
	code, out, diag := s.run("sh", "-c", "export AWS_SESSION_TOKEN=x AWS_PROFILE=nobody\nset -eu\n"+advice+"\nairhook sql mydb 'SELECT current_user AS who' -o csv")
	if code != 0 || !strings.HasSuffix(out, "who\napp\n") {
		t.Errorf("exit %d: %s%s", code, out, diag)
	}
	if text := s.airhook(0, "dev", "down"); !strings.Contains(text, "stopped") {
		t.Errorf("down says %q", text)
	}
	if left := slices.DeleteFunc(status.PIDs, func(pid int) bool { return syscall.Kill(pid, 0) != nil }); len(left) > 1 { // the first is a zombie where nobody waits for orphans
		t.Errorf("processes %v are left", left)
	}
	s.clean()
	if text := s.airhook(0, "dev", "down", "-o", "json"); !strings.Contains(text, "nothing ran") {
		t.Errorf("down again says %q", text)
	}
}

// What a killed stack left leads to nobody, or to whoever has its ports now.
func TestAKilledStackIsNotUsed(t *testing.T) {
	s := newShell(t)
	dir := filepath.Join(s.home, "dev")
	cmd, out := s.start("dev", "up")
	s.interrupt(cmd, out, "End it", os.Kill)
	var left devstack.Status
	text, err := os.ReadFile(filepath.Join(dir, "stack.json"))
	if err == nil {
		err = json.Unmarshal(text, &left)
	}
	mydb, found := left.Instance("mydb")
	if err != nil || !found {
		t.Fatalf("it left no description: this tests nothing (%v)", err)
	}
	s.env = append(s.env, "AIRHOOK_DEV_DIR="+dir, "AIRFLOW_CONN_MYDB=postgres://app:p@"+mydb.Endpoint+":"+strconv.Itoa(mydb.Port)+"/mydb?connect_timeout=3")
	if text := s.airhook(5, "connections", "test", "mydb"); !strings.Contains(text, "warning: AIRHOOK_DEV_DIR is set") || !strings.Contains(text, "is no longer running") || strings.Contains(text, "dial map") {
		t.Errorf("it says %q", text)
	}
	if text := s.airhook(0, "dev", "down"); !strings.Contains(text, "removed what a killed dev stack left") {
		t.Errorf("down says %q", text)
	}
	s.clean()
}

func TestDevDownSaysHowToForgetTheStack(t *testing.T) {
	s := newShell(t)
	if text := s.airhook(0, "dev", "down"); strings.Contains(text, "unset") {
		t.Errorf("a shell without the stack's variables hears %q", text)
	}
	s.env = append(s.env, "AIRHOOK_DEV_DIR="+filepath.Join(s.home, "dev"), "PGSSLROOTCERT="+filepath.Join(s.home, "dev", "ca.pem"))
	text := s.airhook(0, "dev", "down")
	for _, name := range []string{"AIRHOOK_DEV_DIR", "AWS_ENDPOINT_URL", "AWS_SECRET_ACCESS_KEY", "PGSSLROOTCERT"} {
		if _, names, _ := strings.Cut(text, "unset "); !slices.Contains(strings.Fields(names), name) {
			t.Errorf("it does not say to unset %s: %q", name, text)
		}
	}
}

// A program that lies in no folder of PATH is called by its path in what people are told to do.
func TestHintsCallTheProgramAsItWasCalled(t *testing.T) {
	for program, want := range map[string]string{"airhook": "airhook", "bin/airhook": "bin/airhook", "./airhook": "./airhook", "/opt/my tools/airhook": "'/opt/my tools/airhook'"} {
		if got := typed(program); got != want {
			t.Errorf("%s is called %s, want %s", program, got, want)
		}
	}
}

func TestDevUpEndsCleanlyOnCtrlC(t *testing.T) {
	s := newShell(t)
	cmd, out := s.start("dev", "up")
	if code := s.interrupt(cmd, out, "End it", os.Interrupt); code != 0 {
		t.Errorf("exit %d: a wanted end is no failure", code)
	}
	s.clean()
}

func TestDevUpDetachedTellsWhyItFailed(t *testing.T) {
	s := newShell(t)
	text := s.airhook(2, "dev", "up", "--detach", "--pg-bin", filepath.Join(s.home, "nowhere"))
	if !strings.Contains(text, "nowhere") || !strings.Contains(text, "hint: give the folder that holds initdb and postgres by --pg-bin\n") {
		t.Errorf("it says %q", text)
	}
	s.clean()
}

// The process that --detach starts ends when the one that waits for it was killed: nobody would know of it.
func TestDevUpDetachedEndsWithoutAWaiter(t *testing.T) {
	s := newShell(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "airhook", "dev", "up", "--detached")
	cmd.Env, cmd.ExtraFiles = s.env, []*os.File{write}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(read.Close(), write.Close()); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code == 0 {
		t.Error("it ended well")
	}
	s.clean()
}

// Whoever types it has no pipe there, and what they have there stays as it is.
func TestDetachedIsForAirhookItself(t *testing.T) {
	s := newShell(t)
	file := filepath.Join(t.TempDir(), "file")
	for _, redirection := range []string{"3>&-", "3>" + file} {
		if code, out, diag := s.run("sh", "-c", "exec airhook dev up --detached "+redirection); code != 2 || !strings.Contains(diag, "--detached is for airhook itself") {
			t.Errorf("%s: exit %d: %s%s", redirection, code, out, diag)
		}
	}
	if text, err := os.ReadFile(file); err != nil || len(text) > 0 {
		t.Errorf("it wrote %q, %v", text, err)
	}
	s.clean()
}

// AIRHOOK_DEV_DIR beats --home, and the next command may run without it.
func TestHintsNameTheStackThatTheyAreAbout(t *testing.T) {
	for name, c := range map[string]struct{ home, dev, dir, want string }{
		"the default":         {"", "", "/h/dev", "/b/airhook"},
		"another home":        {"/o", "", "/o/dev", "/b/airhook --home /o"},
		"another folder":      {"", "/x y", "/x y", "AIRHOOK_DEV_DIR='/x y' /b/airhook"},
		"both":                {"/o", "/x", "/x", "AIRHOOK_DEV_DIR=/x /b/airhook --home /o"},
		"a variable too many": {"", "/h/dev", "/h/dev", "/b/airhook"},
	} {
		t.Setenv("AIRHOOK_HOME", "/h")
		a := &app{environ: []string{"AIRHOOK_DEV_DIR=" + c.dev}, flags: globals{home: c.home}}
		if dir, err := a.devDir(); err != nil || dir != c.dir {
			t.Errorf("%s: the folder is %s, %v", name, dir, err)
		}
		if got := strings.ReplaceAll(a.selfFor(c.dir), program(), "/b/airhook"); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestShellWordsComeOutOfTheShellAsTheyWere(t *testing.T) {
	for _, word := range []string{"", "plain", "two words", "it's", `a"b`, "$HOME", "`id`", "a\nb", "~", "!x", "ü", "-n", "*", `\`, "a#b", "{a,b}"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+shellQuote(word)).Output()
		if word == "-n" {
			out, err = exec.CommandContext(t.Context(), "sh", "-c", "printf %s -- "+shellQuote(word)).Output()
			out = bytes.TrimPrefix(out, []byte("--"))
		}
		if err != nil || string(out) != word {
			t.Errorf("%q became %q, %v", word, out, err)
		}
	}
}
