"""The moment of the commit: nobody hears of it before, and nobody is lost at it."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.commands.lane import Lane
from metacortex.commands.message import Answer, CommandRequest
from metacortex.kernel.database import engine
from metacortex.kernel.errors import Unavailable
from tests.conftest import Urls
from tests.integration import laws
from tests.integration.gate import Gate, Line
from tests.integration.walking import request

COMMANDS = 5  # that wait together, and become one batch


@pytest.fixture
async def gate(urls: Urls, workspace: UUID) -> AsyncIterator[Gate]:
    """A gate before the commits of the workspace."""
    owner = engine(urls.owner)
    yield Gate(owner, workspace)
    await owner.dispose()


def births(workspace: UUID) -> list[CommandRequest]:
    return [
        request(workspace, tasks.CreateTask(task_id=uuid4(), title=str(number)))
        for number in range(COMMANDS)
    ]


async def ask(lane: Lane, asked: CommandRequest) -> Answer:
    """Send until it is answered, as clients do with the same key."""
    while True:
        try:
            return await lane.send(asked)
        except Unavailable:
            await asyncio.sleep(0.05)


async def check(
    database: AsyncEngine, workspace: UUID, answers: list[Answer], *, replayed: bool
) -> None:
    """Assert that each command took effect once, and its answer tells so."""
    assert await laws.check(database, workspace) == COMMANDS
    assert [it.replayed for it in answers] == [replayed] * COMMANDS
    told = [event.id for answer in answers for event in answer.events]
    written = [str(it.event_id) for it in await laws.records(database, workspace)]
    assert sorted(told) == sorted(written)


async def test_nobody_is_answered_before_the_commit(
    gate: Gate, lane: Lane, writes: AsyncEngine, workspace: UUID
) -> None:
    first, *others = births(workspace)
    answers = [await ask(lane, first)]
    async with gate.shut():
        asked = [asyncio.create_task(ask(lane, it)) for it in others]
        await gate.reached()
        for _ in range(5):  # round trips, in which an early answer would arrive
            assert await laws.check(writes, workspace) == 1
        assert not any(it.done() for it in asked)
    answers += await asyncio.gather(*asked)
    await check(writes, workspace, answers, replayed=False)


async def test_a_connection_cut_at_the_commit_takes_no_command_along(
    gate: Gate, lane: Lane, writes: AsyncEngine, workspace: UUID
) -> None:
    async with gate.shut():
        asked = [asyncio.create_task(ask(lane, it)) for it in births(workspace)]
        first = await gate.reached()
        await gate.cut(first)
        await gate.reached(first)
    answers = list(await asyncio.gather(*asked))
    await check(writes, workspace, answers, replayed=False)


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_a_conflict_or_a_deadlock_is_tried_again_without_a_word(
    gate: Gate, lane: Lane, writes: AsyncEngine, workspace: UUID, sqlstate: str
) -> None:
    async with gate.refusing_once(sqlstate):
        answer = await lane.send(births(workspace)[0])
    assert not answer.replayed
    assert await laws.check(writes, workspace) == 1


async def test_a_commit_that_nobody_heard_of_happens_once(
    gate: Gate, urls: Urls, writes: AsyncEngine, workspace: UUID
) -> None:
    line = Line(urls.app)
    async with line.open() as url:
        database = engine(url)
        lane = Lane(Bus(database))
        lane.start()
        async with gate.shut():
            asked = [asyncio.create_task(ask(lane, it)) for it in births(workspace)]
            await gate.reached()
            line.mute()
        answers = list(await asyncio.gather(*asked))
        assert line.lost
        await lane.stop()
        await database.dispose()
    await check(writes, workspace, answers, replayed=True)
