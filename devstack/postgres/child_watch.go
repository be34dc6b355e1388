//go:build unix && !linux

package postgres

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// spawn starts cmd; where the kernel does not end it with us, watch does.
func spawn(cmd *exec.Cmd) (*child, error) {
	told, done := make(chan started), make(chan struct{})
	go run(cmd, told, done)
	first := <-told
	return &child{pid: first.pid, done: done}, first.err
}

// watch ends process pid when we are gone: a shell reads from a pipe that only we hold open. The returned function ends
// the watch.
func watch(pid int) func() {
	read, write, err := os.Pipe()
	if err != nil {
		return func() {}
	}
	defer func() { _ = read.Close() }()
	cmd := exec.Command("/bin/sh", "-c", `read -r word; test "$word" = over || kill -QUIT "$1"`, "airhook-watch", strconv.Itoa(pid))
	cmd.Stdin, cmd.Env = read, environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C must not end it
	if err := cmd.Start(); err != nil {
		_ = write.Close()
		return func() {}
	}
	return func() {
		_, _ = write.WriteString("over\n")
		_ = write.Close()
		_ = cmd.Wait()
	}
}
