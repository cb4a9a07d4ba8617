"""The slowest statements, as a server counts them that has `pg_stat_statements`."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from metacortex.embedded import start_postgres
from metacortex.kernel.database import autocommit, driver_pool, engine
from metacortex.operations.queries_database import STATEMENTS, database
from tests.conftest import Urls, migrated

EXTENSION = "pg_stat_statements"


async def execute(url: str, *statements: str) -> None:
    made = autocommit(create_async_engine(url))
    async with made.connect() as connection:
        for it in statements:
            await connection.execute(text(it))
    await made.dispose()


_AVAILABLE = text("SELECT count(*) FROM pg_available_extensions WHERE name = :name")


@pytest.fixture(autouse=True)
async def available(postgres_url: str) -> None:
    """Skip where the installed server comes without the extension."""
    made = create_async_engine(postgres_url)
    async with made.connect() as connection:
        found = await connection.scalar(_AVAILABLE, {"name": EXTENSION})
    await made.dispose()
    if not found:
        pytest.skip(f"{EXTENSION} is not installed")


@pytest.fixture(scope="module")
async def server_url(scratch: Path) -> AsyncIterator[str]:
    """A server that loads the library of the extension."""
    folder = scratch / "counting"
    folder.mkdir()
    server = start_postgres(folder)
    try:
        load = f"ALTER SYSTEM SET shared_preload_libraries = '{EXTENSION}'"
        await execute(server.url, load)
        server.stop()
        server = start_postgres(folder)
        yield server.url
    finally:
        server.stop()


@pytest.fixture
async def counting(server_url: str, redis_url: str) -> Urls:
    """A migrated database of that server."""
    return await migrated(server_url, f"mc_{uuid4().hex[:8]}", redis_url)


async def test_the_slowest_are_told_once_they_are_counted(counting: Urls) -> None:
    made = engine(counting.app)
    reads = driver_pool(made)
    assert (await database(reads))["slow_statements"] is None
    await execute(counting.owner, f"CREATE EXTENSION {EXTENSION}")
    for number in range(STATEMENTS + 2):
        await reads.row(text(f"SELECT pg_sleep(0.01) AS n{number}"), {})
    await reads.row(text("SELECT pg_sleep(:s)"), {"s": 0.3})
    found = (await database(reads))["slow_statements"]
    assert len(found) == STATEMENTS
    (nap,) = [it for it in found if it["statement"] == "SELECT pg_sleep($1)"]
    assert nap["calls"] == 1
    assert nap["mean_ms"] == nap["total_ms"] >= 300
    assert [it["mean_ms"] for it in found] == sorted(
        (it["mean_ms"] for it in found), reverse=True
    )
    await made.dispose()


async def test_an_extension_whose_library_is_not_loaded_counts_nothing(
    postgres_url: str, redis_url: str
) -> None:
    own = await migrated(postgres_url, f"mc_{uuid4().hex[:8]}", redis_url)
    await execute(own.owner, f"CREATE EXTENSION {EXTENSION}")
    made = engine(own.app)
    assert (await database(driver_pool(made)))["slow_statements"] is None
    await made.dispose()


async def test_an_extension_that_one_may_not_read_counts_nothing(
    counting: Urls,
) -> None:
    await execute(
        counting.owner,
        "CREATE SCHEMA kept",
        f"CREATE EXTENSION {EXTENSION} SCHEMA kept",
    )
    made = engine(counting.app)
    reads = driver_pool(made)
    assert (await database(reads))["slow_statements"] is None
    await execute(counting.owner, "GRANT USAGE ON SCHEMA kept TO metacortex_app")
    assert (await database(reads))["slow_statements"]
    await made.dispose()
