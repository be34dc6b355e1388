package fresh

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const key = "airhook.fresh"

// state is what a session is to its present user and, as far as that one says, to the next.
type state struct{ now, next bool }

// Take notes a new user of a session; it is a pgxpool.Config's PrepareConn.
func Take(_ context.Context, conn *pgx.Conn) (bool, error) {
	data := conn.PgConn().CustomData()
	if s, ok := data[key].(*state); ok {
		s.now, s.next = s.next, false
	} else {
		data[key] = &state{now: true}
	}
	return true, nil
}

// Is reports whether the present user has a session that nobody used before, or that the last one left as a fresh one.
func Is(conn *pgconn.PgConn) bool {
	s, ok := conn.CustomData()[key].(*state)
	return ok && s.now
}

// Leave says that the present user gives the session back as a fresh one.
func Leave(conn *pgconn.PgConn) {
	if s, ok := conn.CustomData()[key].(*state); ok {
		s.next = true
	}
}
