//go:build unix

package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second // for sessions to be told; then the server is cut
)

// Server is a running PostgreSQL. Close ends it.
type Server struct {
	dir   string
	child *child
	ready chan struct{}
	// logged is closed when nobody writes to the server's log any more.
	logged chan struct{}
	close  func() error
}

// Init makes a data folder at dir, as the account that servers run as, for [Options].Data.
func Init(ctx context.Context, p Programs, dir, superuser string) error {
	who, err := account()
	if err != nil {
		return err
	}
	args := []string{"-D", dir, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1"}
	if err := runAs(ctx, who, filepath.Dir(dir), filepath.Join(p.Dir, "initdb"), args...); err != nil {
		return fmt.Errorf("initialize a PostgreSQL data folder: %w", err)
	}
	return nil
}

// copyTree copies a data folder as the server's account, which owns both places: whatever that account puts in the way
// of a name, links above all, it reads and writes nothing that is not its own.
func copyTree(ctx context.Context, from, to string, who *syscall.Credential) error {
	from, err := filepath.Abs(from)
	if err == nil {
		err = runAs(ctx, who, filepath.Dir(to), "cp", "-R", "-P", from, to)
	}
	if err != nil {
		return fmt.Errorf("copy a PostgreSQL data folder: %w", err)
	}
	return nil
}

// runAs runs a program to its end as who, in dir. The error has the end of what it said.
func runAs(ctx context.Context, who *syscall.Credential, dir, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Dir = environment(), dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // its children too
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	var last tail
	for line := range strings.Lines(string(out)) {
		last.add(strings.TrimSpace(line))
	}
	return fmt.Errorf("%w: %s", err, last.String())
}

// Start starts a server and returns when it takes connections. It ends with this process, even when that is killed.
func Start(ctx context.Context, o Options) (*Server, error) {
	o.fill()
	s, err := prepare(ctx, &o)
	if err != nil {
		return nil, err
	}
	if err := s.start(ctx, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// prepare makes the server's folder and its data.
func prepare(ctx context.Context, o *Options) (*Server, error) {
	who, err := account()
	if err != nil {
		return nil, err
	}
	s := &Server{ready: make(chan struct{}), logged: make(chan struct{})}
	s.close = sync.OnceValue(s.stop)
	if o.Dir == "" {
		s.dir, err = Workspace("")
	} else if s.dir, err = filepath.Abs(o.Dir); err == nil {
		err = os.Mkdir(s.dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("make PostgreSQL's folder: %w", err)
	}
	if err := give(s.dir, who); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if path := s.Socket(); len(path) > longest {
		return nil, errors.Join(fmt.Errorf("open a socket in %s: its name is longer than %d bytes", s.dir, longest), s.Close())
	}
	if o.Data != "" {
		err = copyTree(ctx, o.Data, s.data(), who)
	} else {
		err = Init(ctx, o.Programs, s.data(), o.Superuser)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options) error {
	who, err := account()
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(o.Programs.Dir, "postgres"), o.arguments(s.data(), s.dir)...)
	cmd.Env, cmd.Dir = environment(), s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setpgid: true} // Ctrl-C is ours to pass on, when we have drained
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	var last tail
	go s.follow(read, o, &last)
	started, err := spawn(cmd)
	_ = write.Close() // the child has its own; follow ends when that is closed
	if err != nil {
		<-s.logged
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	s.child = started
	select {
	case <-s.ready:
		return nil
	case <-s.child.done:
		<-s.logged
		return fmt.Errorf("start PostgreSQL: %s", last.String())
	case <-ctx.Done():
		return fmt.Errorf("start PostgreSQL: %w", context.Cause(ctx))
	case <-time.After(startTimeout):
		return fmt.Errorf("start PostgreSQL: it is not ready after %s", startTimeout)
	}
}

// follow reads the server's log until the last of its processes is gone.
func (s *Server) follow(from *os.File, o Options, last *tail) {
	defer close(s.logged)
	defer func() { _ = from.Close() }()
	ready := false
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		line = strings.TrimSpace(line)
		if !ready && strings.Contains(line, "ready to accept connections") {
			ready = true
			close(s.ready)
		}
		if line != "" && !ready {
			last.add(line)
		}
		if line != "" {
			o.Logger.Debug("postgres", "line", line)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				o.Logger.Warn("reading the log of PostgreSQL ended", "err", err)
			}
			return
		}
	}
}

// Dir is the folder of the server's socket: the host that libpq and pgx take.
func (s *Server) Dir() string { return s.dir }

// Socket is the path of the server's socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, socketName) }

// PID is the process id of the server, the parent of all its others.
func (s *Server) PID() int { return s.child.pid }

// Done is closed when the server has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.child.done }

// Close stops the server, giving its sessions ten seconds, and removes its folder.
func (s *Server) Close() error { return s.close() }

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) stop() error {
	if s.child != nil {
		s.child.stop()
		select { // its sessions go with it; one that hangs must not hold us
		case <-s.logged:
		case <-time.After(stopTimeout):
		}
	}
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("remove PostgreSQL's folder: %w", err)
	}
	return nil
}
