"""Migrations while everything else works, and what they say when they cannot."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from typer.testing import CliRunner, Result

from metacortex import cli
from metacortex.api.health import SCHEMA
from metacortex.cli import processes
from metacortex.commands.bus import Bus
from metacortex.commands.lane import Lane
from metacortex.console import say
from metacortex.embedded import create_database
from metacortex.kernel.database import driver_pool, engine
from metacortex.kernel.driver_errors import Meaning, meaning, sqlstate
from metacortex.kernel.errors import Unavailable
from metacortex.queries import activity
from metacortex.queries.projector import Projector
from migrations import locks
from tests import scratch
from tests.conftest import Urls, migrated, roles_of
from tests.integration import laws
from tests.integration.walking import Walk

HANG_S = 60  # only there to end a hang
SPACES = 4
WRITERS = 6
READERS = 4
ALTERED = ("commands.tags", "queries.tasks", "commands.tasks", "queries.activity")
"""In an order that is neither that of the bus nor that of the projector."""

STATEMENTS = [
    line
    for table in (*ALTERED, "queries.checkpoints", "events.heads")
    for line in (
        f"ALTER TABLE {table} ADD COLUMN scratch INTEGER DEFAULT 7",
        "SELECT pg_sleep(0.05)",  # what a rewrite takes
        f"ALTER TABLE {table} DROP COLUMN scratch",
    )
]


@pytest.fixture
async def own(postgres_url: str, redis_url: str) -> Urls:
    """A database of this test's, at the newest revision."""
    return await migrated(postgres_url, f"mc_{uuid4().hex[:8]}", redis_url)


@pytest.fixture
async def owner(own: Urls) -> AsyncIterator[AsyncEngine]:
    """That database as a superuser sees it."""
    database = create_async_engine(own.owner)
    yield database
    await database.dispose()


async def migrate(
    own: Urls, folder: Path | None, monkeypatch: pytest.MonkeyPatch
) -> Result:
    """Run `metacortex migrate`, with one more folder of versions if given."""
    monkeypatch.setattr(processes, "_alembic", lambda: scratch.config(folder))
    environ = {
        "ENVIRONMENT": "test",
        "DATABASE_URL": own.app,
        "DATABASE_OWNER_URL": own.owner,
        "DATABASE_PROJECTOR_URL": own.projector,
        "DATABASE_AUDITOR_URL": own.auditor,
        "REDIS_URL": own.redis,
        "METACORTEX_LOG_LEVEL": "error",
    }
    runner = CliRunner()
    return await asyncio.to_thread(runner.invoke, cli.app, ["migrate"], env=environ)


async def revision(database: AsyncEngine) -> str:
    async with database.connect() as connection:
        sql = text("SELECT version_num FROM public.alembic_version")
        return str(await connection.scalar(sql))


class Load:
    """Writers, projectors and readers who go on until they are told to stop."""

    def __init__(self, own: Urls) -> None:
        self._app = engine(own.app, pool_size=20)
        self._projecting = engine(own.projector)
        self.walks = [Walk(uuid4(), Random(n)) for n in range(SPACES)]
        self.spaces = [it.workspace_id for it in self.walks]
        self.projector = Projector(self._projecting)
        self.done = {"written": 0, "projected": 0, "read": 0}
        self.deadlocks = 0
        self._over = False

    async def during(self, trouble: Callable[[], Awaitable[Result]]) -> Result:
        """Be busy while there is trouble; then project what is left."""
        lane = Lane(Bus(self._app), lanes=2)
        lane.start()
        for walk in self.walks:
            for born in walk.births():
                await lane.submit(born)
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(WRITERS):
                    group.create_task(self._again(self._writing(lane, number)))
                for _ in range(2):
                    group.create_task(self._again(self._projected))
                for number in range(READERS):
                    group.create_task(self._again(self._reading(number)))
                await asyncio.sleep(0.3)
                try:
                    result = await trouble()
                finally:
                    self._over = True
        finally:
            await lane.stop()
        while (await self.projector.turn(self.spaces)).behind:
            pass
        return result

    async def end(self) -> None:
        await self._app.dispose()
        await self._projecting.dispose()

    async def _again(self, act: Callable[[], Awaitable[None]]) -> None:
        """Act until it is over; what a client is told to repeat comes again."""
        while not self._over:
            try:
                await act()
            except Unavailable:
                await asyncio.sleep(0.05)
            except Exception as error:
                self.deadlocks += sqlstate(error) == "40P01"
                if meaning(error) not in (Meaning.BUSY, Meaning.LOST):
                    raise
            await asyncio.sleep(0)

    def _writing(self, lane: Lane, number: int) -> Callable[[], Awaitable[None]]:
        walk = self.walks[number % SPACES]

        async def write() -> None:
            await lane.submit(walk.next())
            self.done["written"] += 1

        return write

    async def _projected(self) -> None:
        self.done["projected"] += (await self.projector.turn(self.spaces)).events

    def _reading(self, number: int) -> Callable[[], Awaitable[None]]:
        reader, space = driver_pool(self._app), self.spaces[number % SPACES]

        async def read() -> None:
            await activity.changes_since(reader, space, 0, 100)
            self.done["read"] += 1

        return read


@pytest.fixture
async def load(own: Urls) -> AsyncIterator[Load]:
    """Load on that database."""
    found = Load(own)
    yield found
    await found.end()


@pytest.mark.parametrize("named", [True, False], ids=["named", "all"])
async def test_a_migration_goes_through_while_everybody_works(
    own: Urls,
    owner: AsyncEngine,
    load: Load,
    named: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ALTERED if named else None
    scratch.write(tmp_path / "v", *STATEMENTS, after=SCHEMA, locks=names)
    said = await load.during(lambda: migrate(own, tmp_path / "v", monkeypatch))
    assert said.exit_code == 0, said.stderr
    assert await revision(owner) == scratch.REVISION
    assert all(load.done.values()), load.done
    assert load.deadlocks == 0, "a migration gives up before anybody else must"
    for space in load.spaces:
        assert await laws.check(owner, space) > 0  # how many is up to the machine
        await laws.check_read_side(owner, load.projector, space)


PROJECTS = (
    "SELECT c.sequence, (SELECT h.sequence FROM events.heads h"
    " WHERE h.workspace_id = c.workspace_id) FROM queries.checkpoints c"
    " FOR UPDATE OF c",
    "SELECT count(*) FROM events.log",
    "SELECT count(*) FROM queries.tags",
    "UPDATE queries.tasks SET title = title",
    "UPDATE queries.checkpoints SET sequence = sequence",
)
COMMANDS = (
    "SELECT sequence FROM events.heads FOR UPDATE",
    "UPDATE commands.tags SET name = name",
    "UPDATE events.heads SET sequence = sequence",
)
"""What the projector and the bus lock, in their order; on 0002 and later schemas."""


async def test_0003_goes_through_while_everybody_works(
    postgres_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await create_database(postgres_url, f"mc_{uuid4().hex[:8]}")
    own, owner = Urls(owner=url, redis=redis_url, **roles_of(url)), engine(url)
    async with owner.begin() as opened:
        await opened.run_sync(
            lambda it: command.upgrade(scratch.config(connection=it), "0002")
        )
    over, rounds = asyncio.Event(), Counter[Sequence[str]]()

    async def work(statements: Sequence[str]) -> None:
        while not over.is_set():
            async with owner.begin() as connection:
                for statement in statements:
                    await connection.execute(text(statement))
                    await asyncio.sleep(0.002)  # what the network takes
            rounds[statements] += 1

    async with asyncio.TaskGroup() as group:
        for statements in (PROJECTS, PROJECTS, COMMANDS, COMMANDS):
            group.create_task(work(statements))
        await asyncio.sleep(0.3)
        try:
            said = await migrate(own, None, monkeypatch)
        finally:
            over.set()
    assert said.exit_code == 0, said.stderr
    assert min(rounds.values()) > 3
    assert await revision(owner) == SCHEMA
    await owner.dispose()


def test_tables_are_locked_where_others_begin_then_by_name() -> None:
    assert locks.ordered([]) == []
    assert locks.ordered(["workers.leases"]) == ["workers.leases"]
    assert locks.ordered(["queries.tasks"]) == ["queries.checkpoints", "queries.tasks"]
    assert locks.ordered(["events.log"]) == ["events.heads", "events.log"]
    assert locks.ordered(["queries.tasks", "queries.activity", "commands.tags"]) == [
        "events.heads",
        "queries.checkpoints",
        "commands.tags",
        "queries.activity",
        "queries.tasks",
    ]


ADD = "ALTER TABLE queries.tasks ADD COLUMN scratch INTEGER"
NAMED = ("queries.tasks",)


@pytest.mark.parametrize("named", [NAMED, ()], ids=["named", "not-named"])
async def test_a_table_in_use_is_waited_for_and_named(
    own: Urls,
    owner: AsyncEngine,
    named: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scratch.write(tmp_path / "v", ADD, after=SCHEMA, locks=named)
    user, attempts = engine(own.app, name="report"), list[str]()

    def heard(line: str) -> None:
        attempts.append(line)
        say(line)

    monkeypatch.setattr(locks, "say", heard)
    async with user.connect() as connection:
        await connection.execute(text("SELECT count(*) FROM queries.tasks"))
        migrating = asyncio.create_task(migrate(own, tmp_path / "v", monkeypatch))
        async with asyncio.timeout(HANG_S):
            while len(attempts) < 2:
                await asyncio.sleep(0.05)
        assert not migrating.done()
    said = await migrating
    await user.dispose()
    assert (said.exit_code, said.stdout) == (0, "")
    assert await revision(owner) == scratch.REVISION
    *waits, last = said.stderr.splitlines()
    assert last == "The schema is up to date."
    assert waits
    for number, line in enumerate(waits, 1):
        begins = f"attempt {number} of {locks.ATTEMPTS}: waits for "
        if named:
            assert line.startswith(begins + "queries.tasks (held by report ")
        else:
            assert line == begins + ADD


async def test_a_table_in_use_for_too_long_is_an_error_and_nothing_changed(
    own: Urls, owner: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = "ALTER TABLE commands.tags ADD COLUMN scratch INTEGER"
    scratch.write(tmp_path / "v", first, ADD, after=SCHEMA, locks=())
    monkeypatch.setattr(locks, "ATTEMPTS", 2)
    user = engine(own.app)
    async with user.connect() as connection:
        await connection.execute(text("SELECT count(*) FROM queries.tasks"))
        said = await migrate(own, tmp_path / "v", monkeypatch)
    await user.dispose()
    assert said.exit_code == 1
    *_, last = said.stderr.splitlines()
    assert last.startswith(f"error: the schema cannot be brought up: {ADD} was in use")
    assert await revision(owner) == SCHEMA
    async with owner.connect() as connection:
        with pytest.raises(DBAPIError, match="scratch"):
            await connection.execute(text("SELECT scratch FROM commands.tags"))


@pytest.mark.parametrize(("code", "tries"), [("55P03", 3), ("40P01", 3), ("22012", 1)])
async def test_what_is_over_soon_is_tried_again_and_nothing_else(
    own: Urls,
    owner: AsyncEngine,
    code: str,
    tries: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sequence counts the attempts: what it gave is not taken back."""
    async with owner.begin() as connection:
        await connection.execute(text("CREATE SEQUENCE public.attempts"))
        await connection.execute(text("GRANT USAGE ON public.attempts TO PUBLIC"))
    fail = (
        "DO $$ BEGIN IF nextval('public.attempts') < 3 THEN RAISE EXCEPTION 'Not now'"
        f" USING ERRCODE = '{code}'; END IF; END $$"
    )
    scratch.write(tmp_path / "v", fail, after=SCHEMA, locks=())
    said = await migrate(own, tmp_path / "v", monkeypatch)
    async with owner.connect() as connection:
        sql = text("SELECT last_value FROM public.attempts")
        assert await connection.scalar(sql) == tries
    assert said.exit_code == (0 if tries == 3 else 1)
    expected = scratch.REVISION if tries == 3 else SCHEMA
    assert await revision(owner) == expected
