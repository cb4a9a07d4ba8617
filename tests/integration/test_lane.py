"""The lane and its receipts: once, in order, bounded, and nobody fails for another."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import tags, tasks
from metacortex.commands.bus import Bus, Prepared
from metacortex.commands.lane import OVERLAP, Lane
from metacortex.commands.message import Answer, Unit
from metacortex.commands.session import SessionCache
from metacortex.commands.undo import Undo
from metacortex.events.tasks import Priority
from metacortex.kernel.errors import (
    Invalid,
    MetaCortexError,
    Overloaded,
    Refused,
    Unavailable,
)
from tests.integration import laws, walking
from tests.integration.walking import request, unit

PRIORITIES: tuple[Priority, ...] = ("low", "high")
HANG_S = 60  # only there to end a hang
STORABLE_NOT = "a\x00b"  # Postgres has no NUL in text; the door refuses it, we do not


def create(title: str = "Buy milk") -> tasks.CreateTask:
    return tasks.CreateTask(task_id=uuid4(), title=title)


async def test_one_command_id_sent_fifty_times_at_once_executes_once(
    engines: list[AsyncEngine], workspace: UUID
) -> None:
    lanes = [Lane(Bus(it), batch=7) for it in engines]
    for it in lanes:
        it.start()
    same = request(workspace, create(), uuid4())
    sent = (lanes[number % 2].send(same) for number in range(50))
    answers = await asyncio.gather(*sent)
    assert [it.replayed for it in answers].count(False) == 1
    assert len({it.receipt.version for it in answers}) == 1
    assert len({tuple(event.id for event in it.events) for it in answers}) == 1
    assert await laws.check(engines[0], workspace) == 1
    for it in lanes:
        await it.stop()


async def test_a_command_id_stands_for_one_request(lane: Lane, workspace: UUID) -> None:
    command_id = uuid4()
    await lane.send(request(workspace, create("First"), command_id))
    with pytest.raises(Invalid, match="idempotency_key_reused"):
        await lane.send(request(workspace, create("Second"), command_id))


async def test_a_repeat_answers_with_the_version_of_then(
    lane: Lane, workspace: UUID
) -> None:
    first = request(workspace, create("Then"))
    made = await lane.send(first)
    edit = tasks.EditTask(task_id=first.command.task_id, title="Now")
    await lane.send(request(workspace, edit))
    again = await lane.send(first)
    assert again.replayed
    assert (again.stored, again.sequence) == (made.stored, made.sequence)
    assert list(again.events) == list(made.events)


async def test_a_refused_command_is_decided_anew(lane: Lane, workspace: UUID) -> None:
    make = create()
    early = request(workspace, tasks.CompleteTask(task_id=make.task_id))
    with pytest.raises(MetaCortexError, match="not_found"):
        await lane.send(early)
    await lane.send(request(workspace, make))
    assert (await lane.send(early)).receipt.outcome == "applied"


async def test_a_lane_believes_the_database_rather_than_its_memory(
    lane: Lane, writes: AsyncEngine, workspace: UUID
) -> None:
    """Whatever the lane remembers of a workspace, another process may come between."""
    make, other = create("Mine"), Bus(writes)
    title = [make.title]
    await lane.send(request(workspace, make))
    for number in range(6):
        edit = tasks.EditTask(task_id=make.task_id, title=f"Theirs {number}")
        await other.execute([unit(workspace, edit)])
        mine = tasks.EditTask(task_id=make.task_id, priority=PRIORITIES[number % 2])
        answer = await lane.send(request(workspace, mine))
        assert answer.stored is not None
        assert answer.stored.version == 3 + 2 * number
        title.append(answer.stored.state.title)
    assert title == ["Mine", *(f"Theirs {number}" for number in range(6))]
    await laws.check(writes, workspace)


@pytest.fixture(params=["that remembers", "that is new"])
async def other_lane(
    request: pytest.FixtureRequest, writes: AsyncEngine, workspace: UUID
) -> AsyncIterator[Lane]:
    """A lane that has, or has not, written to the workspace a moment ago."""
    served = Lane(Bus(writes))
    served.start()
    if request.param == "that remembers":
        await served.send(walking.request(workspace, create()))
    yield served
    await served.stop()


async def test_what_another_process_has_begun_is_not_begun_again(
    other_lane: Lane, writes: AsyncEngine, workspace: UUID
) -> None:
    make = create()
    await Bus(writes).execute([unit(workspace, make)])
    nowhere = replace(make, parent_id=uuid4())
    for again in (nowhere, make):
        with pytest.raises(Refused, match="already_exists"):
            await other_lane.send(request(workspace, again))
    await laws.check(writes, workspace)


async def test_a_command_that_another_process_ran_is_not_run_again(
    other_lane: Lane, writes: AsyncEngine, workspace: UUID
) -> None:
    make = request(workspace, create())
    ((first,),) = await Bus(writes).execute([Unit(requests=[make])])
    for dry in (True, False):
        (again,) = await other_lane.submit(Unit(requests=[make], dry=dry))
        assert isinstance(first, Answer) and isinstance(again, Answer)
        assert again.replayed
        assert [it.id for it in again.events] == [it.id for it in first.events]
    await laws.check(writes, workspace)


async def test_a_repeat_of_what_another_process_did_to_a_task_changes_nothing(
    other_lane: Lane, writes: AsyncEngine, workspace: UUID
) -> None:
    """Nothing but its receipt tells: a comment may be made twice."""
    make = create()
    body = tasks.CommentTask(task_id=make.task_id, comment_id=uuid4(), body="Once")
    comment = request(workspace, body)
    await Bus(writes).execute([unit(workspace, make)])
    await Bus(writes).execute([Unit(requests=[comment])])
    assert (await other_lane.send(comment)).replayed
    await laws.check(writes, workspace)


async def test_only_the_guilty_unit_of_a_batch_fails(
    lane: Lane, writes: AsyncEngine, workspace: UUID
) -> None:
    titles = [f"Task {number}" for number in range(9)]
    titles.insert(4, STORABLE_NOT)
    results = await asyncio.gather(
        *(lane.submit(unit(workspace, create(title))) for title in titles),
        return_exceptions=True,
    )
    guilty = results.pop(4)
    assert isinstance(guilty, MetaCortexError) and guilty.code == "internal_error"
    for result in results:
        assert isinstance(result, list) and isinstance(result[0], Answer)
    assert await laws.check(writes, workspace) == 9


async def test_a_full_lane_says_so_and_keeps_its_promises(
    writes: AsyncEngine, workspace: UUID
) -> None:
    small = Lane(Bus(writes), lanes=1, capacity=3)
    waiting = [asyncio.create_task(_submit(small, workspace)) for _ in range(3)]
    await asyncio.sleep(0)
    assert small.waiting == 3
    with pytest.raises(Overloaded) as refused:
        async with asyncio.timeout(HANG_S):
            await small.submit(unit(workspace, create()))
    assert refused.value.meta["retry_after_s"] > 0
    small.start()
    await asyncio.gather(*waiting)
    await small.stop()
    assert await laws.check(writes, workspace) == 3


async def test_stopping_finishes_what_waits(
    writes: AsyncEngine, workspace: UUID
) -> None:
    closing = Lane(Bus(writes), batch=10)
    closing.start()
    waiting = [asyncio.create_task(_submit(closing, workspace)) for _ in range(45)]
    await asyncio.sleep(0)
    await closing.stop()
    assert all(it.done() for it in waiting)
    await asyncio.gather(*waiting)
    assert await laws.check(writes, workspace) == 45
    with pytest.raises(Unavailable, match="shutting_down"):
        await closing.submit(unit(workspace, create()))


async def test_a_caller_that_goes_away_does_not_take_its_command_back(
    lane: Lane, writes: AsyncEngine, workspace: UUID
) -> None:
    caller = asyncio.create_task(_submit(lane, workspace))
    await asyncio.sleep(0)
    caller.cancel()
    async with asyncio.timeout(HANG_S):
        await lane.submit(unit(workspace, create()))
    assert await laws.check(writes, workspace) == 2


async def test_a_workspace_keeps_the_order_in_which_commands_came(
    lane: Lane, writes: AsyncEngine, workspace: UUID
) -> None:
    titles = [str(number) for number in range(60)]
    Random(1).shuffle(titles)
    await asyncio.gather(
        *(lane.submit(unit(workspace, create(title))) for title in titles)
    )
    written = [it.data.decode() for it in await laws.records(writes, workspace)]
    assert [title for title in titles if title] == [
        _title(document) for document in written
    ]


async def test_an_undo_may_stand_right_behind_its_command(
    lane: Lane, writes: AsyncEngine, workspace: UUID
) -> None:
    make = request(workspace, create("Before"))
    edit = request(
        workspace, tasks.EditTask(task_id=make.command.task_id, title="After")
    )
    undo = request(workspace, Undo(command_id=edit.context.command_id))
    again = request(workspace, Undo(command_id=undo.context.command_id))
    sent = [lane.send(it) for it in (make, edit, undo, again)]
    titles = [it.stored.state.title for it in await asyncio.gather(*sent) if it.stored]
    assert titles == ["Before", "After", "Before", "After"]
    await laws.check(writes, workspace)


async def test_names_of_tags_may_change_hands_within_a_unit(
    lane: Lane, writes: AsyncEngine, workspace: UUID
) -> None:
    one, other, third = uuid4(), uuid4(), uuid4()
    make = (
        tags.CreateTag(tag_id=one, name="a"),
        tags.CreateTag(tag_id=other, name="b"),
    )
    await lane.submit(unit(workspace, *make))
    swap = [(one, "elsewhere"), (other, "a"), (one, "b")]
    renames = [tags.EditTag(tag_id=id, name=name) for id, name in swap]
    taken = tags.CreateTag(tag_id=third, name="B")
    results = await lane.submit(unit(workspace, *renames, taken, atomic=False))
    assert [isinstance(it, Answer) for it in results] == [True, True, True, False]
    assert isinstance(results[3], Refused) and results[3].code == "name_taken"
    await laws.check(writes, workspace)


async def test_what_is_held_in_memory_is_counted_by_commands(
    writes: AsyncEngine, workspace: UUID
) -> None:
    cache = SessionCache()
    many = unit(workspace, *(create(str(number)) for number in range(100)))
    assert await Bus(writes).prepare([many], cache)
    assert cache.size >= 100


class Noting(Bus):
    """A bus that notes when it begins to save a batch."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self.happened: list[str] = []

    async def commit(self, prepared: Prepared) -> bool:
        self.happened.append("a batch on its way")
        return await super().commit(prepared)


async def test_the_next_batch_is_on_its_way_before_anybody_is_answered(
    writes: AsyncEngine, workspace: UUID
) -> None:
    """So that the database is at work while those who are answered go on."""
    bus = Noting(writes)
    lane = Lane(bus)

    async def caller() -> None:
        await _submit(lane, workspace)
        bus.happened.append("somebody answered")

    callers = [asyncio.create_task(caller()) for _ in range(2 * OVERLAP)]
    await asyncio.sleep(0)
    lane.start()
    await asyncio.gather(*callers)
    await lane.stop()
    saving, answered = ["a batch on its way"], ["somebody answered"]
    assert bus.happened == 2 * saving + 2 * OVERLAP * answered


def _title(document: str) -> str:
    return document.partition('"title":"')[2].partition('"')[0]


async def _submit(lane: Lane, workspace: UUID) -> None:
    await lane.submit(unit(workspace, create()))
