//go:build unix

package postgres

import (
	"os/exec"
	"syscall"
	"time"
)

// child is a process that ends no later than we do.
type child struct {
	pid  int
	done chan struct{}
}

// stop asks for a fast shutdown, then an immediate one, then ends the whole group (PostgreSQL manual, 19.5).
func (c *child) stop() {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGINT, stopTimeout}, {syscall.SIGQUIT, stopTimeout}, {syscall.SIGKILL, stopTimeout}} {
		select {
		case <-c.done: // its number may be another's by now
			return
		default:
		}
		pid := c.pid
		if step.signal == syscall.SIGKILL {
			pid = -pid
		}
		_ = syscall.Kill(pid, step.signal)
		timer := time.NewTimer(step.wait)
		select {
		case <-c.done:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// started is what spawn hears of the goroutine that starts the child.
type started struct {
	pid int
	err error
}

func run(cmd *exec.Cmd, told chan<- started, done chan<- struct{}) {
	if err := cmd.Start(); err != nil {
		told <- started{err: err}
		return
	}
	watched := watch(cmd.Process.Pid)
	told <- started{pid: cmd.Process.Pid}
	_ = cmd.Wait() // its status tells less than its log
	watched()
	close(done)
}
