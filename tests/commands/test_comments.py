"""What people say about tasks, change, and take back."""

from dataclasses import replace
from typing import Any

import pytest

from metacortex.commands.undo import Undo
from metacortex.events.tasks import (
    TaskCommentDeleted,
    TaskCommented,
    TaskCommentEdited,
)
from metacortex.kernel.decider import Exchange
from metacortex.kernel.ids import new_id
from tests.commands.memory import Memory
from tests.factories import (
    CommentTaskFactory,
    CreateTaskFactory,
    DeleteCommentFactory,
    EditCommentFactory,
    TaskArchivedFactory,
    TaskCommentedFactory,
    TaskCreatedFactory,
    TaskDeletedFactory,
    said,
)
from tests.spec import ME, NOW, given

TASK, COMMENT = new_id(), new_id()
OLD = said("Two coats", id=COMMENT)
SAID = TaskCommentedFactory(comment_id=COMMENT, body="Two coats")
ABOUT = {"task_id": TASK, "comment_id": COMMENT}


def test_an_author_edits_and_deletes() -> None:
    new = replace(OLD, text="Three coats", edited_at=NOW)
    given(TaskCreatedFactory(), SAID).when(
        EditCommentFactory(text="Three coats", **ABOUT)
    ).then(TaskCommentEdited(comments=Exchange((OLD,), (new,)))).when(
        DeleteCommentFactory(**ABOUT)
    ).then(
        TaskCommentDeleted(comments=Exchange((new,), ()))
    ).when(
        EditCommentFactory(**ABOUT)
    ).then_refused(
        "not_found"
    )


def test_the_same_text_changes_nothing() -> None:
    given(TaskCreatedFactory(), SAID).when(
        EditCommentFactory(text="Two coats", **ABOUT)
    ).then_nothing()


@pytest.mark.parametrize("factory", [EditCommentFactory, DeleteCommentFactory])
def test_only_authors_and_owners_change_what_was_said(factory: Any) -> None:
    theirs = given(TaskCreatedFactory(), replace(SAID, author_id="user_ann"))
    theirs.when(factory(**ABOUT)).then_refused("not_the_author")
    assert theirs.when(factory(as_owner=True, **ABOUT)).error is None
    theirs.when(factory(task_id=TASK)).then_refused("not_found")


@pytest.mark.parametrize("factory", [EditCommentFactory, DeleteCommentFactory])
@pytest.mark.parametrize(
    ("event", "code"),
    [
        (TaskArchivedFactory(), "task_archived"),
        (TaskDeletedFactory(), "task_deleted"),
    ],
)
def test_a_task_that_is_put_away_keeps_its_comments(
    factory: Any, event: Any, code: str
) -> None:
    given(TaskCreatedFactory(), SAID, event).when(factory(**ABOUT)).then_refused(code)


def test_older_comments_have_the_author_and_the_instant_of_their_records() -> None:
    old = TaskCommented(comment_id=COMMENT, body="Two coats")
    told = old.recorded("user_ann", NOW)
    assert (told.author_id, told.created_at) == ("user_ann", NOW)
    assert SAID.recorded("user_ann", NOW) is SAID


def commented() -> Memory:
    """Return a workspace with a task and two comments on it."""
    memory = Memory()
    memory.do(CreateTaskFactory(task_id=TASK))
    for id in (COMMENT, new_id()):
        memory.do(CommentTaskFactory(task_id=TASK, comment_id=id))
    return memory


@pytest.mark.parametrize(
    "command",
    [
        CommentTaskFactory(task_id=TASK),
        EditCommentFactory(**ABOUT),
        DeleteCommentFactory(**ABOUT),
    ],
)
def test_what_was_done_to_comments_is_undone_and_redone(command: Any) -> None:
    memory = commented()
    was = memory.state(TASK)
    done = memory.do(command)
    became = memory.state(TASK)
    undone = memory.undo(done)
    assert memory.state(TASK) == was != became
    memory.undo(undone)
    assert memory.state(TASK) == became


def test_what_others_said_since_is_left_alone() -> None:
    memory = commented()
    edited = memory.do(EditCommentFactory(**ABOUT))
    memory.do(CommentTaskFactory(task_id=TASK))
    memory.undo(edited)
    assert len(memory.state(TASK).comments) == 3


def test_a_later_edit_stands_in_the_way() -> None:
    memory = commented()
    edited = memory.do(EditCommentFactory(**ABOUT))
    memory.do(EditCommentFactory(text="None", **ABOUT))
    error = memory.refuse(Undo(command_id=edited.receipt.command_id))
    assert error.code == "undo_conflict" and error.meta["fields"] == ["comments"]
    assert {it.author_id for it in memory.state(TASK).comments} == {ME}
