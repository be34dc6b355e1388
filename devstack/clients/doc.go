// Package clients tries the dev stack with the clients that others wrote: psql, psycopg 3, redshift_connector and boto3.
// It has tests only, which `make test-clients` runs; the Python packages are those of testdata/requirements.txt, in the
// Python that AIRHOOK_TEST_PYTHON names.
package clients
