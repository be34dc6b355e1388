package files_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/airhook-go/airhook/internal/files"
)

func TestReadsARegularFile(t *testing.T) {
	name := write(t, 4<<20)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{name, link} {
		if text, err := files.Read(name); err != nil || len(text) != 4<<20 {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
}

func TestRefusesWhatIsNoSmallFile(t *testing.T) {
	for name, want := range map[string]string{
		t.TempDir():                           "no regular file",
		os.DevNull:                            "no regular file",
		write(t, 4<<20+1):                     "larger than 4 MiB",
		filepath.Join(t.TempDir(), "nothing"): "no such file",
	} {
		text, err := files.Read(name)
		var path *fs.PathError
		if text != nil || err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &path) || path.Path != name {
			t.Errorf("%s: %d bytes, %v, want %s", name, len(text), err, want)
		}
	}
}

func write(t *testing.T, size int) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, bytes.Repeat([]byte("x"), size), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
