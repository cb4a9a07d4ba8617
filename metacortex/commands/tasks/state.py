"""A task as its rules see it, and the table of state and command."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from metacortex.events.tasks import Due, Priority, Status, TaskCreated, TaskEvent
from metacortex.kernel.decider import changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as its rules see it."""

    title: str
    description: str | None
    status: Status
    priority: Priority
    due: Due | None
    project_id: UUID | None
    parent_id: UUID | None
    tags: tuple[UUID, ...]
    assignee_id: str | None
    blocked_reason: str | None = None
    completed_at: datetime | None = None
    archived: bool = False
    deleted: bool = False
    deleted_with: UUID | None = None


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


def evolve(task: Task | None, event: TaskEvent) -> Task:
    """Return the task after the event."""
    if isinstance(event, TaskCreated):
        return Task(
            title=event.title,
            description=event.description,
            status="pending",
            priority=event.priority,
            due=event.due,
            project_id=event.project_id,
            parent_id=event.parent_id,
            tags=event.tags,
            assignee_id=event.assignee_id,
        )
    assert task is not None, "a task's first event is its creation"
    return changed(task, event)
