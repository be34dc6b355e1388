//go:build unix

package airflow_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestFilesArePrivateWhateverTheUmask(t *testing.T) {
	for _, umask := range []int{0, 0o777} {
		dir := filepath.Join(t.TempDir(), "home")
		before := syscall.Umask(umask)
		s := openStore(t, dir, "")
		err := s.Put(t.Context(), conn(t, "a", "p", `{"k": "v"}`))
		if err == nil { // journals have the mode of the database
			db := database(t, dir)
			run(t, db, "PRAGMA journal_mode = wal")
			run(t, db, "UPDATE connection SET host = 'other'")
		}
		syscall.Umask(before)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]os.FileMode{".": 0o700, "airhook.db": 0o600, "airhook.db-wal": 0o600, "airhook.db-shm": 0o600, "fernet.key": 0o600}
		for name, mode := range want {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode().Perm() != mode {
				t.Errorf("umask %o, %s: %v, %v, want %v", umask, name, info, err, mode)
			}
		}
		for _, name := range []string{"airhook.db", "fernet.key"} { // somebody copied them
			if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		put(t, s, conn(t, "b", "p", ""))
		for _, name := range []string{"airhook.db", "fernet.key"} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("after a write %s: %v, %v", name, info, err)
			}
		}
	}
}
