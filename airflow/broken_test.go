package airflow_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airflow"
)

// TestWrongKeyNamesTheRowAndChangesNothing: reading names the row and what holds the keys, the others are listed, and
// every write is refused.
func TestWrongKeyNamesTheRowAndChangesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keys   string
		remove bool
		says   string
	}{
		"another key": {keyB, false, "AIRFLOW__CORE__FERNET_KEY"},
		"lost file":   {"", true, "fernet.key"},
		"other file":  {"", false, "fernet.key"},
		"no key":      {"short", false, "AIRFLOW__CORE__FERNET_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			put(t, openStore(t, dir, keyA), conn(t, "sealed", "secret", ""), conn(t, "extra", "", `{"k": "v"}`), conn(t, "clear", "", ""))
			file := filepath.Join(dir, "fernet.key")
			if !c.remove {
				if err := os.WriteFile(file, []byte(keyB+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := dump(t, database(t, dir))
			s := openStore(t, dir, c.keys)
			got := map[string]bool{}
			for conn, err := range s.List(t.Context()) {
				if got[conn.ID] = err == nil; err != nil {
					mustSay(t, err, `connection "`+conn.ID+`"`, c.says)
				}
			}
			if want := map[string]bool{"sealed": false, "extra": false, "clear": true}; !cmp.Equal(got, want) {
				t.Errorf("listed %v, want %v", got, want)
			}
			_, err := s.Get(t.Context(), "sealed")
			mustSay(t, err, `connection "sealed": open its password: `, c.says)
			for verb, err := range map[string]error{
				"Put": s.Put(t.Context(), conn(t, "new", "p", "")), "Create": s.Create(t.Context(), conn(t, "new", "", "")), "Delete": s.Delete(t.Context(), "clear"),
				"Put over it": s.Put(t.Context(), conn(t, "sealed", "p", "")),
			} {
				if err == nil {
					t.Errorf("%s: no error", verb)
				}
				mustSay(t, err, c.says, "key")
			}
			if diff := cmp.Diff(before, dump(t, database(t, dir))); diff != "" {
				t.Errorf("the store has changed:\n%s", diff)
			}
			if _, err := os.Stat(file); c.remove && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a new key was made (%v)", err)
			}
		})
	}
}

func mustSay(t *testing.T, err error, parts ...string) {
	t.Helper()
	var e *airhook.Error
	if !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("%v, want an error with a hint", err)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q doesn't say %q", err, part)
		}
	}
}

// TestOneBadRowCanBeMended: as long as a key fits some row, the store is its store.
func TestOneBadRowCanBeMended(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir, "")
	put(t, s, conn(t, "good", "p", ""), conn(t, "bad", "p", ""), conn(t, "worse", "", `{"k": 1}`), conn(t, "text", "", ""), conn(t, "port", "", ""))
	db := database(t, dir)
	run(t, db, "UPDATE connection SET password = 'gAAAAA' WHERE conn_id = 'bad'")
	run(t, db, "UPDATE connection SET extra = 'gAAAAA' WHERE conn_id = 'worse'")
	run(t, db, "UPDATE connection SET extra = '[1]' WHERE conn_id = 'text'")
	run(t, db, "UPDATE connection SET port = '70000x' WHERE conn_id = 'port'")
	for id, says := range map[string]string{"bad": "open its password", "worse": "open its extra", "text": "read its extra: extra is a JSON array", "port": "read its port"} {
		_, err := s.Get(t.Context(), id)
		mustSay(t, err, id, says)
	}
	put(t, s, conn(t, "bad", "new", ""), conn(t, "text", "", ""))
	if err := s.DeleteAll(t.Context(), []string{"worse", "port"}); err != nil {
		t.Error(err)
	}
	for c, err := range s.List(t.Context()) {
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
	}
}

// TestBrokenPlaces: each thing that can be wrong with the file says which file it is, what is wrong and what to try.
func TestBrokenPlaces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil       func(t *testing.T, dir string)
		reads       bool // it can still be read
		kind        error
		says, tries string
	}{
		"not SQLite": {spoil: write("airhook.db", strings.Repeat("this is no database ", 60)), kind: airhook.ErrInvalid, says: "no SQLite database", tries: "move it away"},
		"cut short":  {spoil: cutShort, kind: airhook.ErrInvalid, says: "no SQLite database, or a damaged one", tries: "put a copy back"},
		"a directory in the way": {
			spoil: func(t *testing.T, dir string) { replaceByFolder(t, filepath.Join(dir, "airhook.db")) },
			kind:  airhook.ErrInvalid, says: "it is not a file", tries: "move away",
		},
		"a directory for a key": {
			spoil: func(t *testing.T, dir string) { replaceByFolder(t, filepath.Join(dir, "fernet.key")) },
			kind:  airhook.ErrInvalid, says: "fernet.key", tries: "move away",
		},
		"the folder is a file": {
			spoil: func(t *testing.T, dir string) {
				if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
					t.Fatal(err)
				}
			},
			kind: airhook.ErrInvalid, says: "not a directory", tries: "AIRHOOK_HOME",
		},
		"read-only": {spoil: readOnly, reads: true, kind: airhook.ErrReadOnly, says: "read-only", tries: "writable"},
		"another program's table": {
			spoil: func(t *testing.T, dir string) {
				db := database(t, dir)
				run(t, db, "DROP TABLE connection")
				run(t, db, "CREATE TABLE connection (name TEXT)")
			},
			kind: airhook.ErrInvalid, says: "is not Airflow's connection table", tries: "move the file away",
		},
		"locked": {
			spoil: func(t *testing.T, dir string) { run(t, database(t, dir), "BEGIN EXCLUSIVE") },
			says:  "another program has kept it locked for 50ms", tries: "wait for that program",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "home")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			first, err := airflow.OpenStore(airflow.StoreConfig{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			put(t, first, conn(t, "a", "secret", ""))
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, dir)
			s := openStore(t, dir, "")
			s.WaitAtMost(50 * time.Millisecond)
			_, readErr := s.Get(t.Context(), "a")
			for conn, err := range s.List(t.Context()) {
				if (err == nil) != c.reads {
					t.Errorf("List: %q, %v", conn.ID, err)
				}
			}
			if c.reads && readErr != nil {
				t.Errorf("Get: %v", readErr)
			}
			for verb, err := range map[string]error{"Get": readErr, "Put": s.Put(t.Context(), conn(t, "b", "p", "")), "Delete": s.Delete(t.Context(), "a")} {
				if verb == "Get" && c.reads {
					continue
				}
				mustSay(t, err, dir, c.says)
				var e *airhook.Error
				if c.kind != nil && !errors.Is(err, c.kind) || errors.As(err, &e) && !strings.Contains(e.Hint, c.tries) {
					t.Errorf("%s: %v (%s), hint %q; want %v, %q", verb, err, airhook.KindOf(err), e.Hint, c.kind, c.tries)
				}
			}
		})
	}
}

// TestALockIsWaitedForOnce: the error says how long, so nothing may wait twice.
func TestALockIsWaitedForOnce(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	run(t, database(t, dir), "BEGIN EXCLUSIVE")
	s := openStore(t, dir, "")
	const wait = 300 * time.Millisecond
	s.WaitAtMost(wait)
	for verb, do := range map[string]func() error{
		"Get":    func() error { _, err := s.Get(t.Context(), "a"); return err },
		"Put":    func() error { return s.Put(t.Context(), conn(t, "b", "", "")) },
		"Delete": func() error { return s.Delete(t.Context(), "a") },
	} {
		begun := time.Now()
		err := do()
		mustSay(t, err, "kept it locked for 300ms")
		if took := time.Since(begun); took >= 2*wait {
			t.Errorf("%s took %v", verb, took)
		}
	}
}

func write(name, text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func cutShort(t *testing.T, dir string) {
	if err := os.Truncate(filepath.Join(dir, "airhook.db"), 5000); err != nil {
		t.Fatal(err)
	}
}

func replaceByFolder(t *testing.T, name string) {
	if err := errors.Join(os.Remove(name), os.Mkdir(name, 0o700)); err != nil {
		t.Fatal(err)
	}
}

// readOnly makes the file one that SQLite may only read, for root too: a format for writing that it doesn't know
// (https://www.sqlite.org/fileformat2.html, offset 18).
func readOnly(t *testing.T, dir string) {
	f, err := os.OpenFile(filepath.Join(dir, "airhook.db"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte{9}, 18)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
