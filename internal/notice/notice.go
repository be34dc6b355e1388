package notice

import "github.com/jackc/pgx/v5/pgconn"

const key = "airhook.notice"

// Tell hands a notice to the session's present user; it is a pgconn.Config's OnNotice.
func Tell(conn *pgconn.PgConn, n *pgconn.Notice) {
	if hear, ok := conn.CustomData()[key].(func(*pgconn.Notice)); ok {
		hear(n)
	}
}

// Hear makes a function hear the session's notices from now on, in the place of the last one; nil ends that.
func Hear(conn *pgconn.PgConn, hear func(*pgconn.Notice)) {
	if hear == nil {
		delete(conn.CustomData(), key)
		return
	}
	conn.CustomData()[key] = hear
}
