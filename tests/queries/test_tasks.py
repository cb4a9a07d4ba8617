"""What tasks look like after what happened to them."""

from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

import pytest

from metacortex.events.tasks import Due
from metacortex.kernel.decider import Change, Elsewhere
from metacortex.kernel.ids import new_id
from metacortex.queries.tasks import TaskRow
from tests.factories import (
    DONE_AT,
    OFF,
    ON,
    TaskArchivedFactory,
    TaskBlockedFactory,
    TaskCommentedFactory,
    TaskCompletedFactory,
    TaskCreatedFactory,
    TaskDeletedFactory,
    TaskEditedFactory,
    TaskMovedFactory,
    TaskReopenedFactory,
    TaskRestoredFactory,
    TaskRetaggedFactory,
    TaskRevertedFactory,
    TaskStartedFactory,
    TaskUnarchivedFactory,
    TaskUnblockedFactory,
)
from tests.queries.spec import OWN, at, given

OTHER, PROJECT, TAG = new_id(), new_id(), new_id()
CREATED = TaskCreatedFactory(title="Paint")


def task(version: int, id: UUID = OWN, **fields: Any) -> TaskRow:
    """Return the row of a task that is called Paint, unless it is said otherwise."""
    plain: dict[str, Any] = {
        "title": "Paint",
        "description": None,
        "priority": "medium",
        "due": None,
        "project_id": None,
        "parent_id": None,
        "tags": (),
        "assignee_id": None,
        "created_by": "user_me",
    }
    times = {"created_at": at(1), "updated_at": at(version)}
    return TaskRow(id=id, version=version, **{**plain, **times, **fields})


def test_a_new_task_is_pending() -> None:
    given(CREATED).then(task(1, status="pending"))


def test_a_new_task_has_all_that_it_was_given() -> None:
    fields: dict[str, Any] = {
        "description": "The fence",
        "priority": "urgent",
        "due": Due(date=date(2026, 12, 1), time=time(9, 30), time_zone="Europe/Madrid"),
        "project_id": PROJECT,
        "parent_id": OTHER,
        "tags": (TAG,),
        "assignee_id": "user_ann",
    }
    given(TaskCreatedFactory(title="Paint", **fields)).then(task(1, **fields))


def test_an_edit_shows_in_the_fields_that_it_names() -> None:
    edited = TaskEditedFactory(title=Change("Paint", "Varnish"))
    given(CREATED, edited).then(task(2, title="Varnish", priority="high"))


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (TaskStartedFactory(), {"status": "in_progress"}),
        (
            TaskBlockedFactory(),
            {"status": "blocked", "blocked_reason": "Waiting for paint"},
        ),
        (TaskUnblockedFactory(), {"status": "pending"}),
        (TaskCompletedFactory(), {"status": "completed", "completed_at": DONE_AT}),
        (TaskReopenedFactory(), {"status": "pending"}),
        (TaskMovedFactory(parent_id=Change(None, OTHER)), {"parent_id": OTHER}),
        (TaskRetaggedFactory(tags=Change((), (TAG,))), {"tags": (TAG,)}),
        (TaskArchivedFactory(), {"archived": True}),
        (
            TaskDeletedFactory(deleted=ON, deleted_with=Change(None, OTHER)),
            {"deleted": True, "deleted_with": OTHER},
        ),
        (TaskRevertedFactory(priority=Change("medium", "low")), {"priority": "low"}),
    ],
    ids=lambda it: type(it).__name__,
)
def test_a_change_shows_in_its_field(event: Any, fields: dict[str, Any]) -> None:
    given(CREATED, event).then(task(2, **fields))


def test_what_is_put_away_and_deleted_comes_back_as_it_was() -> None:
    given(
        CREATED,
        TaskArchivedFactory(),
        TaskUnarchivedFactory(),
        TaskDeletedFactory(deleted=ON, deleted_with=Change(None, OWN)),
        TaskRestoredFactory(deleted=OFF, deleted_with=Change(OWN, None)),
    ).then(task(5))


def test_a_comment_is_a_version_and_changes_nothing_else() -> None:
    given(CREATED, TaskCommentedFactory()).then(task(2))


def test_each_task_has_a_row_of_its_own() -> None:
    given(
        CREATED,
        Elsewhere(OTHER, TaskCreatedFactory(title="Sand")),
        TaskStartedFactory(),
    ).then(task(2, status="in_progress"), task(1, OTHER, title="Sand"))


def test_a_deadline_with_a_zone_is_an_instant() -> None:
    due = Due(date=date(2026, 12, 1), time=time(9, 30), time_zone="Europe/Madrid")
    given(TaskCreatedFactory(due=due, priority="urgent")).then_columns(
        due_key=datetime(2026, 12, 1, 9, 30),
        due_at=datetime(2026, 12, 1, 8, 30, tzinfo=UTC),
        due_local=None,
        priority=3,
    )


def test_a_day_is_over_when_the_next_begins() -> None:
    given(TaskCreatedFactory(due=Due(date=date(2026, 12, 1)))).then_columns(
        due_key=datetime(2026, 12, 1, 23, 59, 59, 999_999),
        due_at=None,
        due_local=datetime(2026, 12, 2),
    )
