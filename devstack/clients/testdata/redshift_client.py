"""Logs in with redshift_connector: redshift_client.py PORT DATABASE USER [CLUSTER REGION ENDPOINT_URL].

With a cluster by its own IAM login, whose AWS keys come by the environment; else with PGPASSWORD. redshift_connector cannot be told another address for a host name, so the host is
localhost, which it takes for a custom domain; and it trusts a CA of ours by SSL_CERT_FILE only.
"""
import os
import sys

import redshift_connector

port, database, user, *aws = sys.argv[1:]
login = dict(user=user, password=os.environ.get("PGPASSWORD"))
if aws:
    login = dict(iam=True, db_user=user, cluster_identifier=aws[0], region=aws[1], endpoint_url=aws[2])
text = "back\\slash, 'quote' and \"another\", ü"
with redshift_connector.connect(host="localhost", port=int(port), database=database, **login) as conn:
    with conn.cursor() as cursor:
        cursor.execute("SELECT current_user, version()")
        who, version = cursor.fetchone()
        assert who == user and "Redshift" in version and "8.0.2" in version, (who, version)
        for n in range(3):
            cursor.execute("SELECT %s::int + 2, %s::varchar", (n, text))
            row = cursor.fetchone()
            assert list(row) == [n + 2, text], row
        cursor.execute(r"SELECT 'a\\b', length('\\')")  # a plain literal's backslash escapes on Redshift
        assert list(cursor.fetchone()) == ["a\\b", 1]
        cursor.execute("SELECT g, 'row ' || g FROM generate_series(1, 100000) g")
        rows = cursor.fetchall()
        assert len(rows) == 100_000 and list(rows[-1]) == [100_000, "row 100000"], (len(rows), rows[-1])
        cursor.execute("CREATE TEMP TABLE t (i int, s varchar(40))")
        cursor.executemany("INSERT INTO t VALUES (%s, %s)", [(1, "x\\y"), (2, None)])
        cursor.execute("SELECT i, s FROM t ORDER BY i")
        assert [list(r) for r in cursor.fetchall()] == [[1, "x\\y"], [2, None]]
print("ok")
