//go:build unix

package postgres

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// account is who the server runs as; nil is who we are.
func account() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "_postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil && uid != 0 {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no account postgres or nobody to run it as")
}

// Workspace makes a folder that the server's account owns and no other account enters, for Options.Dir to lie in.
// Under root, or when parent is too long a name for a socket, it lies in the system's folder for temporary files;
// otherwise it is parent itself. The caller removes it.
func Workspace(parent string) (string, error) {
	dir, err := PlanWorkspace(parent)
	if err != nil {
		return "", err
	}
	if dir == parent {
		return dir, os.MkdirAll(dir, 0o700)
	}
	return dir, MakeWorkspace(dir)
}

// PlanWorkspace names the folder that [Workspace] would make, so that a caller can note it down before [MakeWorkspace]
// makes it.
func PlanWorkspace(parent string) (string, error) {
	who, err := account()
	if err != nil {
		return "", err
	}
	if parent != "" && who == nil && len(parent) <= longestParent {
		return parent, nil
	}
	name := workspacePrefix + strings.ToLower(rand.Text())
	for _, temp := range []string{filepath.Clean(os.TempDir()), "/tmp", "/var/tmp"} {
		if len(temp)+len(name)+1 <= longestParent && (who == nil || reachable(temp)) {
			return filepath.Join(temp, name), nil
		}
	}
	return "", errors.New("make a folder for PostgreSQL: no folder for temporary files is short enough and open to its account")
}

// MakeWorkspace makes the folder that [PlanWorkspace] named. One that exists is an error.
func MakeWorkspace(dir string) error {
	who, err := account()
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make a folder for PostgreSQL: %w", err)
	}
	return give(dir, who)
}

// RemoveWorkspace removes what MakeWorkspace made, and whatever is in it. A folder that it cannot have made is left alone
// and is an error; one that is gone is fine.
func RemoveWorkspace(dir string) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove PostgreSQL's folder: %w", err)
	}
	if !strings.HasPrefix(filepath.Base(dir), workspacePrefix) || !info.IsDir() || !ours(info) {
		return fmt.Errorf("remove PostgreSQL's folder: %s is none of ours", dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove PostgreSQL's folder: %w", err)
	}
	return nil
}

// ours reports whether a folder belongs to us or to the account that servers run as.
func ours(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	who, err := account()
	return int(stat.Uid) == os.Geteuid() || err == nil && who != nil && stat.Uid == who.Uid
}

// give hands a folder or file to the server's account.
func give(path string, who *syscall.Credential) error {
	if who == nil {
		return nil
	}
	if err := os.Lchown(path, int(who.Uid), int(who.Gid)); err != nil {
		return fmt.Errorf("hand %s to PostgreSQL's account: %w", path, err)
	}
	return nil
}

// reachable reports whether another account can walk to dir; it matters to root only.
func reachable(dir string) bool {
	if os.Geteuid() != 0 {
		return true
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// cacheFolder is where fetched programs lie. Root's own cache is in a home that the server's account can't enter.
func cacheFolder(dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	if os.Geteuid() == 0 {
		return "/var/cache/airhook", nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder to keep a fetched one: %w", err)
	}
	return filepath.Join(cache, "airhook"), nil
}
