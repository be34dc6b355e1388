package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Missing returns how many folders os.MkdirAll would make for dir, itself included.
func Missing(dir string) (n int) {
	for ; ; n++ {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			return n
		}
		dir = filepath.Dir(dir)
	}
}

// RemoveEmpty removes dir and so many folders right above it, up to the first that holds something.
func RemoveEmpty(dir string, above int) {
	for ; above >= 0; above-- {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
		dir = filepath.Dir(dir)
	}
}
