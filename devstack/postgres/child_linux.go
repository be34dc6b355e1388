package postgres

import (
	"os/exec"
	"runtime"
	"syscall"
)

// spawn starts cmd so that the kernel ends it when we end. Linux sends that signal when the *thread* that forked ends
// (prctl(2), PR_SET_PDEATHSIG), so a goroutine holds its thread for as long as the child lives.
func spawn(cmd *exec.Cmd) (*child, error) {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT // an immediate shutdown
	told, done := make(chan started), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		run(cmd, told, done)
	}()
	first := <-told
	return &child{pid: first.pid, done: done}, first.err
}

func watch(int) func() { return func() {} }
