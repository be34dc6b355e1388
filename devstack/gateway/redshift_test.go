package gateway_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/airhook-go/airhook/devstack/gateway"
)

func TestRedshiftSaysWhatItIs(t *testing.T) {
	t.Parallel()
	g := open(t, gateway.RedshiftServerless)
	status := secure(t, g).start("IAMA:etl", "temporary for IAMA:etl", map[string]string{
		"client_protocol_version": "2", "driver_version": "Redshift Python Driver 2.2.0", "os_version": "Linux", "driver_discovery_version": "1",
		"application_name": "dbt", "plugin_name": "", "idp_type": "AzureAD", "client_encoding": "UTF8", "DateStyle": "ISO", "TimeZone": "Europe/Berlin", "extra_float_digits": "2",
	})
	want := map[string]string{"server_version": "8.0.2", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "Europe/Berlin", "application_name": "dbt", "integer_datetimes": "on"}
	for name, value := range want {
		if status[name] != value {
			t.Errorf("%s is %q, want %q", name, status[name], value)
		}
	}
	if _, told := status["padb_version"]; !told {
		t.Error("padb_version, by which clients know Redshift, is not told")
	}
	for _, name := range []string{"standard_conforming_strings", "server_protocol_version", "in_hot_standby"} {
		if value, told := status[name]; told {
			t.Errorf("%s is told: %q", name, value)
		}
	}
	s := secure(t, g)
	s.start("etl", "etl-password", nil)
	s.expect("CommandComplete CommandComplete ReadyForQuery RowDescription DataRow CommandComplete ReadyForQuery", // and no report
		&pgproto3.Query{String: "RESET standard_conforming_strings; SET standard_conforming_strings = on"},
		&pgproto3.Query{String: "SELECT 1"})
}

func TestRedshiftShowsItsVersionAndSettings(t *testing.T) {
	t.Parallel()
	conn := mustDial(t, open(t, gateway.Redshift), login{user: "etl", password: "etl-password", params: map[string]string{"query_group": "startup"}})
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeCacheStatement} {
		for sql, want := range map[string]string{
			"SHOW server_version":                              gateway.RedshiftServer,
			" show\n  Server_Version ; ":                       gateway.RedshiftServer,
			"SHOW query_group":                                 "startup",
			"/* x */ SHOW query_group":                         "startup",
			"-- For ETL\n\n SHOW /* of */ query_group":         "startup",
			"/* /* ** / */ -- x\n*/--\nSHOW query_group -- it": "startup",
			"-- For ETL\r\n/**/show server_version":            gateway.RedshiftServer,
			"SELECT '/*' -- */ SHOW query_group":               "/*",
			"show enable_result_cache_for_session":             "on",
			"SHOW wlm_query_slot_count;":                       "1",
			"SELECT 'SHOW query_group'":                        "SHOW query_group",
			"SHOW standard_conforming_strings":                 "off",
			"SELECT ' x' || $$SET query_group TO 1$$":          " xSET query_group TO 1",
		} {
			var got string
			if err := conn.QueryRow(t.Context(), sql, mode).Scan(&got); err != nil || got != want {
				t.Errorf("%v, %s: %q, %v, want %q", mode, sql, got, err, want)
			}
		}
	}
	for _, sql := range []string{"SET query_group TO 'other'", "SET SESSION enable_result_cache_for_session TO off", "SET readonly=1", "-- For ETL\nSET query_group TO etl_jobs"} {
		if err := conn.PgConn().Exec(t.Context(), sql).Close(); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	got := []string{text(t, conn, "SHOW query_group"), text(t, conn, "SHOW enable_result_cache_for_session")}
	if _, err := conn.Exec(t.Context(), "/* back */RESET query_group"); err != nil {
		t.Error(err)
	}
	got = append(got, text(t, conn, "SHOW query_group"))
	if d := cmp.Diff([]string{"etl_jobs", "off", "startup"}, got); d != "" {
		t.Errorf("settings (-want +got):\n%s", d)
	}
}

// Users of Redshift may have no password: the statements that its documentation prints work here.
func TestRedshiftsUsersMayHaveNoPassword(t *testing.T) {
	t.Parallel()
	conn := mustDial(t, open(t, gateway.Redshift), login{user: "maker", password: "maker-password"})
	for _, sql := range []string{
		"CREATE USER nopw1 PASSWORD DISABLE", "/* a */ create -- user\n User nopw2 with createdb password /* b */ Disable;",
		"BEGIN; CREATE USER \"password\" PASSWORD DISABLE; CREATE USER nopw3 PASSWORD DISABLE VALID UNTIL 'infinity'; COMMIT", "ALTER USER nopw1 PASSWORD DISABLE",
		"DROP USER nopw1; DROP USER nopw2; DROP USER nopw3; DROP USER \"password\"",
	} {
		if err := conn.PgConn().Exec(t.Context(), sql).Close(); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeDescribeExec} {
		if _, err := conn.Exec(t.Context(), "CREATE USER nopw4 PASSWORD DISABLE", mode); err != nil {
			t.Error(err)
		}
		if _, err := conn.Exec(t.Context(), "DROP USER nopw4", mode); err != nil {
			t.Error(err)
		}
	}
}

func TestNothingElseLosesAPasswordsDisable(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"CREATE USER u PASSWORD DISABLE":                                 "CREATE USER u PASSWORD NULL",
		"CREATE USER u PASSWORD disable; ALTER USER v PASSWORD\nDISABLE": "CREATE USER u PASSWORD NULL; ALTER USER v PASSWORD\nNULL",
		"SELECT $1, ';'; ALTER USER u PASSWORD DISABLE":                  "SELECT $1, ';'; ALTER USER u PASSWORD NULL",
		"ALTER USER password RENAME TO disable":                          "",
		"ALTER USER password DISABLE":                                    "",
		"CREATE USER u PASSWORD 'DISABLE'":                               "",
		"CREATE USER u PASSWORD DISABLED":                                "",
		"CREATE ROLE u PASSWORD DISABLE":                                 "",
		"SELECT 'a''; CREATE USER u PASSWORD DISABLE'":                   "",
		`SELECT 'a\'; CREATE USER u PASSWORD DISABLE'`:                   "",
		`SELECT "a; CREATE USER u PASSWORD DISABLE"`:                     "",
		"SELECT $$; CREATE USER u PASSWORD DISABLE$$":                    "",
		"SELECT $a$ $$; CREATE USER u PASSWORD DISABLE $a$":              "",
		"SELECT $a$; CREATE USER u PASSWORD DISABLE":                     "",
		"-- ; CREATE USER u PASSWORD DISABLE":                            "",
		"SELECT 1 /* ; CREATE USER u PASSWORD DISABLE */":                "",
		"EXPLAIN CREATE USER u PASSWORD DISABLE":                         "",
		"ALTER TABLE t DISABLE TRIGGER ALL":                              "",
		"CREATE USER u PASSWORD \"disable\"":                             "",
		"é; disable":                                                     "",
	} {
		if want == "" {
			want = sql
		}
		frame, err := (&pgproto3.Query{String: sql}).Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		var got pgproto3.Query
		if err := got.Decode(gateway.AsRedshift(frame)[5:]); err != nil || got.String != want {
			t.Errorf("%q becomes %q (%v), want %q", sql, got.String, err, want)
		}
	}
}

func TestAFrameWithoutItsZeroesGoesOnAsItIs(t *testing.T) {
	t.Parallel()
	for _, frame := range []string{"P\x00\x00\x00\x05a", "P\x00\x00\x00\x04", "P\x00\x00\x00\x06a\x00", "P\x00\x00\x00\x16a\x00SHOW query_group", "Q\x00\x00\x00\x04", "Q\x00\x00\x00\x05a"} {
		if got := gateway.AsRedshift(slices.Clip([]byte(frame))); string(got) != frame {
			t.Errorf("%q becomes %q", frame, got)
		}
	}
}

func TestATemporaryPasswordIsAskedForWithItsDatabase(t *testing.T) {
	t.Parallel()
	g := open(t, gateway.Redshift, func(o *gateway.Options) {
		o.Password = func(database, user, password string) (string, bool, error) {
			return "etl", false, errors.Join(same(database, "template1"), same(user, "IAM:etl"), same(password, "temporary"))
		}
	})
	mustDial(t, g, login{user: "IAM:etl", password: "temporary", database: "template1"})
	_, err := dial(t, g, login{user: "IAM:etl", password: "temporary"})
	refused(t, err, "28000", "password authentication failed")
}

func TestRedshiftsBackslashesEscape(t *testing.T) {
	t.Parallel()
	conn := mustDial(t, open(t, gateway.Redshift), login{user: "etl", password: "etl-password"})
	for sql, want := range map[string]string{
		`SELECT 'a\\b'`:  `a\b`,
		`SELECT 'a\tb'`:  "a\tb",
		`SELECT 'it\'s'`: "it's",
		`SELECT E'a\\b'`: `a\b`,
		`SELECT $$a\b$$`: `a\b`,
		`SELECT "n" FROM (SELECT '\\'::text AS "n") x`: `\`,
	} {
		if got := text(t, conn, sql); got != want {
			t.Errorf("%s is %q, want %q", sql, got, want)
		}
	}
	for _, value := range []string{`a\b`, `\\`, `it's \' "x"`, "\t\n", `\`} {
		if got := text(t, conn, "SELECT $1::text", value); got != value {
			t.Errorf("a parameter %q comes back as %q", value, got)
		}
	}
	options := mustDial(t, open(t, gateway.Redshift), login{user: "etl", password: "etl-password", params: map[string]string{"options": "-c standard_conforming_strings=on -c statement_timeout=5000"}})
	if got := text(t, options, `SELECT 'a\\b' || current_setting('statement_timeout')`); got != `a\b5s` {
		t.Errorf("with options: %q", got)
	}
	rds := mustDial(t, open(t, gateway.RDS), login{user: "signer", password: "token for signer"})
	if got := text(t, rds, `SELECT 'a\b'`); got != `a\b` {
		t.Errorf("on RDS: %q", got)
	}
}

func TestManyMayComeAtOnceToAUserThatIsMade(t *testing.T) {
	t.Parallel()
	g := open(t, gateway.Redshift)
	failed := make(chan error, 8)
	for range cap(failed) {
		go func() {
			_, err := dial(t, g, login{user: "IAMA:together", password: "temporary for IAMA:together"})
			failed <- err
		}()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
