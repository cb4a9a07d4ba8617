"""Turns in the lane: nobody waits for what somebody else has sent."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import budget, repository, row_parsing, tasks
from metacortex.commands.bus import Bus
from metacortex.commands.fair_queue import FairQueue, Waiting
from metacortex.commands.lane import Lane
from metacortex.commands.message import Answer, CommandRequest, Unit
from metacortex.commands.repository import LoadStatement, load_statement
from metacortex.commands.undo import Undo
from metacortex.kernel.errors import Overloaded, Refused
from tests.integration import laws
from tests.integration.walking import request, unit


def create() -> tasks.CreateTask:
    return tasks.CreateTask(task_id=uuid4(), title="Buy milk")


def of(actor_id: str, workspace: UUID, commands: int = 1) -> Unit:
    """Return a unit of somebody's commands."""
    requests = [request(workspace, create()) for _ in range(commands)]
    for it in requests:
        it.context.actor_id = actor_id
    return Unit(requests=requests)


def queued(*units: Unit) -> FairQueue:
    queue = FairQueue()
    for it in units:
        queue.put((it, asyncio.Future()))
    return queue


def drained(queue: FairQueue) -> Sequence[Unit]:
    return [queue.take()[0] for _ in iter(lambda: bool(queue), False)]


async def test_each_workspace_has_its_turn_and_in_it_each_user() -> None:
    ours, theirs = uuid4(), uuid4()
    many = [of("anna", ours) for _ in range(3)]
    ben, cleo = of("ben", ours), of("cleo", theirs)
    found = drained(queued(*many, ben, cleo))
    assert found == [many[0], cleo, ben, many[1], many[2]]


async def test_what_is_put_back_comes_first_and_waits_while_it_is_held() -> None:
    ours, theirs = uuid4(), uuid4()
    first, second, other = of("anna", ours), of("anna", ours), of("ben", theirs)
    queue = queued(first, second, other)
    taken: Waiting = queue.take()
    queue.hold(ours)
    queue.put_back([taken])
    assert queue.commands == 3
    assert queue.take()[0] is other
    assert not queue
    queue.release(ours)
    assert drained(queue) == [first, second]
    assert queue.commands == 0


async def test_nobody_fills_the_queue_for_others() -> None:
    ours, theirs = uuid4(), uuid4()
    queue = queued(*(of("anna", ours, 20) for _ in range(5)))
    assert not queue.has_room(of("anna", ours), 100)
    assert queue.has_room(of("ben", ours, 50), 100)
    assert not queue.has_room(of("ben", ours, 51), 100)
    for number in range(10):
        queue.put((of(f"user_{number}", theirs, 10), asyncio.Future()))
    assert not queue.has_room(of("ben", ours), 100), "twice as many is the end"


async def test_a_lane_counts_commands(writes: AsyncEngine, workspace: UUID) -> None:
    lane = Lane(Bus(writes), lanes=1, capacity=15)
    sent = asyncio.create_task(lane.submit(of("anna", workspace, 10)))
    await asyncio.sleep(0)
    assert lane.waiting == 10
    with pytest.raises(Overloaded):
        await lane.submit(of("anna", workspace, 6))
    lane.start()
    await sent
    await lane.stop()


async def tree(lane: Lane, workspace: UUID, below: int) -> UUID:
    """Make a task with this many subtasks."""
    root = uuid4()
    await lane.submit(unit(workspace, tasks.CreateTask(task_id=root, title="Boxes")))
    for start in range(0, below, 100):
        made = [
            tasks.CreateTask(task_id=uuid4(), title=f"Box {number}", parent_id=root)
            for number in range(start, min(start + 100, below))
        ]
        await lane.submit(unit(workspace, *made))
    return root


async def test_what_takes_long_holds_up_its_own_workspace_alone(
    writes: AsyncEngine, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_parsing, "LONG", 10_000)
    lane = Lane(Bus(writes), lanes=1)
    lane.start()
    below = 3 * budget.QUICK_EVENTS
    root, elsewhere = await tree(lane, workspace, below), uuid4()
    answered: list[str] = []

    async def send(name: str, asked: CommandRequest) -> Answer:
        found = await lane.send(asked)
        answered.append(name)
        return found

    done = request(workspace, tasks.CompleteTask(task_id=root, subtasks="complete"))
    title = tasks.EditTask(task_id=root, title="Unpacked")
    archive = request(workspace, tasks.ArchiveTask(task_id=root))
    sent = [
        send("long", done),
        send("behind it", archive),
        send("elsewhere", request(elsewhere, create())),
    ]
    long, behind, _ = await asyncio.gather(*sent)
    assert answered == ["elsewhere", "long", "behind it"]
    assert len(long.events) == below + 1
    assert behind.sequence == long.sequence + 1
    with pytest.raises(Refused, match="task_archived"):
        await lane.send(request(workspace, title))
    await lane.send(request(workspace, Undo(command_id=archive.context.command_id)))
    undo = request(workspace, Undo(command_id=done.context.command_id))
    back = asyncio.create_task(send("undo", undo))
    await asyncio.sleep(0)
    await send("again elsewhere", request(elsewhere, create()))
    assert len((await back).events) == below + 1
    assert answered[3:] == ["again elsewhere", "undo"]
    await lane.stop()
    await laws.check(writes, workspace)


async def test_what_a_long_unit_loads_is_listed_beside_the_loop(
    writes: AsyncEngine, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane, threads, list_loads = Lane(Bus(writes), lanes=1), set(), load_statement

    def noting(*asked: Any, lock: bool = False) -> LoadStatement:
        if lock:
            threads.add(threading.current_thread())
        return list_loads(*asked, lock=lock)

    lane.start()
    root = await tree(lane, workspace, budget.QUICK_EVENTS)
    monkeypatch.setattr(repository, "load_statement", noting)
    done = request(workspace, tasks.CompleteTask(task_id=root, subtasks="complete"))
    await lane.send(done)
    await lane.send(request(workspace, Undo(command_id=done.context.command_id)))
    await lane.stop()
    assert threads and threading.main_thread() not in threads


async def test_a_lane_that_stops_finishes_what_takes_long(
    writes: AsyncEngine, workspace: UUID
) -> None:
    lane = Lane(Bus(writes), lanes=1)
    lane.start()
    root = await tree(lane, workspace, budget.QUICK_EVENTS)
    done = tasks.CompleteTask(task_id=root, subtasks="complete")
    long = asyncio.create_task(lane.send(request(workspace, done)))
    behind = asyncio.create_task(lane.send(request(workspace, create())))
    await asyncio.sleep(0)
    await lane.stop()
    assert long.done() and behind.done()
    assert (await behind).sequence == (await long).sequence + 1


async def test_a_command_may_not_look_at_everything(
    writes: AsyncEngine, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = Lane(Bus(writes), lanes=1)
    lane.start()
    root = await tree(lane, workspace, 60)
    monkeypatch.setattr(row_parsing, "LONG", 1_000)
    monkeypatch.setattr(row_parsing, "FOUND_LIMIT", 50)
    done = tasks.CompleteTask(task_id=root, subtasks="complete")
    single = lane.send(request(uuid4(), create()))
    refused, fine = await asyncio.gather(
        lane.send(request(workspace, done)), single, return_exceptions=True
    )
    assert isinstance(refused, Refused) and refused.code == "too_much_at_once"
    assert isinstance(fine, Answer)
    await lane.stop()
