"""Behind PgBouncer in transaction mode: any statement may meet another session."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.commands.lane import Lane
from metacortex.commands.members import Members
from metacortex.commands.message import Answer
from metacortex.doctor import doctor
from metacortex.events import log
from metacortex.kernel import driver_errors
from metacortex.kernel.database import (
    ReadConnection,
    autocommit,
    driver_pool,
    engine,
)
from metacortex.kernel.driver_errors import POOLER_REMEDY
from metacortex.operations.schedules import SWEEP
from metacortex.queries.bus import Freshness, Queries
from metacortex.queries.projector import Projector
from metacortex.settings import Settings
from metacortex.workers import Leadership, Sweep
from tests.conftest import ROOT, Urls, migrated
from tests.integration import laws
from tests.integration.pooler import PGBOUNCER, pgbouncer
from tests.integration.walking import Walk, request
from tests.untraced import untraced

LANES = 3  # processes, as it were
WORKSPACES = 12
ROUNDS = int(os.environ.get("METACORTEX_POOLER_ROUNDS", "4"))

needs_pgbouncer = pytest.mark.skipif(PGBOUNCER is None, reason="no pgbouncer here")


@pytest.fixture(scope="module")
async def own(postgres_url: str, redis_url: str) -> Urls:
    """A database of its own: whatever is open in it is ours."""
    return await migrated(postgres_url, f"mc_{uuid4().hex[:8]}", redis_url)


@pytest.fixture(scope="module")
def pooled(own: Urls, scratch: Path) -> Iterator[Urls]:
    """The same database, through PgBouncer."""
    with pgbouncer(scratch, own) as urls:
        yield urls


async def work(lane: Lane, queries: Queries, workspace: UUID) -> int:
    """Write and read in a workspace; return how much of both."""
    done = 0
    for _ in range(ROUNDS):
        made = [tasks.CreateTask(task_id=uuid4(), title="Pooled") for _ in range(5)]
        sent = (lane.send(request(workspace, it)) for it in made)
        answers: list[Answer] = await asyncio.gather(*sent)
        fresh = Freshness(answers[-1].sequence, wait_s=30)
        await queries.shown(workspace, fresh)
        for command in made:
            await queries.one("task", workspace, command.task_id)
            await queries.past("task", workspace, command.task_id)
        found = await queries.changes(workspace, 0, 1_000)
        assert found.sequence >= answers[-1].sequence
        done += 2 + 3 * len(made)
    return done


async def sweeping(sweep: Sweep, leader: Leadership, done: asyncio.Event) -> int:
    """Sweep until everything is done; return how often."""
    turns = 0
    while not done.is_set():
        assert await leader.take()
        await sweep.turn()
        turns += 1
    return turns


async def load(urls: Urls, *, pooler: bool) -> tuple[int, int]:
    """Let several processes' worth of everything work at once.

    Return how many writes and reads there were, and how many sweeps.
    """
    writing = [engine(urls.app, pooler=pooler, pool_size=4) for _ in range(LANES)]
    projecting = engine(urls.projector, pooler=pooler, pool_size=4)
    lanes = [Lane(Bus(it)) for it in writing]
    for lane in lanes:
        lane.start()
    done, workspaces = asyncio.Event(), [uuid4() for _ in range(WORKSPACES)]
    sweep = Sweep(Projector(projecting))
    sweeps = asyncio.create_task(
        sweeping(sweep, Leadership(projecting, f"{SWEEP} of a test"), done)
    )
    for it in workspaces:
        await Members(writing[0]).saw(it, "user_pooled", "owner")
    counts = await asyncio.gather(
        *(
            work(lanes[n % LANES], Queries(writing[n % LANES]), it)
            for n, it in enumerate(workspaces)
        )
    )
    done.set()
    turns = await sweeps
    projector = Projector(projecting)
    for it in workspaces:
        assert await laws.check(writing[0], it) == 5 * ROUNDS
        assert await projector.rebuild(it) == 5 * ROUNDS
        assert await projector.verify(it) == []
    for lane in lanes:
        await lane.stop()
    for database in (*writing, projecting):
        await database.dispose()
    return sum(counts), turns


@needs_pgbouncer
async def test_everything_works_on_sessions_that_are_shared(pooled: Urls) -> None:
    asked, sweeps = await load(pooled, pooler=True)
    assert asked == WORKSPACES * ROUNDS * 17
    assert sweeps > 0


def command(
    urls: Urls, *words: str, pooler: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line through the pooler."""
    return subprocess.run(
        [sys.executable, "-m", "metacortex", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={
            **untraced(),
            "ENVIRONMENT": "test",
            "DATABASE_URL": urls.app,
            "DATABASE_OWNER_URL": urls.owner,
            "DATABASE_PROJECTOR_URL": urls.projector,
            "DATABASE_AUDITOR_URL": urls.auditor,
            "REDIS_URL": urls.redis,
            "METACORTEX_DATABASE_POOLER": str(pooler).lower(),
        },
    )


@needs_pgbouncer
def test_a_database_is_migrated_through_it_as_often_as_one_likes(pooled: Urls) -> None:
    for _ in range(3):
        done = command(pooled, "migrate")
        assert done.returncode == 0, done.stderr


@needs_pgbouncer
async def test_doctor_and_status_tell_the_truth_through_it(
    pooled: Urls, settings: Settings
) -> None:
    given = {
        "database_url": pooled.app,
        "database_owner_url": pooled.owner,
        "database_projector_url": pooled.projector,
        "database_auditor_url": pooled.auditor,
        "database_pooler": True,
    }
    asked = settings.model_copy(update=given)
    found = await asyncio.gather(*(doctor(asked) for _ in range(4)))
    for lines in found:
        bad = [it for it in lines if it["status"] in ("failing", "skipped")]
        unknown = "disk"  # of a database that `up` does not run
        assert [it["check"] for it in bad] == ["scheduler", unknown], bad
    done = await asyncio.to_thread(command, pooled, "status")
    assert done.returncode == 0, done.stderr


@needs_pgbouncer
async def test_without_the_setting_the_error_names_it(pooled: Urls) -> None:
    done = await asyncio.to_thread(command, pooled, "status", pooler=False)
    assert done.returncode == 1
    assert POOLER_REMEDY in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


async def test_a_statement_of_a_name_that_is_there_names_the_setting(
    writes: AsyncEngine,
) -> None:
    """What PgBouncer makes of two clients on one session, without PgBouncer."""
    async with writes.connect() as connection:
        await connection.execute(text("PREPARE twice AS SELECT 1"))
        with pytest.raises(DBAPIError) as raised:
            await connection.execute(text("PREPARE twice AS SELECT 1"))
        await connection.rollback()
        assert driver_errors.remedy(raised.value) == POOLER_REMEDY
        with pytest.raises(DBAPIError) as raised:
            await connection.execute(text("EXECUTE nobody"))
        assert driver_errors.remedy(raised.value) == POOLER_REMEDY
        await connection.invalidate()


_PREPARED = text("SELECT name FROM pg_prepared_statements")


async def prepared(database: AsyncEngine) -> list[str]:
    """Return what is prepared on connections of both kinds."""
    async with database.connect() as connection:
        found = list((await connection.execute(_PREPARED)).scalars())
    return found + [row[0] for row in await driver_pool(database).rows(_PREPARED, {})]


@pytest.fixture
async def alone(own: Urls) -> AsyncIterator[AsyncEngine]:
    """An engine as it is behind a pooler, with one connection of each kind."""
    found = engine(own.app, pooler=True, pool_size=2)
    yield found
    await found.dispose()


async def test_nothing_is_left_prepared_on_a_session(
    alone: AsyncEngine,
) -> None:
    workspace = uuid4()
    lane, queries = Lane(Bus(alone), lanes=1), Queries(alone)
    lane.start()
    walk = Walk(workspace, Random(7))
    for it in walk.births():
        await lane.submit(it)
    for _ in range(30):
        await lane.submit(walk.next())
        await queries.shown(workspace, Freshness())
        await queries.changes(workspace, 0, 10)
    async with autocommit(alone).connect() as connection:
        await log.read_range(ReadConnection(connection), workspace, 1, 5)
    await lane.stop()
    assert await prepared(alone) == []


async def test_without_the_setting_statements_are_kept_prepared(own: Urls) -> None:
    """Or the test above would tell nothing."""
    database = engine(own.app)
    assert await prepared(database) != []
    await database.dispose()
