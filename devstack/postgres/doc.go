// Package postgres runs a real PostgreSQL server as a child of this process: a throwaway one, on a Unix socket only,
// that ends when this process ends, however it ends.
//
//	programs, err := postgres.Find(ctx, postgres.FindOptions{})
//	if err != nil {
//		return err
//	}
//	server, err := postgres.Start(ctx, postgres.Options{Programs: programs})
//	if err != nil {
//		return err
//	}
//	defer server.Close() // stops it and removes its data
//	// psql -h server.Dir() -U postgres
//
// PostgreSQL refuses to run as root, so root's servers run as an unprivileged account of the machine. Who may log in,
// over which network, with which password is not decided here: the folder of the socket is closed to others, and inside
// it everybody is trusted.
package postgres
