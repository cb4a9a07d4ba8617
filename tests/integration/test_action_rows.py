"""An operator's action and its row of `workers.actions`: both, or neither."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from metacortex.events import log
from metacortex.kernel.database import driver_pool, engine
from metacortex.operations.actors import IMPORTS, MAINTENANCE, VERIFY
from metacortex.operations.operator_actions import (
    ActionsOf,
    Done,
    Operator,
    OperatorActions,
)
from metacortex.operations.schedules import Schedules, entries
from tests.conftest import Urls, migrated
from tests.http.operators import failing, make_group, make_run
from tests.integration.operating import HANG_S, Operating, acting

WORKSPACE = UUID("0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a0f")
RUN = UUID("0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a10")
ACTIONS: dict[str, Callable[[ActionsOf], Awaitable[Done]]] = {
    "run.retry": lambda it: it.retry_run(RUN),
    "run.discard": lambda it: it.discard_run(RUN),
    "failures.retry": lambda it: it.retry_failures("f"),
    "failures.discard": lambda it: it.discard_failures("f"),
    "schedule.run": lambda it: it.run_schedule("retention"),
    "schedule.pause": lambda it: it.pause_schedule("retention"),
    "schedule.resume": lambda it: it.resume_schedule("samples"),
    "queue.pause": lambda it: it.pause_queue(IMPORTS),
    "queue.resume": lambda it: it.resume_queue(MAINTENANCE),
    "projection.retry": lambda it: it.retry_projection(WORKSPACE),
    "projection.rebuild": lambda it: it.rebuild(WORKSPACE),
    "projection.verify": lambda it: it.verify(WORKSPACE),
}
KILLED = "mc-killed"
TERMINATE = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    f" WHERE application_name = '{KILLED}' AND wait_event_type = 'Lock'"
)
STATE = ("runs", "queues", "schedules", "schedule_runs")


@pytest.fixture(scope="module")
async def own_urls(postgres_url: str, redis_url: str) -> Urls:
    """A database of these tests' own: nothing else changes in it."""
    return await migrated(postgres_url, f"mc_{uuid4().hex[:8]}", redis_url)


@pytest.fixture
async def operating(own_urls: Urls) -> AsyncIterator[Operating]:
    """Something that each action has an effect on."""
    async with Operating.on(own_urls) as found:
        writes = engine(own_urls.app)
        await found.change("DELETE FROM workers.runs")
        await found.change("DELETE FROM workers.failures")
        failed = failing(
            "f", actor=VERIFY, finished_at=datetime(2026, 1, 1, tzinfo=UTC)
        )
        await make_run(writes, **{**failed, "id": RUN})
        await make_group(writes, "f", VERIFY, RUN)
        await Schedules(found.database).declare(entries(1.0))
        await found.change("UPDATE workers.schedules SET paused = name = 'samples'")
        await found.change(
            "INSERT INTO workers.queues (name, paused) VALUES (:no, false),"
            " (:yes, true) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused",
            no=IMPORTS,
            yes=MAINTENANCE,
        )
        async with writes.begin() as connection:
            await connection.execute(log.ENSURE_HEADS, {"workspaces": [WORKSPACE]})
        await writes.dispose()
        yield found


async def state(operating: Operating) -> list[Any]:
    """Return all that actions may change."""
    return [
        sorted(str(dict(row)) for row in await operating.rows(f"TABLE workers.{table}"))
        for table in STATE
    ]


async def noted(operating: Operating) -> list[Any]:
    rows = await operating.rows("SELECT action, result FROM workers.actions")
    return [tuple(it) for it in rows]


@pytest.mark.parametrize("name", ACTIONS)
async def test_an_action_whose_connection_is_killed_at_its_row_has_done_nothing(
    operating: Operating, own_urls: Urls, postgres_url: str, name: str
) -> None:
    """To Postgres that is the same as an API that dies there."""
    before, rows = await state(operating), len(await noted(operating))
    database = engine(own_urls.app, name=KILLED)
    owner, admin = create_async_engine(own_urls.owner), engine(postgres_url)
    try:
        async with owner.begin() as holder:
            await holder.execute(text("LOCK workers.actions IN EXCLUSIVE MODE"))
            doing = asyncio.create_task(tried(name, database))
            async with asyncio.timeout(HANG_S):
                while not await driver_pool(admin).rows(TERMINATE, {}):
                    await asyncio.sleep(0.01)
            assert isinstance(await doing, Exception)
        assert await state(operating) == before
        assert len(await noted(operating)) == rows
        done = await tried(name, database)  # the same once more, and nobody kills
        assert isinstance(done, Done), done
        assert await state(operating) != before
        assert (await noted(operating))[rows:] == [(name, done.result)]
    finally:
        for it in (owner, admin, database):
            await it.dispose()


async def tried(name: str, database: AsyncEngine) -> Done | Exception:
    try:
        return await ACTIONS[name](acting(database))
    except Exception as error:
        return error


async def test_an_action_whose_row_cannot_be_written_has_done_nothing(
    operating: Operating,
) -> None:
    before, rows = await state(operating), await noted(operating)
    nowhere = OperatorActions(operating.database).by(
        Operator("user_olga", "no address")
    )
    for act in ACTIONS.values():
        with pytest.raises(Exception, match="inet"):
            await act(nowhere)
    assert await state(operating) == before
    assert await noted(operating) == rows


async def test_a_run_that_redis_was_not_told_of_is_sent_by_the_dispatcher(
    operating: Operating,
) -> None:
    """As after a process that died between its commit and its message."""
    await acting(operating.database).resume_queue(MAINTENANCE)
    done = await acting(operating.database).retry_run(RUN)  # without a broker
    assert done.run_id is not None
    assert await operating.dispatch() == 1
    sent = operating.broker.client.hexists(
        f"metacortex:{MAINTENANCE}.msgs", str(done.run_id)
    )
    assert sent
