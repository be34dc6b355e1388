// Package examples holds the Go cells of docs/from-airflow.md as Examples, which go test runs against a dev stack: real
// PostgreSQL servers behind gateways that log in as RDS, Redshift and Redshift Serverless do. A line that ends in
// "// hidden" is set-up and is not shown.
//
// TestFromAirflowPage, in cmd/airhook, holds the page to them.
package examples
