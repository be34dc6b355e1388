package airflow

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/airhook-go/airhook"
)

// Put inserts a connection, or replaces the one of its id. A replaced row keeps its number, its team and the columns
// that are unknown here.
func (s *Store) Put(ctx context.Context, c airhook.Connection) error { return s.put(ctx, c, false) }

// Create inserts a connection. An id that is in the store is ErrExists.
func (s *Store) Create(ctx context.Context, c airhook.Connection) error { return s.put(ctx, c, true) }

// Delete removes a connection. An unknown id is ErrNotFound.
func (s *Store) Delete(ctx context.Context, id string) error {
	return s.DeleteAll(ctx, []string{id})
}

// DeleteAll removes connections: all of them or, when an id is unknown, none. The ErrNotFound has that id.
func (s *Store) DeleteAll(ctx context.Context, ids []string) error {
	db, err := s.open(ctx, false)
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := ctx.Err(); err != nil {
		return s.failure("write", err)
	}
	if db == nil {
		return notFound(ids[0])
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		if !hasTable(ctx, tx) {
			return notFound(ids[0])
		}
		if _, err := s.openKeys(ctx, tx); err != nil && !errors.Is(err, errNoKey) {
			return err
		}
		gone := map[string]bool{}
		for _, id := range ids {
			if gone[id] {
				continue
			}
			gone[id] = true
			done, err := tx.ExecContext(ctx, "DELETE FROM connection WHERE conn_id = ?", id)
			if err != nil {
				return err
			}
			if n, err := done.RowsAffected(); err != nil || n == 0 {
				return errors.Join(err, notFound(id))
			}
		}
		return nil
	})
}

func (s *Store) put(ctx context.Context, c airhook.Connection, isNew bool) error {
	if err := storable(c); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return s.failure("write", err)
	}
	if _, err := s.ring(); err != nil && !errors.Is(err, errNoKey) { // before anything is made
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, tableDDL); err != nil {
			return err
		}
		before, err := query(ctx, tx, oneRow, c.ID)
		if err != nil {
			return err
		}
		if isNew && len(before) > 0 {
			return &airhook.Error{ID: c.ID, Kind: airhook.ErrExists, Err: fmt.Errorf("connection %q exists already", c.ID)}
		}
		keys, err := s.openKeys(ctx, tx)
		if errors.Is(err, errNoKey) {
			keys, err = s.makeKey()
		}
		if err != nil {
			return err
		}
		return save(ctx, tx, c, before, keys)
	})
}

// write runs what in a transaction that locks the file from its beginning.
func (s *Store) write(ctx context.Context, what func(*sql.Tx) error) error {
	db, err := s.open(ctx, true)
	if err != nil {
		return err
	}
	if err := s.trust(); err != nil { // before tighten hides that others could write
		return err
	}
	if err := s.tighten(); err != nil {
		return s.failure("protect", err)
	}
	err = transact(ctx, db, what)
	if err != nil && s.replaced(db) {
		return s.write(ctx, what)
	}
	return s.failure("write", err)
}

func transact(ctx context.Context, db *sql.DB, what func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := what(tx); err != nil {
		_ = tx.Rollback() // what failed is what matters
		return err
	}
	return tx.Commit()
}

// tighten takes from other users what an older program, or a copy, let them read.
func (s *Store) tighten() error {
	for _, name := range []string{s.path(), s.keyFile()} {
		info, err := os.Lstat(name)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 {
			continue
		}
		if err := os.Chmod(name, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// openKeys returns the keys when they open at least one of the sealed rows, or none is sealed. Otherwise they are the
// keys of another store: writing with them would leave rows that nobody can read together. Without a key, and with
// nothing sealed, it is errNoKey.
func (s *Store) openKeys(ctx context.Context, tx *sql.Tx) (keyring, error) {
	rows, err := query(ctx, tx, allRows)
	if err != nil {
		return keyring{}, err
	}
	keys, err := s.ring()
	missing := errors.Is(err, errNoKey)
	if err != nil && !missing {
		return keyring{}, err
	}
	unopened := ""
	for _, r := range rows {
		for _, token := range r.sealed() {
			if _, fits := keys.open(token); fits {
				return keys, nil
			}
			unopened, _ = r.text("conn_id")
		}
	}
	if unopened == "" {
		return keys, err
	}
	err = fmt.Errorf("write the store %s, in which connection %q is sealed: %w", s.path(), unopened, keys.misfit(missing))
	return keyring{}, &airhook.Error{Kind: airhook.ErrInvalid, Err: err, Hint: keys.hint}
}

const maxID = 250 // the column's length

// storable refuses what Airflow would drop, or could not read.
func storable(c airhook.Connection) error {
	fail := func(hint, format string, args ...any) error {
		return &airhook.Error{ID: c.ID, Kind: airhook.ErrInvalid, Err: fmt.Errorf(format, args...), Hint: hint}
	}
	odd := strings.IndexFunc(c.ID, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !strings.ContainsRune(`_#!()-.:/\`, r)
	})
	if c.ID == "" || odd >= 0 || utf8.RuneCountInString(c.ID) > maxID {
		return fail(`ids are letters, digits and _ # ! ( ) - . : / \, at most 250`, "%q can't be the id of a connection", c.ID)
	}
	if !c.Has(airhook.FieldType) {
		return fail("for example postgres or redshift", "the connection has no conn_type")
	}
	for name, text := range map[string]string{
		"conn_type": c.Type, "description": c.Description, "host": c.Host, "login": c.Login, "schema": c.Schema,
		"password": c.Password.Reveal(), "extra": c.Extra.Reveal(),
	} {
		if !utf8.ValidString(text) {
			return fail("", "the %s is no valid Unicode text", name)
		}
	}
	return nil
}

// save writes one row. A secret that nobody changed keeps its token.
func save(ctx context.Context, tx *sql.Tx, c airhook.Connection, before []row, keys keyring) error {
	old := row{}
	if len(before) > 0 {
		old = before[0]
	}
	password, sealed, err := sealedAgain(old, "password", c.Password.Reveal(), keys)
	if err != nil {
		return err
	}
	extra, extraSealed, err := sealedAgain(old, "extra", c.Extra.Reveal(), keys)
	if err != nil {
		return err
	}
	orNull := func(value any, field airhook.Field) any {
		if c.Has(field) {
			return value
		}
		return nil
	}
	if extra == nil && c.Has(airhook.FieldExtra) {
		extra = "" // as Airflow keeps an empty one
	}
	values := []any{
		c.Type, orNull(c.Description, airhook.FieldDescription), orNull(c.Host, airhook.FieldHost), orNull(c.Schema, airhook.FieldSchema),
		orNull(c.Login, airhook.FieldLogin), orNull(c.Port, airhook.FieldPort), password, extra, sealed, extraSealed, c.ID,
	}
	statement := "INSERT INTO connection (conn_type, description, host, schema, login, port, password, extra, is_encrypted, is_extra_encrypted, conn_id)" +
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	if len(before) > 0 {
		statement = "UPDATE connection SET conn_type = ?, description = ?, host = ?, schema = ?, login = ?, port = ?, password = ?, extra = ?," +
			" is_encrypted = ?, is_extra_encrypted = ? WHERE conn_id = ?"
	}
	_, err = tx.ExecContext(ctx, statement, values...)
	return err
}

// sealedAgain returns a column's value, nil without a text, and its flag.
func sealedAgain(old row, column, plain string, keys keyring) (value any, flag int, err error) {
	if plain == "" {
		return nil, 0, nil
	}
	token, _ := old.text(column)
	if token, err = keys.reseal(token, plain); err != nil {
		return nil, 0, err
	}
	return token, 1, nil
}
