"""A task as its rules see it, and the table of state and command."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from metacortex.events.tasks import Comment, Status, TaskCreated, TaskEvent, TaskFields
from metacortex.kernel.decider import birth, changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(TaskFields):
    """A task as its rules see it.

    `deleted_section_id`: the deleted section that restoring would bring it back into.
    """

    status: Status = "pending"
    blocked_reason: str | None = None
    completed_at: datetime | None = None
    rank: str | None = None
    deleted_section_id: UUID | None = None
    archived: bool = False
    deleted: bool = False
    deleted_with: UUID | None = None
    comments: tuple[Comment, ...] = ()


OPEN: tuple[Status, ...] = ("pending", "in_progress", "blocked")
TRANSITIONS: Mapping[str, Mapping[Status, Status]] = {
    "start": {"pending": "in_progress", "in_progress": "in_progress"},
    "block": {"pending": "blocked", "in_progress": "blocked", "blocked": "blocked"},
    "unblock": {
        "blocked": "pending",
        "pending": "pending",
        "in_progress": "in_progress",
    },
    "complete": {
        "pending": "completed",
        "in_progress": "completed",
        "blocked": "completed",
        "completed": "completed",
    },
    "reopen": {
        "completed": "pending",
        "cancelled": "pending",
        "pending": "pending",
        "in_progress": "in_progress",
        "blocked": "blocked",
    },
    "cancel": {
        "pending": "cancelled",
        "in_progress": "cancelled",
        "blocked": "cancelled",
        "cancelled": "cancelled",
    },
}
"""By command and state, the state after it; what is missing is refused."""


_born = birth(Task, TaskCreated)


def evolve(task: Task | None, event: TaskEvent) -> Task:
    """Return the task after the event."""
    if isinstance(event, TaskCreated):
        return _born(event)
    assert task is not None, "a task's first event is its creation"
    return changed(task, event)
