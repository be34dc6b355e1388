// Command mainjob times the road from a connection id to rows, with Apache Airflow on the same road beside it: starting,
// testing a connection, one query, and a login token. Whole processes run in turns, ours and Airflow's, and the medians and their
// ratio are printed as the table of docs/performance.md.
//
//	make bench-airflow
//
// It needs bin/airhook, PostgreSQL's programs, and a Python that has Airflow, whose path is the flag -python; without one
// our own figures are printed alone.
package main
