"""Sections of projects, and the tasks in them."""

from typing import Any
from uuid import UUID

import pytest

from metacortex.commands.undo import Undo
from metacortex.events.sections import SectionCreated, SectionMoved
from metacortex.events.tasks import TaskMoved
from metacortex.kernel.decider import UNSET, Change, Elsewhere
from metacortex.kernel.ids import new_id
from metacortex.kernel.rank import between, end_of, of_creation
from tests.commands.memory import Memory
from tests.factories import (
    CreateProjectFactory,
    CreateSectionFactory,
    CreateTaskFactory,
    DeleteSectionFactory,
    EditSectionFactory,
    MoveSectionFactory,
    MoveTaskFactory,
    ProjectArchivedFactory,
    ProjectCreatedFactory,
    ProjectDeletedFactory,
    RestoreSectionFactory,
    SectionCreatedFactory,
    SectionDeletedFactory,
    SectionEditedFactory,
    SectionRestoredFactory,
    TaskArchivedFactory,
    TaskCreatedFactory,
    TaskDeletedFactory,
)
from tests.spec import NOW, Given, born, given, to_the_end

HOME, WORK, TODO, DOING, THEIRS, A, B = (new_id() for _ in range(7))


def board(*more: Any) -> Given:
    """Return a project with two sections, and another with one."""
    return given(
        Elsewhere(HOME, ProjectCreatedFactory()),
        Elsewhere(WORK, ProjectCreatedFactory()),
        Elsewhere(TODO, SectionCreatedFactory(project_id=HOME)),
        Elsewhere(DOING, SectionCreatedFactory(project_id=HOME)),
        Elsewhere(THEIRS, SectionCreatedFactory(project_id=WORK)),
        *more,
    )


def task(id: UUID, section_id: UUID | None = TODO, **fields: Any) -> Elsewhere:
    """Return the birth of a task on the board."""
    return Elsewhere(
        id, TaskCreatedFactory(project_id=HOME, section_id=section_id, **fields)
    )


def move(**fields: Any) -> Any:
    """Return a move of A that says nothing of parents."""
    return MoveTaskFactory(task_id=A, parent_id=UNSET, **fields)


def out(id: UUID, section_id: UUID = TODO) -> Elsewhere:
    """Return the event of a task whose section was deleted."""
    return Elsewhere(
        id,
        TaskMoved(
            section_id=Change(section_id, None),
            deleted_section_id=Change(None, section_id),
        ),
    )


def test_a_section_is_made_in_a_project() -> None:
    board().when(CreateSectionFactory(name="Done", project_id=HOME)).then(
        SectionCreated(name="Done", project_id=HOME)
    )
    board().when(CreateSectionFactory(project_id=new_id())).then_refused(
        "unknown_reference", pointer="/project_id"
    )
    board().when(CreateSectionFactory(section_id=TODO, project_id=HOME)).then_refused(
        "already_exists"
    )


COMMANDS = [
    CreateSectionFactory(project_id=HOME),
    EditSectionFactory(section_id=TODO),
    MoveSectionFactory(section_id=TODO, after=DOING),
    DeleteSectionFactory(section_id=TODO),
    RestoreSectionFactory(section_id=TODO),
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("event", "code"),
    [
        (ProjectArchivedFactory(), "project_archived"),
        (ProjectDeletedFactory(), "project_deleted"),
    ],
)
def test_a_project_that_is_put_away_keeps_its_sections(
    command: Any, event: Any, code: str
) -> None:
    board(Elsewhere(HOME, event)).when(command).then_refused(code, project_id=str(HOME))


@pytest.mark.parametrize("command", COMMANDS[1:3])
def test_a_deleted_section_takes_no_command(command: Any) -> None:
    gone = board(Elsewhere(TODO, SectionDeletedFactory()))
    gone.when(command).then_refused("section_deleted")
    gone.when(DeleteSectionFactory(section_id=TODO)).then_nothing()
    board().when(RestoreSectionFactory(section_id=TODO)).then_nothing()


def test_a_section_is_renamed() -> None:
    event = Elsewhere(TODO, SectionEditedFactory(name=Change("Old", "Later")))
    told = board(Elsewhere(B, SectionCreatedFactory(name="Old", project_id=HOME)))
    told.when(EditSectionFactory(section_id=B, name="Later")).then(event.event)
    told.when(EditSectionFactory(section_id=B, name="Old")).then_nothing()


def test_sections_of_a_project_have_an_order() -> None:
    ranks = [of_creation(born(n), it) for n, it in ((2, TODO), (3, DOING))]
    rank = between(ranks[0][:15], ranks[0])
    board().when(MoveSectionFactory(section_id=DOING, before=TODO)).then(
        SectionMoved(rank=Change(None, rank))
    )
    board().when(MoveSectionFactory(section_id=DOING, after=TODO)).then_nothing()
    board().when(MoveSectionFactory(section_id=DOING)).then_nothing()
    for other in (THEIRS, TODO, new_id()):
        board().when(MoveSectionFactory(section_id=TODO, after=other)).then_refused(
            "not_a_sibling", id=str(other)
        )


def test_a_task_stands_in_a_section_of_its_project() -> None:
    created = CreateTaskFactory(title="Paint", project_id=HOME, section_id=TODO)
    board().when(created).then(
        TaskCreatedFactory(title="Paint", project_id=HOME, section_id=TODO)
    )
    board(task(A)).when(move(section_id=DOING)).then(
        TaskMoved(section_id=Change(TODO, DOING), rank=to_the_end(A))
    )


@pytest.mark.parametrize("section", [THEIRS, new_id(), DOING])
def test_no_task_stands_in_a_section_from_elsewhere(section: UUID) -> None:
    there = board(task(A), Elsewhere(DOING, SectionDeletedFactory()))
    for command in (
        CreateTaskFactory(project_id=HOME, section_id=section),
        CreateTaskFactory(section_id=section),
        move(section_id=section),
        move(project_id=None, section_id=section),
    ):
        there.when(command).then_refused("unknown_reference", pointer="/section_id")


def test_a_task_that_leaves_its_project_leaves_its_section() -> None:
    board(task(A), task(B, parent_id=A)).when(move(project_id=WORK)).then_all(
        TaskMoved(
            project_id=Change(HOME, WORK),
            section_id=Change(TODO, None),
            rank=to_the_end(A),
        ),
        Elsewhere(
            B,
            TaskMoved(project_id=Change(HOME, WORK), section_id=Change(TODO, None)),
        ),
    )
    board(task(A)).when(move(project_id=WORK, section_id=THEIRS)).then(
        TaskMoved(
            project_id=Change(HOME, WORK),
            section_id=Change(TODO, THEIRS),
            rank=to_the_end(A),
        )
    )


def test_subtasks_of_the_same_section_come_along() -> None:
    other = new_id()
    board(task(A), task(B, parent_id=A), task(other, None, parent_id=A)).when(
        move(section_id=DOING)
    ).then_all(
        TaskMoved(section_id=Change(TODO, DOING), rank=to_the_end(A)),
        Elsewhere(B, TaskMoved(section_id=Change(TODO, DOING))),
    )


def test_a_subtask_takes_the_section_of_its_parent() -> None:
    board(task(A)).when(CreateTaskFactory(title="Sand", parent_id=A)).then(
        TaskCreatedFactory(title="Sand", parent_id=A, project_id=HOME, section_id=TODO)
    )
    board(task(A), Elsewhere(B, TaskCreatedFactory())).when(
        MoveTaskFactory(task_id=B, parent_id=A)
    ).then(
        TaskMoved(
            project_id=Change(None, HOME),
            section_id=Change(None, TODO),
            parent_id=Change(None, A),
            rank=to_the_end(B),
        )
    )


def test_who_stands_in_another_section_is_no_sibling() -> None:
    there = board(task(A), task(B, DOING))
    there.when(move(after=B)).then_refused("not_a_sibling", id=str(B))
    rank = of_creation(born(6), B)
    there.when(move(section_id=DOING, after=B)).then(
        TaskMoved(
            section_id=Change(TODO, DOING),
            rank=Change(None, between(rank, end_of(NOW))),
        )
    )
    there.when(move(section_id=DOING, before=B)).then(
        TaskMoved(section_id=Change(TODO, DOING))
    )


def test_the_tasks_of_a_deleted_section_stay_in_the_project() -> None:
    archived, deleted = (new_id() for _ in range(2))
    board(
        task(A),
        task(B, DOING),
        task(archived),
        Elsewhere(archived, TaskArchivedFactory()),
        task(deleted),
        Elsewhere(deleted, TaskDeletedFactory(deleted_with=Change(None, deleted))),
    ).when(DeleteSectionFactory(section_id=TODO)).then_all(
        Elsewhere(TODO, SectionDeletedFactory()), out(A), out(archived), out(deleted)
    )


def test_a_restored_section_has_its_tasks_again() -> None:
    gone = board(
        task(A), task(B), Elsewhere(TODO, SectionDeletedFactory()), out(A), out(B)
    )
    gone.when(move(section_id=DOING)).then(
        TaskMoved(
            section_id=Change(None, DOING),
            deleted_section_id=Change(TODO, None),
            rank=to_the_end(A),
        )
    ).when(RestoreSectionFactory(section_id=TODO)).then_all(
        Elsewhere(TODO, SectionRestoredFactory()),
        Elsewhere(
            B,
            TaskMoved(
                section_id=Change(None, TODO), deleted_section_id=Change(TODO, None)
            ),
        ),
    )


@pytest.fixture
def memory() -> Memory:
    """A workspace with the board, and A in its first section."""
    found = Memory()
    for id in (HOME, WORK):
        found.do(CreateProjectFactory(project_id=id))
    for id, home in ((TODO, HOME), (DOING, HOME), (THEIRS, WORK)):
        found.do(CreateSectionFactory(section_id=id, project_id=home))
    found.do(CreateTaskFactory(task_id=A, project_id=HOME, section_id=TODO))
    return found


def test_an_undo_does_not_lead_into_a_deleted_section(memory: Memory) -> None:
    moved = memory.do(move(section_id=DOING))
    memory.do(DeleteSectionFactory(section_id=TODO))
    assert undo_code(memory, moved) == "section_deleted"


def test_an_undo_does_not_leave_a_task_in_a_section_of_another_project(
    memory: Memory,
) -> None:
    out = memory.do(move(section_id=None))
    memory.do(move(project_id=WORK))
    assert undo_code(memory, out) == "undo_conflict"
    back = memory.do(move(project_id=HOME))
    memory.do(move(section_id=TODO))
    assert undo_code(memory, back) == "undo_conflict"


def test_a_creation_is_undone_while_nothing_is_inside(memory: Memory) -> None:
    section = new_id()
    created = memory.do(CreateSectionFactory(section_id=section, project_id=HOME))
    memory.do(move(section_id=section))
    assert undo_code(memory, created) == "undo_conflict"
    memory.do(move(section_id=None))
    memory.undo(created)
    assert memory.state(section).deleted


def test_a_deletion_is_undone_with_all_that_it_did(memory: Memory) -> None:
    was = memory.plain()
    deleted = memory.do(DeleteSectionFactory(section_id=TODO))
    assert memory.state(A).section_id is None
    undone = memory.undo(deleted)
    assert memory.plain() == was
    memory.undo(undone)
    assert memory.state(A).deleted_section_id == TODO


def undo_code(memory: Memory, answer: Any) -> str:
    """Return the code with which an undo is refused."""
    return memory.refuse(Undo(command_id=answer.receipt.command_id)).code
