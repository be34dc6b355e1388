package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/devstack"
)

const (
	tourPrefix = "airhook-quickstart-"
	tourMark   = "made-by-quickstart.txt" // in a folder whose connections are the tour's, and which may be removed
	tourWords  = "airhook quickstart made this folder. The next one replaces its connections, and you may remove all of it.\n"
	tourGone   = time.Hour // without a stack: a tour is that for a moment at its beginning, and at its end
)

// places chooses the folders, and removes what quickstarts left that were killed.
func (t *tour) places() (err error) {
	sweepTours()
	if t.keep {
		return t.keptPlaces()
	}
	if t.base, err = os.MkdirTemp("", tourPrefix); err == nil {
		err = mark(t.base)
	}
	if err != nil {
		return &airhook.Error{Kind: airhook.ErrInvalid, Err: fmt.Errorf("make a folder for the quickstart: %w", err), Hint: "set TMPDIR to a folder that you may write to"}
	}
	t.home, t.dev = filepath.Join(t.base, "home"), filepath.Join(t.base, "dev")
	return nil
}

// keptPlaces chooses a folder below the user's own, or one that a quickstart was kept in. Connections are written there,
// so it is never one with anything else in it.
func (t *tour) keptPlaces() error {
	home, err := t.app.home()
	if err != nil {
		return err
	}
	if t.base = home; !marked(home) { // it is, in a shell that followed our advice
		t.base = filepath.Join(home, "quickstart")
	}
	t.home, t.dev = t.base, filepath.Join(t.base, "dev")
	entries, err := os.ReadDir(t.base)
	t.fresh = errors.Is(err, fs.ErrNotExist)
	if t.fresh || err == nil && len(entries) == 0 {
		err = mark(t.base)
	}
	if err != nil {
		e := &airhook.Error{Err: fmt.Errorf("make the quickstart's folder: %w", err), Hint: "set AIRHOOK_HOME to a folder that you may write to"}
		if errors.Is(err, fs.ErrPermission) {
			e.Kind = airhook.ErrInvalid
		}
		return e
	}
	if !marked(t.base) {
		return &airhook.Error{
			Kind: airhook.ErrInvalid, Err: fmt.Errorf("the folder %s holds files, and no quickstart has made it", t.base),
			Hint: "move it away, or set AIRHOOK_HOME to another folder",
		}
	}
	return nil
}

// mark makes a folder that is the tour's own.
func mark(base string) error {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(base, tourMark), []byte(tourWords), 0o600)
}

// marked says whether a quickstart of ours has made a folder.
func marked(base string) bool {
	info, err := os.Lstat(filepath.Join(base, tourMark))
	return err == nil && info.Mode().IsRegular() && ours(base)
}

// inUse says whether a stack is in that folder, whoever runs it, or something that we can't look at.
func inUse(dev string) bool {
	status, err := devstack.Read(dev)
	return err != nil || status.Running || status.Starting
}

// sweepTours removes the folders of quickstarts that were killed. One that it must not touch stays.
func sweepTours() {
	bases, _ := filepath.Glob(filepath.Join(os.TempDir(), tourPrefix+"*"))
	for _, base := range bases {
		if !marked(base) { // everybody may make such a name among the temporary files
			continue
		}
		if swept, err := devstack.Sweep(filepath.Join(base, "dev")); swept && err == nil || abandoned(base) {
			_ = os.RemoveAll(base)
		}
	}
}

// abandoned says whether a quickstart was killed before it had a stack, or after.
func abandoned(base string) bool {
	_, missing := os.Lstat(filepath.Join(base, "dev"))
	info, err := os.Lstat(base)
	return errors.Is(missing, fs.ErrNotExist) && err == nil && time.Since(info.ModTime()) > tourGone
}
