// Package clients tries the dev stack with the clients that others wrote: psql, psycopg 2 and 3, asyncpg, SQLAlchemy, pgjdbc,
// Redshift's drivers for Python and Java, and boto3, which must be the same caller as airhook; and tries airhook with another
// AWS, moto. At its end it scans all that was written for secrets. It has tests only, which `make test-clients` runs; the
// Python packages are those of testdata/requirements.txt, in the Python that AIRHOOK_TEST_PYTHON names, and the jars those of
// testdata/jars.sha256, in AIRHOOK_TEST_JARS.
package clients
