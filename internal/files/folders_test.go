package files_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/airhook-go/airhook/internal/files"
)

func TestFoldersThatWereMadeAreRemovedUnlessTheyAreUsed(t *testing.T) {
	for _, used := range []bool{false, true} {
		there := t.TempDir()
		above := filepath.Join(there, "a")
		dir := filepath.Join(above, "b", "c")
		if n := files.Missing(dir); n != 3 {
			t.Errorf("%d folders are missing, want 3", n)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if n := files.Missing(dir); n != 0 {
			t.Errorf("%d folders are missing of one that exists", n)
		}
		if used {
			if err := os.WriteFile(filepath.Join(above, "file"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		files.RemoveEmpty(dir, 2)
		if _, err := os.Lstat(filepath.Join(above, "b")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("an empty folder is left: %v", err)
		}
		if _, err := os.Lstat(above); errors.Is(err, fs.ErrNotExist) == used {
			t.Errorf("used: %t, the folder above: %v", used, err)
		}
		if _, err := os.Lstat(there); err != nil {
			t.Errorf("it removed a folder that was there before: %v", err)
		}
	}
}
