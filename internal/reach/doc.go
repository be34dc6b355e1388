// Package reach tells why a database could not be reached, or let nobody in: what DNS, TCP and TLS say and what the server
// says to a login, in a person's words and with the next thing to try.
//
//	cause := reach.Explain(err, reach.Road{Host: "db.example.com", Port: 5432, TLSMode: "verify-full"})
//
// It asks nobody, neither AWS nor the database.
package reach
