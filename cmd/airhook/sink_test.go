//go:build unix

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAPrivateFileIsPrivateWhileItIsWritten(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o400} {
		name := filepath.Join(t.TempDir(), "rows.csv")
		if err := os.WriteFile(name, nil, mode); err != nil {
			t.Fatal(err)
		}
		old, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		temp, err := createTemp(name, old)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = temp.Close() }()
		if info, err := temp.Stat(); err != nil || info.Mode().Perm()&^mode != 0 {
			t.Errorf("in the place of a file with %o one is made with %v, %v", mode, info.Mode(), err)
		}
	}
}
