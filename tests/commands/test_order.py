"""Tasks in the order that people gave them."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from metacortex.commands import tasks
from metacortex.commands.undo import Undo
from metacortex.events.tasks import TaskMoved
from metacortex.kernel.decider import Change, Elsewhere
from metacortex.kernel.ids import new_id
from metacortex.kernel.rank import between, end_of, of_creation
from tests.commands.memory import Memory
from tests.factories import (
    CreateTaskFactory,
    MoveTaskFactory,
    ProjectCreatedFactory,
    TaskCreatedFactory,
    TaskDeletedFactory,
)
from tests.spec import NOW, Given, born, given

A, B, C, D = (new_id() for _ in range(4))
HOME = new_id()
RANK = {id: of_creation(born(n), id) for n, id in enumerate((A, B, C))}


def three(**fields: Any) -> Given:
    """Return A, B and C, created a minute after each other."""
    return given(*(Elsewhere(id, TaskCreatedFactory(**fields)) for id in (A, B, C)))


def move(task_id: UUID, **fields: Any) -> tasks.MoveTask:
    """Return a move that says nothing of parents."""
    return tasks.MoveTask(task_id=task_id, **fields)


def ranked(rank: str, old: str | None = None) -> TaskMoved:
    """Return the event of a move among siblings."""
    return TaskMoved(rank=Change(old, rank))


def test_a_task_goes_between_two_others() -> None:
    three().when(move(A, before=C)).then(ranked(between(RANK[C][:15], RANK[C])))
    three().when(move(A, after=B)).then(ranked(between(RANK[B], RANK[C])))


def test_a_task_goes_before_the_first_and_after_the_last() -> None:
    three().when(move(C, before=A)).then(ranked(between(RANK[A][:15], RANK[A])))
    three().when(move(A, after=C)).then(ranked(between(RANK[C], end_of(NOW))))


@pytest.mark.parametrize(
    "command",
    [move(B, before=C), move(B, after=A), move(A, before=B), move(C, after=B)],
)
def test_a_task_that_stands_there_stays(command: Any) -> None:
    three().when(command).then_nothing()


def test_who_comes_from_elsewhere_may_name_its_place() -> None:
    below = three(parent_id=D)
    ranks = [of_creation(born(n), id) for n, id in enumerate((D, A, B, C))]
    events = [Elsewhere(D, TaskCreatedFactory()), *below.events]
    new = new_id()
    given(*events, Elsewhere(new, TaskCreatedFactory())).when(
        move(new, parent_id=D, after=A)
    ).then(
        TaskMoved(
            parent_id=Change(None, D), rank=Change(None, between(ranks[1], ranks[2]))
        )
    )


@pytest.mark.parametrize("side", ["before", "after"])
def test_only_siblings_have_places_beside_them(side: str) -> None:
    def refused(before: Given, sibling: UUID, **fields: Any) -> None:
        before.when(move(A, **{side: sibling}, **fields)).then_refused(
            "not_a_sibling", id=str(sibling)
        )

    refused(three(), A)
    refused(three(), new_id())
    refused(three(), C, parent_id=B)
    refused(given(*three().events, Elsewhere(C, TaskDeletedFactory())), C)
    in_project = Elsewhere(D, TaskCreatedFactory(project_id=HOME))
    refused(
        given(Elsewhere(HOME, ProjectCreatedFactory()), *three().events, in_project), D
    )


def test_a_place_taken_is_taken_between_the_others() -> None:
    first = between(RANK[B], RANK[C])
    three().when(move(A, after=B)).then(ranked(first)).when(move(A, after=C)).then(
        ranked(between(RANK[C], end_of(NOW)), old=first)
    )


def test_a_task_that_is_created_later_comes_after_whoever_was_moved_to_the_end() -> (
    None
):
    memory = Memory()
    for id in (A, B, C):
        memory.do(CreateTaskFactory(task_id=id))
    memory.do(MoveTaskFactory(task_id=A, after=C))
    rank = memory.state(A).rank
    assert RANK[C] < rank < end_of(NOW)


def test_an_undone_move_gives_the_old_rank_back() -> None:
    memory = Memory()
    for id in (A, B, C):
        memory.do(CreateTaskFactory(task_id=id))
    one = memory.do(move(A, after=C))
    rank = memory.state(A).rank
    other = memory.do(move(A, before=C))
    memory.undo(other)
    assert memory.state(A).rank == rank
    memory.undo(one)
    assert memory.state(A).rank is None


TASKS = [UUID(int=n) for n in range(1, 9)]
PARENTS = [None, TASKS[0]]
moves = st.builds(
    lambda task, beside, side, parent: move(task, parent_id=parent, **{side: beside}),
    st.sampled_from(TASKS[1:]),
    st.sampled_from(TASKS),
    st.sampled_from(["before", "after"]),
    st.sampled_from(PARENTS),
)


def ordered(memory: Memory, parent: UUID | None) -> list[UUID]:
    """Return the children of a task in the order of their ranks."""
    found = [
        (it.state.rank or of_creation(it.created_at, id), id)
        for (type, id), it in memory.states.items()
        if type == "task" and it.state.parent_id == parent
    ]
    return [id for _, id in sorted(found)]


def expect(lists: dict[UUID | None, list[UUID]], command: tasks.MoveTask) -> None:
    """Do to lists what a move does to ranks."""
    beside = command.before or command.after
    assert not isinstance(command.parent_id, type(None)) or command.parent_id is None
    target = lists[command.parent_id]  # type: ignore[index]
    if beside not in target or beside == command.task_id:
        return
    for siblings in lists.values():
        if command.task_id in siblings:
            siblings.remove(command.task_id)
    target.insert(target.index(beside) + (command.before is None), command.task_id)


@examples(st.lists(st.lists(moves, min_size=1, max_size=5), max_size=8))
@settings(max_examples=200)
def test_tasks_stand_where_they_were_put(batches: list[list[tasks.MoveTask]]) -> None:
    memory = Memory()
    for id in TASKS:
        memory.do(CreateTaskFactory(task_id=id))
    lists: dict[UUID | None, list[UUID]] = {None: list(TASKS), TASKS[0]: []}
    for batch in batches:
        memory.run(*(memory.unit(it) for it in batch))
        for command in batch:
            expect(lists, command)
    assert {parent: ordered(memory, parent) for parent in PARENTS} == lists


@examples(st.lists(moves, min_size=1, max_size=6))
def test_moves_taken_back_in_reverse_leave_no_trace(
    found: list[tasks.MoveTask],
) -> None:
    memory = Memory()
    for id in TASKS:
        memory.do(CreateTaskFactory(task_id=id))
    was = dict(memory.plain())
    done = [memory.run(memory.unit(it))[0][0] for it in found]
    for answer in reversed(done):
        if getattr(answer, "events", ()):
            memory.do(Undo(command_id=answer.receipt.command_id))  # type: ignore
    assert memory.plain() == was
