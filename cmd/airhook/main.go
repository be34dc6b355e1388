package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/airhook-go/airhook/cmd/airhook/internal/render"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// run is the program: it returns the exit code. The first Ctrl-C cancels what runs, the second ends at once.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // writes to a closed pipe then fail instead of killing us

	a := &app{args: args, environ: environ, stdin: stdin, stdout: &output{w: stdout, terminal: isTerminal(stdout)}, stderr: stderr}
	root := newRoot(a)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	a.command = strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "airhook"), " ")
	err = joined(a.meant(ctx, err), a.close())
	if a.stdout.err != nil {
		err = a.stdout.blame(err)
	}
	return a.report(ctx, err)
}

// app is what commands share: the streams, the global flags and the client, which is opened when first asked for.
type app struct {
	args    []string
	environ []string
	stdin   io.Reader
	stdout  *output
	stderr  io.Writer
	flags   globals
	opened  *setup
	command string // what runs, as typed: "connections add"
}

// globals are the flags that every command takes.
type globals struct {
	home, output, logLevel string
	noColor, quiet         bool
}

// getenv looks a variable up in the environment that run was given.
func (a *app) getenv(name string) string {
	for i := len(a.environ) - 1; i >= 0; i-- {
		if k, v, _ := strings.Cut(a.environ[i], "="); k == name {
			return v
		}
	}
	return ""
}

// note writes one line for people to standard error, unless --quiet.
func (a *app) note(format string, args ...any) {
	if !a.flags.quiet {
		a.tell(fmt.Sprintf(format, args...))
	}
}

// warn writes a line that --quiet does not silence.
func (a *app) warn(format string, args ...any) {
	a.tell("warning: " + fmt.Sprintf(format, args...))
}

// tell writes one line to standard error. Whatever it repeats – a host, a server's words – can't move the cursor or
// begin a line of its own.
func (a *app) tell(line string) {
	_, _ = fmt.Fprintln(a.stderr, render.Visible(line))
}

// tellLines writes text of several lines, of which only the first can be taken for one of ours.
func (a *app) tellLines(text string) {
	first, rest, _ := strings.Cut(text, "\n")
	a.tell(first)
	for line := range strings.Lines(rest) {
		a.tell("  " + strings.TrimRight(line, "\r\n"))
	}
}

// logger writes to standard error what is at least as grave as --log-level; without one, warnings for people.
func (a *app) logger() *slog.Logger {
	if a.flags.logLevel == "" {
		return slog.New(warnings{app: a})
	}
	var level slog.Level
	_ = level.UnmarshalText([]byte(a.flags.logLevel)) // newRoot has checked it
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// colour paints text for a terminal that wants it.
func (a *app) colour(code, text string) string {
	if a.flags.noColor || a.getenv("NO_COLOR") != "" || a.getenv("TERM") == "dumb" || !isTerminal(a.stderr) {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// output is standard output that remembers its first failure, so that commands need not check every line.
type output struct {
	w        io.Writer
	terminal bool
	err      error
}

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(p)
	if err != nil {
		o.err = &outputError{cause(err)}
	}
	return n, o.err
}

// outputError is a failure to write to standard output.
type outputError struct{ err error }

func (e *outputError) Error() string { return "write to standard output: " + e.err.Error() }
func (e *outputError) Unwrap() error { return e.err }

// blame is what remains to be told of a command whose output failed. A reader that has seen enough is no failure, and
// hides none; anything else is the first thing that went wrong, whatever came of it.
func (o *output) blame(err error) error {
	rest := withoutOutput(err)
	if errors.Is(o.err, syscall.EPIPE) {
		return rest
	}
	err = o.err
	left, _ := closings(rest)
	for _, closing := range slices.Backward(left) {
		err = joined(err, closing)
	}
	return err
}

// withoutOutput takes the failures of standard output out of an error; nil when nothing else is in it.
func withoutOutput(err error) error {
	var output *outputError
	if !errors.As(err, &output) {
		return err
	}
	var parts interface{ Unwrap() []error }
	var closing *closingError
	switch {
	case errors.As(err, &closing):
		return joined(withoutOutput(closing.err), closing.closing)
	case errors.As(err, &parts):
		var rest []error
		for _, part := range parts.Unwrap() {
			rest = append(rest, withoutOutput(part))
		}
		return errors.Join(rest...)
	}
	return nil
}
