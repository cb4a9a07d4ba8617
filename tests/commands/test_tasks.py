"""Tasks: what they are made of, how they are edited, and who takes no command."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from metacortex.commands.tasks import TAG_LIMIT
from metacortex.events.tasks import (
    TaskArchived,
    TaskCommented,
    TaskEdited,
    TaskUnarchived,
)
from metacortex.kernel.decider import UNSET, Change, Elsewhere
from metacortex.kernel.ids import new_id
from tests.factories import (
    OFF,
    ON,
    TOMORROW,
    ArchiveTaskFactory,
    BlockTaskFactory,
    CancelTaskFactory,
    CommentTaskFactory,
    CompleteTaskFactory,
    CreateTaskFactory,
    DeleteTaskFactory,
    EditTaskFactory,
    MoveTaskFactory,
    ProjectArchivedFactory,
    ProjectCreatedFactory,
    ProjectDeletedFactory,
    ReopenTaskFactory,
    RestoreTaskFactory,
    RevertFactory,
    StartTaskFactory,
    TagCreatedFactory,
    TagDeletedFactory,
    TaskArchivedFactory,
    TaskCreatedFactory,
    TaskDeletedFactory,
    UnarchiveTaskFactory,
    UnblockTaskFactory,
)
from tests.spec import ME, NOW, Given, given, when

PROJECT, TASK, TAG, OTHER = new_id(), new_id(), new_id(), new_id()


def reverting(task_id: UUID = TASK) -> Any:
    """Return a part of an undo, of a task."""
    return RevertFactory(stream_type="task", stream_id=task_id)


EXISTING: list[Any] = [
    EditTaskFactory,
    StartTaskFactory,
    BlockTaskFactory,
    UnblockTaskFactory,
    CompleteTaskFactory,
    ReopenTaskFactory,
    CancelTaskFactory,
    MoveTaskFactory,
    ArchiveTaskFactory,
    UnarchiveTaskFactory,
    DeleteTaskFactory,
    RestoreTaskFactory,
    CommentTaskFactory,
    reverting,
]


def created(**fields: Any) -> Any:
    """Return the event of a task that was told nothing but these fields."""
    return TaskCreatedFactory(title="Paint", **fields)


def tags(*ids: UUID) -> list[Elsewhere]:
    """Return the births of tags."""
    return [Elsewhere(id, TagCreatedFactory()) for id in ids]


def in_project(*events: Any) -> Given:
    """Return a task of a project, and what happened to that project."""
    born = Elsewhere(PROJECT, ProjectCreatedFactory())
    later = [Elsewhere(PROJECT, event) for event in events]
    return given(born, Elsewhere(TASK, TaskCreatedFactory(project_id=PROJECT)), *later)


def test_a_task_needs_a_title_only() -> None:
    when(CreateTaskFactory(title="Paint")).then(created())


def test_a_task_is_made_as_it_is_told() -> None:
    given(Elsewhere(PROJECT, ProjectCreatedFactory()), *tags(TAG)).when(
        CreateTaskFactory(
            title="Paint",
            description="The fence",
            priority="urgent",
            due=TOMORROW,
            project_id=PROJECT,
            tags=(TAG, TAG),
            assignee_id=ME,
        )
    ).then(
        created(
            description="The fence",
            priority="urgent",
            due=TOMORROW,
            project_id=PROJECT,
            tags=(TAG,),
            assignee_id=ME,
        )
    )


def test_an_id_is_used_once() -> None:
    given(TaskCreatedFactory()).when(CreateTaskFactory()).then_refused("already_exists")


def test_a_subtask_takes_project_and_tags_of_its_parent() -> None:
    parent = TaskCreatedFactory(project_id=PROJECT, tags=(TAG,))
    given(
        Elsewhere(PROJECT, ProjectCreatedFactory()), *tags(TAG), Elsewhere(TASK, parent)
    ).when(CreateTaskFactory(title="Paint", parent_id=TASK)).then(
        created(parent_id=TASK, project_id=PROJECT, tags=(TAG,))
    )


def test_a_subtask_may_be_told_otherwise() -> None:
    parent = TaskCreatedFactory(project_id=PROJECT, tags=(TAG,))
    given(
        Elsewhere(PROJECT, ProjectCreatedFactory()),
        *tags(TAG, OTHER),
        Elsewhere(TASK, parent),
    ).when(
        CreateTaskFactory(title="Paint", parent_id=TASK, project_id=None, tags=(OTHER,))
    ).then(
        created(parent_id=TASK, tags=(OTHER,))
    ).when(
        CreateTaskFactory(title="Paint", parent_id=TASK, tags=())
    ).then(
        created(parent_id=TASK, project_id=PROJECT)
    )


@pytest.mark.parametrize(
    ("field", "pointer"),
    [("project_id", "/project_id"), ("parent_id", "/parent_id"), ("tags", "/tags")],
)
def test_a_task_names_what_exists(field: str, pointer: str) -> None:
    unknown = (OTHER,) if field == "tags" else OTHER
    when(CreateTaskFactory(**{field: unknown})).then_refused(
        "unknown_reference", pointer=pointer
    )


def test_a_task_takes_no_deleted_tag() -> None:
    gone = given(*tags(TAG), Elsewhere(TAG, TagDeletedFactory()))
    gone.when(CreateTaskFactory(tags=(TAG,))).then_refused(
        "unknown_reference", pointer="/tags", tag_id=str(TAG)
    )


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (ProjectArchivedFactory(), "project_archived"),
        (ProjectDeletedFactory(), "project_deleted"),
    ],
)
def test_a_task_is_made_in_a_live_project_only(event: Any, code: str) -> None:
    home = in_project(event)
    home.when(CreateTaskFactory(project_id=PROJECT)).then_refused(
        code, project_id=str(PROJECT)
    )


def test_a_subtask_inherits_no_archived_project() -> None:
    home = in_project(ProjectArchivedFactory())
    home.when(CreateTaskFactory(parent_id=TASK)).then_refused("project_archived")


def test_a_task_is_made_below_a_live_one_only() -> None:
    given(
        Elsewhere(TASK, TaskCreatedFactory()),
        Elsewhere(TASK, TaskDeletedFactory(deleted_with=Change(None, TASK))),
    ).when(CreateTaskFactory(parent_id=TASK)).then_refused(
        "parent_deleted", parent_id=str(TASK)
    )


def test_a_task_is_given_to_a_member_or_to_oneself() -> None:
    create = CreateTaskFactory(title="Paint", assignee_id="user_ann")
    when(create).then_refused("member_unknown", pointer="/assignee_id")
    when(create, members=["user_ann"]).then(created(assignee_id="user_ann"))
    when(create, actor_id="user_ann").then(created(assignee_id="user_ann"))


def test_a_task_has_not_more_tags_than_the_limit() -> None:
    ids = [new_id() for _ in range(TAG_LIMIT + 1)]
    given(*tags(*ids)).when(CreateTaskFactory(tags=tuple(ids))).then_refused(
        "too_many_tags", limit=TAG_LIMIT
    )
    given(*tags(*ids)).when(
        CreateTaskFactory(title="Paint", tags=tuple(ids[:-1]))
    ).then(created(tags=tuple(ids[:-1])))


def test_only_what_differs_is_edited() -> None:
    edit = EditTaskFactory(
        task_id=TASK, title="Paint", description=None, priority="high", due=TOMORROW
    )
    given(TaskCreatedFactory(title="Paint", description="The fence")).when(edit).then(
        TaskEdited(
            description=Change("The fence", None),
            priority=Change("medium", "high"),
            due=Change(None, TOMORROW),
        )
    ).when(edit).then_nothing()


def test_what_is_not_named_stays() -> None:
    given(created(description="The fence", due=TOMORROW)).when(
        EditTaskFactory(title="Varnish")
    ).then(TaskEdited(title=Change("Paint", "Varnish")))


def test_added_tags_come_last_and_removed_ones_leave() -> None:
    third = new_id()
    edit = EditTaskFactory(
        task_id=TASK, title=UNSET, add_tags=(third, OTHER), remove_tags=(TAG,)
    )
    before = given(*tags(TAG, OTHER, third), TaskCreatedFactory(tags=(TAG, OTHER)))
    before.when(edit).then(TaskEdited(tags=Change((TAG, OTHER), (OTHER, third)))).when(
        edit
    ).then_nothing()


def test_a_tag_that_is_added_and_removed_at_once_stays() -> None:
    given(*tags(TAG), TaskCreatedFactory(tags=(TAG,))).when(
        EditTaskFactory(title=UNSET, add_tags=(TAG,), remove_tags=(TAG,))
    ).then_nothing()


def test_a_task_may_lose_a_tag_that_it_does_not_have() -> None:
    given(TaskCreatedFactory()).when(
        EditTaskFactory(title=UNSET, remove_tags=(TAG,))
    ).then_nothing()


def test_no_unknown_tag_is_added() -> None:
    given(TaskCreatedFactory()).when(EditTaskFactory(add_tags=(TAG,))).then_refused(
        "unknown_reference", pointer="/tags/add", tag_id=str(TAG)
    )


def test_no_tag_is_added_beyond_the_limit() -> None:
    ids = [new_id() for _ in range(TAG_LIMIT)]
    full = given(*tags(TAG, *ids), TaskCreatedFactory(tags=tuple(ids)))
    full.when(EditTaskFactory(add_tags=(TAG,))).then_refused(
        "too_many_tags", limit=TAG_LIMIT
    )
    full.when(
        EditTaskFactory(title=UNSET, add_tags=(TAG,), remove_tags=(ids[0],))
    ).then(TaskEdited(tags=Change(tuple(ids), (*ids[1:], TAG))))


def test_an_assignee_is_checked_when_it_changes() -> None:
    edit = EditTaskFactory(task_id=TASK, title=UNSET, assignee_id="user_ann")
    given(TaskCreatedFactory()).when(edit).then_refused(
        "member_unknown", pointer="/assignee_id"
    ).when(edit, members=["user_ann"]).then(
        TaskEdited(assignee_id=Change(None, "user_ann"))
    ).when(
        edit
    ).then_nothing()


def test_a_comment_is_an_event_of_its_own_every_time() -> None:
    say = CommentTaskFactory(task_id=TASK, body="Done?")
    again = replace(say, comment_id=new_id())
    said = TaskCommented(
        comment_id=say.comment_id, body="Done?", author_id=ME, created_at=NOW
    )
    given(TaskCreatedFactory()).when(say).then(said).when(again).then(
        replace(said, comment_id=again.comment_id)
    ).when(say).then_refused("already_exists")


def test_a_task_is_put_away_once_and_taken_out_once() -> None:
    archive = ArchiveTaskFactory(task_id=TASK)
    unarchive = UnarchiveTaskFactory(task_id=TASK)
    given(TaskCreatedFactory()).when(unarchive).then_nothing().when(archive).then(
        TaskArchived(archived=ON)
    ).when(archive).then_nothing().when(unarchive).then(
        TaskUnarchived(archived=OFF)
    ).when(
        unarchive
    ).then_nothing()


ALWAYS: set[Any] = {
    ArchiveTaskFactory,
    UnarchiveTaskFactory,
    DeleteTaskFactory,
    RestoreTaskFactory,
    reverting,
}
"""Neither the archived nor the status of a task bars these."""


@pytest.mark.parametrize("factory", EXISTING)
def test_an_unknown_task_is_not_found(factory: Any) -> None:
    when(factory()).then_refused("not_found")


@pytest.mark.parametrize("factory", EXISTING)
def test_an_archived_project_lets_nothing_be_done_to_its_tasks(factory: Any) -> None:
    in_project(ProjectArchivedFactory()).when(factory(task_id=TASK)).then_refused(
        "project_archived", project_id=str(PROJECT)
    )


@pytest.mark.parametrize("factory", [it for it in EXISTING if it not in ALWAYS])
def test_an_archived_task_takes_no_work(factory: Any) -> None:
    given(TaskCreatedFactory(), TaskArchivedFactory()).when(factory()).then_refused(
        "task_archived"
    )


@pytest.mark.parametrize(
    "factory",
    [ArchiveTaskFactory, UnarchiveTaskFactory]
    + [it for it in EXISTING if it not in ALWAYS],
)
def test_a_deleted_task_only_comes_back(factory: Any) -> None:
    gone = TaskDeletedFactory(deleted_with=Change(None, TASK))
    given(TaskCreatedFactory(), gone).when(factory(task_id=TASK)).then_refused(
        "task_deleted"
    )
