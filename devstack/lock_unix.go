//go:build unix

package devstack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/airhook-go/airhook"
)

const (
	lockTries = 25
	lockPause = 20 * time.Millisecond
)

// lock is a locked file. The kernel unlocks it when its process ends, however it ends.
type lock struct{ file *os.File }

// acquire locks a file, making it. That somebody else has it is ErrExists.
func acquire(path string) (*lock, error) {
	for try := range lockTries {
		if try > 0 {
			time.Sleep(lockPause) // somebody may only be asking who has it, or be removing it
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, failed(path, "lock the dev stack's folder", err, "set AIRHOOK_DEV_DIR to a folder that you may write to")
		}
		if flock(file, syscall.LOCK_EX) == nil && same(file, path) {
			if err := sign(file); err != nil {
				return nil, errors.Join(err, file.Close())
			}
			return &lock{file}, nil
		}
		_ = file.Close()
	}
	pid, err := holder(path)
	if err != nil {
		return nil, err
	}
	return nil, &airhook.Error{
		Kind: airhook.ErrExists, Err: fmt.Errorf("a dev stack runs in %s already (process %d)", filepath.Dir(path), pid),
		Hint: "airhook dev status shows it, airhook dev down ends it; another one needs another AIRHOOK_DEV_DIR",
	}
}

// same says whether the file that was locked is still the one of that name.
func same(file *os.File, path string) bool {
	locked, err := file.Stat()
	named, err2 := os.Stat(path)
	return err == nil && err2 == nil && os.SameFile(locked, named)
}

// sign writes our number to a lock, in the place of one whose process is gone.
func sign(file *os.File) error {
	if _, ok := signed(file); !ok {
		return refused(fmt.Errorf("%s is not the dev stack's: there is something else in it", file.Name()), "set AIRHOOK_DEV_DIR to an empty folder")
	}
	err := file.Truncate(0)
	if err == nil {
		_, err = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return failed(file.Name(), "lock the dev stack's folder", err, "")
}

// signed reads the number in a lock; it is 0 in an empty one. False means that the file is no lock of ours.
func signed(file *os.File) (pid int, ok bool) {
	var b [32]byte
	n, err := file.ReadAt(b[:], 0)
	text := string(bytes.TrimSpace(b[:n]))
	if text == "" {
		return 0, errors.Is(err, io.EOF)
	}
	pid, err = strconv.Atoi(text)
	return pid, err == nil && pid > 0
}

// release removes the file first, so that nobody finds it unlocked.
func (l *lock) release() error { return errors.Join(remove(l.file.Name()), l.file.Close()) }

// holder is the process that has the lock; 0 is nobody.
func holder(path string) (int, error) {
	for range lockTries {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		if err != nil {
			return 0, failed(path, "look at the dev stack's lock", err, "set AIRHOOK_DEV_DIR to a folder of your own")
		}
		free := flock(file, syscall.LOCK_SH) == nil
		pid, _ := signed(file)
		_ = file.Close()
		if free {
			return 0, nil
		}
		if pid > 1 {
			return pid, nil
		}
		time.Sleep(lockPause) // it is about to write its number
	}
	return 0, refused(fmt.Errorf("somebody has locked %s and does not say who", path), "set AIRHOOK_DEV_DIR to a folder of your own")
}

func flock(file *os.File, how int) error {
	for {
		err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
