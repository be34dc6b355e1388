package airflow

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/airhook-go/airhook"
)

// tableDDL is the table as Airflow 3.3 creates it on SQLite (alembic d2f4e1b3c5a7).
const tableDDL = `CREATE TABLE IF NOT EXISTS connection (
	id INTEGER NOT NULL,
	conn_id VARCHAR(250) NOT NULL,
	conn_type VARCHAR(500) NOT NULL,
	description VARCHAR(5000),
	host VARCHAR(500),
	schema VARCHAR(500),
	login TEXT,
	port INTEGER,
	team_name VARCHAR(50),
	password TEXT,
	extra TEXT,
	is_encrypted BOOLEAN NOT NULL,
	is_extra_encrypted BOOLEAN NOT NULL,
	CONSTRAINT connection_pkey PRIMARY KEY (id),
	CONSTRAINT connection_conn_id_uq UNIQUE (conn_id),
	CONSTRAINT connection_team_name_fkey FOREIGN KEY(team_name) REFERENCES team (name) ON DELETE SET NULL
)`

// row is one row by column name, so that a table of another Airflow, with columns more, is read all the same.
type row map[string]any

func scanRow(rows *sql.Rows, columns []string) (row, error) {
	values, pointers := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		pointers[i] = &values[i]
	}
	if err := rows.Scan(pointers...); err != nil {
		return nil, err
	}
	r := make(row, len(columns))
	for i, name := range columns {
		r[name] = values[i]
	}
	return r, nil
}

// text returns a column's text and whether it is there. SQLite keeps a number in a column of text.
func (r row) text(column string) (string, bool) {
	switch v := r[column].(type) {
	case nil:
		return "", false
	case string:
		return v, true
	case []byte:
		return string(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	default:
		return fmt.Sprint(v), true
	}
}

func (r row) flag(column string) bool {
	switch v := r[column].(type) {
	case bool:
		return v
	case int64:
		return v != 0
	}
	return false
}

// sealed returns the row's tokens.
func (r row) sealed() []string {
	var tokens []string
	for _, s := range secrets {
		if token, _ := r.text(s.column); token != "" && r.flag(s.flag) {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// secrets are the columns that Airflow encrypts.
var secrets = []struct{ column, flag string }{{"password", "is_encrypted"}, {"extra", "is_extra_encrypted"}}

// connection reads a row. A row that doesn't open, or whose extra is no object, is an error that names it.
func (r row) connection(ring func() (keyring, error)) (airhook.Connection, error) {
	id, _ := r.text("conn_id")
	fail := func(hint, doing string, err error) (airhook.Connection, error) {
		return airhook.Connection{ID: id, FoundIn: "store"}, invalid(id, hint, doing, err)
	}
	var c airhook.Connection
	var present []presence
	for _, f := range []struct {
		column string
		value  *string
		field  airhook.Field
	}{
		{"conn_type", &c.Type, airhook.FieldType},
		{"description", &c.Description, airhook.FieldDescription},
		{"host", &c.Host, airhook.FieldHost},
		{"login", &c.Login, airhook.FieldLogin},
		{"schema", &c.Schema, airhook.FieldSchema},
	} {
		text, ok := r.text(f.column)
		*f.value, present = text, append(present, presence{f.field, ok})
	}
	if text, ok := r.text("port"); ok {
		port, err := strconv.Atoi(text)
		if err != nil {
			return fail("set another port", "read its port", errors.New("it is not a whole number"))
		}
		c.Port, present = port, append(present, presence{airhook.FieldPort, true})
	}
	password, _, err := r.secret("password", "is_encrypted", ring)
	if err != nil {
		return fail("", "open its password", err)
	}
	extra, ok, err := r.secret("extra", "is_extra_encrypted", ring)
	if err != nil {
		return fail("", "open its extra", err)
	}
	c.Password = airhook.NewSecret(password)
	if c.Extra, err = airhook.ParseExtra(extra); err != nil {
		return fail("", "read its extra", err)
	}
	c.ID, c.FoundIn = id, "store"
	return withPresent(c, append(present, presence{airhook.FieldExtra, ok})), nil
}

// secret returns a column's plain text and whether it is there.
func (r row) secret(column, flag string, ring func() (keyring, error)) (string, bool, error) {
	text, ok := r.text(column)
	if text == "" || !r.flag(flag) {
		return text, ok, nil
	}
	keys, err := ring()
	if err != nil && !errors.Is(err, errNoKey) {
		return "", true, err
	}
	if plain, fits := keys.open(text); fits {
		return plain, true, nil
	}
	return "", true, &airhook.Error{Err: keys.misfit(err != nil), Hint: keys.hint}
}
