"""Logs in with asyncpg and an IAM token: asyncpg_client.py PORT DATABASE USER CA, the token in PGPASSWORD.

asyncpg cannot be told another address for a host name, so the host is localhost, which the certificate holds too.
"""
import asyncio
import os
import ssl
import sys

import asyncpg

port, database, user, ca = sys.argv[1:]
text = "back\\slash, 'quote' and \"another\", ü"


async def main():
    where = dict(host="localhost", port=int(port), database=database, user=user, password=os.environ["PGPASSWORD"], ssl=ssl.create_default_context(cafile=ca))
    async with asyncpg.create_pool(min_size=1, max_size=2, **where) as pool:
        for n in range(7):  # each use resets the session when it comes back
            async with pool.acquire() as conn:
                row = await conn.fetchrow("SELECT $1::int + 2, $2::text, current_user::text", n, text)
                assert tuple(row) == (n + 2, text, user), row
        async with pool.acquire() as conn:
            total = 0
            async with conn.transaction():
                async for value, words in conn.cursor("SELECT g, 'row \\ ' || g FROM generate_series(1, 100000) g", prefetch=10_000):
                    assert words == f"row \\ {value}", words
                    total += value
            assert total == 100_000 * 100_001 // 2, total
            await conn.execute("CREATE TEMP TABLE t (i int, s text)")
            await conn.copy_records_to_table("t", records=[(1, "x\\y"), (2, None)])
            assert [tuple(r) for r in await conn.fetch("SELECT i, s FROM t ORDER BY i")] == [(1, "x\\y"), (2, None)]
            try:
                await asyncio.wait_for(conn.execute("SELECT pg_sleep(60)"), 0.5)  # cancels on the server
                raise SystemExit("the statement was not cancelled")
            except asyncio.TimeoutError:
                assert await conn.fetchval("SELECT 1") == 1


asyncio.run(main())
print("ok")
