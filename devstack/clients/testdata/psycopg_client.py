"""Logs in with psycopg 3 and an IAM token: psycopg_client.py HOST PORT DATABASE USER CA, the token in PGPASSWORD."""
import sys
import threading

import psycopg

host, port, database, user, ca = sys.argv[1:]
text = "back\\slash, 'quote' and \"another\", ü"
with psycopg.connect(host=host, hostaddr="127.0.0.1", port=port, dbname=database, user=user, sslmode="verify-full", sslrootcert=ca) as conn:
    for n in range(7):  # psycopg prepares on its own from the fifth time on; the first asks for it
        row = conn.execute("SELECT %s::int + 2, %s::text, current_user", (n, text), prepare=n == 0 or None).fetchone()
        assert row == (n + 2, text, user), row
    total = 0
    with conn.cursor("many") as cursor:
        cursor.itersize = 10_000
        for value, words in cursor.execute("SELECT g, 'row \\ ' || g FROM generate_series(1, 100000) g"):
            assert words == f"row \\ {value}", words
            total += value
    assert total == 100_000 * 100_001 // 2, total
    timer = threading.Timer(0.5, conn.cancel)
    timer.start()
    try:
        conn.execute("SELECT pg_sleep(60)")
        raise SystemExit("the statement was not cancelled")
    except psycopg.errors.QueryCanceled:
        conn.rollback()
    assert conn.execute("SELECT 1").fetchone() == (1,)
print("ok")
