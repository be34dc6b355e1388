//go:build unix

package files

import (
	"io/fs"
	"os"
	"syscall"
)

// Own says whether a file or folder belongs to the user who runs us, and nobody else may write to it.
func Own(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && info.Mode().Perm()&0o022 == 0
}
