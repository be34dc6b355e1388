// Package gateway is what stands at the address of one database instance of the dev stack: it speaks PostgreSQL's
// wire protocol, ends TLS, checks who logs in the way the instance's kind does on AWS, and hands the session on to a
// real PostgreSQL server, as the role that was let in.
//
//	authority, err := gateway.NewAuthority()
//	if err != nil {
//		return err
//	}
//	g, err := gateway.Listen(ctx, gateway.Options{Kind: gateway.RDS, Name: endpoint, Authority: authority, Roles: roles, Socket: socket, Token: check})
//	if err != nil {
//		return err
//	}
//	defer g.Close()
//	// psql "host=ENDPOINT hostaddr=127.0.0.1 port=PORT sslmode=verify-full"
//
// Whether a token or a temporary password is good is decided by the functions it is given; SQL is PostgreSQL's. A session
// joins the groups that its temporary password names, and leaves them.
package gateway
