package reach

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/airhook-go/airhook/internal/mask"
)

// SQLSTATEs of a refused login (PostgreSQL, appendix A).
const (
	invalidAuthorization = "28000"
	invalidPassword      = "28P01"
	noSuchDatabase       = "3D000"
)

// Rejected reports whether the database refused a user's credential.
func Rejected(pg *pgconn.PgError) bool {
	return pg.Code == invalidAuthorization || pg.Code == invalidPassword
}

// Login is a login that a server refused.
type Login struct {
	User, Database string
	// Password: it was by a password of one's own. Token: by a token of RDS, signed for that host and port; neither: by a
	// password that AWS gave.
	Password bool
	Token    string
	// Redshift knows no rds_iam.
	Redshift bool
	// TLSMode is libpq's sslmode.
	TLSMode string
}

// Refused tells what the server said, and what to try next. What looks like a secret in a name is not told, and then
// neither are the server's words, which repeat it.
func (l Login) Refused(pg *pgconn.PgError) Cause {
	message := pg.Message
	user, database := mask.Field(l.User), mask.Field(l.Database)
	if user != l.User || database != l.Database {
		l.User, l.Database, message = user, database, mask.Text
	}
	return Cause{"login", l.next(pg), fmt.Errorf("the server refused %q on database %q: %s (SQLSTATE %s)", user, database, message, pg.Code)}
}

func (l Login) next(pg *pgconn.PgError) string {
	switch {
	case pg.Code == noSuchDatabase:
		return fmt.Sprintf("the login was accepted: set schema to a database that exists, not %q", l.Database)
	case !Rejected(pg):
		return "the login was accepted; the server's message says what it lacks"
	case strings.Contains(pg.Message, "no pg_hba.conf entry"): // one SQLSTATE for several reasons: only the text tells them apart
		return l.noEntry(pg.Message)
	case l.Password && l.Redshift:
		return "check login and password; a login by IAM needs iam in the extra"
	case l.Password:
		return "check login and password; a user that has rds_iam needs iam in the extra"
	}
	name := pgx.Identifier{l.User}.Sanitize()
	if l.Token != "" {
		return fmt.Sprintf("does the user exist (CREATE USER %s; GRANT rds_iam TO %[1]s), may the AWS identity rds-db:connect, is %s the database's own endpoint, and is this machine's clock right?", name, l.Token)
	}
	return fmt.Sprintf("AWS gave a password; does the database know the user? (CREATE USER %s PASSWORD DISABLE)", name)
}

// noEntry: the server's list of who may come has no line for this user, database, address and encryption. Its words end in
// "SSL off", those of PostgreSQL 14 and later in "no encryption", when TLS is what was missing.
func (l Login) noEntry(message string) string {
	if strings.HasSuffix(message, "SSL off") || strings.HasSuffix(message, "no encryption") {
		return fmt.Sprintf("the session had no TLS, and the server takes none without: set sslmode to require or stricter (it is %s)", l.TLSMode)
	}
	return "the server's pg_hba.conf lets this user into this database from no address that we have: check login and schema, then ask who runs the server"
}
