//go:build unix

package devstack_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/devstack"
	"github.com/airhook-go/airhook/devstack/postgres"
)

// whoIs asks STS with what the SDK makes of these variables.
func whoIs(t *testing.T, env map[string]string) (string, error) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // and back at the end of the test
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	c, err := awsconfig.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := sts.NewFromConfig(c).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return *out.Arn, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// alive says whether a process runs. A zombie does not: where process 1 is no init, nobody waits for orphans.
func alive(pid int) bool {
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(string(out), "Z")
}

func TestStatusSaysHowTheStackIsReached(t *testing.T) {
	s := common(t)
	status := s.Status()
	var list []string
	for _, in := range status.Instances {
		list = append(list, string(in.Kind)+" "+in.ID+" "+in.Endpoint)
		if in.Address != status.DialMap[in.Endpoint+in.Address[strings.IndexByte(in.Address, ':'):]] || !strings.HasPrefix(in.Address, "127.0.0.1:") {
			t.Errorf("%s: address %s is not what the dial map has", in.ID, in.Address)
		}
	}
	want := []string{
		"postgres mypg mypg.example.internal",
		"rds mydb mydb.cluster-xyz.us-east-1.rds.amazonaws.com",
		"redshift my-cluster my-cluster.xyz.us-east-1.redshift.amazonaws.com",
		"redshift-serverless my-workgroup my-workgroup.123456789012.us-east-1.redshift-serverless.amazonaws.com",
		"redshift my-redshift-cluster my-redshift-cluster.xyz.us-east-1.redshift.amazonaws.com",
		"redshift-serverless my-serverless-workgroup my-serverless-workgroup.123456789012.us-east-1.redshift-serverless.amazonaws.com",
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	if status.AWS.Principals[0].ARN != "arn:aws:iam::123456789012:user/admin" || status.AWS.Roles[0].ARN != "arn:aws:iam::123456789012:role/AirhookDev" {
		t.Errorf("principals %v, roles %v", status.AWS.Principals, status.AWS.Roles)
	}
	read, err := devstack.Read(status.Dir)
	if err != nil {
		t.Fatal(err)
	}
	read.PIDs, status.PIDs = nil, nil // servers' children come and go
	if diff := cmp.Diff(status, read, cmp.Transformer("JSON", func(s devstack.Status) string { b, _ := json.Marshal(s); return string(b) })); diff != "" {
		t.Error("another process reads:", diff)
	}
	for _, name := range []string{"stack.json", "state.json", "ca.pem", "log", "aws/config", "aws/credentials", "airhook-dev.lock"} {
		info, err := os.Stat(filepath.Join(status.Dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
}

func TestEnvMakesTheSDKUseTheStack(t *testing.T) {
	s := common(t)
	env := map[string]string{}
	for _, pair := range s.Env() {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	for _, name := range []string{"AIRHOOK_DEV_DIR", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "PGSSLROOTCERT"} {
		if env[name] == "" {
			t.Errorf("no %s", name)
		}
	}
	arn, err := whoIs(t, env)
	if err != nil || arn != admin(s).ARN {
		t.Errorf("it makes %q, %v", arn, err)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home", "dev")
	s := start(t, dir)
	in := instance(t, s, "mydb")
	connect(t, config(t, s, in, in.PasswordLogin.User, in.PasswordLogin.Password)) // sessions that are open do not keep it
	note, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	workspace, pids := workspaceOf(t, note), s.Status().PIDs
	if len(pids) < 7 || !exists(workspace) {
		t.Fatalf("processes %v, workspace %s", pids, workspace)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, workspace} {
		if exists(path) {
			t.Errorf("%s is left", path)
		}
	}
	if left := slices.DeleteFunc(pids[1:], func(pid int) bool { return !alive(pid) }); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	if status, err := devstack.Read(dir); err != nil || status.Running || len(status.PIDs) > 0 {
		t.Errorf("status is %+v, %v", status, err)
	}
}

// Two stacks live side by side: what one has the other does without, and says so.
func TestTakenPortsAreOthersAndSaid(t *testing.T) {
	first, dir := common(t).Status(), filepath.Join(t.TempDir(), "dev")
	second := start(t, dir).Status()
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	ports := map[int]bool{}
	for i, in := range second.Instances {
		other := first.Instances[i]
		if in.UsualPort != other.UsualPort || in.UsualPort == 0 || ports[in.UsualPort] {
			t.Errorf("%s: usual ports %d and %d, want the same, and each instance its own", in.ID, in.UsualPort, other.UsualPort)
		}
		ports[in.UsualPort] = true
		if in.Port == other.Port {
			t.Errorf("%s: both stacks have port %d", in.ID, in.Port)
		}
		if said := strings.Contains(string(log), "instance="+in.ID+" usual="+strconv.Itoa(in.UsualPort)); said != (in.Port != in.UsualPort) {
			t.Errorf("%s has port %d, usually %d, and the log says so: %t", in.ID, in.Port, in.UsualPort, said)
		}
	}
}

func workspaceOf(t *testing.T, note []byte) string {
	t.Helper()
	var n struct{ Workspace string }
	if err := json.Unmarshal(note, &n); err != nil || n.Workspace == "" {
		t.Fatalf("no workspace in %s", note)
	}
	return n.Workspace
}

// What lies in a folder that others can write to must not make us signal a process or remove a file.
func TestFoldersOfOthersAreNotBelieved(t *testing.T) {
	dir := t.TempDir()
	workspace, err := postgres.PlanWorkspace("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(workspace) })
	note := `{"made_by": "airhook dev", "workspace": "` + workspace + `"}`
	if err := errors.Join(postgres.MakeWorkspace(workspace), os.WriteFile(filepath.Join(dir, "state.json"), []byte(note), 0o600), os.Chmod(dir, 0o777)); err != nil { // #nosec G302 -- that is the test
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"start": func() error { _, err := devstack.Start(t.Context(), options(dir)); return err },
		"read":  func() error { _, err := devstack.Read(dir); return err },
		"down":  func() error { _, err := devstack.Down(t.Context(), dir); return err },
		"sweep": func() error { _, err := devstack.Sweep(dir); return err },
	} {
		if err := do(); !errors.Is(err, airhook.ErrInvalid) || !exists(workspace) {
			t.Errorf("%s: %v; the workspace is there: %t", name, err, exists(workspace))
		}
	}
}

// launch runs a stack in a process of its own.
func launch(t *testing.T, dir string, env ...string) (*exec.Cmd, devstack.Status) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(append(os.Environ(), runIn+"="+dir), env...)
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hold.Close() })
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "up\n" {
		t.Fatalf("it says %q, %v", line, err)
	}
	status, err := devstack.Read(dir)
	if err != nil || !status.Running || status.PIDs[0] != cmd.Process.Pid {
		t.Fatalf("status is %+v, %v", status, err)
	}
	return cmd, status
}

// until waits for something that another process does, which sends no signal.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !true() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not after 20 s", what)
		}
	}
}

func TestKilledStackTakesItsServersAndIsSwept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dev")
	cmd, status := launch(t, dir)
	note, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	workspace := workspaceOf(t, note)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	until(t, "servers end with the process", func() bool { return !slices.ContainsFunc(status.PIDs[1:], alive) })
	if !exists(workspace) {
		t.Fatal("it left no files: this tests nothing")
	}
	if status, err := devstack.Read(dir); err != nil || status.Running {
		t.Errorf("status is %+v, %v", status, err)
	}
	if ended, err := devstack.Down(t.Context(), dir); err != nil || ended != devstack.WasKilled || exists(dir) || exists(workspace) {
		t.Errorf("down: %s, %v; folder there: %t, workspace: %t", ended, err, exists(dir), exists(workspace))
	}
}

func TestNextStartSweepsWhatAKilledOneLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dev")
	workspace, err := postgres.PlanWorkspace("")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(dir, 0o700), postgres.MakeWorkspace(workspace)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"state.json": `{"made_by": "airhook dev", "made_dir": true, "workspace": "` + workspace + `"}`, "airhook-dev.lock": "999999\n", "log": "", "ca.pem": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := options(dir)
	o.Postgres.Bin = filepath.Join(dir, "no such folder") // it need not come up for that
	if _, err := devstack.Start(t.Context(), o); !errors.Is(err, airhook.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if exists(workspace) || exists(dir) {
		t.Errorf("workspace is left: %t; folder: %t", exists(workspace), exists(dir))
	}
}

func TestAFailedStartLeavesNoFolderAboveItsOwn(t *testing.T) {
	for _, used := range []bool{false, true} {
		home := filepath.Join(t.TempDir(), "share", "airhook")
		o := options(filepath.Join(home, "dev"))
		ctx, cancel := context.WithCancel(t.Context())
		o.Progress = func(string) {
			defer cancel()
			if !used {
				return
			}
			if err := os.WriteFile(filepath.Join(home, "airhook.db"), nil, 0o600); err != nil {
				t.Error(err)
			}
		}
		if _, err := devstack.Start(ctx, o); !errors.Is(err, airhook.ErrCancelled) {
			t.Errorf("got %v, want cancelled", err)
		}
		if exists(filepath.Dir(home)) != used || exists(o.Dir) {
			t.Errorf("somebody else uses it: %t; the folder is there: %t, the one above it: %t", used, exists(o.Dir), exists(filepath.Dir(home)))
		}
	}
}

// A note that somebody changed must not make us remove anything else.
func TestSweepRemovesWorkspacesOnly(t *testing.T) {
	dir, precious := t.TempDir(), t.TempDir()
	note := `{"made_by": "airhook dev", "workspace": "` + precious + `"}`
	if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(note), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _ = devstack.Down(t.Context(), dir)
	if _, err := devstack.Start(t.Context(), options(dir)); err == nil || !exists(precious) {
		t.Errorf("start: %v; the other folder is there: %t", err, exists(precious))
	}
}

func TestDownEndsTheStackOfAnotherProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dev")
	cmd, status := launch(t, dir)
	reaped := make(chan struct{})
	go func() { _ = cmd.Wait(); close(reaped) }()
	_, err := devstack.Start(t.Context(), options(dir))
	if !errors.Is(err, airhook.ErrExists) {
		t.Errorf("a second stack in the folder: %v", err)
	}
	ended, err := devstack.Down(t.Context(), dir)
	<-reaped
	if err != nil || ended != devstack.WasRunning || exists(dir) || slices.ContainsFunc(status.PIDs, alive) {
		t.Errorf("%s, %v; processes %v", ended, err, status.PIDs)
	}
	if ended, err := devstack.Down(t.Context(), dir); err != nil || ended != devstack.WasDown {
		t.Errorf("down again: %s, %v", ended, err)
	}
}

func TestForeignFilesAreNotTouched(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"some":             {"letter.txt": "dear"},
		"names like ours":  {"log": "mine", "aws/config": "mine", "ca.pem": "mine"},
		"a note of theirs": {"state.json": `{"made_by": "somebody", "workspace": "/"}`, "log": "mine"},
		"a lock of theirs": {"airhook-dev.lock": "somebody's words"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, text := range files {
				path = filepath.Join(dir, path)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			_, err := devstack.Start(t.Context(), options(dir))
			var e *airhook.Error
			if !errors.As(err, &e) || !errors.Is(e, airhook.ErrInvalid) || e.Hint == "" || !strings.Contains(err.Error(), dir) {
				t.Errorf("start: %v", err)
			}
			_, _ = devstack.Down(t.Context(), dir)
			for path, text := range files {
				if got, err := os.ReadFile(filepath.Join(dir, path)); string(got) != text {
					t.Errorf("%s is %q now, %v", path, got, err)
				}
			}
		})
	}
}

func TestUnusableFoldersAreRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	open := filepath.Join(dir, "open")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below"), open} {
		_, err := devstack.Start(t.Context(), options(path))
		var e *airhook.Error
		if !errors.As(err, &e) || e.Hint == "" || !strings.Contains(err.Error(), file) && !strings.Contains(err.Error(), open) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dev")
	ctx, cancel := context.WithCancel(t.Context())
	o := options(dir)
	o.Progress = func(string) { cancel() } // the servers are about to be started
	_, err := devstack.Start(ctx, o)
	if !errors.Is(err, airhook.ErrCancelled) || exists(dir) {
		t.Errorf("got %v; folder there: %t", err, exists(dir))
	}
}

func TestWaitNoticesAServerThatEnds(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	if err := syscall.Kill(s.Status().PIDs[1], syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "mypg") {
		t.Errorf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the folder was there before and is to stay, empty: %v, %v", left, err)
	}
}
