package hermetic

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

// plain names every setting that pgx would otherwise take from a variable or from the home directory. Its service file
// is none, so that a service named by PGSERVICE, which may hold settings without a variable, is never found.
const plain = `host=localhost port=5432 user=u password=p dbname=d sslmode=disable sslcert='' sslkey='' sslrootcert='' sslpassword='' ` +
	`sslnegotiation=postgres sslcertmode=allow sslsni=1 connect_timeout=0 target_session_attrs=any min_protocol_version=3.0 ` +
	`max_protocol_version=3.0 channel_binding=prefer require_auth='' passfile='' servicefile=''`

// Config returns a pool config with placeholders for host, port, user, password and database, without TLS and without
// startup parameters; the caller sets them.
func Config() (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(plain)
	if err != nil {
		config, err = withService()
	}
	if err != nil {
		return nil, err
	}
	clear(config.ConnConfig.RuntimeParams)
	return config, nil
}

// withService takes back PGSERVICE, the one variable that no setting can: a service that pgx does not find is an
// error, so it gets an empty one of ours.
func withService() (*pgxpool.Config, error) {
	dir, err := os.MkdirTemp("", "airhook")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "service")
	if err := os.WriteFile(file, []byte("[airhook]\n"), 0o600); err != nil {
		return nil, err
	}
	return pgxpool.ParseConfig(plain + " service=airhook servicefile='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(file) + "'")
}
