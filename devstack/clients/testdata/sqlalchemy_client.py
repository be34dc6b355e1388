"""Logs in with SQLAlchemy, a new token for every session: sqlalchemy_client.py AIRHOOK ID HOST PORT DATABASE USER CA."""
import subprocess
import sys

from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, event, inspect, text

airhook, conn_id, host, port, database, user, ca = sys.argv[1:]
words = "back\\slash, 'quote' and \"another\", ü"
for driver in ("psycopg2", "psycopg"):
    engine = create_engine(
        f"postgresql+{driver}://{user}@{host}:{port}/{database}", pool_size=1,
        connect_args={"hostaddr": "127.0.0.1", "sslmode": "verify-full", "sslrootcert": ca},
    )
    tokens = []

    @event.listens_for(engine, "do_connect")
    def fresh(dialect, record, args, params, tokens=tokens):
        params["password"] = subprocess.run([airhook, "token", conn_id], capture_output=True, check=True, text=True).stdout.strip()
        tokens.append(params["password"])

    table = Table(f"of_{driver}", MetaData(), Column("i", Integer, primary_key=True), Column("s", String(80)))
    table.metadata.create_all(engine)
    try:
        with engine.begin() as conn:
            conn.execute(table.insert(), [{"i": 1, "s": words}, {"i": 2, "s": None}])
        with engine.connect() as conn:
            assert conn.execute(table.select().order_by(table.c.i)).fetchall() == [(1, words), (2, None)]
            assert conn.execute(text("SELECT current_user")).scalar() == user
            total = 0
            for value, row in conn.execution_options(yield_per=10_000).execute(text("SELECT g, 'row ' || g FROM generate_series(1, 100000) g")):
                assert row == f"row {value}", row
                total += value
            assert total == 100_000 * 100_001 // 2, total
        assert [c["name"] for c in inspect(engine).get_columns(table.name)] == ["i", "s"]
        engine.dispose()  # the pool's sessions end; the next one asks for a token again
        with engine.connect() as conn:
            assert conn.execute(text("SELECT 1")).scalar() == 1
        assert len(tokens) >= 2, tokens
    finally:
        table.metadata.drop_all(engine)
        engine.dispose()
print("ok")
