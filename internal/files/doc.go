// Package files reads the small files that a connection may name: certificates, keys, CA bundles. What is no regular
// file is refused, because a pipe would never end and a device would fill the memory. Where the content decides whom a
// login goes to, the file must be the user's own too. It also knows which folders making one makes, to take them away.
//
//	pem, err := files.Read("/etc/ssl/rds.pem")
package files
