//go:build unix

package defaults

import (
	"os"
	"syscall"
)

// locked says whether a dev stack runs that has locked this file. The kernel unlocks it when its process ends.
func locked(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}
