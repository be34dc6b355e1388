// Package notice passes on what a server says beside its results to whoever uses the session now. pgx takes one handler
// for a session's whole life, and a pool's session has many users: the handler looks for the present one in the
// session's custom data. To a login it says yes or no: [Logins] passes that on.
//
//	config.OnNotice = notice.Tell
//	notice.Hear(conn, func(n *pgconn.Notice) { … })
//	defer notice.Hear(conn, nil)
package notice
