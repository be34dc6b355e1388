// Package handshake says what a database server must prove before anything is sent to it, in the words of libpq's sslmode
// family, and asks a PostgreSQL server for TLS.
//
//	config, err := handshake.Wants{Host: "db.example.com", Mode: "verify-full"}.Config()
//
// Which of the modes is in force, and that a token never goes without TLS, is decided where a connection is understood.
package handshake
