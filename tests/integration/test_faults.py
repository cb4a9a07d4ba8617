"""Whatever is killed, what was acknowledged is there, once, and the rest catches up."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest
import redis.asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.api.app import local_issuer
from metacortex.api.auth import workspace_of
from metacortex.kernel.database import engine
from metacortex.queries.projector import Projector
from metacortex.wakeups import HEARTBEAT_MS
from metacortex.workers import LEASE_S
from tests.clients import Client
from tests.integration import laws
from tests.integration.installation import Installation
from tests.integration.load import Load

CATCH_UP_S = 5.0  # a lease and a sweep, or a heartbeat
HANG_S = 60.0  # only there to end a hang: catching up takes one or two
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


async def warm(load: Load) -> None:
    """Return after a while of load, when something has been acknowledged."""
    await asyncio.sleep(WARM_S)
    async with asyncio.timeout(HANG_S):
        while not load.acknowledged:
            await asyncio.sleep(0.1)


async def catch_up(database: AsyncEngine, load: Load) -> None:
    """Return when the read tables show all that the workspaces have."""
    await _reach(database, {id: await _head(database, id) for id in load.tokens})


async def _reach(database: AsyncEngine, heads: Mapping[UUID, int]) -> None:
    """Return when the read tables show at least these sequences."""
    async with asyncio.timeout(HANG_S):
        for workspace, sequence in heads.items():
            while await laws.shown(database, workspace) < sequence:
                await asyncio.sleep(0.02)


async def _head(database: AsyncEngine, workspace: UUID) -> int:
    sql = text("SELECT sequence FROM events.heads WHERE workspace_id = :w")
    async with database.connect() as connection:
        return await connection.scalar(sql, {"w": workspace}) or 0


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


async def test_a_worker_killed_inside_its_transaction_leaves_nothing_half_done(
    installation: Installation, database: AsyncEngine
) -> None:
    assert installation.stop("scheduler") == 0  # the worker alone
    async with person(installation) as (client, workspace):
        task = await client.task()
        await client.get("/tasks", 1)
        owner = engine(installation.urls.owner)
        async with owner.begin() as holder:
            values = {"w": workspace}
            await holder.execute(text(HOLD_TASKS), values)
            await client.do("POST", "/commands", batch(task["id"]))
            pid = await blocked(owner)
            installation.kill("worker")
            assert await blocked(owner) == pid, "its transaction stands open"
        async with asyncio.timeout(HANG_S):
            while await _number(owner, LIVES, {"pid": pid}):
                await asyncio.sleep(0.02)
        assert await laws.shown(database, workspace) == 1
        assert await _number(database, TAGS, values) == 0
        assert await Projector(owner).verify(workspace) == []

        assert max(LEASE_S, HEARTBEAT_MS / 1_000) <= CATCH_UP_S
        for part in ("worker", "scheduler"):
            installation.start(part)
        await _reach(database, {workspace: 3})
        await laws.check_read_side(database, Projector(owner), workspace)
        await owner.dispose()


HOLD_TASKS = "SELECT id FROM queries.tasks WHERE workspace_id = :w FOR UPDATE"
TAGS = "SELECT count(*) FROM queries.tags WHERE workspace_id = :w"
LIVES = "SELECT count(*) FROM pg_stat_activity WHERE pid = :pid"
BLOCKED = (  # a projector that has written and waits to write more
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'metacortex-projector'"
    " AND datname = current_database() AND state = 'active'"
    " AND backend_xid IS NOT NULL AND wait_event_type = 'Lock'"
)


async def blocked(owner: AsyncEngine) -> int:
    """Return the process of a projector whose transaction waits for a lock."""
    async with asyncio.timeout(HANG_S):
        while not (pid := await _number(owner, BLOCKED, {})):
            await asyncio.sleep(0.02)
    return pid


async def _number(database: AsyncEngine, sql: str, values: Mapping[str, object]) -> int:
    async with database.connect() as connection:
        return await connection.scalar(text(sql), dict(values)) or 0


def batch(task_id: str) -> dict[str, object]:
    """Return commands that write a tag first, and then what is held."""
    tag = {"id": str(uuid4()), "type": "tag.create", "args": {"name": "Half"}}
    edit = {"id": str(uuid4()), "type": "task.edit", "args": {"title": "Done"}}
    return {"commands": [tag, {**edit, "target": task_id}]}


@asynccontextmanager
async def person(installation: Installation) -> AsyncIterator[tuple[Client, UUID]]:
    """Somebody new at the API of the installation, and their workspace."""
    async with httpx2.AsyncClient(base_url=installation.base_url, timeout=20) as http:
        found = Client.new(http, local_issuer(installation.settings))
        yield found, workspace_of(f"user_{found.user}")


async def test_nothing_acknowledged_is_lost_when_the_api_is_killed(
    installation: Installation, database: AsyncEngine
) -> None:
    load = Load.of(installation)

    async def trouble() -> None:
        await warm(load)
        installation.kill("api")
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
        await warm(load)
        installation.kill_postgres()
        await asyncio.sleep(WARM_S)
        installation.restart_postgres()  # in this thread: the server ends with it
        await asyncio.to_thread(installation.wait_ready)
        await asyncio.sleep(WARM_S)

    await load.during(trouble)
    await catch_up(database, load)
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
            async with asyncio.timeout(HANG_S):
                while len(load.acknowledged) == before:
                    await asyncio.sleep(0.1)
            await _reach(database, heads)

    await load.during(trouble)
    assert set(load.answers) == {201}
    await catch_up(database, load)  # the sweep alone, there is still no Redis
    installation.restart_redis()
    await check_all(installation, database, load)


async def test_workers_come_back_with_redis(
    installation: Installation, database: AsyncEngine
) -> None:
    installation.redis.stop()
    await Load.of(installation).during(lambda: asyncio.sleep(WARM_S))
    installation.restart_redis()
    assert installation.stop("scheduler") == 0
    load = Load.of(installation)
    await load.during(lambda: asyncio.sleep(WARM_S))
    await catch_up(database, load)  # by messages alone
    installation.start("scheduler")
    await check_all(installation, database, load)
