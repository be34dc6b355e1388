package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/devstack"
)

// report is a line that a detached stack tells the process that started it, on file descriptor 3.
type report struct {
	Progress string   `json:"progress,omitempty"`
	Up       bool     `json:"up,omitempty"`
	Failure  *failure `json:"failure,omitempty"`
}

const reportFile = 3

// detach starts a stack in a process of its own and returns when it is up.
func (a *app) detach(ctx context.Context, dir, pgBin string, progress func(text string)) (devstack.Status, error) {
	self, err := os.Executable()
	if err != nil {
		return devstack.Status{}, fmt.Errorf("find this program: %w", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return devstack.Status{}, fmt.Errorf("start the dev stack: %w", err)
	}
	defer func() { _ = read.Close() }()
	cmd := exec.Command(self, "dev", "up", "--detached", "--pg-bin", pgBin)
	cmd.Args[0] = os.Args[0]
	cmd.Env, cmd.Dir, cmd.ExtraFiles = append(withoutSecrets(a.environ), "AIRHOOK_DEV_DIR="+dir), "/", []*os.File{write} // it must not hold a disk that somebody wants to unmount
	cmd.SysProcAttr = ownSession()
	err = cmd.Start()
	_ = write.Close()
	if err != nil {
		return devstack.Status{}, fmt.Errorf("start the dev stack: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })()
	if err := listen(read, progress); err != nil {
		ended := cmd.Wait()
		if errors.Is(err, io.EOF) {
			err = &airhook.Error{Err: fmt.Errorf("start the dev stack: its process ended, %w", ended), Hint: "its log is in " + filepath.Join(dir, "log")}
		}
		return devstack.Status{}, err
	}
	status, err := devstack.Read(dir)
	if err == nil && !status.Running {
		err = &airhook.Error{Err: errors.New("the dev stack ended as soon as it was up"), Hint: "try again"}
	}
	if err = errors.Join(err, cmd.Process.Release(), ctx.Err()); err != nil { // nobody hears that it is up
		_, closing := devstack.Down(context.WithoutCancel(ctx), dir)
		return devstack.Status{}, joined(err, closing)
	}
	return status, nil
}

// listen reads reports until the stack is up, or is not going to be.
func listen(from io.Reader, progress func(text string)) error {
	for dec := json.NewDecoder(from); ; {
		var r report
		err := dec.Decode(&r)
		switch {
		case err != nil:
			return err
		case r.Up:
			return nil
		case r.Failure != nil:
			return r.Failure.asError()
		}
		progress(r.Progress)
	}
}

// asError is the error that a failure describes.
func (f *failure) asError() error {
	for _, kind := range []error{airhook.ErrInvalid, airhook.ErrExists, airhook.ErrReadOnly, airhook.ErrNotFound, airhook.ErrUnreachable, airhook.ErrTLS, airhook.ErrSQL, airhook.ErrCancelled} {
		if kind.Error() == f.Kind {
			return &airhook.Error{Kind: kind, Err: errors.New(f.Message), Hint: f.Hint}
		}
	}
	return &airhook.Error{Err: errors.New(f.Message), Hint: f.Hint}
}

// withoutSecrets leaves out what a stack never reads and a process that stays should not keep.
func withoutSecrets(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		for _, prefix := range []string{"AWS_", "AIRFLOW_", "PG", "AIRHOOK_"} {
			if strings.HasPrefix(pair, prefix) {
				return true
			}
		}
		return false
	})
}

// runDetached is the process that detach starts.
func (a *app) runDetached(ctx context.Context, dir, pgBin string) error {
	parent := os.NewFile(reportFile, "parent")
	if info, err := parent.Stat(); err != nil || info.Mode()&fs.ModeNamedPipe == 0 { // a closed one, or somebody's file
		return usagef("use --detach", "--detached is for airhook itself")
	}
	reports := json.NewEncoder(parent)
	o := devstack.Options{Dir: dir, Postgres: programs(pgBin), Progress: func(text string) { _ = reports.Encode(report{Progress: text}) }}
	stack, err := devstack.Start(ctx, o)
	if err != nil {
		f := describe(err) // the one who waits adds what its user typed
		_ = reports.Encode(report{Failure: &f})
		return err
	}
	keepCrash(filepath.Join(dir, "log"))
	err = reports.Encode(report{Up: true}) // nobody waits any more: whoever did was killed
	if err == nil {
		err = errors.Join(parent.Close(), stack.Wait(ctx))
	}
	return joined(err, stack.Close())
}

// keepCrash has the reason of a crash written to the log: there is no terminal to tell it to.
func keepCrash(log string) {
	f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_ = debug.SetCrashOutput(f, debug.CrashOptions{}) // it keeps a duplicate
	_ = f.Close()
}
