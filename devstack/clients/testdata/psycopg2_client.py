"""Logs in with psycopg2 and an IAM token: psycopg2_client.py HOST PORT DATABASE USER CA, the token in PGPASSWORD."""
import sys
import threading

import psycopg2
import psycopg2.extras

host, port, database, user, ca = sys.argv[1:]
text = "back\\slash, 'quote' and \"another\", ü"
with psycopg2.connect(host=host, hostaddr="127.0.0.1", port=port, dbname=database, user=user, sslmode="verify-full", sslrootcert=ca) as conn:
    with conn.cursor() as cursor:
        cursor.execute("SELECT %s::int + 2, %s::text, current_user", (40, text))
        assert cursor.fetchone() == (42, text, user)
        cursor.execute("PREPARE p(int) AS SELECT $1 * 2")
        cursor.execute("EXECUTE p(%s)", (21,))
        assert cursor.fetchone() == (42,)
        cursor.execute("CREATE TEMP TABLE t (i int, s text)")
        psycopg2.extras.execute_values(cursor, "INSERT INTO t VALUES %s", [(1, "x\\y"), (2, None)])
        cursor.execute("SELECT i, s FROM t ORDER BY i")
        assert cursor.fetchall() == [(1, "x\\y"), (2, None)]
    total = 0
    with conn.cursor("many") as cursor:  # on the server
        cursor.itersize = 10_000
        cursor.execute("SELECT g, 'row \\ ' || g FROM generate_series(1, 100000) g")
        for value, words in cursor:
            assert words == f"row \\ {value}", words
            total += value
    assert total == 100_000 * 100_001 // 2, total
    threading.Timer(0.5, conn.cancel).start()
    with conn.cursor() as cursor:
        try:
            cursor.execute("SELECT pg_sleep(60)")
            raise SystemExit("the statement was not cancelled")
        except psycopg2.errors.QueryCanceled:
            conn.rollback()
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
print("ok")
