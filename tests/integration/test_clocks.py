"""Two processes whose clocks differ: within a workspace, time goes one way.

Whatever instant a command writes is never before the last event of its workspace
(docs/decisions/0001-workspace-log.md).
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.commands.lane import Lane
from metacortex.commands.session import CACHE_TTL, SessionCache
from metacortex.kernel import clock
from metacortex.kernel.errors import MetaCortexError
from tests.integration import laws
from tests.integration.walking import Walk, request, unit

BEHIND = timedelta(hours=1)


def an_hour_ago() -> datetime:
    return clock.now() - BEHIND


class Lanes(NamedTuple):
    """Lanes of two processes: one with the right time, one that is an hour behind."""

    right: Lane
    slow: Lane


@pytest.fixture
async def lanes(engines: list[AsyncEngine]) -> AsyncIterator[Lanes]:
    found = Lanes(Lane(Bus(engines[0])), Lane(Bus(engines[1], now=an_hour_ago)))
    for lane in found:
        lane.start()
    yield found
    for lane in found:
        await lane.stop()


async def test_nothing_is_completed_before_it_was_created(
    lanes: Lanes, writes: AsyncEngine, workspace: UUID
) -> None:
    """Whether the slow process knows the workspace, meets a conflict, or batches."""
    for _ in range(3):
        make = tasks.CreateTask(task_id=uuid4(), title="Made on time")
        complete = tasks.CompleteTask(task_id=make.task_id)
        made = await lanes.right.send(request(workspace, make))
        done = await lanes.slow.send(request(workspace, complete))
        assert made.stored and done.stored
        assert done.stored.state.completed_at >= made.stored.created_at
    later = tasks.CreateTask(task_id=uuid4(), title="Made late")
    complete = tasks.CompleteTask(task_id=later.task_id)
    await lanes.slow.submit(unit(workspace, later, complete))
    await laws.check(writes, workspace)


async def test_no_receipt_is_of_before_the_events_that_it_follows(
    lanes: Lanes, writes: AsyncEngine, workspace: UUID
) -> None:
    make = tasks.CreateTask(task_id=uuid4(), title="Made on time")
    made = await lanes.right.send(request(workspace, make))
    assert made.stored is not None
    nothing = request(workspace, tasks.ReopenTask(task_id=uuid4()))
    same = request(workspace, tasks.EditTask(task_id=make.task_id, title=make.title))
    comment = tasks.CommentTask(task_id=make.task_id, comment_id=uuid4(), body="Late")
    applied = request(workspace, comment)
    asked = (nothing, same, applied)
    with pytest.raises(MetaCortexError, match="not_found"):
        await lanes.slow.send(nothing)
    for it in (same, applied):
        await lanes.slow.send(it)
    kept = await laws.receipts(writes, workspace)
    found = [kept[it.context.command_id] for it in asked]
    assert [it["outcome"] for it in found] == ["refused", "unchanged", "applied"]
    assert all(it["recorded_at"] >= made.stored.created_at for it in found)
    await laws.check(writes, workspace)


async def test_what_is_decided_again_after_a_conflict_has_the_new_time(
    engines: list[AsyncEngine], workspace: UUID
) -> None:
    right, slow = Bus(engines[0]), Bus(engines[1], now=an_hour_ago)
    make = tasks.CreateTask(task_id=uuid4(), title="Made an hour ago")
    await slow.execute([unit(workspace, make)])
    complete = unit(workspace, tasks.CompleteTask(task_id=make.task_id))
    prepared = await slow.prepare([complete], SessionCache())
    edit = tasks.EditTask(task_id=make.task_id, title="Edited now")
    ((edited,),) = await right.execute([unit(workspace, edit)])
    assert not await slow.commit(prepared)
    ((done,),) = await slow.execute([complete])
    assert not isinstance(edited, MetaCortexError) and edited.stored
    assert not isinstance(done, MetaCortexError) and done.stored
    assert done.stored.state.completed_at >= edited.stored.updated_at
    assert done.receipt.recorded_at >= edited.receipt.recorded_at
    await laws.check(engines[0], workspace)


async def test_memory_ends_by_the_own_clock_though_the_log_is_ahead(
    engines: list[AsyncEngine], workspace: UUID
) -> None:
    right, slow = Bus(engines[0]), Bus(engines[1], now=an_hour_ago)
    make = tasks.CreateTask(task_id=uuid4(), title="Made on time")
    await right.execute([unit(workspace, make)])
    cache = SessionCache()
    comment = tasks.CommentTask(task_id=make.task_id, comment_id=uuid4(), body="Late")
    await slow.prepare([unit(workspace, comment)], cache)
    now = an_hour_ago()
    assert cache.recent(workspace, now) is not None
    assert cache.recent(workspace, now + 2 * CACHE_TTL) is None


@pytest.mark.parametrize("seed", range(2))
async def test_the_laws_hold_of_two_processes_with_two_times(
    lanes: Lanes, writes: AsyncEngine, seed: int
) -> None:
    rng = Random(seed)
    walk = Walk(uuid4(), rng)
    for born in walk.births():
        await rng.choice(lanes).submit(born)
    for _ in range(60):
        await rng.choice(lanes).submit(walk.next())
    assert await laws.check(writes, walk.workspace_id) > 20
