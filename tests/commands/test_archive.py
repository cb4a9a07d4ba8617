"""What is put away: frozen but for what follows its tree, its tags, and deletion."""

from dataclasses import replace
from typing import Any

import pytest

from metacortex.events.tasks import TaskArchived, TaskMoved
from metacortex.kernel.decider import UNSET, Change
from tests.commands.test_tasks_tree import (
    HOME,
    WORK,
    A,
    B,
    C,
    D,
    deleted,
    done,
    on,
    projects,
    tree,
)
from tests.factories import (
    ON,
    ArchiveTaskFactory,
    CompleteTaskFactory,
    DeleteTaskFactory,
    MoveTaskFactory,
    ProjectArchivedFactory,
    TaskArchivedFactory,
    TaskCreatedFactory,
)
from tests.spec import Given, given, to_the_end

COMPLETE = CompleteTaskFactory(task_id=A, subtasks="complete")
REQUIRE = CompleteTaskFactory(task_id=A, subtasks="require_done")


def one_archived() -> Given:
    """Return A, B below it in the archive, and C below that."""
    return given(*tree(), *on(B, TaskArchivedFactory()))


def one_in_an_archived_project() -> Given:
    """Return A, and below it D of an archived project."""
    return given(
        *projects(WORK),
        *on(A, TaskCreatedFactory()),
        *on(D, TaskCreatedFactory(project_id=WORK, parent_id=A)),
        *on(WORK, ProjectArchivedFactory()),
    )


def test_only_the_task_itself_is_put_away() -> None:
    given(*tree()).when(ArchiveTaskFactory(task_id=A)).then_all(
        *on(A, TaskArchived(archived=ON))
    )


def test_what_is_put_away_is_not_completed_along() -> None:
    one_archived().when(COMPLETE).then_all(*on(A, done()), *on(C, done()))
    one_in_an_archived_project().when(COMPLETE).then_all(*on(A, done()))


def test_what_is_put_away_is_not_waited_for() -> None:
    one_archived().when(REQUIRE).then_refused("open_subtasks", tasks=[str(C)], count=1)
    given(*one_archived().events, *on(C, deleted(C))).when(REQUIRE).then_all(
        *on(A, done())
    )
    one_in_an_archived_project().when(REQUIRE).then_all(*on(A, done()))


def test_what_is_put_away_moves_with_its_tree() -> None:
    moved = TaskMoved(project_id=Change(HOME, WORK))
    given(*projects(HOME, WORK), *tree(HOME), *on(B, TaskArchivedFactory())).when(
        MoveTaskFactory(task_id=A, parent_id=UNSET, project_id=WORK)
    ).then_all(*on(A, replace(moved, rank=to_the_end(A))), *on(B, moved), *on(C, moved))


def test_what_is_put_away_is_deleted_as_any_task() -> None:
    one_archived().when(DeleteTaskFactory(task_id=B)).then_all(
        *on(B, deleted(B)), *on(C, deleted(B))
    )


@pytest.mark.parametrize("factory", [MoveTaskFactory, CompleteTaskFactory])
def test_what_is_put_away_takes_no_command_of_its_own(factory: Any) -> None:
    one_archived().when(factory(task_id=B)).then_refused("task_archived")
