"""Undo of what happened to tags, and of what happened to what is put away since."""

from typing import Any
from uuid import UUID

import pytest

from metacortex.kernel.decider import UNSET
from metacortex.kernel.ids import new_id
from tests.commands.memory import Memory
from tests.commands.test_undo import OTHER, PROJECT, TAG, A, B, C, D, furnished
from tests.factories import (
    ArchiveProjectFactory,
    ArchiveTaskFactory,
    CompleteTaskFactory,
    CreateTagFactory,
    DeleteProjectFactory,
    DeleteTagFactory,
    DeleteTaskFactory,
    EditProjectFactory,
    EditTagFactory,
    EditTaskFactory,
    MergeTagFactory,
    MoveTaskFactory,
    UnarchiveProjectFactory,
    UnarchiveTaskFactory,
    UndoFactory,
)


def retag(task_id: UUID, **changes: Any) -> Any:
    """Return a command that changes nothing but tags."""
    return EditTaskFactory(task_id=task_id, title=UNSET, **changes)


PUT_AWAY: dict[str, Any] = {
    "archived": ArchiveTaskFactory(task_id=B),
    "deleted": DeleteTaskFactory(task_id=B),
    "in an archived project": ArchiveProjectFactory(project_id=PROJECT),
    "in a deleted project": DeleteProjectFactory(project_id=PROJECT),
}
GONE: dict[str, Any] = {
    "deleted": DeleteTagFactory(tag_id=TAG),
    "merged": MergeTagFactory(tag_id=TAG, into=OTHER),
}


@pytest.mark.parametrize("put_away", PUT_AWAY.values(), ids=PUT_AWAY)
@pytest.mark.parametrize("gone", GONE.values(), ids=GONE)
@pytest.mark.parametrize("early", [True, False])
def test_a_tag_comes_back_on_every_task_that_had_it(
    gone: Any, put_away: Any, early: bool
) -> None:
    memory = furnished()
    if early:
        memory.do(put_away)
    done = memory.do(gone)
    if not early:
        memory.do(put_away)
    undone = memory.undo(done)
    assert memory.state(A).tags == (TAG,)
    assert memory.state(B).tags == (OTHER, TAG)
    memory.undo(undone)
    assert memory.state(TAG).deleted
    assert not any(TAG in memory.state(id).tags for id in (A, B, C, D))


@pytest.mark.parametrize("gone", GONE.values(), ids=GONE)
def test_tags_that_came_and_went_since_are_left_alone(gone: Any) -> None:
    memory = furnished()
    memory.do(CreateTagFactory(tag_id=(third := new_id())))
    done = memory.do(gone)
    memory.do(retag(A, add_tags=(third,)))
    undone = memory.undo(done)
    assert set(memory.state(A).tags) == {TAG, third}
    memory.undo(undone)
    assert third in memory.state(A).tags and TAG not in memory.state(A).tags


def test_two_people_tag_a_task_and_one_takes_it_back() -> None:
    memory = furnished()
    mine = memory.do(retag(D, add_tags=(TAG,)))
    memory.do(retag(D, add_tags=(OTHER,)))
    memory.undo(mine)
    assert memory.state(D).tags == (OTHER,)


def test_a_tag_that_moved_itself_stands_in_the_way() -> None:
    memory = furnished()
    given = memory.do(retag(D, add_tags=(TAG,)))
    taken = memory.do(retag(D, remove_tags=(TAG,)))
    assert _refused(memory, given) == ("undo_conflict", ["tags"])
    memory.do(retag(D, add_tags=(TAG,)))
    assert _refused(memory, taken) == ("undo_conflict", ["tags"])


def _refused(memory: Memory, done: Any) -> tuple[str, Any]:
    error = memory.refuse(UndoFactory(command_id=done.receipt.command_id))
    return error.code, error.meta.get("fields")


def test_a_tag_deleted_since_is_not_put_back() -> None:
    memory = furnished()
    done = memory.do(retag(A, remove_tags=(TAG,)))
    memory.do(DeleteTagFactory(tag_id=TAG))
    error = memory.refuse(UndoFactory(command_id=done.receipt.command_id))
    assert (error.code, error.meta) == ("tag_deleted", {"tag_id": str(TAG)})


def test_a_deleted_tag_is_not_edited_by_an_undo() -> None:
    memory = furnished()
    done = memory.do(EditTagFactory(tag_id=TAG, colour="#00ff00"))
    memory.do(DeleteTagFactory(tag_id=TAG))
    error = memory.refuse(UndoFactory(command_id=done.receipt.command_id))
    assert error.code == "tag_deleted"


UNTAKEN: dict[str, tuple[Any, str]] = {
    "archived": (ArchiveTaskFactory(task_id=B), "task_archived"),
    "deleted": (DeleteTaskFactory(task_id=B), "task_deleted"),
    "archive": (ArchiveProjectFactory(project_id=PROJECT), "project_archived"),
}


@pytest.mark.parametrize(("since", "code"), UNTAKEN.values(), ids=UNTAKEN)
@pytest.mark.parametrize(
    "command",
    [
        retag(B, remove_tags=(TAG,)),
        CompleteTaskFactory(task_id=A, subtasks="complete"),
    ],
)
def test_an_undo_is_refused_as_the_task_refuses(
    command: Any, since: Any, code: str
) -> None:
    memory = furnished()
    done = memory.do(command)
    memory.do(since)
    assert memory.refuse(UndoFactory(command_id=done.receipt.command_id)).code == code


@pytest.mark.parametrize("factory", [ArchiveTaskFactory, DeleteTaskFactory])
def test_the_undo_of_a_move_takes_along_what_is_put_away_since(factory: Any) -> None:
    memory = furnished()
    done = memory.do(MoveTaskFactory(task_id=A, project_id=None))
    memory.do(factory(task_id=B))
    memory.undo(done)
    assert memory.state(B).project_id == memory.state(A).project_id == PROJECT


def test_a_task_moved_out_from_below_an_archived_one_goes_back() -> None:
    memory = furnished()
    memory.do(ArchiveTaskFactory(task_id=A))
    memory.undo(memory.do(MoveTaskFactory(task_id=B)))
    assert memory.state(B).parent_id == A


@pytest.mark.parametrize(
    ("before", "command", "delete", "code"),
    [
        (
            ArchiveTaskFactory(task_id=A),
            UnarchiveTaskFactory(task_id=A),
            DeleteTaskFactory(task_id=A),
            "task_deleted",
        ),
        (
            ArchiveProjectFactory(project_id=PROJECT),
            UnarchiveProjectFactory(project_id=PROJECT),
            DeleteProjectFactory(project_id=PROJECT),
            "project_deleted",
        ),
        (
            EditProjectFactory(project_id=PROJECT),
            EditProjectFactory(project_id=PROJECT),
            DeleteProjectFactory(project_id=PROJECT),
            "project_deleted",
        ),
    ],
)
def test_what_is_deleted_is_only_undeleted(
    before: Any, command: Any, delete: Any, code: str
) -> None:
    memory = furnished()
    memory.do(before)
    done = memory.do(command)
    memory.do(delete)
    assert memory.refuse(UndoFactory(command_id=done.receipt.command_id)).code == code
