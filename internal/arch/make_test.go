//go:build unix

package arch

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakes are programs by name, as shell scripts. "go test" fails when told to, "go build -o FILE" makes a program that says which
// Python the tests get, and python3 makes a folder with itself in it.
var fakes = map[string]string{
	"go": `case $1 in
env) [ "$2" != CC ] || echo sh ;;
test) echo BenchmarkOne; exit ${GO_TEST_STATUS:-0} ;;
build) printf '#!/bin/sh\necho "$AIRHOOK_TEST_PYTHON"\n' >"$3" && chmod +x "$3" ;;
esac`,
	"python3":   `[ "$2" != venv ] || { mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; }`,
	"initdb":    `exit 1`,
	"psql":      `exit 1`,
	"javac":     `echo javac 21.0.1`,
	"curl":      `while [ $# -gt 1 ]; do [ "$1" != -o ] || out=$2; shift; done; echo "$1" >"$out"`,
	"sha256sum": `cat >/dev/null`,
	"apt-get":   `echo "apt-get is not for tests" >&2; exit 1`,
}

// sandbox is a folder with the Makefile and the script that it calls, where they find fakes.
func sandbox(t *testing.T) (dir string, makes func(env string, args ...string) (string, error)) {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir()) // as make's CURDIR is
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range fakes {
		write(t, filepath.Join(dir, "fakes", name), "#!/bin/sh\n"+text+"\n")
	}
	for _, name := range []string{"Makefile", "scripts/test-needs.sh", "devstack/clients/testdata/requirements.txt", "devstack/clients/testdata/jars.sha256"} {
		write(t, filepath.Join(dir, name), read(t, name))
	}
	return dir, func(env string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "make", args...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + filepath.Join(dir, "fakes") + ":" + os.Getenv("PATH"), "HOME=" + dir, env}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestMakeBenchFailsWhenABenchmarkDoes: figures that go through a pipe must not take the failure with them, nor the runs before.
func TestMakeBenchFailsWhenABenchmarkDoes(t *testing.T) {
	dir, makes := sandbox(t)
	figures := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(dir, "bin", name)) // none is none
		return string(text)
	}
	if out, err := makes("GO_TEST_STATUS=0", "bench"); err != nil || figures("bench.txt") != "BenchmarkOne\n" {
		t.Fatalf("a good run: %v, bench.txt is %q: %s", err, figures("bench.txt"), out)
	}
	write(t, filepath.Join(dir, "bin/bench.txt"), "the run before\n")
	if out, err := makes("GO_TEST_STATUS=1", "bench"); err == nil || !strings.Contains(out, "BenchmarkOne") || !strings.Contains(out, "a benchmark failed") {
		t.Errorf("a bad run: %v: %s", err, out)
	}
	if figures("bench.txt") != "the run before\n" || figures("bench.old.txt") != "" {
		t.Errorf("after a bad run bench.txt is %q and bench.old.txt %q", figures("bench.txt"), figures("bench.old.txt"))
	}
	if out, err := makes("GO_TEST_STATUS=0", "bench"); err != nil || figures("bench.txt") != "BenchmarkOne\n" || figures("bench.old.txt") != "the run before\n" {
		t.Errorf("a good run again: %v, then bench.txt is %q and bench.old.txt %q: %s", err, figures("bench.txt"), figures("bench.old.txt"), out)
	}
}

func TestMakeTestLeavesADevelopersOwnPythonAlone(t *testing.T) {
	dir, makes := sandbox(t)
	mine := filepath.Join(dir, ".venv", "mine")
	write(t, mine, "a developer's own")
	out, err := makes("CI=", "test-clients")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	python := lines[len(lines)-1]
	if rel, err := filepath.Rel(dir, python); err != nil || !strings.HasPrefix(rel, ".venv-test/") {
		t.Errorf("tests get the Python %q: %v", python, err)
	}
	if info, err := os.Stat(python); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("the Python that tests get is not there: %v", err)
	}
	if out, err := makes("CI=", "clean"); err != nil {
		t.Errorf("make clean: %v: %s", err, out)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Errorf("after make test and make clean: %v", err)
	}
}
