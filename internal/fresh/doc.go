// Package fresh tells whether somebody has used a session of a pool since it was opened or last made a fresh one. pgxpool
// says it to nobody: each user is noted in the session's custom data.
//
//	config.PrepareConn = fresh.Take
//	if !fresh.Is(conn) { … } // make it one
//	fresh.Leave(conn)        // before it is released: the next user finds it fresh
package fresh
