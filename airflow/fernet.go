package airflow

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/fernet/fernet-go"

	"github.com/airhook-go/airhook"
)

const (
	keyVariable = "AIRFLOW__CORE__FERNET_KEY"
	keyHint     = "a key is 32 bytes in URL-safe base64, 44 characters; several are separated by commas"
	sealHint    = "set " + keyVariable + " to the key that sealed it; several are separated by commas"
)

// keyring are the keys of a store; the first seals, all open.
type keyring struct {
	keys []*fernet.Key
	from string // what holds them, for errors
	hint string // what to try when none fits
}

// parseKeys reads keys as Airflow does. The error says which key it is, and quotes none.
func parseKeys(text, from string) (keyring, error) {
	ring := keyring{from: from, hint: sealHint}
	parts := strings.Split(text, ",")
	for i, part := range parts {
		key, ok := decodeKey(part)
		if !ok {
			err := fmt.Errorf("%s: key %d of %d is not a Fernet key", from, i+1, len(parts))
			return keyring{}, &airhook.Error{Kind: airhook.ErrInvalid, Err: err, Hint: keyHint}
		}
		ring.keys = append(ring.keys, key)
	}
	return ring, nil
}

// decodeKey is Python's base64.urlsafe_b64decode, which skips what is not of its alphabet, so that "A, B" are two keys.
func decodeKey(text string) (*fernet.Key, bool) {
	alphabet := func(r rune) rune {
		switch {
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+/=", r):
			return r
		}
		return -1
	}
	b, err := base64.StdEncoding.DecodeString(strings.Map(alphabet, text))
	if err != nil || len(b) != len(fernet.Key{}) {
		return nil, false
	}
	return (*fernet.Key)(b), true
}

// open returns what a token holds; tokens never expire. Whoever can't open it learns nothing but that.
func (k keyring) open(token string) (string, bool) {
	plain := fernet.VerifyAndDecrypt([]byte(token), 0, k.keys)
	return string(plain), plain != nil && utf8.Valid(plain)
}

func (k keyring) seal(plain string) (string, error) {
	token, err := fernet.EncryptAndSign([]byte(plain), k.keys[0])
	return string(token), err
}

// reseal keeps a token that the first key opens to the same text, so that what nobody changed stays as it was written.
func (k keyring) reseal(token, plain string) (string, error) {
	if old, ok := (keyring{keys: k.keys[:1]}).open(token); ok && old == plain {
		return token, nil
	}
	return k.seal(plain)
}

// misfit says why nothing was opened.
func (k keyring) misfit(missing bool) error {
	if missing {
		return fmt.Errorf("the key is missing: there is no %s, and %s is not set", k.from, keyVariable)
	}
	return fmt.Errorf("no key in %s opens it", k.from)
}

var errNoKey = errors.New("no key has been made yet")

func (s *Store) keyFile() string { return filepath.Join(s.cfg.Dir, "fernet.key") }

// ring reads the keys: those that were given, else the file's. Without a file it is errNoKey.
func (s *Store) ring() (keyring, error) {
	if strings.TrimSpace(s.cfg.FernetKeys) != "" {
		ring, err := parseKeys(s.cfg.FernetKeys, keyVariable)
		if _, none := os.Stat(s.keyFile()); none == nil {
			ring.hint = fmt.Sprintf("unset %s to use the key in %s, or add that key to it after a comma", keyVariable, s.keyFile())
		}
		return ring, err
	}
	if err := s.trust(); err != nil { // the key is read each time, and may have come after the file was opened
		return keyring{}, err
	}
	text, err := os.ReadFile(s.keyFile())
	if errors.Is(err, fs.ErrNotExist) {
		return keyring{from: s.keyFile(), hint: sealHint}, errNoKey
	}
	if err != nil {
		return keyring{}, s.failure("read the key of", err)
	}
	return parseKeys(strings.TrimSpace(string(text)), s.keyFile())
}

// makeKey makes a new key's file. It runs under the store's write lock, so no other airhook makes one at the same time,
// and a row that needs the key is committed after it is on the disk. The file appears whole, and never in place of
// another: who reads without the lock, or after a crash, sees all of it or none.
func (s *Store) makeKey() (keyring, error) {
	var key fernet.Key
	err := key.Generate()
	if err == nil {
		err = s.writeKey(key.Encode() + "\n")
	}
	if err != nil {
		return keyring{}, s.failure("make a key for", err)
	}
	return keyring{keys: []*fernet.Key{&key}, from: s.keyFile(), hint: sealHint}, nil
}

func (s *Store) writeKey(text string) error {
	unfinished := s.keyFile() + ".new"
	if err := os.Remove(unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a crash
		return err
	}
	f, err := createPrivate(unfinished)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(unfinished) }()
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Link(unfinished, s.keyFile()); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(unfinished, s.keyFile()) // a file system without links
}

// createPrivate makes a file that only its owner can ever read, whatever the umask; it must not exist.
func createPrivate(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
