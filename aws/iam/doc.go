// Package iam logs in to Amazon RDS, Redshift and Redshift Serverless with AWS IAM: an RDS token is signed here, the
// Redshift services give a temporary password. Each is an airhook.Login; airhook.Client caches and renews what they
// return. Endpoints that a connection doesn't name are looked up, and failures say what would heal them.
//
//	logins := iam.New(&session.Resolver{Registry: registry})
//	client, err := airhook.New(airhook.Config{
//		Registry: registry, Logins: logins.Logins(), Resolve: logins.Resolve, Identify: logins.Identify, Refused: logins.Refused,
//		OnClose: logins.Close,
//	})
//
// Who signs is the business of package session.
package iam
