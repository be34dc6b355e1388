"""Airflow's side of the comparison: peer.py VERB CONNECTION [N]. The connection comes as AIRFLOW_CONN_<ID>."""
import logging
import statistics
import sys
import time

logging.disable(logging.CRITICAL)
from airflow.providers.postgres.hooks.postgres import PostgresHook  # noqa: E402

verb, conn_id = sys.argv[1], sys.argv[2]
hook = PostgresHook(postgres_conn_id=conn_id)
if verb == "test":
    ok, message = hook.test_connection()
    if not ok:
        sys.exit(message)
elif verb == "query":
    if hook.get_first("SELECT 1")[0] != 1:
        sys.exit("SELECT 1 gave something else")
elif verb == "token":
    conn, took = hook.get_connection(conn_id), []
    for _ in range(int(sys.argv[3])):
        start = time.perf_counter()
        hook.get_iam_token(conn)
        took.append(time.perf_counter() - start)
    print(f"{statistics.median(took) * 1e9:.0f}")
else:
    sys.exit(f"no verb {verb}")
