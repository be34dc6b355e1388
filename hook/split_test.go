package hook

import (
	"slices"
	"strings"
	"testing"
)

func TestSplitCutsWherePsqlCuts(t *testing.T) {
	for _, test := range []struct {
		name, sql string
		want      []string
	}{
		{"nothing", "", nil},
		{"blanks and semicolons", " ;\n;; \t", nil},
		{"one without an end", "SELECT 1", []string{"SELECT 1"}},
		{"two", "SELECT 1; SELECT 2;", []string{"SELECT 1", "SELECT 2"}},
		{"string", "SELECT ';'; SELECT 'it''s;'", []string{"SELECT ';'", "SELECT 'it''s;'"}},
		{"a backslash is plain in a plain string", `SELECT '\'; SELECT 2`, []string{`SELECT '\'`, "SELECT 2"}},
		{"a backslash escapes in an E string", `SELECT E'\';'; SELECT e'\\'; SELECT 3`, []string{`SELECT E'\';'`, `SELECT e'\\'`, "SELECT 3"}},
		{"an E string goes on after a line break", "SELECT E'a'\n  '\\';'; SELECT 2", []string{"SELECT E'a'\n  '\\';'", "SELECT 2"}},
		{"a name that ends in e starts no E string", `SELECT 1 AS thee'\'; SELECT 2`, []string{`SELECT 1 AS thee'\'`, "SELECT 2"}},
		{"quoted name", `SELECT ";"";" FROM t; SELECT 2`, []string{`SELECT ";"";" FROM t`, "SELECT 2"}},
		{"dollar quotes", "DO $$ BEGIN; END; $$; SELECT 2", []string{"DO $$ BEGIN; END; $$", "SELECT 2"}},
		{"tagged dollar quotes", "SELECT $a$ ; $b$ ; $$ ; $a$; SELECT 2", []string{"SELECT $a$ ; $b$ ; $$ ; $a$", "SELECT 2"}},
		{"a dollar in a name quotes nothing", "SELECT a$b$ ; SELECT c$b$", []string{"SELECT a$b$", "SELECT c$b$"}},
		{"parameters quote nothing", "SELECT $1; SELECT $2", []string{"SELECT $1", "SELECT $2"}},
		{"line comment", "SELECT 1 -- ; not here\n; SELECT 2", []string{"SELECT 1 -- ; not here", "SELECT 2"}},
		{"nested comment", "SELECT /* ; /* ; */ ; */ 1; SELECT 2", []string{"SELECT /* ; /* ; */ ; */ 1", "SELECT 2"}},
		{"only comments", "-- a\n; /* b */ ; SELECT 1; -- end", []string{"SELECT 1"}},
		{"an optimizer hint stays", "SELECT /*+ SeqScan(t) */ 1; SELECT 2", []string{"SELECT /*+ SeqScan(t) */ 1", "SELECT 2"}},
		{"a comment before stays", "/*+ Leading(a b) */ SELECT 1;", []string{"/*+ Leading(a b) */ SELECT 1"}},
		{
			"rules hold several in parentheses", "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b); SELECT 1",
			[]string{"CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)", "SELECT 1"},
		},
		{
			"a routine with an SQL body", "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3",
			[]string{"CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END", "SELECT 3"},
		},
		{"a transaction is no body", "BEGIN; SELECT 1; END; SELECT 2", []string{"BEGIN", "SELECT 1", "END", "SELECT 2"}},
		{"something left open reaches to the end", "SELECT 1; SELECT ' ; SELECT 3", []string{"SELECT 1", "SELECT ' ; SELECT 3"}},
		{"other alphabets", "SELECT 'ü;' AS größe; SELECT 2", []string{"SELECT 'ü;' AS größe", "SELECT 2"}},
	} {
		if got := Split(test.sql); !slices.Equal(got, test.want) {
			t.Errorf("%s: Split(%q)\n got %q\nwant %q", test.name, test.sql, got, test.want)
		}
	}
}

func TestSplitRedshiftReadsBackslashesAsRedshiftDoes(t *testing.T) {
	got := SplitRedshift(`COPY t FROM 's3://b' DELIMITER '\''; SELECT 'it\'s;'; CREATE TABLE #x (i int)`)
	want := []string{`COPY t FROM 's3://b' DELIMITER '\''`, `SELECT 'it\'s;'`, "CREATE TABLE #x (i int)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTouchesTellsWhatChangesARedshiftSession(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT * FROM t WHERE temp_c > 5":          false,
		"( SELECT 1 ) UNION SELECT 2":               false,
		"WITH a AS (SELECT 1) SELECT * FROM a":      false,
		"INSERT INTO t VALUES ('temp set_config(')": false,
		"BEGIN; DELETE FROM t; ABORT":               false,
		"CREATE TABLE t (i int)":                    false,
		"UNLOAD ('SELECT 1') TO 's3://b/p'":         false,
		"VACUUM t":                                  false,
		"-- nothing":                                false,
		"SELECT 'it\\'; SET x TO 1'":                false,
		"SELECT mine(1)":                            false,
		"SET search_path TO x":                      true,
		"SELECT 1; SET LOCAL a TO 1":                true,
		"/* c */ RESET ALL":                         true,
		"USE other":                                 true,
		"PREPARE p AS SELECT 1":                     true,
		"EXECUTE p":                                 true,
		"CALL p()":                                  true,
		"DECLARE c CURSOR FOR SELECT 1":             true,
		"CREATE TEMP TABLE t (i int)":               true,
		"CREATE LOCAL TEMPORARY TABLE t (i int)":    true,
		"SELECT 1 AS i INTO TEMP t":                 true,
		"SELECT 1 AS i INTO #t":                     true,
		"CREATE TABLE #t (i int)":                   true,
		`CREATE TABLE "pg_temp".t (i int)`:          true,
		"SELECT set_config('a.b', 'c', false)":      true,
	} {
		if got := (dialect{backslash: true}).touches(sql); got != want {
			t.Errorf("touches(%q) is %v, want %v", sql, got, want)
		}
	}
}

func TestOnlyReadsTellsQueriesThatMayBeCutShort(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT 1":                      true,
		"-- c\n ( SELECT 1 )":           true,
		"TABLE t":                       true,
		"WITH a AS (SELECT 1) SELECT 2": true,
		"SELECT 'delete'":               true,
		"SELECT count(*), coalesce(max(i), 0) FROM s.t WHERE i IN (1, 2) AND a = ANY (b)": true,
		"SELECT pg_catalog.round(1.5), x::numeric(10, 2), 'mine(1)' -- mine(1)":           true,
		"WITH RECURSIVE r(i) AS (SELECT 1) SELECT * FROM r AS q(j)":                       true,
		"WITH a AS (DELETE FROM t) SELECT 2":                                              false,
		"INSERT INTO t VALUES (1)":                                                        false,
		"SELECT 1 INTO t":                                                                 false,
		"EXPLAIN ANALYZE SELECT 1":                                                        false,
		"CALL p()":                                                                        false,
		"":                                                                                false,
		"SELECT mine(1)":                                                                  false,
		"SELECT mine /* c */ (1)":                                                         false,
		`SELECT "mine" (1)`:                                                               false,
		`SELECT "round"(1)`:                                                               false,
		"SELECT app.round(1)":                                                             false,
		"SELECT app . round (1)":                                                          false,
		`SELECT "app".round(1)`:                                                           false,
		"SELECT count(*) FROM t WHERE mine(i)":                                            false,
		"SELECT nextval('s')":                                                             false,
		"SELECT pg_advisory_lock(1)":                                                      false,
	} {
		if got := (dialect{}).onlyReads(sql); got != want {
			t.Errorf("onlyReads(%q) is %v, want %v", sql, got, want)
		}
	}
	if !(dialect{backslash: true}).onlyReads("SELECT nvl(mine(1), 2)") {
		t.Error("on Redshift a function of a user's is taken for one that writes")
	}
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		"SELECT 1; SELECT 2", `SELECT E'\';', '\';'`, "$a$;$a$;$$", "/* /* ; */ */;--\n;x", `"a"";"`, "(;)", "CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; END;",
		"E'a'\n'b\\'';", "a$b$;", "1e';'", "--\r;a", "'\n';E'",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, sql string, backslash bool) {
		d := dialect{backslash}
		var whole strings.Builder
		for _, text := range d.tokens(sql) {
			if text == "" {
				t.Fatalf("an empty piece in %q", sql)
			}
			whole.WriteString(text)
		}
		if whole.String() != sql {
			t.Fatalf("the pieces of %q make %q", sql, whole.String())
		}
		pieces := d.split(sql)
		for _, p := range pieces {
			if strings.Trim(p, blanks) != p || p == "" || !strings.Contains(sql, p) {
				t.Fatalf("%q is no statement of %q", p, sql)
			}
		}
		if again := d.split(strings.Join(pieces, "\n;\n")); !slices.Equal(again, pieces) {
			t.Fatalf("split again: %q, was %q", again, pieces)
		}
	})
}
