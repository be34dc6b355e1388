//go:build unix

package airflow_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airflow"
)

const nobody = 65534

// TestAStoreThatOthersMadeOrMayChangeIsNotUsed: who can place or change its file or key decides which hosts get passwords.
// Owners can be given by root only; the rest is for every user.
func TestAStoreThatOthersMadeOrMayChangeIsNotUsed(t *testing.T) {
	t.Parallel()
	root := os.Geteuid() == 0
	for name, c := range map[string]struct {
		asRoot bool
		spoil  func(dir string) error
		says   string
	}{
		"a folder that all may write to, with something else in it": {false, func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600), os.Chmod(dir, 0o777))
		}, "its folder can be changed by other users"},
		"a folder of temporary files":   {false, func(dir string) error { return os.Chmod(dir, 0o777|os.ModeSticky) }, "its folder can be changed by other users"},
		"a file that all may write to":  {false, func(dir string) error { return os.Chmod(filepath.Join(dir, "airhook.db"), 0o666) }, "airhook.db could be changed by other users"},
		"a key that a group may change": {false, func(dir string) error { return os.Chmod(filepath.Join(dir, "fernet.key"), 0o660) }, "fernet.key could be changed by other users"},
		"a file that is a link":         {false, linked("airhook.db"), "airhook.db is a link"},
		"a key that is a link":          {false, linked("fernet.key"), "fernet.key is a link"},
		"a file of another user":        {true, given("airhook.db"), "airhook.db belongs to another user"},
		"a key of another user":         {true, given("fernet.key"), "fernet.key belongs to another user"},
		"a journal of another user":     {true, given("airhook.db-journal"), "airhook.db-journal belongs to another user"},
		"a folder of one and a file of another": {true, func(dir string) error {
			return errors.Join(os.Chown(dir, nobody-1, -1), given("airhook.db")(dir))
		}, "airhook.db belongs to another user"},
	} {
		if c.asRoot && !root {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filled(t)
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			s := openStore(t, dir, "")
			_, readErr := s.Get(t.Context(), "a")
			var listErr error
			for _, err := range s.List(t.Context()) {
				listErr = err
			}
			for verb, err := range map[string]error{"Get": readErr, "List": listErr, "Put": s.Put(t.Context(), conn(t, "b", "p", "")), "Delete": s.Delete(t.Context(), "a")} {
				var e *airhook.Error
				if !errors.As(err, &e) || !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), dir) || e.Hint == "" {
					t.Errorf("%s: %v, want invalid with %q and a hint", verb, err, c.says)
				}
			}
		})
	}
}

func filled(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	s, err := airflow.OpenStore(airflow.StoreConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, conn(t, "a", "p", ""))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func linked(name string) func(dir string) error {
	return func(dir string) error {
		there := dir + "-" + name
		return errors.Join(os.Rename(filepath.Join(dir, name), there), os.Symlink(there, filepath.Join(dir, name)))
	}
}

func given(name string) func(dir string) error {
	return func(dir string) error {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(f.Chown(nobody, -1), f.Close())
	}
}

func TestALinkIsNotFollowedToWhatItNames(t *testing.T) {
	t.Parallel()
	dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	if err := errors.Join(os.WriteFile(victim, []byte("somebody's text\n"), 0o644), os.Chmod(victim, 0o644), os.Chmod(dir, 0o777), os.Symlink(victim, filepath.Join(dir, "airhook.db"))); err != nil {
		t.Fatal(err)
	}
	if err := openStore(t, dir, "").Put(t.Context(), conn(t, "a", "p", "")); err == nil {
		t.Error("wrote through a link")
	}
	if info, err := os.Stat(victim); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the link's target is %v, %v", info, err)
	}
}

// TestOurOwnFolderIsClosed: one that was made by hand, or by a copy under another umask.
func TestOurOwnFolderIsClosed(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o755, 0o775, 0o777} {
		for what, dir := range map[string]string{"empty": t.TempDir(), "filled": filled(t)} {
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
			s := openStore(t, dir, "")
			if what == "empty" {
				put(t, s, conn(t, "a", "p", ""))
			}
			if _, err := s.Get(t.Context(), "a"); err != nil {
				t.Error(err)
			}
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s, %o: the folder is %v, %v", what, mode, info.Mode(), err)
			}
		}
	}
}

func TestAFolderThatHoldsMoreStaysAsItIs(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	notes, db, key := filepath.Join(dir, "notes.txt"), filepath.Join(dir, "airhook.db"), filepath.Join(dir, "fernet.key")
	err := errors.Join(os.WriteFile(notes, nil, 0o644), os.Chmod(notes, 0o644), os.Chmod(db, 0o640), os.Chmod(key, 0o644), os.Chmod(dir, 0o755))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(t, dir, "").Get(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	for name, mode := range map[string]os.FileMode{dir: 0o755, notes: 0o644, db: 0o600, key: 0o600} { // what is ours is closed all the same
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want %o", name, info, err, mode)
		}
	}
}

func TestRootUsesTheFolderOfOneOtherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 { // nobody else can make one
		return
	}
	dir := filled(t)
	if err := errors.Join(given("airhook.db")(dir), given("fernet.key")(dir), os.Chown(dir, nobody, -1)); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir, "")
	if _, err := s.Get(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	put(t, s, conn(t, "b", "p", ""))
}
