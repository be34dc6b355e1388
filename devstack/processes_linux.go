package devstack

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// parents maps each process of this machine to its parent.
func parents() map[int]int {
	found := map[int]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if fields := stat(pid); len(fields) > 1 {
			found[pid], _ = strconv.Atoi(fields[1])
		}
	}
	return found
}

// stat are the fields of /proc/pid/stat behind the program's name: state, parent, … (proc(5)). A process that is gone has
// none.
func stat(pid int) []string {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// runs says whether a process is there. A zombie is not: where process 1 is no init, nobody waits for orphans.
func runs(pid int) bool {
	fields := stat(pid)
	return len(fields) > 0 && fields[0] != "Z" && fields[0] != "X"
}

// holds says whether a process has that file open. The number in a lock may be that of another machine or container, where
// the folder is mounted too, and here it is somebody else's.
func holds(pid int, path string) bool {
	named, err := os.Stat(path)
	if err != nil {
		return false
	}
	descriptors, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "fd", "*"))
	for _, fd := range descriptors {
		if open, err := os.Stat(fd); err == nil && os.SameFile(named, open) {
			return true
		}
	}
	return false
}

// serves says whether a process is the server of that data folder, which is a server's working folder.
func serves(pid int, data string) bool {
	at, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
	return err == nil && strings.TrimSuffix(at, " (deleted)") == data
}
