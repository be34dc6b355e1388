// Package hook has the everyday verbs of Airflow's PostgresHook and RedshiftSQLHook for a named connection: run
// statements, read rows, stream rows, get the IAM token.
//
//	h := hook.New(client, "rds_postgres_iam")
//	err := h.Run(ctx, "DELETE FROM staging", "INSERT INTO target SELECT * FROM source")
//	rows, err := h.GetRecords(ctx, "SELECT id, name FROM target WHERE day = $1", day)
//
// Each call takes a session of the client's pool and gives it back as a fresh one: nothing leaks to the next caller. On
// PostgreSQL that is DISCARD ALL, one round trip at the end of every call, whatever ran, and the settings of the extra
// hold again. Redshift has no DISCARD: there a session ends, and the next call opens a new one, after a cancel and after a
// text that holds a SET, CALL, temporary table or anything else that may stay; what a view changes nobody sees. A session
// that Client.Acquire or Client.Pool gave to somebody in between is made fresh in the same way before a call takes it. A SET
// holds for the later calls of the hook that ran it, which pay for it with one round trip for each parameter that is set
// (on Redshift with a new session each); what belongs together goes into one Run, or into a Session:
//
//	err = h.Session(ctx, func(s *hook.Session) error {
//		if err := s.Run(ctx, "CREATE TEMP TABLE staged (id int)"); err != nil {
//			return err
//		}
//		return s.Exec(ctx, "INSERT INTO staged VALUES ($1)", id)
//	})
//
// Parameters follow the SQL, as $1 or as pgx.NamedArgs; [Pyformat] and [PyformatRedshift] translate %s and %(name)s on
// request, never by guessing. Cancelling a context cancels the statement on the server. Every error is an *airhook.Error
// that says what kind it is.
//
// Opening sessions, credentials and TLS are the client's. Bulk data is not for these verbs: COPY FROM STDIN is refused.
package hook
