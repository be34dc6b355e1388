//go:build unix

package devstack_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/devstack"
)

// lockAs locks a stack's folder for the test, in the name of a process.
func lockAs(t *testing.T, pid int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	lock, err := os.OpenFile(filepath.Join(dir, "airhook-dev.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lock.Close() })
	_, err = lock.WriteString(strconv.Itoa(pid) + "\n")
	if err := errors.Join(err, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A folder that containers share has the number of a process of another one in its lock.
func TestDownSignalsNobodyWhoHasNotTheLock(t *testing.T) {
	stranger := exec.CommandContext(t.Context(), "sleep", "600")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stranger.Wait() })
	dir := lockAs(t, stranger.Process.Pid)
	_, err := devstack.Down(t.Context(), dir)
	var e *airhook.Error
	if !errors.As(err, &e) || !errors.Is(e, airhook.ErrInvalid) || !strings.Contains(err.Error(), dir) || !strings.Contains(e.Hint, "container") {
		t.Errorf("got %v", err)
	}
	if !alive(stranger.Process.Pid) || !exists(filepath.Join(dir, "airhook-dev.lock")) {
		t.Error("the other process is ended, or the lock is gone")
	}
}

func TestDownLetsAProgramLiveThatHasClosedItsStack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dev")
	cmd, _ := launch(t, dir, livesOn+"=yes")
	if ended, err := devstack.Down(t.Context(), dir); err != nil || ended != devstack.WasRunning || exists(dir) {
		t.Errorf("%s, %v; folder there: %t", ended, err, exists(dir))
	}
	if !alive(cmd.Process.Pid) {
		t.Error("the program is ended")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
}

func TestAStateOfAnotherVersionIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing in it":      `{"running": true}`,
		"no mydb":            `{"aws": {"principals": [{}]}, "instances": [{"id": "other", "users": ["app"]}]}`,
		"nobody to log in":   `{"aws": {"principals": [{}]}, "instances": [{"id": "mydb"}]}`,
		"nobody who may ask": `{"aws": {}, "instances": [{"id": "mydb", "users": ["app"]}]}`,
	} {
		dir := lockAs(t, os.Getpid())
		if err := os.WriteFile(filepath.Join(dir, "stack.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, err := devstack.Read(dir); !errors.Is(err, airhook.ErrInvalid) || status.Running || !strings.Contains(err.Error(), "another version of airhook wrote it") {
			t.Errorf("%s: %+v, %v", name, status, err)
		}
	}
}
