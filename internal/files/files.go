package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// limit is far above any CA bundle: AWS's own, of all regions, has 170 KB.
const limit = 4 << 20

var (
	errNotRegular = errors.New("it is no regular file")
	errTooLarge   = errors.New("it is larger than 4 MiB")
	errNotOwn     = errors.New("it belongs to somebody else, or others may write to it")
)

// Read returns the content of a regular file of at most 4 MiB. Errors are *fs.PathError and name the file.
func Read(name string) ([]byte, error) {
	return read(name, func(fs.FileInfo) bool { return true })
}

// ReadOwn is Read, and refuses a file that is not [Own].
func ReadOwn(name string) ([]byte, error) { return read(name, Own) }

func read(name string, good func(fs.FileInfo) bool) ([]byte, error) {
	info, err := os.Stat(name) // before opening: to open a pipe is to wait for its writer
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: name, Err: errNotRegular}
	}
	f, err := os.Open(name) // #nosec G304 -- whoever made the connection names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if info, err = f.Stat(); err == nil && !good(info) { // of what was opened: the name may lead elsewhere by now
		err = &os.PathError{Op: "read", Path: name, Err: errNotOwn}
	}
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(text) > limit {
		err = &os.PathError{Op: "read", Path: name, Err: errTooLarge}
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}
