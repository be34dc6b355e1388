// Package endpoint reads the names that AWS gives to the endpoints of RDS, Aurora, Redshift and Redshift Serverless.
//
//	endpoint.Parse("wg.123456789012.eu-west-1.redshift-serverless.amazonaws.com").Region // eu-west-1
//
// It asks nobody: what a name does not tell stays empty.
package endpoint
