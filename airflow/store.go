package airflow

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/airhook-go/airhook"
)

// StoreConfig says where a store is and what seals it.
type StoreConfig struct {
	// Dir is the folder of airhook.db and fernet.key. It is made, for its owner only, on the first write. One that another
	// user owns or may write to is refused; our own is closed to others.
	Dir string
	// DirErr says why Dir isn't known. Such a store answers everything with it.
	DirErr error
	// FernetKeys are Airflow's keys, comma-separated, the first seals. Without any the key is that of Dir/fernet.key,
	// which is made on the first write.
	FernetKeys string
}

// Store is the embedded store: a SQLite file with Airflow's own connection table, passwords and extras sealed with
// Fernet. It is a Registry, Lister and Editor, safe for concurrent use, also by several processes. A file that takes the
// place of the store's is judged like the first one, and used from then on.
type Store struct {
	cfg  StoreConfig
	wait time.Duration // for another process's write

	mu     sync.Mutex
	db     *sql.DB       // nil until it is needed
	file   fs.FileInfo   // what db has open; the path may name another by now
	ending chan struct{} // of the file before, closed when nobody uses it any more; nil: there is none
	closed bool
}

// OpenStore returns the store of a folder. Nothing is read or made before it is needed; a folder or file that doesn't
// exist is an empty store. Close it when done.
func OpenStore(cfg StoreConfig) (*Store, error) {
	if cfg.Dir == "" && cfg.DirErr == nil {
		return nil, &airhook.Error{Kind: airhook.ErrInvalid, Err: errors.New("a store needs a folder"), Hint: "set AIRHOOK_HOME"}
	}
	return &Store{cfg: cfg, wait: 5 * time.Second}, nil
}

// Close closes the file. A closed store is not usable any more.
func (s *Store) Close() error {
	s.mu.Lock()
	db, ending := s.db, s.ending
	s.db, s.closed = nil, true
	s.mu.Unlock()
	if ending != nil {
		<-ending
	}
	if db == nil {
		return nil
	}
	return db.Close()
}

// Get returns the connection of that id.
func (s *Store) Get(ctx context.Context, id string) (airhook.Connection, error) {
	rows, err := s.read(ctx, oneRow, id)
	if err != nil {
		return airhook.Connection{}, err
	}
	if len(rows) == 0 {
		return airhook.Connection{}, notFound(id)
	}
	return rows[0].connection(s.ring)
}

// List yields the connections by id. One that doesn't open is yielded as its error, beside a connection of its id.
func (s *Store) List(ctx context.Context) iter.Seq2[airhook.Connection, error] {
	return func(yield func(airhook.Connection, error) bool) {
		rows, err := s.read(ctx, allRows) // all of them first: whoever ranges may use the store
		if err != nil {
			yield(airhook.Connection{}, err)
			return
		}
		ring := sync.OnceValues(s.ring)
		for _, r := range rows {
			if !yield(r.connection(ring)) {
				return
			}
		}
	}
}

func (s *Store) path() string { return filepath.Join(s.cfg.Dir, "airhook.db") }

// read returns rows of the table. A file that nobody has written to has none.
func (s *Store) read(ctx context.Context, statement string, args ...any) ([]row, error) {
	db, err := s.open(ctx, false)
	if err == nil {
		err = s.failure("read", ctx.Err())
	}
	if err != nil || db == nil {
		return nil, err
	}
	rows, err := query(ctx, db, statement, args...)
	if isCode(err, sqlite3.SQLITE_ERROR) && !hasTable(ctx, db) {
		return nil, nil
	}
	if err != nil && s.replaced(db) {
		return s.read(ctx, statement, args...)
	}
	return rows, s.failure("read", err)
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

const (
	oneRow  = "SELECT * FROM connection WHERE conn_id = ?"
	allRows = "SELECT * FROM connection ORDER BY conn_id"
)

func query(ctx context.Context, q querier, statement string, args ...any) ([]row, error) {
	rows, err := q.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all []row
	for rows.Next() {
		r, err := scanRow(rows, columns)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// hasTable tells a file without the table from one that can't be read, for which it is true.
func hasTable(ctx context.Context, q querier) bool {
	var n int
	err := q.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE type IN ('table', 'view') AND name = 'connection'").Scan(&n)
	return err != nil || n > 0
}

// replaced reports whether db is not of the file that the next call will use.
func (s *Store) replaced(db *sql.DB) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.db != db {
		return !s.closed
	}
	info, err := os.Lstat(s.path())
	return err != nil || !os.SameFile(info, s.file)
}

// drop closes the old file. Who is using it comes to an end first: SQLite takes a journal that it writes meanwhile for
// the new file's (https://www.sqlite.org/howtocorrupt.html, mispaired journals). The caller holds the lock.
func (s *Store) drop() {
	old, ended := s.db, make(chan struct{})
	s.db, s.ending = nil, ended
	go func() {
		conn, err := old.Conn(context.Background()) // there is one only
		_ = old.Close()
		if err == nil {
			_ = conn.Close()
		}
		s.mu.Lock()
		s.ending = nil
		s.mu.Unlock()
		close(ended)
	}()
}

// open opens the file, once while it is the same. Without create, no file is a nil database. It waits, while ctx lasts,
// for those who still use the file before.
func (s *Store) open(ctx context.Context, create bool) (*sql.DB, error) {
	doing := "read"
	if create {
		doing = "write"
	}
	for {
		db, ending, err := s.openNow(doing, create)
		if ending == nil {
			return db, err
		}
		select {
		case <-ending:
		case <-ctx.Done():
			return nil, s.failure(doing, ctx.Err())
		}
	}
}

// openNow is open, or the end to wait for first.
func (s *Store) openNow(doing string, create bool) (_ *sql.DB, ending <-chan struct{}, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, &airhook.Error{Kind: airhook.ErrInvalid, Err: errors.New("the store is closed")}
	}
	if s.cfg.DirErr != nil {
		return nil, nil, s.cfg.DirErr
	}
	info, err := os.Lstat(s.path())
	if s.db != nil {
		if err == nil && os.SameFile(info, s.file) { // no new file has the old one's number while that is open
			return s.db, nil, nil
		}
		s.drop()
	}
	if s.ending != nil {
		return nil, s.ending, nil
	}
	db, err := s.openFile(info, err, doing, create)
	return db, nil, err
}

// openFile opens what Lstat has found. The caller holds the lock.
func (s *Store) openFile(info fs.FileInfo, err error, doing string, create bool) (*sql.DB, error) {
	if errors.Is(err, fs.ErrNotExist) && !create {
		return nil, nil
	}
	if err := s.trust(); err != nil {
		return nil, err
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.makeFile(); err == nil {
			info, err = os.Lstat(s.path())
		}
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errNoFile
	}
	if err != nil {
		return nil, s.failure(doing, err)
	}
	db, err := sql.Open("sqlite", s.dsn())
	if err != nil {
		return nil, s.failure(doing, err)
	}
	db.SetMaxOpenConns(1) // calls of one process take turns without waiting for the file's lock
	s.db, s.file = db, info
	return db, nil
}

// dsn names the file as a URI, so that no character of its path is taken for an option. SQLite makes no file, only we do.
func (s *Store) dsn() string {
	path := filepath.ToSlash(s.path())
	if abs, err := filepath.Abs(s.path()); err == nil {
		path = filepath.ToSlash(abs)
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: fmt.Sprintf("mode=rw&_txlock=immediate&_busy_timeout=%d", s.wait.Milliseconds())}
	return u.String()
}

// makeFile makes the folder and an empty database that only the owner can read; SQLite gives its journals the mode of
// the database. Another process may be faster.
func (s *Store) makeFile() error {
	if err := makePrivateDir(s.cfg.Dir); err != nil {
		return err
	}
	f, err := createPrivate(s.path())
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// makePrivateDir makes a folder for its owner only, whatever the umask. One that exists is trust's to judge.
func makePrivateDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, 0o700)
}
