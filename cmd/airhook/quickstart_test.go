//go:build unix

package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/devstack"
)

func TestQuickstartShowsEveryLoginAndLeavesNothing(t *testing.T) {
	s := newShell(t, "AIRFLOW_CONN_RDS_POSTGRES_IAM=postgres://mine", "AIRFLOW__CORE__FERNET_KEY=mine", "AIRHOOK_DEV_DIR=/nowhere", "AWS_PROFILE=mine",
		"AWS_ACCESS_KEY_ID=mine", "AWS_ENDPOINT_URL=http://127.0.0.1:1", "PGHOST=mine", "PGSERVICE=mine", "PGSSLMODE=disable")
	started := time.Now()
	text := s.airhook(0, "quickstart")
	for _, want := range []string{
		"rds_postgres_iam: connected as app to mydb", "redshift_iam: connected as app to dev", "redshift_serverless_iam: connected as IAM:admin to dev", "redshift_default: connected as awsuser to dev",
		"redshift_iam_credentials: connected as app to dev", "redshift_iam_role: connected as IAMR:AirhookDev to dev",
		"RDS refused the old token, airhook signed another", "access denied", `"Action": "redshift:GetClusterCredentials"`, "asked by: arn:aws:iam::123456789012:user/newcomer", "   app\n   (1 row)", "Try next",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(text, "X-Amz-Signature") || strings.Contains(text, "mine") {
		t.Error("it shows a token, or something of the user's")
	}
	s.clean()
	if _, err := os.Lstat(s.home); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it made something in the user's home: %v", err)
	}
	if took := time.Since(started); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

func TestQuickstartEndsCleanlyOnCtrlC(t *testing.T) {
	for after, args := range map[string][]string{"1. A laptop": {"quickstart"}, "they live two seconds": {"quickstart"}, "7. The same from Go": {"quickstart", "--keep"}} {
		t.Run(after, func(t *testing.T) {
			s := newShell(t)
			cmd, out := s.start(args...)
			if code := s.interrupt(cmd, out, after, os.Interrupt); code != exits["cancelled"] {
				t.Errorf("exit %d", code)
			}
			s.clean()
			s.gone(filepath.Join(s.home, "quickstart"))
		})
	}
}

// What fails when the kept stack runs already ends that stack: its folder is removed.
func TestQuickstartThatFailsAtItsEndKeepsNoStack(t *testing.T) {
	s := newShell(t)
	base := filepath.Join(s.home, "quickstart")
	cmd, out := s.start("quickstart", "--keep")
	for _, text := range []string{"7. The same from Go", "redshift_default"} { // the last row; the stack is started again now
		for line := ""; !strings.Contains(line, text); {
			var err error
			if line, err = out.ReadString('\n'); err != nil {
				t.Fatalf("it ended before it said %q", text)
			}
		}
	}
	store := filepath.Join(base, "airhook.db")
	if err := errors.Join(os.Remove(store), os.Mkdir(store, 0o700)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code < 1 {
		t.Errorf("exit %d: it did not fail, and this tests nothing", code)
	}
	if left := detached(t, filepath.Join(base, "dev")); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	s.clean()
	s.gone(base)
}

// detached are the processes of stacks that were started to live in dir.
func detached(t *testing.T, dir string) (pids []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ") // none where there is no such folder
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if env, err := os.ReadFile(file); err == nil && bytes.Contains(env, []byte("AIRHOOK_DEV_DIR="+dir+"\x00")) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

func (s *shell) gone(path string) {
	s.t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		s.t.Errorf("%s is left: %v", path, err)
	}
}

// Connections of the user's are never in the folder that a quickstart writes to, whatever its name.
func TestQuickstartKeepsToFoldersOfItsOwn(t *testing.T) {
	for name, c := range map[string]struct {
		home  string
		files []string
		want  string // "" is a refusal
	}{
		"a new home":                    {"home", nil, "home/quickstart"},
		"a home of that name":           {"quickstart", []string{"quickstart/airhook.db"}, "quickstart/quickstart"},
		"an empty folder of that name":  {"home", []string{"home/quickstart/"}, "home/quickstart"},
		"another one's folder":          {"home", []string{"home/quickstart/airhook.db"}, ""},
		"a kept one, seen from outside": {"home", []string{"home/quickstart/" + tourMark, "home/quickstart/airhook.db"}, "home/quickstart"},
		"a kept one, followed":          {"home/quickstart", []string{"home/quickstart/" + tourMark, "home/quickstart/airhook.db"}, "home/quickstart"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range c.files {
				plant(t, filepath.Join(dir, file), strings.HasSuffix(file, "/"))
			}
			tour := &tour{app: &app{flags: globals{home: filepath.Join(dir, c.home)}}, keep: true}
			err := tour.keptPlaces()
			var e *airhook.Error
			switch {
			case c.want == "" && (!errors.As(err, &e) || !errors.Is(e, airhook.ErrInvalid) || e.Hint == "" || !strings.Contains(err.Error(), tour.base)):
				t.Errorf("got %v", err)
			case c.want != "" && (err != nil || tour.base != filepath.Join(dir, c.want) || !marked(tour.base)):
				t.Errorf("it is %s, %v, marked: %v", tour.base, err, marked(tour.base))
			}
		})
	}
}

const nobody = 65534

// Who may write to a folder decides which hosts its connections name.
func TestQuickstartKeepsOutOfAnotherUsersFolder(t *testing.T) {
	if os.Geteuid() != 0 { // nobody else can make one
		return
	}
	for name, home := range map[string]string{"seen from outside": "", "followed": "quickstart"} {
		dir := t.TempDir()
		base := filepath.Join(dir, "quickstart")
		plant(t, filepath.Join(base, tourMark), false)
		if err := os.Chown(base, nobody, -1); err != nil {
			t.Fatal(err)
		}
		tour := &tour{app: &app{flags: globals{home: filepath.Join(dir, home)}}, keep: true}
		if err := tour.keptPlaces(); name == "followed" && tour.base == base || name != "followed" && !errors.Is(err, airhook.ErrInvalid) {
			t.Errorf("%s: %v, it is %s", name, err, tour.base)
		}
	}
}

// Whoever runs a stack in a quickstart's folder would lose its files.
func TestQuickstartRemovesNoFolderOfAStackThatRuns(t *testing.T) {
	temp, err := os.MkdirTemp("", "airhook-test-") // the name of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	base := filepath.Join(temp, tourPrefix+"1")
	stack, err := devstack.Start(t.Context(), devstack.Options{Dir: filepath.Join(base, "dev")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stack.Close() })
	t.Setenv("TMPDIR", temp)
	long := time.Now().Add(-2 * tourGone)
	if err := errors.Join(mark(base), os.Chtimes(base, long, long)); err != nil {
		t.Fatal(err)
	}
	failed := &tour{app: &app{}, keep: true, fresh: true, base: base, dev: filepath.Join(base, "dev")}
	sweepTours()
	if err := failed.cleanUp(true); err != nil {
		t.Error(err)
	}
	if status, err := devstack.Read(failed.dev); err != nil || !status.Running || !marked(base) {
		t.Errorf("the stack runs: %v, %v; its folder is marked: %v", status.Running, err, marked(base))
	}
	if err := errors.Join(stack.Close(), failed.cleanUp(true)); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(base); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that nobody uses is left: %v", err)
	}
}

// plant makes a file or folder, and the folders above it.
func plant(t *testing.T, path string, folder bool) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if folder {
		err = errors.Join(err, os.MkdirAll(path, 0o700))
	} else {
		err = errors.Join(err, os.WriteFile(path, nil, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestQuickstartSweepsOldFoldersWithoutAStack(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	long := time.Now().Add(-2 * tourGone)
	for name, c := range map[string]struct {
		file  string
		at    time.Time
		owner int
		want  bool
	}{
		"old":            {tourMark, long, -1, false},
		"young":          {tourMark, time.Now(), -1, true},
		"not marked":     {"letter.txt", long, -1, true},
		"another user's": {tourMark, long, nobody, true},
	} {
		if c.owner >= 0 && os.Geteuid() != 0 { // nobody else can make one
			continue
		}
		base := filepath.Join(temp, tourPrefix+strings.ReplaceAll(name, " ", "-"))
		plant(t, filepath.Join(base, c.file), false)
		if err := os.Chown(base, c.owner, -1); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(base, c.at, c.at); err != nil {
			t.Fatal(err)
		}
		sweepTours()
		if _, err := os.Lstat(base); (err == nil) != c.want {
			t.Errorf("%s: it is there: %t", name, err == nil)
		}
	}
}

func TestQuickstartSweepsWhatAKilledOneLeft(t *testing.T) {
	s := newShell(t)
	cmd, out := s.start("quickstart")
	s.interrupt(cmd, out, "4. Ask", os.Kill)
	if left, err := os.ReadDir(s.temp); err != nil || len(left) == 0 {
		t.Fatalf("it left nothing: this tests nothing (%v)", err)
	}
	s.airhook(2, "quickstart", "--pg-bin", "/nowhere")
	s.clean()
}

func TestQuickstartKeepSaysWhichFolderItCannotUse(t *testing.T) {
	s := newShell(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if text := s.airhook(1, "--home", filepath.Join(file, "home"), "quickstart", "--keep"); !strings.Contains(text, "set AIRHOOK_HOME to a folder that you may write to") || strings.Contains(text, "AIRHOOK_DEV_DIR") {
		t.Errorf("it says %q", text)
	}
	s.clean()
}

func TestQuickstartThatCannotStartLeavesNoHome(t *testing.T) {
	s := newShell(t)
	s.airhook(2, "--home", filepath.Join(s.home, "share", "airhook"), "quickstart", "--keep", "--pg-bin", "/nowhere")
	s.clean()
	s.gone(s.home)
}

func TestQuickstartKeepStays(t *testing.T) {
	s := newShell(t)
	s.env = append(s.env, "AIRHOOK_DEV_DIR="+filepath.Join(s.temp, "another")) // what it says to do is not about that one
	code, text, diag := s.run("airhook", "quickstart", "--keep")
	if code != 0 {
		t.Fatalf("exit %d: %s%s", code, text, diag)
	}
	if strings.Count(diag, "instances on PostgreSQL") != 1 || !strings.Contains(diag, "starting the stack again, in the background") {
		t.Errorf("it tells the start of the stack twice, or not why it starts again: %q", diag)
	}
	_, advice, _ := strings.Cut(text, "It stays")
	_, advice, _ = strings.Cut(advice, "Try next:\n")
	try, end, found := strings.Cut(advice, "End it, and remove everything:\n")
	if !found {
		t.Fatalf("it says %q", text)
	}
	if text := s.airhook(2, "quickstart", "--keep"); !strings.Contains(text, "hint: a quickstart was kept there; AIRHOOK_DEV_DIR="+filepath.Join(s.home, "quickstart", "dev")+" airhook dev down ends it") {
		t.Errorf("a second one says %q", text)
	}
	code, out, diag := s.run("sh", "-c", "set -eu\n"+try)
	if code != 0 || !strings.Contains(out, "Redshift") || !strings.Contains(out, "rds_postgres_iam") {
		t.Errorf("exit %d: %s%s", code, out, diag)
	}
	if code, out, diag := s.run("sh", "-c", "set -eu\n"+end); code != 0 {
		t.Errorf("exit %d: %s%s", code, out, diag)
	}
	s.clean()
	s.gone(filepath.Join(s.home, "quickstart"))
}
