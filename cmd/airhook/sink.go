package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/cmd/airhook/internal/render"
)

// sink is where rows go: standard output, or a file that appears under its name when it is complete.
type sink struct {
	format  render.Format
	name    string // of the file; "" is standard output
	w       io.Writer
	temp    *os.File
	started bool
	rows    int64
	err     error // of the first write that failed
}

// sink opens nothing that --to names before the SQL has begun to answer, but finds out early whether it could.
func (a *app) sink(f sqlFlags) (*sink, error) {
	if f.to == "" || f.to == "-" {
		if f.format != "" && f.to == "" {
			return nil, usagef("give --to FILE, or -o for standard output", "--format goes with --to")
		}
		format := a.flags.output
		if f.format != "" {
			format = f.format
		}
		return &sink{format: render.Format(format), w: a.stdout}, checkFormat(format, true)
	}
	format := f.format
	if format == "" {
		format = strings.TrimPrefix(strings.ToLower(filepath.Ext(f.to)), ".")
		if checkFormat(format, false) != nil {
			return nil, usagef("give --format csv, json or jsonl", "the name %s does not say the format", f.to)
		}
	}
	if err := checkFormat(format, false); err != nil {
		return nil, err
	}
	s := &sink{format: render.Format(format), name: f.to}
	return s, s.open()
}

func checkFormat(format string, table bool) error {
	known := []string{"csv", "json", "jsonl"}
	if table {
		known = append(known, "table")
	}
	return oneOf("--format", format, known)
}

// open makes the temporary file beside the one that is wanted. What is no regular file – a pipe, /dev/null – is written
// to as it is.
func (s *sink) open() error {
	if real, err := filepath.EvalSymlinks(s.name); err == nil {
		s.name = real
	}
	var err error
	info, missing := os.Stat(s.name)
	switch {
	case missing == nil && info.IsDir():
		return &fileError{file: s.name, err: &airhook.Error{Kind: airhook.ErrInvalid, Err: fmt.Errorf("%s is a folder", s.name)}}
	case missing == nil && !info.Mode().IsRegular():
		s.temp, err = os.OpenFile(s.name, os.O_WRONLY, 0)
	default:
		s.temp, err = createTemp(s.name, info)
		if err == nil && missing == nil {
			err = s.temp.Chmod(info.Mode().Perm()) // umask may have taken some of it away
		}
	}
	if err != nil {
		s.discard()
		return fileFailure(s.name, "write", err)
	}
	s.w = s.temp
	return nil
}

// createTemp makes a new file with the rights that a new file gets here, which os.CreateTemp does not. In the place of an
// old one, never does anybody get at it who could not read that.
func createTemp(name string, old fs.FileInfo) (*os.File, error) {
	dir, base := filepath.Split(name)
	mode := fs.FileMode(0o666)
	if old != nil {
		mode = old.Mode().Perm()
	}
	for n := os.Getpid(); ; n++ {
		f, err := os.OpenFile(filepath.Join(dir, "."+base+"."+strconv.Itoa(n)+".part"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode) // #nosec G302 G304 -- the user named it, umask decides
		if !errors.Is(err, os.ErrExist) {
			return f, err
		}
	}
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if s.err == nil {
		s.err = err
	}
	return n, err
}

func (s *sink) begin() io.Writer {
	s.started = true
	return s
}

// empty ends a statement that has no rows: JSON is still JSON.
func (s *sink) empty() error {
	if s.format != render.JSON {
		return nil
	}
	if _, err := io.WriteString(s, "[]\n"); err != nil {
		return s.failed(err)
	}
	return nil
}

// failed says what can't be written to; standard output says it itself.
func (s *sink) failed(err error) error {
	if s.name == "" {
		return err
	}
	return fileFailure(s.name, "write", err)
}

// finish gives the file its name.
func (s *sink) finish(a *app) error {
	if s.temp == nil {
		if s.started && s.format == render.Table {
			a.note("(%s)", counted(s.rows))
		}
		return nil
	}
	temp := s.temp.Name()
	err := s.temp.Close()
	if err == nil && temp != s.name {
		err = os.Rename(temp, s.name)
	}
	if err != nil {
		return fileFailure(s.name, "write", err)
	}
	s.temp = nil
	a.note("%s written to %s", counted(s.rows), s.name)
	return nil
}

// discard removes what finish has not made complete.
func (s *sink) discard() {
	if s.temp == nil {
		return
	}
	_ = s.temp.Close()
	if s.temp.Name() != s.name {
		_ = os.Remove(s.temp.Name())
	}
}

func counted(rows int64) string {
	if rows == 1 {
		return "1 row"
	}
	return strconv.FormatInt(rows, 10) + " rows"
}
