package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/internal/suggest"
)

// valueOf is a flag's value: the text itself, standard input for -, a file for @FILE.
func (a *app) valueOf(ctx context.Context, flag, value string) (string, error) {
	switch {
	case value == "-":
		text, err := a.readStdin(ctx)
		if err != nil {
			return "", err
		}
		return filled(flag, "standard input", text)
	case strings.HasPrefix(value, "@"):
		b, err := readFile(value[1:])
		if err != nil {
			return "", err
		}
		return filled(flag, value[1:], string(b))
	}
	return value, nil
}

func filled(flag, where, text string) (string, error) {
	if text = strings.TrimSpace(text); text == "" {
		return "", usagef("", "%s: %s is empty", flag, where)
	}
	return text, nil
}

// readFile reads a file that the user named; a missing one is not_found.
func readFile(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if err == nil {
		return b, nil
	}
	return nil, fileFailure(name, "read", err)
}

// fileFailure names the file and tells a missing one apart.
func fileFailure(name, verb string, err error) error {
	e := &airhook.Error{Err: fmt.Errorf("%s %s: %w", verb, name, cause(err))}
	if errors.Is(err, fs.ErrNotExist) {
		e.Kind, e.Hint = airhook.ErrNotFound, lost(name)
	}
	return &fileError{file: name, err: e}
}

// lost says what of a path is missing, and what may have been meant.
func lost(name string) string {
	if whole, err := filepath.Abs(name); err == nil {
		name = whole
	}
	dir, base := filepath.Dir(name), filepath.Base(name)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "make the folder " + dir + ", or name a file in another one"
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	if near := suggest.Nearest(base, names); len(near) > 0 {
		return "did you mean " + filepath.Join(dir, near[0]) + "?"
	}
	return "name a file that exists: the folder " + dir + " has none of that name"
}

// cause is a failure without the file's name.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// readStdin reads all of standard input.
func (a *app) readStdin(ctx context.Context) (string, error) {
	b, err := interruptible(ctx, func() ([]byte, error) { return io.ReadAll(a.stdin) })
	if err != nil {
		return "", fmt.Errorf("read standard input: %w", err)
	}
	return string(b), nil
}

// interruptible ends the wait for a read with the context. The read itself can't be taken back: its goroutine ends with
// the input, or with the process.
func interruptible[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type answer struct {
		got T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		got, err := read()
		done <- answer{got, err}
	}()
	select {
	case a := <-done:
		return a.got, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// readPassword reads one line; on a terminal it asks without echo.
func (a *app) readPassword(ctx context.Context) (string, error) {
	if f, ok := a.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return a.askPassword(ctx, f)
	}
	line, err := interruptible(ctx, func() (string, error) { return bufio.NewReader(a.stdin).ReadString('\n') })
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return nonEmpty(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
}

// askPassword gives the terminal its echo back also when a signal ends the wait. The terminal is raw for so long because
// term.ReadPassword never hears of Ctrl-D.
func (a *app) askPassword(ctx context.Context, terminal *os.File) (string, error) {
	before, err := term.MakeRaw(int(terminal.Fd()))
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	_, _ = fmt.Fprint(a.stderr, "Password: ")
	typed, err := interruptible(ctx, func() (string, error) { return typedLine(terminal) })
	_ = term.Restore(int(terminal.Fd()), before)
	_, _ = fmt.Fprintln(a.stderr)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return nonEmpty(typed)
}

// typedLine reads what is typed on a raw terminal, to the end of the line or of the input.
func typedLine(terminal io.Reader) (string, error) {
	var line []byte
	for key := make([]byte, 1); ; {
		_, err := io.ReadFull(terminal, key)
		if errors.Is(err, io.EOF) {
			return string(line), nil
		} else if err != nil {
			return "", err
		}
		switch key[0] {
		case '\r', '\n', 4, 0: // Ctrl-D; a zero is one that was typed before the terminal was raw
			return string(line), nil
		case 3: // Ctrl-C
			return "", &airhook.Error{Kind: airhook.ErrCancelled, Err: context.Canceled}
		case '\b', 127:
			_, size := utf8.DecodeLastRune(line)
			line = line[:len(line)-size]
		case 21: // Ctrl-U
			line = nil
		default:
			line = append(line, key[0])
		}
	}
}

func nonEmpty(password string) (string, error) {
	if password == "" {
		return "", usagef("", "--conn-password-stdin: the line is empty")
	}
	return password, nil
}
