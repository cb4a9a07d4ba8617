"""Several lanes over several engines, as of several processes, on the same workspaces.

Whatever meets whatever, answers agree with the log, and nothing is lost or doubled.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands.bus import Bus
from metacortex.commands.lane import Lane
from metacortex.kernel.database import engine
from tests.conftest import Urls
from tests.integration import answers
from tests.integration.crowd import Crowd

PROCESSES = 2  # engines, each with two buses
CALLERS = 24
STEPS = 22  # of each caller: every kind once
CUTS = 12  # connections that are cut while they are at work
HANG_S = 120  # only there to end a hang: both tests take a few seconds
PAUSE_S = 0.03  # between two cuts: some batches shall get through

_CUT = text(
    "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity"
    " WHERE application_name = :name AND datname = current_database()"
    " AND backend_xid IS NOT NULL ORDER BY xact_start LIMIT 1) busy"
)


@pytest.fixture
def name() -> str:
    """What the lanes' connections are called, so that they can be found."""
    return f"lanes-{uuid4()}"


@pytest.fixture
async def lanes(urls: Urls, name: str) -> AsyncIterator[list[Lane]]:
    """Lanes of several processes, which share nothing but the database."""
    async with AsyncExitStack() as stack:
        found = []
        for number in range(2 * PROCESSES):
            if number % 2 == 0:
                database = engine(urls.app, name=name)
                stack.push_async_callback(database.dispose)
            lane = Lane(Bus(database), lanes=1 + number % 2, batch=5 + 20 * number)
            lane.start()
            stack.push_async_callback(lane.stop)
            found.append(lane)
        yield found


async def test_answers_agree_with_the_log_whoever_meets_whom(
    lanes: list[Lane], writes: AsyncEngine
) -> None:
    crowd = Crowd(lanes, writes)
    async with asyncio.timeout(HANG_S):
        await crowd.settle()
        await crowd.act(CALLERS, lambda number: number >= STEPS)
    await answers.check(writes, crowd)


async def test_cut_connections_lose_nothing_that_was_acknowledged(
    lanes: list[Lane], writes: AsyncEngine, name: str
) -> None:
    crowd, cuts = Crowd(lanes, writes), 0
    await crowd.settle()

    async def cut() -> None:
        nonlocal cuts
        while cuts < CUTS:
            async with writes.connect() as connection:
                cuts += await connection.scalar(_CUT, {"name": name}) or 0
            await asyncio.sleep(PAUSE_S)

    async with asyncio.timeout(HANG_S), asyncio.TaskGroup() as group:
        group.create_task(cut())
        group.create_task(
            crowd.act(CALLERS, lambda number: number >= STEPS and cuts >= CUTS)
        )
    await answers.check(writes, crowd)
