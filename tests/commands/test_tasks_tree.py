"""Tasks below tasks: moving, completing, deleting and restoring a subtree."""

from typing import Any
from uuid import UUID

import pytest

from metacortex.commands.tasks import DEPTH_LIMIT, NAMED_LIMIT
from metacortex.events.tasks import (
    TaskCompleted,
    TaskDeleted,
    TaskMoved,
    TaskReverted,
)
from metacortex.kernel.decider import UNSET, Change, Elsewhere
from metacortex.kernel.ids import new_id
from tests.factories import (
    OFF,
    ON,
    CompleteTaskFactory,
    CreateTaskFactory,
    MoveTaskFactory,
    ProjectArchivedFactory,
    ProjectCreatedFactory,
    ProjectDeletedFactory,
    RevertFactory,
    TagCreatedFactory,
    TagDeletedFactory,
    TaskArchivedFactory,
    TaskBlockedFactory,
    TaskCancelledFactory,
    TaskCompletedFactory,
    TaskCreatedFactory,
)
from tests.spec import NOW, given, to_the_end

A, B, C, D = (new_id() for _ in range(4))
HOME, WORK, TAG = new_id(), new_id(), new_id()


def on(stream_id: UUID, *events: Any) -> list[Elsewhere]:
    """Return events of one stream."""
    return [Elsewhere(stream_id, event) for event in events]


def tree(project_id: UUID | None = None) -> list[Elsewhere]:
    """Return A with its child B, B's child C, and D apart."""
    return [
        *on(A, TaskCreatedFactory(project_id=project_id)),
        *on(B, TaskCreatedFactory(project_id=project_id, parent_id=A)),
        *on(C, TaskCreatedFactory(project_id=project_id, parent_id=B)),
        *on(D, TaskCreatedFactory()),
    ]


def chain(length: int) -> list[UUID]:
    """Return ids for a chain of tasks, the root first."""
    return [new_id() for _ in range(length)]


def stacked(ids: list[UUID]) -> list[Elsewhere]:
    """Return the births of tasks, each below the one before."""
    return [
        Elsewhere(id, TaskCreatedFactory(parent_id=above))
        for id, above in zip(ids, [None, *ids], strict=False)
    ]


def projects(*ids: UUID) -> list[Elsewhere]:
    """Return the births of projects."""
    return [Elsewhere(id, ProjectCreatedFactory()) for id in ids]


def deleted(root: UUID) -> TaskDeleted:
    """Return the event of a task that went with `root`."""
    return TaskDeleted(deleted=ON, deleted_with=Change(None, root))


def test_the_last_level_takes_a_task_and_no_further_one() -> None:
    ids = chain(DEPTH_LIMIT)
    given(*stacked(ids[:-1])).when(
        CreateTaskFactory(title="Paint", parent_id=ids[-2])
    ).then(TaskCreatedFactory(title="Paint", parent_id=ids[-2]))
    given(*stacked(ids)).when(CreateTaskFactory(parent_id=ids[-1])).then_refused(
        "depth_exceeded", limit=32, depth=33
    )


def test_a_subtree_is_moved_where_all_of_it_fits() -> None:
    ids = chain(DEPTH_LIMIT - 2)
    move = MoveTaskFactory(task_id=A, parent_id=ids[-1])
    given(*tree(), *stacked(ids)).when(move).then_refused(
        "depth_exceeded", limit=32, depth=33
    )
    given(*tree(), *stacked(ids)).when(
        MoveTaskFactory(task_id=A, parent_id=ids[-2])
    ).then(TaskMoved(parent_id=Change(None, ids[-2]), rank=to_the_end(A)))


@pytest.mark.parametrize(
    ("below", "path"), [(A, [A, A]), (B, [A, B, A]), (C, [A, B, C, A])]
)
def test_a_task_cannot_stand_below_itself(below: UUID, path: list[UUID]) -> None:
    given(*tree()).when(MoveTaskFactory(task_id=A, parent_id=below)).then_refused(
        "cycle_detected", path=[str(step) for step in path]
    )


def test_two_tasks_cannot_change_places_one_after_the_other() -> None:
    given(*tree()).when(MoveTaskFactory(task_id=A, parent_id=D)).then(
        TaskMoved(parent_id=Change(None, D), rank=to_the_end(A))
    ).when(MoveTaskFactory(task_id=D, parent_id=C)).then_refused(
        "cycle_detected", path=[str(step) for step in (D, A, B, C, D)]
    )


def test_moving_a_task_where_it_stands_changes_nothing() -> None:
    given(*tree()).when(MoveTaskFactory(task_id=B, parent_id=A)).then_nothing()
    given(*tree()).when(MoveTaskFactory(task_id=A)).then_nothing()
    given(*tree()).when(MoveTaskFactory(task_id=B, parent_id=UNSET)).then_nothing()


def test_a_task_leaves_its_parent_and_keeps_its_project() -> None:
    given(*projects(HOME), *tree(HOME)).when(MoveTaskFactory(task_id=B)).then(
        TaskMoved(parent_id=Change(A, None), rank=to_the_end(B))
    )


def test_subtasks_of_the_same_project_come_along() -> None:
    elsewhere = new_id()
    given(
        *projects(HOME, WORK),
        *tree(HOME),
        *on(elsewhere, TaskCreatedFactory(parent_id=A, project_id=WORK)),
    ).when(MoveTaskFactory(task_id=A, parent_id=UNSET, project_id=WORK)).then_all(
        TaskMoved(project_id=Change(HOME, WORK), rank=to_the_end(A)),
        *on(B, TaskMoved(project_id=Change(HOME, WORK))),
        *on(C, TaskMoved(project_id=Change(HOME, WORK))),
    )


def test_deleted_subtasks_stay_in_their_project() -> None:
    given(*projects(HOME), *tree(HOME), *on(B, deleted(B)), *on(C, deleted(B))).when(
        MoveTaskFactory(task_id=A, parent_id=UNSET, project_id=None)
    ).then(TaskMoved(project_id=Change(HOME, None), rank=to_the_end(A)))


def test_a_task_takes_the_project_of_its_new_parent() -> None:
    given(
        *projects(HOME), *on(A, TaskCreatedFactory(project_id=HOME)), *stacked([B, C])
    ).when(MoveTaskFactory(task_id=B, parent_id=A)).then_all(
        TaskMoved(
            project_id=Change(None, HOME),
            parent_id=Change(None, A),
            rank=to_the_end(B),
        ),
        *on(C, TaskMoved(project_id=Change(None, HOME))),
    )


def test_a_move_may_name_parent_and_project() -> None:
    given(
        *projects(HOME, WORK),
        *on(A, TaskCreatedFactory(project_id=HOME)),
        *stacked([B]),
    ).when(MoveTaskFactory(task_id=B, parent_id=A, project_id=WORK)).then_all(
        TaskMoved(
            project_id=Change(None, WORK),
            parent_id=Change(None, A),
            rank=to_the_end(B),
        )
    )


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (ProjectArchivedFactory(), "project_archived"),
        (ProjectDeletedFactory(), "project_deleted"),
    ],
)
def test_no_task_moves_to_a_closed_project(event: Any, code: str) -> None:
    given(*projects(WORK), *on(WORK, event), *tree()).when(
        MoveTaskFactory(task_id=A, parent_id=UNSET, project_id=WORK)
    ).then_refused(code, project_id=str(WORK))


def test_no_task_moves_below_one_of_an_archived_project() -> None:
    given(
        *projects(WORK),
        *on(A, TaskCreatedFactory(project_id=WORK)),
        *on(WORK, ProjectArchivedFactory()),
        *on(D, TaskCreatedFactory()),
    ).when(MoveTaskFactory(task_id=D, parent_id=A)).then_refused("project_archived")


@pytest.mark.parametrize("project_id", [UNSET, None])
def test_a_task_of_an_archived_project_gets_no_subtask(project_id: Any) -> None:
    put_away = given(
        *projects(WORK),
        *on(A, TaskCreatedFactory(project_id=WORK)),
        *on(WORK, ProjectArchivedFactory()),
        *on(D, TaskCreatedFactory()),
    )
    create = CreateTaskFactory(parent_id=A, project_id=project_id)
    put_away.when(create).then_refused("project_archived", project_id=str(WORK))
    move = MoveTaskFactory(task_id=D, parent_id=A, project_id=project_id)
    put_away.when(move).then_refused("project_archived", project_id=str(WORK))


def test_an_archived_task_gets_no_subtask() -> None:
    put_away = given(*tree(), *on(A, TaskArchivedFactory()))
    put_away.when(CreateTaskFactory(parent_id=A)).then_refused(
        "parent_archived", parent_id=str(A)
    )
    put_away.when(MoveTaskFactory(task_id=D, parent_id=A)).then_refused(
        "parent_archived", parent_id=str(A)
    )
    put_away.when(MoveTaskFactory(task_id=B, parent_id=A)).then_nothing()


@pytest.mark.parametrize("closed", [TaskCompletedFactory, TaskCancelledFactory])
def test_a_task_that_is_done_may_get_subtasks(closed: Any) -> None:
    done_with = given(*tree(), *on(A, closed()))
    done_with.when(CreateTaskFactory(title="Paint", parent_id=A)).then(
        TaskCreatedFactory(title="Paint", parent_id=A)
    )
    done_with.when(MoveTaskFactory(task_id=D, parent_id=A)).then(
        TaskMoved(parent_id=Change(None, A), rank=to_the_end(D))
    )


def test_no_task_moves_below_a_deleted_one() -> None:
    given(*tree(), *on(D, deleted(D))).when(
        MoveTaskFactory(task_id=A, parent_id=D)
    ).then_refused("parent_deleted", parent_id=str(D))


def test_a_task_moves_to_what_exists() -> None:
    nowhere = new_id()
    given(*tree()).when(MoveTaskFactory(task_id=A, parent_id=nowhere)).then_refused(
        "unknown_reference", pointer="/parent_id"
    )
    given(*tree()).when(MoveTaskFactory(task_id=A, project_id=nowhere)).then_refused(
        "unknown_reference", pointer="/project_id"
    )


def done(**fields: Any) -> TaskCompleted:
    """Return the event of a task that is completed now."""
    completed: TaskCompleted = TaskCompletedFactory(
        completed_at=Change(None, NOW), **fields
    )
    return completed


def test_subtasks_are_left_as_they_are_unless_told() -> None:
    given(*tree()).when(CompleteTaskFactory(task_id=A)).then_all(*on(A, done()))


def test_open_subtasks_are_completed_along() -> None:
    blocked, cancelled, gone = new_id(), new_id(), new_id()
    complete = CompleteTaskFactory(task_id=A, subtasks="complete")
    because = Change("Waiting for paint", None)
    given(
        *tree(),
        *on(blocked, TaskCreatedFactory(parent_id=A), TaskBlockedFactory()),
        *on(cancelled, TaskCreatedFactory(parent_id=A), TaskCancelledFactory()),
        *on(gone, TaskCreatedFactory(parent_id=A), deleted(gone)),
        *on(B, TaskCompletedFactory()),
    ).when(complete).then_all(
        *on(A, done()),
        *on(C, done()),
        *on(
            blocked, done(status=Change("blocked", "completed"), blocked_reason=because)
        ),
    ).when(
        complete
    ).then_nothing()


def test_a_completed_task_completes_what_is_open_below_it() -> None:
    given(*tree(), *on(A, TaskCompletedFactory())).when(
        CompleteTaskFactory(task_id=A, subtasks="complete")
    ).then_all(*on(B, done()), *on(C, done()))


def test_open_subtasks_are_a_reason_to_refuse() -> None:
    complete = CompleteTaskFactory(task_id=A, subtasks="require_done")
    given(*tree()).when(complete).then_refused(
        "open_subtasks", tasks=[str(B), str(C)], count=2
    )
    given(*tree(), *on(B, TaskCompletedFactory()), *on(C, deleted(C))).when(
        complete
    ).then_all(*on(A, done())).when(complete).then_nothing()


def test_a_task_that_was_completed_before_refuses_no_more() -> None:
    given(*tree(), *on(A, TaskCompletedFactory())).when(
        CompleteTaskFactory(task_id=A, subtasks="require_done")
    ).then_nothing()


def test_a_refusal_names_some_of_many() -> None:
    ids = sorted(chain(NAMED_LIMIT + 1))
    below = [Elsewhere(id, TaskCreatedFactory(parent_id=A)) for id in ids]
    given(*on(A, TaskCreatedFactory()), *below).when(
        CompleteTaskFactory(task_id=A, subtasks="require_done")
    ).then_refused(
        "open_subtasks", tasks=[str(id) for id in ids[:NAMED_LIMIT]], count=len(ids)
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"parent_id": Change(A, C)}, "cycle_detected"),
        ({"parent_id": Change(A, D)}, "parent_deleted"),
        ({"project_id": Change(None, WORK)}, "project_archived"),
        ({"tags": Change((), (TAG,))}, "tag_deleted"),
    ],
)
def test_an_undo_obeys_the_rules_of_the_place_it_goes_back_to(
    changes: Any, code: str
) -> None:
    given(
        *projects(WORK),
        *on(WORK, ProjectArchivedFactory()),
        *tree(),
        *on(D, deleted(D)),
        *on(TAG, TagCreatedFactory(), TagDeletedFactory()),
    ).when(RevertFactory(stream_id=B, changes=changes)).then_refused(code)


def test_an_undone_deletion_needs_a_live_parent() -> None:
    back = {"deleted": OFF, "deleted_with": Change(B, None)}
    gone = [*on(B, deleted(B)), *on(A, deleted(A))]
    given(*tree(), *gone).when(RevertFactory(stream_id=B, changes=back)).then_refused(
        "parent_deleted"
    )


def test_an_undone_deletion_needs_a_live_project() -> None:
    back = {"deleted": OFF, "deleted_with": Change(A, None)}
    gone = [*on(A, deleted(A)), *on(HOME, ProjectDeletedFactory())]
    in_project = on(A, TaskCreatedFactory(project_id=HOME))
    given(*projects(HOME), *in_project, *gone).when(
        RevertFactory(stream_id=A, changes=back)
    ).then_refused("project_deleted")


def test_the_birth_of_a_task_is_undone_while_nothing_lives_below_it() -> None:
    changes = {"deleted": ON, "deleted_with": Change(None, A)}
    undo = RevertFactory(stream_id=A, changes=changes)
    given(*tree()).when(undo).then_refused(
        "undo_conflict", tasks=[str(B), str(C)], count=2
    )
    given(*tree(), *on(B, deleted(B)), *on(C, deleted(B))).when(undo).then_all(
        *on(A, TaskReverted(deleted=ON, deleted_with=Change(None, A)))
    )


def test_a_reverted_edit_puts_the_old_value_back() -> None:
    back = {"priority": Change("high", "medium")}
    given(*on(A, TaskCreatedFactory(priority="high"))).when(
        RevertFactory(stream_id=A, changes=back)
    ).then(TaskReverted(priority=Change("high", "medium")))
