"""Whatever is killed, what was acknowledged is there, once, and the rest catches up."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from uuid import UUID

import pytest
import redis.asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import engine
from metacortex.queries.projector import Projector
from tests.machine import laws
from tests.machine.installation import Installation
from tests.machine.load import Load

CATCH_UP_S = 5.0  # a lease and a sweep
WARM_S = 1.0  # of load before the trouble begins
AWAY_S = 10.0  # longer than any reconnection waits, so that all of them are tried


@pytest.fixture(scope="module")
async def installation() -> AsyncIterator[Installation]:
    """One installation for all: each test leaves it whole."""
    with tempfile.TemporaryDirectory(prefix="mc-") as folder:
        begun = await Installation.begin(Path(folder))
        try:
            for part in ("api", "worker", "scheduler"):
                begun.start(part)
            await asyncio.to_thread(begun.wait_ready)
            yield begun
        finally:
            begun.end()


@pytest.fixture
async def database(installation: Installation) -> AsyncIterator[AsyncEngine]:
    """The installation's database, as commands see it."""
    found = engine(installation.urls.app)
    yield found
    await found.dispose()


async def catch_up(
    database: AsyncEngine, load: Load, within_s: float = CATCH_UP_S
) -> None:
    """Return when the read tables show all that the workspaces have."""
    heads = {id: await _head(database, id) for id in load.tokens}
    await _reach(database, heads, within_s)


async def _reach(
    database: AsyncEngine, heads: Mapping[UUID, int], within_s: float
) -> None:
    """Return when the read tables show at least these sequences."""
    until = time.monotonic() + within_s
    for workspace, sequence in heads.items():
        while await laws.shown(database, workspace) < sequence:
            assert time.monotonic() < until, f"not caught up within {within_s} s"
            await asyncio.sleep(0.02)


async def _head(database: AsyncEngine, workspace: UUID) -> int:
    loaded = await laws.load(database, workspace, [])
    return loaded.heads[workspace].sequence if loaded.heads else 0


async def check_all(
    installation: Installation, database: AsyncEngine, load: Load
) -> None:
    """Assert the laws of both sides."""
    await load.check(database)
    reading = engine(installation.urls.projector)
    for workspace in load.tokens:
        await laws.check_read_side(database, Projector(reading), workspace)
    await reading.dispose()


async def test_work_goes_on_when_the_worker_is_killed(
    installation: Installation, database: AsyncEngine
) -> None:
    load = Load.of(installation)

    async def trouble() -> None:
        await asyncio.sleep(WARM_S)
        installation.kill("worker")
        await asyncio.sleep(WARM_S)

    await load.during(trouble)
    await catch_up(database, load)
    assert set(load.answers) == {201}
    installation.start("worker")
    await check_all(installation, database, load)


async def test_nothing_acknowledged_is_lost_when_the_api_is_killed(
    installation: Installation, database: AsyncEngine
) -> None:
    load = Load.of(installation)

    async def trouble() -> None:
        await asyncio.sleep(WARM_S)
        installation.kill("api")
        assert load.acknowledged
        installation.start("api")
        await asyncio.to_thread(installation.wait_ready)
        await asyncio.sleep(WARM_S)

    await load.during(trouble)
    await catch_up(database, load)
    assert load.broken > 0
    assert 500 not in load.answers
    await check_all(installation, database, load)


async def test_nothing_acknowledged_is_lost_when_postgres_is_killed(
    installation: Installation, database: AsyncEngine
) -> None:
    load = Load.of(installation)

    async def trouble() -> None:
        await asyncio.sleep(WARM_S)
        installation.kill_postgres()
        assert load.acknowledged
        await asyncio.sleep(WARM_S)
        installation.restart_postgres()  # in this thread: the server ends with it
        await asyncio.to_thread(installation.wait_ready)
        await asyncio.sleep(WARM_S)

    await load.during(trouble)
    await catch_up(database, load, within_s=2 * CATCH_UP_S)
    assert set(load.answers) <= {200, 201, 503}
    assert load.answers[503] > 0
    await check_all(installation, database, load)


async def test_redis_may_be_emptied(
    installation: Installation, database: AsyncEngine
) -> None:
    load = Load.of(installation)

    async def trouble() -> None:
        client = redis.asyncio.Redis.from_url(installation.urls.redis)
        for _ in range(4):
            await asyncio.sleep(WARM_S / 2)
            await client.flushall()
        await client.aclose()

    await load.during(trouble)
    await catch_up(database, load)
    assert set(load.answers) == {201}
    await check_all(installation, database, load)


async def test_redis_may_be_away_for_long(
    installation: Installation, database: AsyncEngine
) -> None:
    load = Load.of(installation)

    async def trouble() -> None:
        await asyncio.sleep(WARM_S)
        installation.redis.stop()
        until = time.monotonic() + AWAY_S
        while time.monotonic() < until:
            before = len(load.acknowledged)
            heads = {id: await _head(database, id) for id in load.tokens}
            await asyncio.sleep(1)
            assert len(load.acknowledged) > before, "a second without an answer"
            await _reach(database, heads, CATCH_UP_S)

    await load.during(trouble)
    assert set(load.answers) == {201}
    await catch_up(database, load)  # the sweep alone, there is still no Redis
    installation.restart_redis()
    await check_all(installation, database, load)


async def test_workers_come_back_with_redis(
    installation: Installation, database: AsyncEngine
) -> None:
    installation.redis.stop()
    await asyncio.sleep(WARM_S)
    installation.restart_redis()
    assert installation.stop("scheduler") == 0
    load = Load.of(installation)
    await load.during(lambda: asyncio.sleep(WARM_S))
    await catch_up(database, load, within_s=2 * CATCH_UP_S)  # by messages alone
    installation.start("scheduler")
    await check_all(installation, database, load)
