package devstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/devstack/postgres"
	"github.com/airhook-go/airhook/internal/files"
)

// What a stack's folder holds.
const (
	lockName   = "airhook-dev.lock" // locked by the process that runs the stack, with its number in it
	noteName   = "state.json"       // what is to be removed, written before any of it is made
	stackName  = "stack.json"       // the status, there when all is up
	caName     = "ca.pem"
	logName    = "log"
	awsFolder  = "aws" // config and credentials
	pgFolder   = "pg"  // the servers' workspace, unless that lies outside
	madeBy     = "airhook dev"
	beingMoved = ".new" // ends the name of a file that gets its own when it is complete
)

// contents are the names of all that a stack makes in its folder.
func contents() []string {
	return []string{lockName, noteName, noteName + beingMoved, stackName, stackName + beingMoved, caName, logName, awsFolder, pgFolder}
}

// note is what a stack writes down before it makes anything, so that after a crash it is known what to remove.
type note struct {
	MadeBy string `json:"made_by"`
	// MadeDir says that the folder itself was made by a stack.
	MadeDir bool `json:"made_dir"`
	// MadeAbove is how many folders right above it were made for it.
	MadeAbove int `json:"made_above,omitempty"`
	// Workspace is the servers' folder.
	Workspace string `json:"workspace"`
}

// folder is the folder of a stack, locked.
type folder struct {
	dir  string
	lock *lock
	note note
}

// claim makes the folder of a new stack, or takes it over from one that was killed.
func claim(dir string) (*folder, error) {
	made, err := makeDir(dir)
	if err != nil {
		return nil, err
	}
	if err := foreign(dir); err != nil {
		return nil, err
	}
	f, err := seize(dir)
	if err != nil {
		if made > 0 {
			files.RemoveEmpty(dir, made-1)
		}
		return nil, err
	}
	if made > 0 {
		f.note.MadeDir, f.note.MadeAbove = true, made-1
	}
	if err := f.sweep(); err != nil {
		return nil, errors.Join(err, f.lock.release())
	}
	f.note.MadeBy = madeBy
	if f.note.Workspace, err = postgres.PlanWorkspace(filepath.Join(dir, pgFolder)); err == nil {
		err = f.writeJSON(noteName, f.note)
	}
	if err != nil {
		return nil, errors.Join(failed(dir, "prepare the dev stack's folder", err, ""), f.leave())
	}
	return f, nil
}

// makeDir makes the folder, and returns how many it made: that one and those above it. One that exists must be ours alone
// to write to: it will hold keys.
func makeDir(dir string) (made int, err error) {
	made = files.Missing(dir)
	if err = os.MkdirAll(filepath.Dir(dir), 0o700); err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	switch {
	case err == nil:
		return made, nil
	case errors.Is(err, fs.ErrExist):
		_, err = trusted(dir)
		return 0, err
	}
	return 0, failed(dir, "make the dev stack's folder", err, "set AIRHOOK_DEV_DIR to a folder that you may write to")
}

// trusted says whether the folder exists. One that others can write to is an error: what we read there could be theirs,
// and have us end a process or remove a file for them.
func trusted(dir string) (bool, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, failed(dir, "look at the dev stack's folder", err, "set AIRHOOK_DEV_DIR to a folder of your own")
	case !info.IsDir():
		return false, refused(fmt.Errorf("%s is no folder", dir), "set AIRHOOK_DEV_DIR to an empty folder")
	case !files.Own(info):
		return false, refused(fmt.Errorf("the folder %s belongs to somebody else, or others may write to it", dir), "chmod 700 it, or set AIRHOOK_DEV_DIR to a folder that does not exist yet")
	}
	return true, nil
}

// foreign refuses a folder with files in it that no stack has made: they would be in danger.
func foreign(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return failed(dir, "look at the dev stack's folder", err, "")
	}
	known := contents()
	if _, err := readNote(dir); err != nil {
		known = []string{lockName, noteName + beingMoved}
	}
	var others []string
	for _, e := range entries {
		if !slices.Contains(known, e.Name()) {
			others = append(others, e.Name())
		}
	}
	if len(others) == 0 {
		return nil
	}
	return refused(fmt.Errorf("the folder %s holds files that are not the dev stack's: %s", dir, strings.Join(others[:min(3, len(others))], ", ")), "set AIRHOOK_DEV_DIR to an empty folder, or to one that does not exist")
}

// readNote reads the note of the stack that is or was in dir.
func readNote(dir string) (note, error) {
	var n note
	text, err := os.ReadFile(filepath.Join(dir, noteName))
	if err == nil {
		err = json.Unmarshal(text, &n)
	}
	if err == nil && n.MadeBy != madeBy {
		err = fmt.Errorf("%s is not the dev stack's", filepath.Join(dir, noteName))
	}
	return n, err
}

// seize locks the folder and reads its note.
func seize(dir string) (*folder, error) {
	l, err := acquire(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	n, err := readNote(dir)
	if err != nil { // there is none, or a killed stack's that was not complete: then there is nothing else either
		n = note{}
	}
	return &folder{dir: dir, lock: l, note: n}, nil
}

// sweep removes everything but the lock, when the last server is gone.
func (f *folder) sweep() error {
	var errs []error
	if w := f.note.Workspace; w != "" {
		errs = append(errs, endServers(w))
		if w == filepath.Join(f.dir, pgFolder) {
			errs = append(errs, os.RemoveAll(w))
		} else {
			errs = append(errs, postgres.RemoveWorkspace(w))
		}
	}
	if f.note.MadeBy == madeBy {
		errs = append(errs, os.RemoveAll(filepath.Join(f.dir, awsFolder)))
		for _, name := range []string{stackName, stackName + beingMoved, caName, logName} {
			errs = append(errs, remove(filepath.Join(f.dir, name)))
		}
	}
	errs = append(errs, remove(filepath.Join(f.dir, noteName+beingMoved)))
	if err := errors.Join(errs...); err != nil || f.note.MadeBy != madeBy {
		return failed(f.dir, "remove what a dev stack left", err, "") // the note stays for the next try
	}
	return failed(f.dir, "remove what a dev stack left", remove(filepath.Join(f.dir, noteName)), "")
}

// leave sweeps, unlocks, and removes the folder if a stack has made it and nobody else uses it.
func (f *folder) leave() error {
	err := errors.Join(f.sweep(), f.lock.release())
	if f.note.MadeDir {
		files.RemoveEmpty(f.dir, f.note.MadeAbove) // not one that somebody put a file into
	}
	return err
}

func remove(name string) error {
	err := os.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// writeJSON writes a file that is complete from the moment it is there.
func (f *folder) writeJSON(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path+beingMoved, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+beingMoved, path)
}

// failed is a failure with the folder. Its error names a path already; nil stays nil.
func failed(dir, what string, err error, hint string) error {
	if err == nil {
		return nil
	}
	if !strings.Contains(err.Error(), dir) {
		what += " " + dir
	}
	e := &airhook.Error{Err: fmt.Errorf("%s: %w", what, err), Hint: hint}
	if errors.Is(err, fs.ErrPermission) {
		e.Kind = airhook.ErrInvalid
	}
	return e
}

func refused(err error, hint string) error {
	return &airhook.Error{Kind: airhook.ErrInvalid, Err: err, Hint: hint}
}
