// Package airflow reads and writes connections as Apache Airflow 3.3 does: its URI and JSON, the AIRFLOW_CONN_*
// variables, and the connection table with its Fernet encryption.
//
//	conn, err := airflow.ParseURI("warehouse", "redshift://app@my-cluster.xyz.us-east-1.redshift.amazonaws.com/dev?iam=true")
//	if err != nil {
//		return err
//	}
//	store, err := airflow.OpenStore(airflow.StoreConfig{Dir: home})
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	return store.Put(ctx, conn)
//
// Where Airflow's server and its task SDK differ, the one that loses nothing and leaks nothing is followed; what is
// different on purpose stands in docs/airflow-compat.md. What a connection means is not for this package to say: that
// is airhook.Connection.Target.
package airflow
