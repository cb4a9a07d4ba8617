"""Undo: compensating events, refused where something later stands in the way."""

from collections.abc import Sequence
from typing import Any

import pytest

from metacortex.commands import undo
from metacortex.commands.message import Answer
from metacortex.commands.undo import Undo
from metacortex.kernel.errors import Refused, UndoConflict
from metacortex.kernel.ids import new_id
from tests.commands.memory import Memory
from tests.factories import (
    ArchiveProjectFactory,
    ArchiveTaskFactory,
    CommentTaskFactory,
    CompleteTaskFactory,
    CreateProjectFactory,
    CreateTagFactory,
    CreateTaskFactory,
    DeleteProjectFactory,
    DeleteTagFactory,
    DeleteTaskFactory,
    EditProjectFactory,
    EditTagFactory,
    EditTaskFactory,
    MergeTagFactory,
    MoveTaskFactory,
    ReopenTaskFactory,
    RestoreProjectFactory,
    RestoreTaskFactory,
    StartTaskFactory,
    UndoFactory,
)

A, B, C, D = (new_id() for _ in range(4))
PROJECT, TAG, OTHER = new_id(), new_id(), new_id()


def furnished() -> Memory:
    """Return a workspace: a project with A, B below it, C below that; D apart."""
    memory = Memory()
    for command in (
        CreateTagFactory(tag_id=TAG, name="Errands"),
        CreateTagFactory(tag_id=OTHER, name="Chores"),
        CreateProjectFactory(project_id=PROJECT),
        CreateTaskFactory(task_id=A, project_id=PROJECT, tags=(TAG,), title="Paint"),
        CreateTaskFactory(task_id=B, parent_id=A, tags=(OTHER, TAG)),
        CreateTaskFactory(task_id=C, parent_id=B, tags=()),
        CreateTaskFactory(task_id=D),
    ):
        memory.do(command)
    return memory


NOTHING: Sequence[Any] = ()

COMMANDS: dict[str, tuple[Sequence[Any], Any]] = {
    "tag created": (NOTHING, CreateTagFactory()),
    "tag renamed and recoloured": (
        NOTHING,
        EditTagFactory(tag_id=TAG, name="ERRANDS", colour="red"),
    ),
    "tag deleted": (NOTHING, DeleteTagFactory(tag_id=TAG)),
    "tag merged": (NOTHING, MergeTagFactory(tag_id=TAG, into=OTHER)),
    "project created": (NOTHING, CreateProjectFactory()),
    "project edited": (NOTHING, EditProjectFactory(project_id=PROJECT)),
    "project archived": (NOTHING, ArchiveProjectFactory(project_id=PROJECT)),
    "project deleted": (NOTHING, DeleteProjectFactory(project_id=PROJECT)),
    "project deleted, parents younger than children": (
        [
            MoveTaskFactory(task_id=D, project_id=PROJECT),
            MoveTaskFactory(task_id=A, parent_id=D),
        ],
        DeleteProjectFactory(project_id=PROJECT),
    ),
    "project restored": (
        [DeleteProjectFactory(project_id=PROJECT)],
        RestoreProjectFactory(project_id=PROJECT),
    ),
    "task created": (NOTHING, CreateTaskFactory(parent_id=A)),
    "task edited": (
        NOTHING,
        EditTaskFactory(task_id=A, add_tags=(OTHER,), remove_tags=(TAG,)),
    ),
    "task started": (NOTHING, StartTaskFactory(task_id=A)),
    "tree completed": (NOTHING, CompleteTaskFactory(task_id=A, subtasks="complete")),
    "tree moved": (
        NOTHING,
        MoveTaskFactory(task_id=A, parent_id=D, project_id=None),
    ),
    "task archived": (NOTHING, ArchiveTaskFactory(task_id=A)),
    "tree deleted": (NOTHING, DeleteTaskFactory(task_id=A)),
    "tree restored": (
        [DeleteTaskFactory(task_id=A)],
        RestoreTaskFactory(task_id=A),
    ),
}


@pytest.mark.parametrize(("before", "command"), COMMANDS.values(), ids=COMMANDS)
def test_an_undo_puts_everything_back(before: Sequence[Any], command: Any) -> None:
    memory = furnished()
    for earlier in before:
        memory.do(earlier)
    was = memory.plain()
    memory.undo(memory.do(command))
    assert memory.plain() == was


@pytest.mark.parametrize(("before", "command"), COMMANDS.values(), ids=COMMANDS)
def test_undoing_an_undo_does_it_again(before: Sequence[Any], command: Any) -> None:
    memory = furnished()
    for earlier in before:
        memory.do(earlier)
    was = memory.plain()
    done = memory.do(command)
    became = memory.plain()
    undone = memory.undo(done)
    redone = memory.undo(undone)
    assert memory.plain() == became
    memory.undo(redone)
    assert memory.plain() == was


def test_an_undo_is_answered_with_what_it_put_back() -> None:
    memory = furnished()
    done = memory.do(EditTaskFactory(task_id=A, title="Varnish"))
    undone = memory.undo(done)
    assert undone.stored and undone.stored.id == A
    assert undone.stored.state.title == "Paint"
    assert [event.type for event in undone.events] == ["task.reverted"]
    assert undone.receipt.type == "command.undo"
    assert memory.log[-1].command_type == "command.undo"


def test_only_what_the_command_changed_is_put_back() -> None:
    memory = furnished()
    done = memory.do(EditTaskFactory(task_id=A, title="Varnish"))
    memory.do(StartTaskFactory(task_id=A))
    memory.undo(done)
    assert memory.state(A).title == "Paint"
    assert memory.state(A).status == "in_progress"


def test_a_later_change_of_the_same_field_stands_in_the_way() -> None:
    memory = furnished()
    done = memory.do(EditTaskFactory(task_id=A, title="Varnish", description="Soon"))
    memory.do(EditTaskFactory(task_id=A, title="Sand"))
    conflict = memory.refuse(UndoFactory(command_id=done.receipt.command_id))
    assert isinstance(conflict, UndoConflict)
    assert conflict.meta == {
        "stream": {"type": "task", "id": str(A)},
        "after_version": 2,
        "fields": ["title"],
    }
    assert memory.state(A).description == "Soon"


def test_a_field_that_came_back_to_its_value_is_no_conflict() -> None:
    memory = furnished()
    done = memory.do(EditTaskFactory(task_id=A, title="Varnish"))
    memory.do(EditTaskFactory(task_id=A, title="Sand"))
    memory.do(EditTaskFactory(task_id=A, title="Varnish"))
    memory.undo(done)
    assert memory.state(A).title == "Paint"


@pytest.mark.parametrize("atomic", [True, False])
def test_one_conflict_takes_back_the_whole_undo(atomic: bool) -> None:
    memory = furnished()
    done = memory.do(CompleteTaskFactory(task_id=A, subtasks="complete"))
    memory.do(ReopenTaskFactory(task_id=B))
    log, states = list(memory.log), dict(memory.states)
    again = UndoFactory(command_id=done.receipt.command_id)
    ((result,),) = memory.run(memory.unit(again, atomic=atomic))
    assert isinstance(result, UndoConflict)
    assert (memory.log, memory.states) == (log, states)


def test_an_undo_is_itself_done_once() -> None:
    memory = furnished()
    done = memory.do(StartTaskFactory(task_id=A))
    memory.undo(done)
    error = memory.refuse(UndoFactory(command_id=done.receipt.command_id))
    assert error.code == "undo_conflict"


def test_a_birth_is_undone_only_while_nothing_happened_since() -> None:
    memory = furnished()
    born = memory.do(CreateTaskFactory(task_id=(task := new_id())))
    memory.do(StartTaskFactory(task_id=task))
    conflict = memory.refuse(UndoFactory(command_id=born.receipt.command_id))
    assert isinstance(conflict, UndoConflict)
    assert conflict.meta["fields"] == ["created"]


@pytest.mark.parametrize("birth", ["task", "project"])
def test_a_birth_is_not_undone_under_what_stands_below(birth: str) -> None:
    memory = Memory()
    if birth == "task":
        born = memory.do(CreateTaskFactory(task_id=A))
        memory.do(CreateTaskFactory(task_id=B, parent_id=A))
    else:
        born = memory.do(CreateProjectFactory(project_id=PROJECT))
        memory.do(CreateTaskFactory(task_id=B, project_id=PROJECT))
    error = memory.refuse(UndoFactory(command_id=born.receipt.command_id))
    assert error.code == "undo_conflict"
    assert error.meta["tasks"] == [str(B)]


def test_the_birth_of_a_tag_is_undone_on_the_tasks_that_got_it() -> None:
    memory = Memory()
    born = memory.do(CreateTagFactory(tag_id=TAG))
    memory.do(CreateTaskFactory(task_id=A, tags=(TAG,)))
    memory.undo(born)
    assert memory.state(A).tags == ()


REDO: dict[str, tuple[Any, Any]] = {
    "task": (DeleteTaskFactory(task_id=A), CreateTaskFactory(parent_id=A)),
    "project": (
        DeleteProjectFactory(project_id=PROJECT),
        CreateTaskFactory(project_id=PROJECT),
    ),
    "tag": (DeleteTagFactory(tag_id=TAG), EditTaskFactory(task_id=D, add_tags=(TAG,))),
}


@pytest.mark.parametrize(("delete", "newcomer"), REDO.values(), ids=REDO)
def test_a_redone_deletion_leaves_no_newcomer_behind(
    delete: Any, newcomer: Any
) -> None:
    memory = furnished()
    undone = memory.undo(memory.do(delete))
    memory.do(newcomer)
    again = UndoFactory(command_id=undone.receipt.command_id)
    ((result,),) = memory.run(memory.unit(again))
    assert isinstance(result, Answer) or result.code == "undo_conflict"
    assert memory.dangling() == []


def test_what_changed_no_field_cannot_be_undone() -> None:
    memory = furnished()
    said = memory.do(CommentTaskFactory(task_id=A))
    unchanged = memory.do(CompleteTaskFactory(task_id=A))
    memory.do(CompleteTaskFactory(task_id=A), key=(key := new_id()))
    for command_id in (said.receipt.command_id, key):
        error = memory.refuse(UndoFactory(command_id=command_id))
        assert error.code == "not_undoable"
    assert unchanged.events


def test_a_refused_command_cannot_be_undone() -> None:
    memory = furnished()
    memory.refuse(StartTaskFactory(), key=(key := new_id()))
    assert memory.refuse(UndoFactory(command_id=key)).code == "not_undoable"


def test_an_unknown_command_is_not_found() -> None:
    assert Memory().refuse(UndoFactory()).code == "not_found"


def test_a_conflict_asks_for_the_later_changes() -> None:
    memory = furnished()
    memory.do(EditTaskFactory(task_id=A, title="Varnish"))
    batch = memory.decide([conflicting(memory)])
    ((conflict,),) = batch.results
    assert isinstance(conflict, UndoConflict)
    assert batch.incomplete


def conflicting(memory: Memory) -> Any:
    """Return a unit that undoes an edit after a later one."""
    done = memory.do(EditTaskFactory(task_id=A, title="Sand"))
    memory.do(EditTaskFactory(task_id=A, title="Oil"))
    return memory.unit(Undo(command_id=done.receipt.command_id))


def test_later_changes_are_named_with_their_commands() -> None:
    memory = furnished()
    memory.do(EditTaskFactory(task_id=A, title="Varnish"))
    started = memory.do(StartTaskFactory(task_id=A))
    edited = memory.do(EditTaskFactory(task_id=A, title="Sand"))
    events = [
        event
        for answer in (started, edited)
        for event in memory.events_of(answer.receipt)
    ]
    (named,) = undo.later(events, ["title"])
    assert named == {
        "event_id": str(edited.events[0].id),
        "type": "task.edited",
        "version": 4,
        "sequence": edited.sequence,
        "command_id": str(edited.receipt.command_id),
    }
    assert len(undo.later(events, ["created"])) == 2


def test_several_events_on_one_stream_are_one_change() -> None:
    memory = furnished()
    answer: Answer = memory.do(EditTagFactory(tag_id=TAG, name="Shop", colour="red"))
    (touched,) = undo.touched(memory.events_of(answer.receipt))
    assert (touched.stream_type, touched.stream_id) == ("tag", TAG)
    assert (touched.version, touched.created) == (3, False)
    assert touched.changes.keys() == {"name", "colour"}


def test_what_came_to_nothing_in_the_end_cannot_be_undone() -> None:
    memory = furnished()
    there = memory.do(EditTaskFactory(task_id=A, title="Varnish"))
    back = memory.do(EditTaskFactory(task_id=A, title="Paint"))
    events = [*memory.events_of(there.receipt), *memory.events_of(back.receipt)]
    with pytest.raises(Refused, match="not_undoable"):
        undo.touched(events)
