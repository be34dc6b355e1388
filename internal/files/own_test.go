//go:build unix

package files_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/airhook-go/airhook/internal/files"
)

func TestOwnFilesAreThoseThatNobodyElseWritesTo(t *testing.T) {
	for mode, want := range map[os.FileMode]bool{0o600: true, 0o644: true, 0o620: false, 0o602: false} {
		name := write(t, 1)
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		text, err := files.ReadOwn(name)
		if (err == nil) != want || want != (len(text) == 1) {
			t.Errorf("mode %o: %d bytes, %v", mode, len(text), err)
		}
		if !want && !strings.Contains(err.Error(), name+": it belongs to somebody else, or others may write to it") {
			t.Errorf("mode %o: it says %v", mode, err)
		}
	}
}

func TestOwnFilesAreNotThoseOfAnotherUser(t *testing.T) {
	name := "/etc/passwd" // root's
	if os.Geteuid() == 0 {
		name = write(t, 1)
		if err := os.Chown(name, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := files.ReadOwn(name); err == nil || !strings.Contains(err.Error(), "belongs to somebody else") {
		t.Errorf("got %v", err)
	}
	if _, err := files.ReadOwn(name + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v for what is not there", err)
	}
}
