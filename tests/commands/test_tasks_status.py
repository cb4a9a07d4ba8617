"""The life of a task: every status, and every command upon it."""

from collections.abc import Sequence
from typing import Any, get_args

import pytest

from metacortex.commands.tasks import TRANSITIONS
from metacortex.events.tasks import (
    Status,
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskReopened,
    TaskStarted,
    TaskUnblocked,
)
from metacortex.kernel.decider import Change
from metacortex.kernel.ids import new_id
from tests.factories import (
    DONE_AT,
    ArchiveTaskFactory,
    BlockTaskFactory,
    CancelTaskFactory,
    CommentTaskFactory,
    CompleteTaskFactory,
    DeleteTaskFactory,
    EditTaskFactory,
    ReopenTaskFactory,
    StartTaskFactory,
    TaskBlockedFactory,
    TaskCancelledFactory,
    TaskCompletedFactory,
    TaskCreatedFactory,
    TaskStartedFactory,
    UnblockTaskFactory,
)
from tests.spec import NOW, Given, given

TASK = new_id()
REASON = "Waiting for paint"

STATUSES: tuple[Status, ...] = get_args(Status)

TABLE = """
         pending      in_progress  blocked    completed  cancelled
start    in_progress  =            -          -          -
block    blocked      blocked      =          -          -
unblock  =            =            pending    -          -
complete completed    completed    completed  =          -
reopen   =            =            =          pending    pending
cancel   cancelled    cancelled    cancelled  -          =
"""
"""What a command makes of a status: another, the same (=), or a refusal (-)."""

FACTORIES: dict[str, Any] = {
    "start": StartTaskFactory,
    "block": BlockTaskFactory,
    "unblock": UnblockTaskFactory,
    "complete": CompleteTaskFactory,
    "reopen": ReopenTaskFactory,
    "cancel": CancelTaskFactory,
}

PATHS: dict[Status, Sequence[Any]] = {
    "pending": (),
    "in_progress": (TaskStartedFactory(),),
    "blocked": (TaskBlockedFactory(blocked_reason=Change(None, REASON)),),
    "completed": (TaskCompletedFactory(),),
    "cancelled": (TaskCancelledFactory(),),
}
"""How a task comes to a status."""

NO_REASON = Change(REASON, None)


def _cells() -> dict[tuple[str, str], str]:
    head, *rows = (line.split() for line in TABLE.strip().splitlines())
    return {
        (row[0], status): cell
        for row in rows
        for status, cell in zip(head, row[1:], strict=True)
    }


CELLS = _cells()


def expected(command: str, status: str) -> Any:
    """Return the one event of a command that changes this status."""
    moved: Any = Change(status, CELLS[command, status])
    no_reason = NO_REASON if status == "blocked" else None
    match command:
        case "start":
            return TaskStarted(status=moved)
        case "block":
            return TaskBlocked(status=moved, blocked_reason=Change(None, REASON))
        case "unblock":
            return TaskUnblocked(status=moved, blocked_reason=no_reason)
        case "complete":
            now = Change(None, NOW)
            return TaskCompleted(
                status=moved, completed_at=now, blocked_reason=no_reason
            )
        case "reopen":
            was_done = Change(DONE_AT, None) if status == "completed" else None
            return TaskReopened(status=moved, completed_at=was_done)
        case _:
            return TaskCancelled(status=moved, blocked_reason=no_reason)


def task(status: Status) -> Given:
    """Return a workspace with a task of this status."""
    return given(TaskCreatedFactory(), *PATHS[status])


def test_the_published_table_is_this_one() -> None:
    published = {
        (command, status): TRANSITIONS[command].get(status, "-")
        for command in TRANSITIONS
        for status in STATUSES
    }
    assert published == {
        (command, status): status if cell == "=" else cell
        for (command, status), cell in CELLS.items()
    }


@pytest.mark.parametrize(("command", "status"), CELLS)
def test_a_command_does_to_a_status_what_the_table_says(
    command: str, status: Status
) -> None:
    outcome = task(status).when(FACTORIES[command](task_id=TASK))
    match CELLS[command, status]:
        case "-":
            outcome.then_refused("invalid_transition", status=status, command=command)
        case "=":
            outcome.then_nothing()
        case after:
            done = outcome.then(expected(command, status))
            assert done.states()["task"][TASK].status == after


@pytest.mark.parametrize(("command", "status"), CELLS)
def test_a_command_is_harmless_twice(command: str, status: Status) -> None:
    order = FACTORIES[command](task_id=TASK)
    once = task(status).when(order)
    after = once.before.followed_by(TASK, once.decided)
    twice = after.when(order)
    assert not twice.decided
    assert (twice.error is None) == (once.error is None)


def test_another_reason_is_told_of_a_blocked_task() -> None:
    task("blocked").when(BlockTaskFactory(task_id=TASK, reason="It rains")).then(
        TaskBlocked(blocked_reason=Change(REASON, "It rains"))
    )


@pytest.mark.parametrize(
    "factory",
    [EditTaskFactory, CommentTaskFactory, ArchiveTaskFactory, DeleteTaskFactory],
)
@pytest.mark.parametrize("status", STATUSES)
def test_no_status_bars_what_is_not_about_status(status: Status, factory: Any) -> None:
    outcome = task(status).when(factory(task_id=TASK))
    assert len(outcome.decided) == 1, outcome.error
