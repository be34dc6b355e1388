//go:build unix && !linux

package devstack

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// parents maps each process of this machine to its parent.
func parents() map[int]int {
	found := map[int]int{}
	out, err := exec.Command("ps", "-axo", "pid=,ppid=").Output()
	if err != nil {
		return found
	}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) == 2 {
			pid, _ := strconv.Atoi(fields[0])
			found[pid], _ = strconv.Atoi(fields[1])
		}
	}
	return found
}

// runs says whether a process is there.
func runs(pid int) bool { return syscall.Kill(pid, 0) == nil }

// holds says whether a process has that file open. The number in a lock may be that of another machine or container, where
// the folder is mounted too, and here it is somebody else's.
func holds(pid int, path string) bool {
	return exec.Command("lsof", "-a", "-p", strconv.Itoa(pid), "-t", "--", path).Run() == nil // part of macOS
}

// serves says whether a process is the server of that data folder, which stands on its command line.
func serves(pid int, data string) bool {
	out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), data)
}
