"""Deletion takes whole subtrees, in whatever project; restoration is its inverse."""

from typing import Any
from uuid import UUID

import pytest

from metacortex.events.projects import ProjectDeleted, ProjectRestored
from metacortex.events.tasks import TaskRestored
from metacortex.kernel.decider import Change
from metacortex.kernel.errors import Refused
from tests.commands.memory import Memory
from tests.commands.test_tasks_tree import (
    HOME,
    WORK,
    A,
    B,
    C,
    D,
    deleted,
    on,
    projects,
    tree,
)
from tests.factories import (
    OFF,
    ON,
    ArchiveProjectFactory,
    CreateProjectFactory,
    CreateTaskFactory,
    DeleteProjectFactory,
    DeleteTaskFactory,
    MoveTaskFactory,
    ProjectArchivedFactory,
    ProjectDeletedFactory,
    RestoreProjectFactory,
    RestoreTaskFactory,
    TaskArchivedFactory,
    TaskCreatedFactory,
    UndoFactory,
)
from tests.spec import Given, given

DELETE, RESTORE = DeleteTaskFactory(task_id=A), RestoreTaskFactory(task_id=A)
DELETE_HOME = DeleteProjectFactory(project_id=HOME)
RESTORE_HOME = RestoreProjectFactory(project_id=HOME)


def restored(root: UUID) -> TaskRestored:
    """Return the event of a task that came back with `root`."""
    return TaskRestored(deleted=OFF, deleted_with=Change(root, None))


def across(*more: Any) -> Given:
    """Return A of one project, B below it of another, C below that of the first."""
    return given(
        *projects(HOME, WORK),
        *on(A, TaskCreatedFactory(project_id=HOME)),
        *on(B, TaskCreatedFactory(project_id=WORK, parent_id=A)),
        *on(C, TaskCreatedFactory(project_id=HOME, parent_id=B)),
        *more,
    )


def test_a_subtree_goes_and_comes_back_together() -> None:
    delete, restore = DeleteTaskFactory(task_id=A), RestoreTaskFactory(task_id=A)
    given(*tree()).when(restore).then_nothing().when(delete).then_all(
        *on(A, deleted(A)), *on(B, deleted(A)), *on(C, deleted(A))
    ).when(delete).then_nothing().when(restore).then_all(
        *on(A, restored(A)), *on(B, restored(A)), *on(C, restored(A))
    ).when(
        restore
    ).then_nothing()


def test_what_was_deleted_before_stays_deleted() -> None:
    given(*tree(), *on(C, deleted(C))).when(DeleteTaskFactory(task_id=A)).then_all(
        *on(A, deleted(A)), *on(B, deleted(A))
    ).when(RestoreTaskFactory(task_id=A)).then_all(
        *on(A, restored(A)), *on(B, restored(A))
    )


def test_a_subtask_does_not_come_back_before_its_parent() -> None:
    gone = [*on(A, deleted(A)), *on(B, deleted(A)), *on(C, deleted(A))]
    given(*tree(), *gone).when(RestoreTaskFactory(task_id=B)).then_refused(
        "parent_deleted", parent_id=str(A)
    )


def test_a_task_does_not_come_back_before_its_project() -> None:
    in_project = on(A, TaskCreatedFactory(project_id=HOME), deleted(HOME))
    given(*projects(HOME), *in_project, *on(HOME, ProjectDeletedFactory())).when(
        RestoreTaskFactory(task_id=A)
    ).then_refused("project_deleted", project_id=str(HOME))


def test_a_project_takes_subtasks_of_other_projects_along() -> None:
    across().when(DELETE_HOME).then_all(
        ProjectDeleted(deleted=ON),
        *on(A, deleted(HOME)),
        *on(B, deleted(HOME)),
        *on(C, deleted(HOME)),
    ).when(RESTORE_HOME).then_all(
        ProjectRestored(deleted=OFF),
        *on(A, restored(HOME)),
        *on(B, restored(HOME)),
        *on(C, restored(HOME)),
    )


def test_a_project_leaves_what_its_tasks_stand_below() -> None:
    across().when(DeleteProjectFactory(project_id=WORK)).then_all(
        *on(WORK, ProjectDeleted(deleted=ON)),
        *on(B, deleted(WORK)),
        *on(C, deleted(WORK)),
    )


def test_archived_tasks_go_and_come_back_along() -> None:
    across(*on(B, TaskArchivedFactory())).when(DELETE).then_all(
        *on(A, deleted(A)), *on(B, deleted(A)), *on(C, deleted(A))
    ).when(RESTORE).then_all(
        *on(A, restored(A)), *on(B, restored(A)), *on(C, restored(A))
    )


@pytest.mark.parametrize("delete", [DELETE, DELETE_HOME])
def test_a_subtask_of_an_archived_project_refuses_to_go_along(delete: Any) -> None:
    across(*on(WORK, ProjectArchivedFactory())).when(delete).then_refused(
        "project_archived", project_id=str(WORK)
    )


GONE = [*on(A, deleted(A)), *on(B, deleted(A)), *on(C, deleted(A))]
HOME_GONE = [
    *on(HOME, ProjectDeletedFactory()),
    *on(A, deleted(HOME)),
    *on(B, deleted(HOME)),
    *on(C, deleted(HOME)),
]


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (ProjectArchivedFactory(), "project_archived"),
        (ProjectDeletedFactory(), "project_deleted"),
    ],
)
@pytest.mark.parametrize(
    ("gone", "restore"), [(GONE, RESTORE), (HOME_GONE, RESTORE_HOME)]
)
def test_nothing_comes_back_into_a_closed_project(
    gone: Any, restore: Any, event: Any, code: str
) -> None:
    across(*gone, *on(WORK, event)).when(restore).then_refused(
        code, project_id=str(WORK)
    )


def test_a_project_does_not_come_back_below_a_task_deleted_since() -> None:
    gone = [
        *on(WORK, ProjectDeletedFactory()),
        *on(B, deleted(WORK)),
        *on(C, deleted(WORK)),
        *on(A, deleted(A)),
    ]
    restore = RestoreProjectFactory(project_id=WORK)
    across(*gone).when(restore).then_refused("parent_deleted", parent_id=str(A))
    across(*gone[:-1]).when(restore).then_all(
        *on(WORK, ProjectRestored(deleted=OFF)),
        *on(B, restored(WORK)),
        *on(C, restored(WORK)),
    )


def test_what_lies_below_a_separate_deletion_stays_there() -> None:
    gone = [*on(A, deleted(HOME)), *on(B, deleted(B)), *on(C, deleted(HOME))]
    across(*on(HOME, ProjectDeletedFactory()), *gone).when(RESTORE_HOME).then_all(
        *on(HOME, ProjectRestored(deleted=OFF)), *on(A, restored(HOME))
    )
    gone = [*on(A, deleted(A)), *on(B, deleted(B)), *on(C, deleted(A))]
    across(*gone).when(RESTORE).then_all(*on(A, restored(A)))


def test_the_undo_of_an_older_deletion_revives_nothing_below_a_later_one() -> None:
    memory = Memory()
    for command in (
        CreateTaskFactory(task_id=A),
        CreateTaskFactory(task_id=B, parent_id=A),
    ):
        memory.do(command)
    first = memory.do(DELETE)
    for command in (
        RESTORE,
        CreateTaskFactory(task_id=D, parent_id=A),
        MoveTaskFactory(task_id=B, parent_id=D),
        DELETE,
    ):
        memory.do(command)
    error = memory.refuse(UndoFactory(command_id=first.receipt.command_id))
    assert (error.code, error.meta) == ("parent_deleted", {"parent_id": str(D)})


def test_a_deletion_sees_what_came_along_in_the_same_batch() -> None:
    memory = Memory()
    for command in (
        CreateProjectFactory(project_id=HOME),
        CreateProjectFactory(project_id=WORK),
        CreateTaskFactory(task_id=A, project_id=HOME),
        CreateTaskFactory(task_id=B, project_id=WORK),
        CreateTaskFactory(task_id=C, parent_id=B, project_id=None),
    ):
        memory.do(command)
    memory.run(
        memory.unit(MoveTaskFactory(task_id=B, parent_id=A, project_id=WORK)),
        memory.unit(DELETE_HOME),
    )
    assert all(memory.state(id).deleted_with == HOME for id in (A, B, C))
    ((refused,),) = memory.run(
        memory.unit(ArchiveProjectFactory(project_id=WORK)),
        memory.unit(RESTORE_HOME),
    )[1:]
    assert isinstance(refused, Refused) and refused.code == "project_archived"
