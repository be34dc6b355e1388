package airflow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/airhook-go/airhook"
)

var errNoFile = errors.New("it is not a file")

const elsewhere = ", or choose another folder with AIRHOOK_HOME"

// failure says of an error of the file which file it is and what to try.
func (s *Store) failure(doing string, err error) error {
	var known *airhook.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &airhook.Error{Kind: airhook.ErrCancelled, Err: fmt.Errorf("%s the store: %w", doing, err)}
	}
	e := &airhook.Error{Err: fmt.Errorf("%s the store %s: %w", doing, s.path(), err)}
	var lite *sqlite.Error
	switch {
	case errors.As(err, &lite):
		return s.sqliteFailure(e, doing, lite)
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		e.Kind, e.Hint = denied(doing), "give yourself access to it"+elsewhere
	case errors.Is(err, errNoFile) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, fs.ErrExist):
		e.Kind, e.Hint = airhook.ErrInvalid, "move away what is in its place"+elsewhere
	case errors.Is(err, syscall.ENOSPC):
		e.Hint = "free space on the disk" + elsewhere
	}
	return e
}

// isCode reports whether SQLite failed with that primary code.
func isCode(err error, code int) bool {
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code()&0xff == code
}

// denied is the kind of a refused access: what can't be written is read-only, what can't be read has no name.
func denied(doing string) error {
	if strings.HasPrefix(doing, "read") {
		return nil
	}
	return airhook.ErrReadOnly
}

// sqliteFailure puts SQLite's codes into words (https://www.sqlite.org/rescode.html).
func (s *Store) sqliteFailure(e *airhook.Error, doing string, cause *sqlite.Error) error {
	say := func(kind error, problem, hint string) error {
		return &airhook.Error{Kind: kind, Err: fmt.Errorf("%s the store %s: %s", doing, s.path(), problem), Hint: hint}
	}
	switch cause.Code() & 0xff {
	case sqlite3.SQLITE_ERROR: // our statements are good, so it is the table that they don't fit
		return say(airhook.ErrInvalid, "its table connection is not Airflow's connection table: "+cause.Error(), "move the file away"+elsewhere)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return say(nil, fmt.Sprintf("another program has kept it locked for %s", s.wait), "wait for that program, or end it")
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return say(airhook.ErrReadOnly, "it is read-only", "make the file and its folder writable"+elsewhere)
	case sqlite3.SQLITE_CANTOPEN:
		return say(denied(doing), "it can't be opened", "give yourself access to the file and its folder"+elsewhere)
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return say(airhook.ErrInvalid, "it is no SQLite database, or a damaged one", "put a copy back, or move it away to begin anew"+elsewhere)
	case sqlite3.SQLITE_FULL:
		return say(nil, "the disk is full", "free space on the disk"+elsewhere)
	}
	return e
}
