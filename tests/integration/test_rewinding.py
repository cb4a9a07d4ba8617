"""A log that went back while a lane still remembers what is lost.

Whatever another process wrote in between, and be it just as often, the lane sees that
the log is another one, and decides anew (docs/decisions/0001-workspace-log.md).
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import session, tasks
from metacortex.commands.bus import Bus
from metacortex.commands.lane import Lane
from metacortex.commands.message import Answer, Unit
from metacortex.kernel.database import engine
from metacortex.kernel.errors import MetaCortexError
from tests.conftest import Urls
from tests.integration import laws
from tests.integration.rewinding import Backup
from tests.integration.walking import request, unit


@pytest.fixture
async def owner(urls: Urls) -> AsyncIterator[AsyncEngine]:
    """The database as somebody sees it who may switch triggers off."""
    database = engine(urls.owner)
    yield database
    await database.dispose()


@pytest.fixture(autouse=True)
def long_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lanes trust their memory for longer than a slow machine takes to restore."""
    monkeypatch.setattr(session, "CACHE_TTL", timedelta(minutes=5))


@pytest.fixture
async def warm(writes: AsyncEngine) -> AsyncIterator[Lane]:
    """A lane of its own, whose memory nothing else has touched."""
    served = Lane(Bus(writes))
    served.start()
    yield served
    await served.stop()


def edits(task_id: UUID, whose: str, number: int) -> list[tasks.EditTask]:
    return [
        tasks.EditTask(task_id=task_id, title=f"{whose} {n}") for n in range(number)
    ]


@pytest.mark.parametrize(("lost", "written"), [(1, 1), (3, 1), (1, 3)])
async def test_as_many_writes_on_another_log_are_not_taken_for_ones_own(
    owner: AsyncEngine,
    warm: Lane,
    writes: AsyncEngine,
    workspace: UUID,
    lost: int,
    written: int,
) -> None:
    make = tasks.CreateTask(task_id=uuid4(), title="Kept")
    await warm.send(request(workspace, make))
    backup = await Backup.take(owner, workspace)
    await warm.submit(unit(workspace, *edits(make.task_id, "Lost", lost)))
    before = await laws.head(writes, workspace)
    await backup.restore(owner)
    await Bus(writes).execute([unit(workspace, *edits(make.task_id, "New", written))])
    after = await laws.head(writes, workspace)
    assert (
        after["write_count"] == before["write_count"]
    ), "the count of writes tells nothing"

    high = tasks.EditTask(task_id=make.task_id, priority="high")
    answer = await warm.send(request(workspace, high))
    assert answer.sequence == 1 + written + 1
    assert answer.stored and answer.stored.state.title == f"New {written - 1}"
    assert await laws.check(writes, workspace) == 1 + written + 1


async def test_a_refusal_is_not_decided_over_what_is_lost(
    owner: AsyncEngine, warm: Lane, writes: AsyncEngine, workspace: UUID
) -> None:
    """A refusal writes a receipt only, which leaves the log as it is."""
    make = tasks.CreateTask(task_id=uuid4(), title="Kept")
    complete = tasks.CompleteTask(task_id=make.task_id)
    await warm.send(request(workspace, make))
    backup = await Backup.take(owner, workspace)
    await warm.send(request(workspace, complete))
    await backup.restore(owner)
    await Bus(writes).execute([unit(workspace, *edits(make.task_id, "New", 1))])

    start = tasks.StartTask(task_id=make.task_id)  # refused of a completed task
    assert (await warm.send(request(workspace, start))).receipt.version == 3
    assert await laws.check(writes, workspace) == 3


async def test_a_lost_refusal_counts_as_a_write(
    owner: AsyncEngine, warm: Lane, writes: AsyncEngine, workspace: UUID
) -> None:
    """The same log with fewer writes is another state of the receipts."""
    make = tasks.CreateTask(task_id=uuid4(), title="Kept")
    refused = unit(workspace, tasks.CompleteTask(task_id=uuid4()))
    await warm.send(request(workspace, make))
    backup = await Backup.take(owner, workspace)
    await warm.submit(refused)
    await backup.restore(owner)
    edit = edits(make.task_id, "Mine", 1)[0]
    await warm.send(request(workspace, edit))
    assert (await laws.head(writes, workspace))["write_count"] == 2
    assert await laws.check(writes, workspace) == 2


@pytest.mark.parametrize("written", [0, 1])
async def test_a_command_that_is_lost_is_executed_when_it_comes_again(
    owner: AsyncEngine, warm: Lane, writes: AsyncEngine, workspace: UUID, written: int
) -> None:
    """A repeat saves nothing, so that no saving tells."""
    make = tasks.CreateTask(task_id=uuid4(), title="Kept")
    await warm.send(request(workspace, make))
    backup = await Backup.take(owner, workspace)
    body = tasks.CommentTask(task_id=make.task_id, comment_id=uuid4(), body="Lost")
    comment = request(workspace, body)
    await warm.send(comment)
    await backup.restore(owner)
    for edit in edits(make.task_id, "New", written):
        await Bus(writes).execute([unit(workspace, edit)])

    again = await warm.send(comment)
    assert not again.replayed
    assert again.sequence == 2 + written
    assert await laws.check(writes, workspace) == 2 + written


@pytest.mark.parametrize("written", [0, 1])
async def test_a_trial_is_not_decided_over_what_is_lost(
    owner: AsyncEngine, warm: Lane, writes: AsyncEngine, workspace: UUID, written: int
) -> None:
    """Nor does a trial save anything."""
    make = tasks.CreateTask(task_id=uuid4(), title="Kept")
    await warm.send(request(workspace, make))
    backup = await Backup.take(owner, workspace)
    await warm.send(request(workspace, tasks.CompleteTask(task_id=make.task_id)))
    await backup.restore(owner)
    for edit in edits(make.task_id, "New", written):
        await Bus(writes).execute([unit(workspace, edit)])

    start = request(workspace, tasks.StartTask(task_id=make.task_id))
    (tried,) = await warm.submit(Unit(requests=[start], dry=True))
    assert not isinstance(tried, MetaCortexError), tried
    assert isinstance(tried, Answer) and tried.sequence == 2 + written
    assert await laws.check(writes, workspace) == 1 + written


async def test_what_is_read_while_a_batch_is_being_saved_is_not_taken_for_lost(
    writes: AsyncEngine, workspace: UUID
) -> None:
    """Before the batch is saved, and only then, the log may be read without it."""
    bus, cache = Bus(writes), session.SessionCache()
    old, new = (tasks.CreateTask(task_id=uuid4(), title="Kept") for _ in range(2))
    await bus.execute([unit(workspace, old)])
    first = await bus.prepare([unit(workspace, new)], cache)
    edit = unit(workspace, *edits(old.task_id, "Read meanwhile", 1))
    second = await bus.prepare([edit], cache, saving=True)
    assert await bus.commit(first)
    assert await bus.commit(second)
    assert await laws.check(writes, workspace) == 3
    trial = unit(workspace, *edits(new.task_id, "Tried", 1), dry=True)
    await bus.prepare([trial], cache)
