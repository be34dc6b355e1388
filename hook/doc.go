// Package hook has the everyday verbs of Airflow's PostgresHook and RedshiftSQLHook for a named connection: run
// statements, read rows, stream rows, get the IAM token.
//
//	h := hook.New(client, "rds_postgres_iam")
//	err := h.Run(ctx, "DELETE FROM staging", "INSERT INTO target SELECT * FROM source")
//	rows, err := h.GetRecords(ctx, "SELECT id, name FROM target WHERE day = $1", day)
//
// Each call takes a session of the client's pool and gives it back as it was: nothing leaks to the next caller. A SET
// holds for the later calls of the hook that ran it, which pays for that with the time to SET and reset again (on Redshift
// with a new session); what belongs together goes into one Run. Parameters follow the SQL, as $1 or as
// pgx.NamedArgs; [Pyformat] translates %s and %(name)s on request, never by guessing. Cancelling a context cancels the
// statement on the server. Every error is an *airhook.Error that says what kind it is.
//
// Opening sessions, credentials and TLS are the client's; moving bulk data is the package bulk's.
package hook
