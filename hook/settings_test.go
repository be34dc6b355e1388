package hook_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/hook"
)

// two returns two hooks on one client, whose calls come by the same sessions.
func two(t *testing.T) (h, next *hook.Hook) {
	t.Helper()
	conn := airhooktest.Postgres(t)
	client := airhooktest.Client(t, conn)
	return hook.New(client, conn.ID), hook.New(client, conn.ID)
}

// leftovers ask what a session holds that a fresh one does not.
var leftovers = map[string]string{"postgresql": leftoversOf + `,
	nullif(current_setting('my.word', true), ''))`, "redshift": leftoversOf + ", nullif(current_setting('query_group', true), 'of_the_connection'))"}

const leftoversOf = `SELECT concat_ws(' ', (SELECT 'table' WHERE to_regclass('pg_temp.left_over') IS NOT NULL), (SELECT 'listen' FROM pg_listening_channels()),
	(SELECT 'prepared' FROM pg_prepared_statements WHERE name = 'left_over'), (SELECT 'cursor' FROM pg_cursors WHERE name = 'left_over'),
	(SELECT 'lock' FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() LIMIT 1),
	CASE WHEN current_user <> session_user THEN 'role' END, CASE WHEN current_setting('work_mem') = '123MB' THEN 'work_mem' END,
	CASE WHEN txid_current_if_assigned() IS NOT NULL THEN 'transaction' END`

func TestNothingLeaksToTheNextCaller(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"set":                "SET work_mem = '123MB'",
		"custom":             "SET my.word TO 'mine'",
		"set_config":         "SELECT set_config('work_mem', '123MB', false)",
		"temporary table":    "CREATE TEMP TABLE left_over AS SELECT 1 AS i",
		"select into temp":   "SELECT 1 AS i INTO TEMP left_over",
		"listen":             "LISTEN left_over",
		"prepared":           "PREPARE left_over AS SELECT 1",
		"session lock":       "SELECT pg_advisory_lock(1)",
		"role":               "SET ROLE pg_monitor",
		"authorization":      "SET SESSION AUTHORIZATION pg_monitor",
		"block":              "DO $$ BEGIN SET work_mem = '123MB'; END $$",
		"procedure":          "CALL sets()",
		"function":           "SELECT changes()",
		"named like another": "SELECT app.round(1)",
		"overload":           "SELECT round('1'::app.word)",
		"view":               "SELECT * FROM changing",
		"trigger":            "INSERT INTO watched VALUES (1)",
		"operator":           "SELECT 1 OPERATOR(app.+) 1",
		"failing function":   "SELECT fails()",
		"cursor":             "DECLARE left_over CURSOR WITH HOLD FOR SELECT 1",
		"open transaction":   "BEGIN; SELECT txid_current()",
		"failed statement":   "SET work_mem = '123MB'; SELECT 1/0",
		"failed in between":  "BEGIN; SET work_mem = '123MB'; SELECT 1/0",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, next := two(t)
			mustRun(t, h, "CREATE PROCEDURE sets() LANGUAGE plpgsql AS $$ BEGIN SET work_mem = '123MB'; END $$",
				"CREATE FUNCTION changes() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE left_over(i int); SET work_mem = '123MB'; END $$",
				"CREATE VIEW changing AS SELECT set_config('work_mem', '123MB', false)", "CREATE SCHEMA app", "CREATE DOMAIN app.word AS text",
				"CREATE FUNCTION app.round(int) RETURNS text LANGUAGE sql AS $$ SELECT set_config('work_mem', '123MB', false) $$",
				"CREATE FUNCTION round(app.word) RETURNS text LANGUAGE sql AS $$ SELECT app.round(1) $$",
				"CREATE FUNCTION app.plus(int, int) RETURNS text LANGUAGE sql AS $$ SELECT app.round(1) $$", "CREATE OPERATOR app.+ (LEFTARG = int, RIGHTARG = int, FUNCTION = app.plus)",
				"CREATE FUNCTION triggered() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM changes(); RETURN NEW; END $$", "CREATE TABLE watched (i int)",
				"CREATE TRIGGER watching BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION triggered()",
				"CREATE FUNCTION fails() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(1); RETURN 1/0; END $$")
			for verb, run := range map[string]func(h *hook.Hook) error{
				"Run":            func(h *hook.Hook) error { return h.Run(t.Context(), sql) },
				"Run autocommit": func(h *hook.Hook) error { return h.With(hook.Options{Autocommit: true}).Run(t.Context(), sql) },
				"Exec":           func(h *hook.Hook) error { return h.Exec(t.Context(), sql) },
				"Query": func(h *hook.Hook) error {
					_, err := h.GetRecords(t.Context(), sql)
					return err
				},
				"Query, closed at once": func(h *hook.Hook) error {
					rows, err := h.Query(t.Context(), sql)
					if err == nil {
						rows.Close()
					}
					return err
				},
			} {
				_ = run(h) // some fail; what they leave is looked at
				if left := one(t, next, leftovers["postgresql"]); left != "" {
					t.Errorf("after %s(%q) the next caller finds %q", verb, sql, left)
				}
			}
		})
	}
}

func TestNothingLeaksFromAStatementThatIsCancelled(t *testing.T) {
	t.Parallel()
	conn := airhooktest.Postgres(t)
	client := airhooktest.Client(t, conn)
	h, next, eye := hook.New(client, conn.ID), hook.New(client, conn.ID), hook.New(airhooktest.Client(t, conn), conn.ID)
	mustRun(t, h, "CREATE FUNCTION holds() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(1); PERFORM pg_sleep(100); RETURN 1; END $$")
	backend := one(t, h, "SELECT pg_backend_pid()")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := h.GetRecords(ctx, "SELECT /* holds */ holds()")
		done <- err
	}()
	until(t, eye, "holds", 1)
	cancel()
	wantError(t, <-done, airhook.ErrCancelled, "", "cancelled")
	if left, again := one(t, next, leftovers["postgresql"]), one(t, next, "SELECT pg_backend_pid()"); left != "" || again != backend {
		t.Errorf("the next caller finds %q in session %v, want nothing in %v", left, again, backend)
	}
	if n := one(t, eye, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"); n != int64(0) {
		t.Errorf("%v locks are still held", n)
	}
}

func TestAResetKeepsTheSessionsOwnRole(t *testing.T) {
	t.Parallel()
	_, eye := two(t)
	login := "airhook_login_" + strings.ToLower(t.Name())
	mustRun(t, eye, "CREATE ROLE "+login+" SUPERUSER LOGIN", "ALTER ROLE "+login+" SET role = 'pg_read_all_stats'")
	t.Cleanup(func() {
		if err := eye.Run(context.WithoutCancel(t.Context()), "DROP ROLE "+login); err != nil {
			t.Error(err)
		}
	})
	for extra, want := range map[string]string{
		"": "pg_read_all_stats", `{"role": "pg_monitor"}`: "pg_monitor", `{"options": "-c role=pg_monitor -c work_mem=125MB"}`: "pg_monitor",
	} {
		conn := airhooktest.Postgres(t)
		conn.Login = login
		if err := setExtra(&conn, extra); err != nil {
			t.Fatal(err)
		}
		client := airhooktest.Client(t, conn)
		h, next := hook.New(client, conn.ID), hook.New(client, conn.ID)
		backend, memory := one(t, h, "SELECT pg_backend_pid()"), one(t, h, "SHOW work_mem")
		for _, sql := range []string{"SELECT 1", "SET ROLE NONE; SET work_mem = '123MB'", "SET SESSION AUTHORIZATION pg_write_all_data", "RESET ALL"} {
			mustRun(t, hook.New(client, conn.ID), sql)
			row, err := next.GetFirst(t.Context(), "SELECT current_user::text, pg_backend_pid(), current_setting('work_mem')")
			if err != nil || row[0] != want || row[1] != backend || row[2] != memory {
				t.Errorf("with %s, after %q: %v, %v, want %s, %v, %v", extra, sql, row, err, want, backend, memory)
			}
		}
	}
}

func setExtra(conn *airhook.Connection, text string) (err error) {
	if text != "" {
		conn.Extra, err = airhook.ParseExtra(text)
	}
	return err
}

func TestAPlainCallKeepsItsSession(t *testing.T) {
	t.Parallel()
	h, next := two(t)
	backend := one(t, h, "SELECT pg_backend_pid()")
	mustRun(t, h, "CREATE TABLE t (i int)", "INSERT INTO t (i) VALUES (1)")
	mustRun(t, h, "SET LOCAL work_mem = '123MB'", "SELECT changed.i FROM t changed(i)", "LISTEN something")
	if again := one(t, next, "SELECT pg_backend_pid()"); again != backend {
		t.Errorf("a session was ended: %v, then %v", backend, again)
	}
}

func TestPreparedStatementsOfOthersSurviveAReset(t *testing.T) {
	t.Parallel()
	conn := airhooktest.Postgres(t)
	client := airhooktest.Client(t, conn)
	pool, err := client.Pool(t.Context(), conn.ID)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var n int
		if err := pool.QueryRow(t.Context(), "SELECT $1::int", 7).Scan(&n); err != nil || n != 7 { // pgx keeps it prepared
			t.Errorf("got %d, %v", n, err)
		}
		mustRun(t, hook.New(client, conn.ID), "SET work_mem = '123MB'")
	}
}

func TestASetHoldsForTheHooksLaterCalls(t *testing.T) {
	t.Parallel()
	h, next := two(t)
	before, zone := one(t, next, "SHOW work_mem"), one(t, next, "SHOW timezone")
	mustRun(t, h, "SET work_mem TO '123MB' -- a lot", "SET my.word = 'a;b'; SET SESSION lock_timeout = 5000")
	if err := h.Exec(t.Context(), "SET TIME ZONE 'Asia/Tokyo'"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.GetRecords(t.Context(), "SET ROLE pg_monitor"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		row, err := h.With(hook.Options{Autocommit: true}).GetFirst(t.Context(), `SELECT current_setting('work_mem'), current_setting('my.word'), current_setting('lock_timeout'),
			current_setting('timezone'), current_user::text`)
		if err != nil || len(row) != 5 || row[0] != "123MB" || row[1] != "a;b" || row[2] != "5s" || row[3] != "Asia/Tokyo" || row[4] != "pg_monitor" {
			t.Errorf("a later call has %v, %v", row, err)
		}
		if now := one(t, next, "SHOW work_mem"); now != before {
			t.Errorf("another hook has work_mem %v, want %v", now, before)
		}
	}
	mustRun(t, h, "SET work_mem = '124MB'")
	mustRun(t, h, "RESET ROLE", "RESET timezone")
	if row, err := h.GetFirst(t.Context(), "SELECT current_setting('work_mem'), current_user = session_user, current_setting('timezone')"); err != nil ||
		row[0] != "124MB" || row[1] != true || row[2] != zone {
		t.Errorf("after another SET and RESETs: %v, %v", row, err)
	}
	mustRun(t, h, "RESET ALL")
	if now := one(t, h, "SHOW work_mem"); now != before {
		t.Errorf("after RESET ALL work_mem is %v, want %v", now, before)
	}
}

func TestASetHoldsOnlyWhenItsTransactionDid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		statements []string
		autocommit bool
		want       string
	}{
		"rolled back by a failure":            {[]string{"SET my.word = 'x'", "SELECT 1/0"}, false, "old"},
		"kept before a failure in autocommit": {[]string{"SET my.word = 'x'", "SELECT 1/0"}, true, "x"},
		"rolled back":                         {[]string{"BEGIN", "SET my.word = 'x'", "ROLLBACK"}, false, "old"},
		"rolled back in one text":             {[]string{"BEGIN; SET my.word = 'x'; ROLLBACK; SELECT 1"}, true, "old"},
		"committed, then a failure":           {[]string{"SET my.word = 'x'", "COMMIT", "SELECT 1/0"}, false, "x"},
		"back to a savepoint":                 {[]string{"SET my.word = 'x'; SAVEPOINT a", "SET my.word = 'y'", "ROLLBACK TO SAVEPOINT a"}, false, "x"},
		"local":                               {[]string{"SET LOCAL my.word = 'x'"}, false, "old"},
		"left open":                           {[]string{"BEGIN", "SET my.word = 'x'"}, true, "old"},
		"set and reset":                       {[]string{"SET my.word = 'x'", "RESET my.word"}, false, ""},
		"discarded":                           {[]string{"SET my.word = 'x'", "DISCARD ALL"}, true, ""},
		"cancelled":                           {[]string{"SET my.word = 'x'", "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(10)"}, false, "old"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _ := two(t)
			mustRun(t, h, "SET my.word = 'old'")
			_ = h.With(hook.Options{Autocommit: test.autocommit}).Run(t.Context(), test.statements...) // some fail on purpose
			if got := one(t, h, "SELECT coalesce(current_setting('my.word', true), '')"); got != test.want {
				t.Errorf("after %q it is %q, want %q", test.statements, got, test.want)
			}
		})
	}
}

func TestASettingThatNoLongerWorksIsTold(t *testing.T) {
	t.Parallel()
	h, eye := real(t)
	role := "airhook_gone_" + strings.ToLower(t.Name())
	mustRun(t, eye, "CREATE ROLE "+role)
	mustRun(t, h, "SET ROLE "+role)
	mustRun(t, eye, "DROP ROLE "+role)
	err := h.Run(t.Context(), "SELECT 1")
	wantError(t, err, airhook.ErrSQL, "22023", "earlier SET statements")
	var e *airhook.Error
	if errors.As(err, &e); !strings.Contains(e.Hint, "new hook") {
		t.Errorf("the hint is %q", e.Hint)
	}
}

func TestHooksMaySetAtOnce(t *testing.T) {
	t.Parallel()
	h, _ := two(t)
	failed := make(chan error, 8)
	for range cap(failed) {
		go func() { failed <- h.Run(context.WithoutCancel(t.Context()), "SET my.word = 'x'", "SELECT 1") }()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if got := one(t, h, "SHOW my.word"); got != "x" {
		t.Errorf("it is %q", got)
	}
}
