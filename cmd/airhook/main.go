package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"
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

	a := &app{args: args, environ: environ, stdin: stdin, stdout: &output{w: stdout}, stderr: stderr}
	root := newRoot(a)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	a.command = strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "airhook"), " ")
	err = errors.Join(err, a.close())
	if out := a.stdout.err; errors.Is(out, syscall.EPIPE) {
		return 0 // the reader has seen enough
	} else if out != nil { // the first thing that failed, whatever came of it
		err = fmt.Errorf("write to standard output: %w", cause(out))
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
		_, _ = fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}

// warn writes a line that --quiet does not silence.
func (a *app) warn(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, "warning: "+format+"\n", args...)
}

// logger writes to standard error what is at least as grave as --log-level.
func (a *app) logger() *slog.Logger {
	level := slog.LevelWarn
	if a.flags.quiet {
		level = slog.LevelError
	}
	if a.flags.logLevel != "" {
		_ = level.UnmarshalText([]byte(a.flags.logLevel)) // newRoot has checked it
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// colour paints text for a terminal that wants it.
func (a *app) colour(code, text string) string {
	f, ok := a.stderr.(*os.File)
	if a.flags.noColor || a.getenv("NO_COLOR") != "" || a.getenv("TERM") == "dumb" || !ok || !term.IsTerminal(int(f.Fd())) {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// output is standard output that remembers its first failure, so that commands need not check every line.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(p)
	o.err = err
	return n, err
}
