"""Connections that a server has hung up on, as a restart of it does on all of them."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from metacortex.kernel.database import autocommit, driver_pool, engine
from tests.conftest import Urls

HANG_S = 60  # only there to end a hang
_NAP = text("SELECT pg_sleep(0.05)")
_ONE = text("SELECT 1")
_END = text(
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
    " WHERE application_name = 'hung up on' AND pid <> pg_backend_pid()"
)


async def by_pool(database: AsyncEngine) -> None:
    async with autocommit(database).connect() as connection:
        await connection.execute(_NAP)


async def hang_up(urls: Urls) -> None:
    """End all connections, and wait until the processes are gone."""
    owner = create_async_engine(urls.owner)
    async with owner.connect() as connection:
        assert all((await connection.execute(_END)).scalars())
    await owner.dispose()
    await asyncio.sleep(0.1)  # the loop hears of it


async def test_who_still_reads_when_the_engine_is_disposed_of_closes(
    urls: Urls,
) -> None:
    database = engine(urls.app, name="still read")
    direct = driver_pool(database)
    await direct.row(_ONE, {})
    late = asyncio.create_task(direct.row(_NAP, {}))
    await asyncio.sleep(0)
    assert not direct._idle, "it is in use"
    await database.dispose()
    await late
    assert not direct._idle
    await direct.row(_NAP, {})
    assert len(direct._idle) == 1, "an engine may be used again"
    await database.dispose()
    assert not direct._idle


async def test_nobody_pays_for_connections_of_before(urls: Urls) -> None:
    database = engine(urls.app, pool_size=8, name="hung up on")
    direct = driver_pool(database)
    for _ in range(2):
        many = [direct.row(_NAP, {}) for _ in range(4)]
        await asyncio.gather(*many, *(by_pool(database) for _ in range(4)))
        await hang_up(urls)
        async with asyncio.timeout(HANG_S):
            for _ in range(8):
                assert (await direct.row(_ONE, {}))[0] == 1
                await by_pool(database)
    await database.dispose()


async def test_a_login_reads_instants_in_utc(urls: Urls) -> None:
    for url in (urls.app, urls.projector, urls.auditor):
        database = engine(url)
        assert (await driver_pool(database).row(text("SHOW timezone"), {}))[0] == "UTC"
        await database.dispose()


async def test_only_auditors_may_be_idle_in_a_transaction_for_long(urls: Urls) -> None:
    found = []
    for url in (urls.app, urls.projector, urls.auditor):
        database = engine(url)
        shown = text("SHOW idle_in_transaction_session_timeout")
        found.append((await driver_pool(database).row(shown, {}))[0])
        await database.dispose()
    assert found == ["10s", "10s", "0"]
