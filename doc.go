// Package airhook opens named connections to PostgreSQL and Amazon Redshift that hold their own keys.
//
// A name becomes rows in one direction, and each step only uses the one before it:
//
//	id → Registry.Get → Connection → Target → Login → pgx config → pool → rows
//
// A [Connection] is an entry as Apache Airflow keeps it; nothing of it is ever lost. [Connection.Target] says
// what it means: which engine, which way to log in, which region. A [Login] turns that into a short-lived
// [Credential], which the [Client] caches, shares over the pool and renews. The usual start is the package
// defaults, which is the binary's own client in one line, and the package hook, which has Airflow's verbs:
//
//	client, err := defaults.Client(ctx)
//	defer client.Close()
//	rows, err := hook.New(client, "rds_postgres_iam").GetRecords(ctx, "SELECT current_user")
//
// This package knows neither AWS nor Airflow's formats: those are in aws/... and airflow, and import this one.
//
// The Go API follows semantic versioning from 1.0 on. Until then names may move; the formats that Airflow
// shares with us (URI, JSON, table, Fernet) and the CLI's -o json never lose a field.
package airhook
