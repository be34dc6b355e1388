package airflow

import (
	"context"
	"database/sql"
	"time"
)

// WaitAtMost shortens the wait for another program's lock.
func (s *Store) WaitAtMost(d time.Duration) { s.wait = d }

// Write runs what in a transaction.
func (s *Store) Write(ctx context.Context, what func(*sql.Tx) error) error { return s.write(ctx, what) }

// CheckKeys reports whether Airflow's fernet_key setting is one.
func CheckKeys(text string) error {
	_, err := parseKeys(text, keyVariable)
	return err
}

// Seal and Open are what the store does to a secret.
func Seal(keys, plain string) (string, error) {
	ring, err := parseKeys(keys, keyVariable)
	if err != nil {
		return "", err
	}
	return ring.seal(plain)
}

func Open(keys, token string) (string, bool) {
	ring, err := parseKeys(keys, keyVariable)
	if err != nil {
		return "", false
	}
	return ring.open(token)
}
