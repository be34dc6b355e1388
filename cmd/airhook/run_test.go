package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airflow"
	"github.com/airhook-go/airhook/airhooktest"
)

// inProcess runs the program in this process, in a home of its own; TestMain looks for goroutines that it leaves.
func inProcess(t *testing.T, stdout io.Writer, args ...string) (code int, stderr string) {
	t.Helper()
	t.Setenv("AIRHOOK_HOME", t.TempDir())
	var errs bytes.Buffer
	code = run(t.Context(), args, os.Environ(), strings.NewReader(""), stdout, &errs)
	return code, errs.String()
}

func setConnection(t *testing.T, id string, conn airhook.Connection) {
	t.Helper()
	t.Setenv(airflow.EnvName(id), airflow.FormatJSON(conn))
}

func TestAnyNumberOfRowsTakesLittleMemory(t *testing.T) {
	setConnection(t, "db", airhooktest.Postgres(t))
	for _, format := range []string{"csv", "json", "jsonl", "table"} {
		w, before := &watching{}, heap() // other tests of this process hold some, too
		code, stderr := inProcess(t, w, "sql", "db", "SELECT i, repeat('x', 1000) AS x FROM generate_series(1, 60000) i", "-o", format)
		if code != 0 || w.bytes < 50<<20 {
			t.Errorf("%s: exit %d, %d MB: %s", format, code, w.bytes>>20, stderr)
		}
		if w.most > before+(32<<20) {
			t.Errorf("%s: the heap grew from %d to %d MB", format, before>>20, w.most>>20)
		}
	}
}

// watching counts bytes and notes the largest heap it saw.
type watching struct {
	bytes, asked int
	most         uint64
}

func (w *watching) Write(p []byte) (int, error) {
	if w.bytes += len(p); w.bytes-w.asked > 4<<20 {
		w.asked = w.bytes
		w.most = max(w.most, heap())
	}
	return len(p), nil
}

// heap is how much of it is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestAReaderThatHasSeenEnoughEndsTheProgramQuietly(t *testing.T) {
	setConnection(t, "db", airhooktest.Postgres(t))
	for _, args := range [][]string{
		{"sql", "db", "SELECT generate_series(1, 300000)"},
		{"sql", "db", "COPY (SELECT generate_series(1, 300000)) TO STDOUT"},
		{"connections", "list"},
		{"connections", "get", "db", "-o", "json"},
		{"version"},
		{"--help"},
		{"completion", "bash"},
	} {
		if code, stderr := inProcess(t, broken{syscall.EPIPE}, args...); code != 0 || stderr != "" {
			t.Errorf("%q: exit %d, %q", args, code, stderr)
		}
	}
}

// What failed is not forgotten because nobody reads of it: a script's exit code says so.
func TestAReaderThatLeavesHidesNoFailure(t *testing.T) {
	setConnection(t, "closed", airhook.Connection{Type: "postgres", Host: "127.0.0.1", Port: 1, Login: "u"})
	for _, c := range []struct {
		code int
		args []string
	}{
		{5, []string{"connections", "test", "closed"}},
		{5, []string{"connections", "test", "--all"}},
		{5, []string{"connections", "test", "closed", "-o", "json"}},
		{5, []string{"sql", "closed", "SELECT 1"}},
	} {
		if code, stderr := inProcess(t, broken{syscall.EPIPE}, c.args...); code != c.code || strings.Contains(stderr, "standard output") || stderr == "" {
			t.Errorf("%q: exit %d, %q, want exit %d and why", c.args, code, stderr, c.code)
		}
	}
	t.Setenv("AIRFLOW_CONN_BROKEN", "{")
	if code, stderr := inProcess(t, broken{syscall.EPIPE}, "connections", "list"); code != 1 || !strings.Contains(stderr, "unreadable: broken") {
		t.Errorf("list: exit %d, %q", code, stderr)
	}
}

func TestOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	setConnection(t, "db", airhooktest.Postgres(t))
	for _, args := range [][]string{
		{"sql", "db", "SELECT 1"},
		{"sql", "db", "SELECT 1", "-o", "csv"},
		{"sql", "db", "DELETE FROM pg_class WHERE false", "-o", "json"},
		{"sql", "db", "COPY (SELECT 1) TO STDOUT"},
		{"connections", "list"},
		{"connections", "list", "-o", "json"},
		{"connections", "get", "db"},
		{"connections", "get", "db", "-o", "uri"},
		{"connections", "test", "db"},
		{"connections", "add", "x", "--conn-type", "postgres"},
		{"explain", "db"},
		{"version"},
		{"--help"},
		{"help", "sql"},
		{"completion", "zsh"},
	} {
		code, stderr := inProcess(t, broken{errors.New("no space left on device")}, args...)
		if code != 1 || !strings.Contains(stderr, "write to standard output: no space left on device") {
			t.Errorf("%q: exit %d, %q", args, code, stderr)
		}
	}
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestCancelledBeforeItBegan(t *testing.T) {
	setConnection(t, "db", airhooktest.Postgres(t))
	t.Setenv("AIRHOOK_HOME", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"sql", "db", "SELECT 1"}, {"connections", "test", "db"}, {"connections", "test", "--all"}} {
		var errs bytes.Buffer
		if code := run(ctx, args, os.Environ(), strings.NewReader(""), io.Discard, &errs); code != 130 || !strings.HasSuffix(errs.String(), ": cancelled\n") {
			t.Errorf("%q: exit %d, %q", args, code, &errs)
		}
	}
}

func TestCtrlCEndsTheWaitForInput(t *testing.T) {
	t.Setenv("AIRHOOK_HOME", t.TempDir())
	for _, args := range [][]string{
		{"sql", "db", "-"}, {"connections", "add", "x", "--conn-uri", "-"}, {"connections", "add", "x", "--conn-type", "postgres", "--conn-password-stdin"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		var errs bytes.Buffer
		code := run(ctx, args, os.Environ(), onRead{r, cancel}, io.Discard, &errs)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if code != 130 || !strings.HasSuffix(errs.String(), ": cancelled\n") {
			t.Errorf("%q: exit %d, %q", args, code, &errs)
		}
	}
}

// onRead calls then when somebody begins to read.
type onRead struct {
	io.Reader
	then func()
}

func (o onRead) Read(p []byte) (int, error) {
	o.then()
	return o.Reader.Read(p)
}

func TestCtrlCShowsTheStagesThatPassed(t *testing.T) {
	t.Setenv("AIRHOOK_HOME", t.TempDir())
	for _, format := range []string{"table", "json"} {
		ctx, cancel := context.WithCancel(t.Context())
		setConnection(t, "db", airhooktest.Script(t, func(run context.Context, s *airhooktest.Session) error {
			cancel()
			return airhooktest.Wait(nil)(run, s)
		}))
		var out, errs bytes.Buffer
		code := run(ctx, []string{"connections", "test", "db", "-o", format}, os.Environ(), strings.NewReader(""), &out, &errs)
		if code != 130 || !strings.Contains(errs.String(), "cancelled") {
			t.Errorf("%s: exit %d, %q", format, code, &errs)
		}
		for _, stage := range []string{"target", "tcp", "login"} {
			if !strings.Contains(out.String(), stage) {
				t.Errorf("%s: no word of %s in %q", format, stage, &out)
			}
		}
	}
}

// What others wrote – a row of the store, a server – neither moves the cursor nor begins a line that looks like ours.
func TestNothingThatIsRepeatedControlsTheTerminal(t *testing.T) {
	const evil = "a\x1b[2Jb\r\nairhook: forged\u009b"
	setConnection(t, "db", airhooktest.Postgres(t))
	setConnection(t, "evil", airhook.Connection{Type: "postgres", Host: "127.0.0.1", Port: 1, Login: evil, Schema: evil, Description: evil})
	setConnection(t, "host", airhook.Connection{Type: evil, Host: evil})
	for _, args := range [][]string{
		{"connections", "list"},
		{"connections", "list", "-o", "json"},
		{"connections", "get", "evil"},
		{"connections", "get", "evil", "-o", "json"},
		{"connections", "get", "evil", "-o", "uri"},
		{"connections", "get", "host", "-o", "uri"},
		{"connections", "get", "host", "-o", "env"},
		{"connections", "get", evil},
		{"connections", "get", evil, "-o", "json"},
		{"connections", "delete", evil},
		{"connections", "test", "--all"},
		{"connections", "test", "evil", "-o", "json"},
		{"explain", "evil"},
		{"explain", "evil", "-o", "json"},
		{"explain", "host"},
		{"sql", "db", evil},
		{"sql", "db", "DO $$BEGIN RAISE NOTICE '%', '" + evil + "' USING DETAIL = '" + evil + "'; END$$"},
		{"sql", "db", "DO $$BEGIN RAISE '%', '" + evil + "' USING HINT = '" + evil + "'; END$$"},
		{"sql", "db", "DO $$BEGIN RAISE '%', '" + evil + "' USING HINT = '" + evil + "'; END$$", "-o", "json"},
		{"sql", "db", "SELECT 1 AS \"" + evil + "\", 2 AS \"" + evil + "\""},
		{evil},
		{"sql", "--" + evil},
	} {
		var out bytes.Buffer
		_, stderr := inProcess(t, &out, args...)
		text := out.String() + stderr
		if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }); i >= 0 || strings.Contains(text, "\nairhook: forged") {
			t.Errorf("%q prints %q", args, text)
		}
	}
}

// A secret in the store or the environment is printed where it was asked for and nowhere else, at any level of the log.
func TestNoSecretIsPrintedUnasked(t *testing.T) {
	conn := airhooktest.Postgres(t)
	conn.Password = airhook.NewSecret("canary-7d1f")
	setConnection(t, "db", conn)
	t.Setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://AKIAIOSFODNN7EXAMPLE:canary-7d1f@/?endpoint_url=http%3A%2F%2F127.0.0.1%3A1&region_name=eu-west-1")
	t.Setenv("AIRFLOW_CONN_RDS", "postgres://app@127.0.0.1:1/db?iam=true")
	for _, args := range [][]string{
		{"connections", "list", "-o", "json"},
		{"connections", "list"},
		{"connections", "get", "db"},
		{"connections", "get", "db", "-o", "json"},
		{"connections", "get", "aws_default", "-o", "uri"},
		{"connections", "test", "--all", "-o", "json"},
		{"connections", "test", "--all"},
		{"explain", "rds"},
		{"sql", "rds", "SELECT 1"},
		{"sql", "db", "SELECT 1/0"},
		{"token", "db"},
		{"connections", "delete", "db"},
	} {
		var out bytes.Buffer
		_, stderr := inProcess(t, &out, append(args, "--log-level", "debug")...)
		for _, secret := range []string{"canary-7d1f", "X-Amz-Signature"} {
			if strings.Contains(out.String()+stderr, secret) {
				t.Errorf("%q prints %s: %s%s", args, secret, &out, stderr)
			}
		}
	}
}

func TestColourOnlyWhereItIsWanted(t *testing.T) {
	for _, c := range []struct {
		name    string
		environ []string
		flags   globals
	}{{"NO_COLOR", []string{"NO_COLOR=1"}, globals{}}, {"--no-color", nil, globals{noColor: true}}, {"no terminal", nil, globals{}}} {
		a := &app{environ: c.environ, flags: c.flags, stderr: &bytes.Buffer{}}
		if got := a.colour("31", "x"); got != "x" {
			t.Errorf("%s: got %q", c.name, got)
		}
	}
}
