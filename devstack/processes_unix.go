//go:build unix

package devstack

import (
	"bufio"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

const (
	terminate   = syscall.SIGTERM
	serversWait = 5 * time.Second
)

// endServers waits until the servers of a workspace are gone. Those of a killed stack get their signal from the kernel
// (or, on macOS, from their watch) and need some milliseconds; one that stays is told again.
func endServers(workspace string) error {
	files, err := filepath.Glob(filepath.Join(workspace, "*", "data", "postmaster.pid"))
	if err != nil {
		return err
	}
	for _, file := range files {
		pid, data := firstNumber(file), filepath.Dir(file)
		for _, signal := range []syscall.Signal{0, syscall.SIGQUIT, syscall.SIGKILL} {
			if pid > 1 && serves(pid, data) {
				_ = syscall.Kill(pid, signal)
			}
			for end := time.Now().Add(serversWait); pid > 1 && serves(pid, data) && time.Now().Before(end); {
				time.Sleep(lockPause)
			}
		}
	}
	return nil
}

// firstNumber is the first line of postmaster.pid, the server's process id.
func firstNumber(file string) int {
	f, err := os.Open(file)
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	line := bufio.NewScanner(f)
	line.Scan()
	pid, _ := strconv.Atoi(line.Text())
	return pid
}

// withChildren adds the children of these processes, and theirs.
func withChildren(pids []int) []int {
	all := slices.Clone(pids)
	parents := parents()
	for i := 0; i < len(all); i++ {
		for _, pid := range slices.Sorted(maps.Keys(parents)) {
			if parents[pid] == all[i] && !slices.Contains(all, pid) {
				all = append(all, pid)
			}
		}
	}
	return all
}
