package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
}

// run is go test -json, read while it runs.
func run(ctx context.Context, args []string, out io.Writer) error {
	strict := len(args) > 0 && args[0] == "-strict"
	if strict {
		args = args[1:]
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Cancel = func() error { return nil } // Ctrl-C reached go test too; it stops its tests and then ends
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s := summary{out: out, pending: map[string][]string{}}
	readErr := s.read(events)
	return errors.Join(readErr, s.verdict(strict, cmd.Wait()))
}

// event is a line of go test -json (go doc test2json), or of go build's part of it.
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

type summary struct {
	out                     io.Writer
	passed, failed, skipped int
	skips                   []string            // "package.Test: reason"
	pending                 map[string][]string // output of what has not ended yet, by package and test
}

func (s *summary) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			s.line(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read go test's output: %w", err)
		}
	}
}

// line takes one event; what is none is shown as it is.
func (s *summary) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		s.printf("%s", line)
		return
	}
	switch {
	case e.Action == "build-output":
		s.printf("%s", e.Output)
	case e.Action == "output":
		key := e.Package + "." + e.Test
		s.pending[key] = append(s.pending[key], e.Output)
	case e.Test != "":
		s.test(e)
	default:
		s.pkg(e)
	}
}

// test counts a test or subtest that has ended. A parent whose subtests fail fails too, and is counted as well.
func (s *summary) test(e event) {
	key := e.Package + "." + e.Test
	switch e.Action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
		s.show(key)
	case "skip":
		s.skipped++
		s.skips = append(s.skips, key+": "+reason(s.pending[key]))
	default:
		return
	}
	delete(s.pending, key)
}

// pkg ends a package: go test's own line about it, or everything when it failed outside a test.
func (s *summary) pkg(e event) {
	key := e.Package + "."
	output := s.pending[key]
	switch e.Action {
	case "pass", "skip": // skip is a package without tests
		if len(output) > 0 {
			s.printf("%s", output[len(output)-1])
		}
	case "fail":
		for k := range s.pending { // a panic leaves tests that never ended
			if k != key && len(k) > len(key) && k[:len(key)] == key {
				s.show(k)
				s.failed++
			}
		}
		s.show(key)
	default:
		return
	}
	delete(s.pending, key)
}

func (s *summary) show(key string) {
	for _, text := range s.pending[key] {
		s.printf("%s", text)
	}
	delete(s.pending, key)
}

func (s *summary) printf(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format, args...) }

// reason is what a test said before it skipped, without go test's own lines.
func reason(output []string) string {
	text := ""
	for _, line := range output {
		if len(line) > 4 && line[:4] == "    " {
			text += line[4:]
		}
	}
	if text == "" {
		return "no reason given"
	}
	return text[:len(text)-1]
}

// verdict prints the skips and the closing line, and says what is wrong.
func (s *summary) verdict(strict bool, testErr error) error {
	slices.Sort(s.skips)
	for _, skip := range s.skips {
		s.printf("skipped: %s\n", skip)
	}
	s.printf("%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	switch {
	case testErr != nil:
		return fmt.Errorf("go test: %w", testErr)
	case s.passed == 0:
		return errors.New("no test ran")
	case strict && s.skipped > 0:
		return errors.New("tests were skipped that should run here")
	}
	return nil
}
