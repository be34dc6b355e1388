//go:build unix

package airflow_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airflow"
)

// newKey is a Fernet key for stores whose file alone is replaced.
const newKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// stored makes a store of its own with a connection of that id, and returns its folder.
func stored(t *testing.T, id, keys string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	s, err := airflow.OpenStore(airflow.StoreConfig{Dir: dir, FernetKeys: keys})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, conn(t, id, id+"'s password", ""))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func ids(t *testing.T, s *airflow.Store) string {
	t.Helper()
	var all []string
	for c, err := range s.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c.ID)
	}
	return strings.Join(all, " ")
}

func rename(t *testing.T, from, to string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStoreThatWasReplacedIsReadAndWritten(t *testing.T) {
	t.Parallel()
	dir, backup := stored(t, "a", ""), stored(t, "b", "")
	s := openStore(t, dir, "")
	if got := ids(t, s); got != "a" {
		t.Fatalf("the store holds %q", got)
	}
	rename(t, backup, dir, "airhook.db", "fernet.key")
	if got := ids(t, s); got != "b" {
		t.Errorf("after it was replaced it holds %q", got)
	}
	if c, err := s.Get(t.Context(), "b"); err != nil || c.Password.Reveal() != "b's password" {
		t.Errorf("Get: %v, %v", c, err)
	}
	backup = stored(t, "c", "")
	rename(t, backup, dir, "airhook.db", "fernet.key")
	put(t, s, conn(t, "d", "p", ""))
	if got := ids(t, openStore(t, dir, "")); got != "c d" {
		t.Errorf("another store finds %q after a write to the new file", got)
	}
	rename(t, stored(t, "e", ""), dir, "airhook.db", "fernet.key")
	if err := s.Delete(t.Context(), "e"); err != nil {
		t.Error(err)
	}
}

func TestAStoreThatWasRemovedIsEmpty(t *testing.T) {
	t.Parallel()
	dir := stored(t, "a", "")
	s := openStore(t, dir, "")
	if got := ids(t, s); got != "a" {
		t.Fatalf("the store holds %q", got)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, airhook.ErrNotFound) || ids(t, s) != "" {
		t.Errorf("got %v and %q", err, ids(t, s))
	}
	if err := s.Delete(t.Context(), "a"); !errors.Is(err, airhook.ErrNotFound) {
		t.Errorf("Delete: %v", err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("looking made something: %v", err)
	}
	put(t, s, conn(t, "b", "p", ""))
	if got := ids(t, openStore(t, dir, "")); got != "b" {
		t.Errorf("another store finds %q", got)
	}
}

// What takes a file's place later is judged as what is there at first.
func TestWhatOthersPlantInAnOpenStoreIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(dir string) error
		says  string
	}{
		"another file": {func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(stored(t, "b", ""), "airhook.db"), filepath.Join(dir, "airhook.db")), os.Chmod(filepath.Join(dir, "airhook.db"), 0o666))
		}, "airhook.db could be changed by other users"},
		"a link to a file": {linked("airhook.db"), "airhook.db is a link"},
		"a key":            {func(dir string) error { return os.Chmod(filepath.Join(dir, "fernet.key"), 0o666) }, "fernet.key could be changed by other users"},
		"a link to a key":  {linked("fernet.key"), "fernet.key is a link"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t)
			s := openStore(t, dir, "")
			if _, err := s.Get(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, err := s.Get(t.Context(), "a")
			for verb, err := range map[string]error{"Get": err, "Put": s.Put(t.Context(), conn(t, "b", "p", "")), "Delete": s.Delete(t.Context(), "a")} {
				if !errors.Is(err, airhook.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: %v, want invalid with %q", verb, err, c.says)
				}
			}
		})
	}
}

// SQLite notices before it writes; the new file is written to instead.
func TestAWriteGoesToTheFileThatIsThereWhenItHappens(t *testing.T) {
	t.Parallel()
	dir, backup := stored(t, "a", newKey), stored(t, "b", newKey)
	s := openStore(t, dir, newKey)
	times := 0
	err := s.Write(t.Context(), func(tx *sql.Tx) error {
		if times++; times == 1 {
			rename(t, backup, dir, "airhook.db")
		}
		_, err := tx.ExecContext(t.Context(), "UPDATE connection SET login = 'me'")
		return err
	})
	c, getErr := openStore(t, dir, newKey).Get(t.Context(), "b")
	if err != nil || getErr != nil || c.Login != "me" || times != 2 {
		t.Errorf("%v, %v; the new file has %q after %d times", err, getErr, c.Login, times)
	}
}

// While somebody still writes to the file before, the others wait no longer than they want to.
func TestNobodyWaitsForTheFileBeforeLongerThanTheirContext(t *testing.T) {
	t.Parallel()
	dir, backup := stored(t, "a", newKey), stored(t, "b", newKey)
	s := openStore(t, dir, newKey)
	inside, finish, written := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		first := true
		written <- s.Write(t.Context(), func(*sql.Tx) error {
			if first {
				first = false
				close(inside)
				<-finish
			}
			return nil
		})
	}()
	<-inside
	rename(t, backup, dir, "airhook.db")
	var waiting sync.WaitGroup
	for range 3 {
		waiting.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := s.Get(ctx, "b"); !errors.Is(err, airhook.ErrCancelled) {
				t.Errorf("Get: %v", err)
			}
		})
	}
	waiting.Wait()
	close(finish)
	if err := <-written; err != nil {
		t.Error(err)
	}
	if got := ids(t, s); got != "b" {
		t.Errorf("then it holds %q", got)
	}
}

// Who is in the middle of a call when the file is replaced gets an answer, of the old file or of the new one.
func TestReplacingAStoreFailsNobody(t *testing.T) {
	t.Parallel()
	dir := stored(t, "a", newKey)
	s := openStore(t, dir, newKey)
	done := make(chan struct{})
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := s.Get(t.Context(), "a"); err != nil {
					t.Error(err)
					return
				}
				if err := s.Put(t.Context(), conn(t, "mine", "p", "")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 50 {
		rename(t, stored(t, "a", newKey), dir, "airhook.db")
		if _, err := s.Get(t.Context(), "a"); err != nil {
			t.Error(err)
		}
	}
	close(done)
	users.Wait()
}
