package devstack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/airhook-go/airhook"
)

const (
	downTimeout = 40 * time.Second // sessions get ten seconds to end, and servers more
	killTimeout = 5 * time.Second
	exitTimeout = 2 * time.Second // of a process that has let go of its stack
	downPause   = 20 * time.Millisecond
)

// Ended is what [Down] found.
type Ended string

// The outcomes of Down.
const (
	WasDown    Ended = "nothing ran"
	WasRunning Ended = "stopped"
	WasKilled  Ended = "swept" // a stack had been killed, and its files are removed now
)

// Down ends the stack of dir, whichever process runs it, and removes what a killed one left. It returns when no process
// and no file of it is left. A folder that no stack has made is not touched.
func Down(ctx context.Context, dir string) (Ended, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if there, err := trusted(dir); !there {
		return WasDown, err
	}
	path := filepath.Join(dir, lockName)
	pid, err := holder(path)
	if err != nil {
		return "", err
	}
	if pid != 0 {
		if err := end(ctx, pid, path); err != nil {
			return "", err
		}
	}
	swept, err := Sweep(dir)
	switch {
	case err != nil:
		return "", err
	case pid != 0:
		return WasRunning, nil
	case swept:
		return WasKilled, nil
	}
	return WasDown, nil
}

// Sweep removes what a killed stack left in dir and elsewhere, and says whether there was anything. A stack that runs is
// left alone, and so is a folder that no stack has made.
func Sweep(dir string) (bool, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false, err
	}
	if there, err := trusted(dir); !there {
		return false, err
	}
	path := filepath.Join(dir, lockName)
	_, lost := readNote(dir)
	if _, err := os.Lstat(path); lost != nil && errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if pid, err := holder(path); pid != 0 || err != nil {
		return false, err
	}
	f, err := seize(dir)
	if err != nil {
		return false, err
	}
	return true, f.leave()
}

// end asks the process that has the lock to end, and in the end does not ask.
func end(ctx context.Context, pid int, path string) error {
	if pid == os.Getpid() {
		return refused(errors.New("the dev stack runs in this very process"), "close it")
	}
	for _, step := range []struct {
		signal os.Signal
		wait   time.Duration
	}{{terminate, downTimeout}, {os.Kill, killTimeout}} {
		if err := signalHolder(pid, path, step.signal); err != nil {
			return err
		}
		if done, err := gone(ctx, pid, path, step.wait); done || err != nil {
			return err
		}
	}
	return &airhook.Error{Err: fmt.Errorf("the dev stack does not end (process %d)", pid), Hint: "its log is in " + filepath.Join(filepath.Dir(path), logName)}
}

// signalHolder signals the process that has the lock, and nobody else: a process that has let go of it is left alone.
func signalHolder(pid int, path string, signal os.Signal) error {
	process, err := os.FindProcess(pid) // before the look at who it is: it keeps the process that it found, where the system can
	if err != nil {
		return err
	}
	defer func() { _ = process.Release() }()
	if !holds(pid, path) {
		now, err := holder(path)
		if err == nil && now == pid {
			err = refused(fmt.Errorf("the dev stack in %s runs in a process that is not to be seen from here: %d there, which is somebody else here", filepath.Dir(path), pid),
				"end it where it was started, in another container or on another machine")
		}
		return err
	}
	if err := process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return failed(path, fmt.Sprintf("end process %d, which has", pid), err, "end it as the user who started it")
	}
	return nil
}

// gone waits until that process no longer has the lock, and then a moment for its end: a program that has closed its stack
// may live on.
func gone(ctx context.Context, pid int, path string, wait time.Duration) (bool, error) {
	free, err := within(ctx, wait, func() (bool, error) {
		now, err := holder(path)
		return now != pid, err
	})
	if !free || err != nil {
		return false, err
	}
	_, err = within(ctx, exitTimeout, func() (bool, error) { return !runs(pid), nil })
	return err == nil, err
}

// within asks until it is so. False is that it takes too long.
func within(ctx context.Context, wait time.Duration, so func() (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errTooLong)
	defer cancel()
	ticker := time.NewTicker(downPause)
	defer ticker.Stop()
	for {
		if yes, err := so(); yes || err != nil {
			return yes, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errTooLong) {
				return false, nil
			}
			return false, &airhook.Error{Kind: airhook.ErrCancelled, Err: context.Cause(ctx)}
		}
	}
}

var errTooLong = errors.New("it takes too long")
