package reach

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestEachRefusalHasItsHint(t *testing.T) {
	for name, c := range map[string]struct {
		login         Login
		code, message string
		words         []string
		never         string
	}{
		"a password":               {Login{Password: true}, "28P01", "password authentication failed", []string{`refused "app" on database "shop": password authentication failed (SQLSTATE 28P01)`, "check login and password", "rds_iam"}, "CREATE USER"},
		"a password of Redshift":   {Login{Password: true, Redshift: true}, "28000", "password authentication failed", []string{"check login and password", "iam in the extra"}, "rds_iam"},
		"a token":                  {Login{Token: "db.example.com:5432"}, "28000", "PAM authentication failed", []string{`CREATE USER "app"; GRANT rds_iam TO "app"`, "is db.example.com:5432 the database's own endpoint"}, "DISABLE"},
		"what AWS gave":            {Login{User: "IAM:admin"}, "28000", "password authentication failed", []string{`refused "IAM:admin"`, `CREATE USER "IAM:admin" PASSWORD DISABLE`}, "rds_iam"},
		"no such database":         {Login{Password: true}, "3D000", "does not exist", []string{"the login was accepted", `not "shop"`}, "password"},
		"too many":                 {Login{Password: true}, "53300", "too many connections", []string{"the login was accepted"}, "password"},
		"no TLS":                   {Login{Password: true, TLSMode: "disable"}, "28000", "no pg_hba.conf entry for host, SSL off", []string{"had no TLS", "it is disable"}, "check login"},
		"no TLS, said by 14":       {Login{Password: true, TLSMode: "disable"}, "28000", "no pg_hba.conf entry for host, no encryption", []string{"had no TLS"}, "check login"},
		"no entry":                 {Login{Password: true}, "28000", "no pg_hba.conf entry for host", []string{"from no address that we have"}, "TLS"},
		"a secret in the login":    {Login{Password: true, User: "u:hunter2@h"}, "28P01", `password authentication failed for user "u:hunter2@h"`, []string{`refused "***@h" on database "shop": *** (SQLSTATE 28P01)`}, "hunter2"},
		"a secret in the database": {Login{Password: true, Database: "d?password=hunter2"}, "3D000", `database "d?password=hunter2" does not exist`, []string{`on database "***": ***`, `not "***"`}, "hunter2"},
	} {
		if c.login.User == "" {
			c.login.User = "app"
		}
		if c.login.Database == "" {
			c.login.Database = "shop"
		}
		got := c.login.Refused(&pgconn.PgError{Code: c.code, Message: c.message})
		text := got.Err.Error() + " – " + got.Hint
		if got.Stage != "login" || strings.Contains(got.Hint, c.never) || strings.Contains(text, "hunter2") {
			t.Errorf("%s: stage %s: %s", name, got.Stage, text)
		}
		for _, word := range c.words {
			if !strings.Contains(text, word) {
				t.Errorf("%s: %q is not in: %s", name, word, text)
			}
		}
	}
}
