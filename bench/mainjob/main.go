package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed peer.py
var peerScript string

func main() {
	runs := flag.Int("runs", 15, "how often each command runs")
	python := flag.String("python", "", "a Python that has apache-airflow with its postgres and amazon providers")
	bin := flag.String("bin", "bin/airhook", "the binary to measure")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := bench{runs: *runs, python: *python, bin: *bin}
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mainjob:", err)
		os.Exit(1)
	}
}

// bench holds what the measurements share: programs, a temporary home and the environment of the dev stack.
type bench struct {
	runs        int
	python, bin string
	dir, peer   string
	env         []string
	stack       stack
	rows        [][4]string
}

// stack is what we read of `airhook dev status`.
type stack struct {
	CAFile    string `json:"ca_file"`
	Instances []struct {
		Kind, Endpoint, Database string
		Port                     int
		Users                    []string
	}
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.bin, err = filepath.Abs(b.bin); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "airhook-bench"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	b.peer = filepath.Join(b.dir, "peer.py")
	if err := os.WriteFile(b.peer, []byte(peerScript), 0o600); err != nil {
		return err
	}
	b.env = cleanEnv("HOME="+b.dir, "AIRHOOK_HOME="+filepath.Join(b.dir, "home"), "AIRFLOW_HOME="+filepath.Join(b.dir, "airflow"), "AWS_EC2_METADATA_DISABLED=true")
	if _, err := b.output(ctx, b.bin, "dev", "up", "--detach"); err != nil {
		return err
	}
	defer func() {
		_, down := b.output(context.WithoutCancel(ctx), b.bin, "dev", "down")
		err = errors.Join(err, down)
	}()
	if err := b.connect(ctx); err != nil {
		return err
	}
	for _, measure := range []func(context.Context) error{b.start, b.test, b.query, b.tokens, b.size} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	return b.print(ctx)
}

// cleanEnv is this process's environment without what would steer either side, and with more.
func cleanEnv(more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return slices.ContainsFunc([]string{"AWS_", "PG", "AIRFLOW", "AIRHOOK", "HOME=", "XDG_"}, func(p string) bool { return strings.HasPrefix(v, p) })
	})
	return append(env, more...)
}

// connect names the stack's RDS instance for both sides, with the same login.
func (b *bench) connect(ctx context.Context) error {
	exports, err := b.output(ctx, b.bin, "dev", "env")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(exports)) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if ok {
			b.env = append(b.env, name+"="+strings.Trim(value, `'"`))
		}
	}
	status, err := b.output(ctx, b.bin, "dev", "status", "-o", "json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(status, &b.stack); err != nil {
		return err
	}
	for _, i := range b.stack.Instances {
		if i.Kind != "rds" {
			continue
		}
		extra := map[string]any{"iam": true, "aws_conn_id": nil, "sslmode": "verify-full", "sslrootcert": b.stack.CAFile, "hostaddr": "127.0.0.1"}
		conn, err := json.Marshal(map[string]any{"conn_type": "postgres", "host": i.Endpoint, "port": i.Port, "login": i.Users[0], "schema": i.Database, "extra": extra})
		b.env = append(b.env, "AIRFLOW_CONN_BENCH="+string(conn))
		return err
	}
	return errors.New("the dev stack has no RDS instance")
}

func (b *bench) output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = b.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

func (b *bench) took(ctx context.Context, argv []string) (time.Duration, error) {
	started := time.Now()
	_, err := b.output(ctx, argv[0], argv[1:]...)
	return time.Since(started), err
}

// pair runs two commands in turns; the first run of each warms the caches and is not counted.
func (b *bench) pair(ctx context.Context, what string, ours, theirs []string) error {
	var times [2][]time.Duration
	for i := range b.runs + 1 {
		for side, argv := range [][]string{ours, theirs} {
			if argv[0] == "" {
				continue
			}
			took, err := b.took(ctx, argv)
			if err != nil {
				return err
			}
			if i > 0 {
				times[side] = append(times[side], took)
			}
		}
	}
	b.row(what, milliseconds(median(times[0])), median(times[0]).Seconds(), milliseconds(median(times[1])), median(times[1]).Seconds())
	return nil
}

func (b *bench) start(ctx context.Context) error {
	airflow := ""
	if b.python != "" {
		airflow = filepath.Join(filepath.Dir(b.python), "airflow")
	}
	return b.pair(ctx, "`airhook --help` / `airflow --help`, whole process", []string{b.bin, "--help"}, []string{airflow, "--help"})
}

func (b *bench) test(ctx context.Context) error {
	return b.pair(ctx, "test of a local instance with an IAM login, whole process", []string{b.bin, "connections", "test", "bench"}, []string{b.python, b.peer, "test", "bench"})
}

func (b *bench) query(ctx context.Context) error {
	return b.pair(ctx, "`SELECT 1` with an IAM login, whole process", []string{b.bin, "sql", "bench", "SELECT 1"}, []string{b.python, b.peer, "query", "bench"})
}

// tokens takes ours from Go's benchmarks, in ns and allocations, and Airflow's from its hook.
func (b *bench) tokens(ctx context.Context) error {
	theirs := 0.0
	if b.python != "" {
		out, err := b.output(ctx, b.python, b.peer, "token", "bench", "21")
		if err != nil {
			return err
		}
		lines := strings.Fields(string(out)) // Airflow logs to standard output, too
		if theirs, err = strconv.ParseFloat(lines[len(lines)-1], 64); err != nil {
			return err
		}
	}
	for _, m := range []struct{ what, pattern, pkg string }{
		{"RDS token, cold: signed", "^BenchmarkRDSToken$", "./aws/iam"},
		{"RDS token, from the cache", "^BenchmarkCredential$/^cached$", "."},
	} {
		ns, allocs, err := goBench(ctx, m.pattern, m.pkg)
		if err != nil {
			return err
		}
		b.row(m.what, fmt.Sprintf("%s, %s allocs", nanoseconds(ns), allocs), ns/1e9, nanoseconds(theirs), theirs/1e9)
	}
	return nil
}

// goBench is the median of five runs of one benchmark.
func goBench(ctx context.Context, pattern, pkg string) (ns float64, allocs string, err error) {
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchmem", "-count", "5", pkg).Output()
	if err != nil {
		return 0, "", fmt.Errorf("benchmark %s: %w", pattern, err)
	}
	var all []float64
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 8 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		n, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			return 0, "", err
		}
		all, allocs = append(all, n), f[len(f)-2]
	}
	if len(all) == 0 {
		return 0, "", fmt.Errorf("benchmark %s of %s did not run", pattern, pkg)
	}
	slices.Sort(all)
	return all[len(all)/2], allocs, nil
}

func (b *bench) size(context.Context) error {
	info, err := os.Stat(b.bin)
	if err != nil {
		return err
	}
	theirs := int64(0)
	if b.python != "" {
		if theirs, err = folderSize(filepath.Dir(filepath.Dir(b.python))); err != nil {
			return err
		}
	}
	b.row("size on disk: the binary / Airflow's packages", megabytes(info.Size()), float64(info.Size()), megabytes(theirs), float64(theirs))
	return nil
}

func folderSize(dir string) (size int64, err error) {
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return 0, err
	}
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}

// row notes one measurement; a peer of 0 was not measured.
func (b *bench) row(what, ours string, our float64, theirs string, their float64) {
	ratio := "–"
	if their == 0 {
		theirs = "–"
	} else {
		ratio = strconv.FormatFloat(their/our, 'f', map[bool]int{true: 0, false: 1}[their/our >= 100], 64) + "×"
	}
	b.rows = append(b.rows, [4]string{what, ours, theirs, ratio})
	fmt.Fprintf(os.Stderr, "%s: %s beside %s\n", what, ours, theirs)
}

func (b *bench) print(ctx context.Context) error {
	versions := "without Airflow"
	if b.python != "" {
		out, err := b.output(ctx, filepath.Join(filepath.Dir(b.python), "airflow"), "version")
		if err != nil {
			return err
		}
		words := strings.Fields(string(out))
		versions = "Airflow " + words[len(words)-1]
	}
	fmt.Printf("| what (median of %d, in turns) | airhook | %s | ratio |\n| --- | --- | --- | --- |\n", b.runs, versions)
	for _, r := range b.rows {
		fmt.Printf("| %s | %s | %s | %s |\n", r[0], r[1], r[2], r[3])
	}
	return nil
}

func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2]
}

func milliseconds(d time.Duration) string {
	if d < 20*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.0f ms", float64(d)/1e6)
}

func nanoseconds(ns float64) string {
	switch {
	case ns >= 1e6:
		return fmt.Sprintf("%.1f ms", ns/1e6)
	case ns >= 1e3:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	}
	return fmt.Sprintf("%.1f ns", ns)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
