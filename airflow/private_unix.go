//go:build unix

package airflow

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/airhook-go/airhook"
)

// ours are the files that the store reads, SQLite's journals among them: one that somebody planted would be played back.
var ours = []string{"airhook.db", "airhook.db-journal", "airhook.db-wal", "airhook.db-shm", "fernet.key"}

// others are what else airhook keeps in its folder.
var others = []string{"fernet.key.new", "dev", "quickstart", "admin-password"}

// trust refuses a store that another user made or may change: its hosts, and the key that seals what is written next,
// would be that user's. Root's files are good for all; root also uses the folder of one other user. What is not there is
// nobody's.
func (s *Store) trust() error {
	dir, err := os.Stat(s.cfg.Dir)
	if err != nil || !dir.IsDir() {
		return nil // to open the file says what is wrong
	}
	if err := s.closeFolder(dir); err != nil {
		return err
	}
	trusted := []uint32{0, uint32(os.Geteuid())} // #nosec G115 -- user ids have 32 bits
	if os.Geteuid() == 0 {
		trusted = append(trusted, owner(dir))
	}
	if !slices.Contains(trusted, owner(dir)) {
		return s.foreign("its folder", "belongs to another user", "choose a folder of your own with AIRHOOK_HOME")
	}
	for _, name := range ours {
		path := filepath.Join(s.cfg.Dir, name)
		info, err := os.Lstat(path)
		switch {
		case err != nil:
		case info.Mode().Type() == fs.ModeSymlink:
			return s.foreign(name, "is a link", "put the file itself in its place"+elsewhere)
		case !slices.Contains(trusted, owner(info)):
			return s.foreign(name, "belongs to another user", "move it away, or copy it to be yours"+elsewhere)
		case info.Mode().IsRegular() && info.Mode()&0o022 != 0:
			return s.foreign(name, "could be changed by other users", "look at what it holds, then: chmod 600 "+path)
		case info.Mode().IsRegular() && info.Mode()&0o077 != 0:
			_ = os.Chmod(path, 0o600) // a folder that holds more may be open to readers; what can't be closed is read as it is
		}
	}
	return nil
}

// closeFolder makes a folder its owner's only when it is evidently airhook's, and refuses one that others may write to
// otherwise: to close /tmp or a project would be worse.
func (s *Store) closeFolder(dir fs.FileInfo) error {
	if dir.Mode()&0o077 == 0 {
		return nil
	}
	if owner(dir) == uint32(os.Geteuid()) && dir.Mode()&fs.ModeSticky == 0 && s.alone() { // #nosec G115 -- user ids have 32 bits
		if err := os.Chmod(s.cfg.Dir, 0o700); err == nil { // #nosec G302 -- a folder
			return nil
		}
	}
	if dir.Mode()&0o022 != 0 {
		return s.foreign("its folder", "can be changed by other users", "chmod 700 "+s.cfg.Dir+elsewhere)
	}
	return nil
}

// alone reports whether the folder holds nothing that is not airhook's.
func (s *Store) alone() bool {
	entries, err := os.ReadDir(s.cfg.Dir)
	for _, e := range entries {
		if !slices.Contains(ours, e.Name()) && !slices.Contains(others, e.Name()) {
			return false
		}
	}
	return err == nil
}

func owner(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }

func (s *Store) foreign(name, what, hint string) error {
	return &airhook.Error{Kind: airhook.ErrInvalid, Err: fmt.Errorf("use the store %s: %s %s", s.path(), name, what), Hint: hint}
}
