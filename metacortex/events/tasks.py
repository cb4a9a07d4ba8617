"""Tasks: what can happen to one. Facts only; names on disk stand at the end."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from metacortex.kernel.decider import Change, Exchange

STREAM = "task"

Status = Literal["pending", "in_progress", "blocked", "completed", "cancelled"]
Priority = Literal["low", "medium", "high", "urgent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When a task is due: a day, or a wall time; no zone means wherever one is."""

    date: dt.date
    time: dt.time | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Comment:
    """What somebody said about a task."""

    id: UUID
    author_id: str
    text: str
    created_at: datetime
    edited_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFields:
    """What a task has from its creation on, in the event as in the state."""

    title: str
    description: str | None
    priority: Priority
    due: Due | None
    project_id: UUID | None
    section_id: UUID | None = None
    parent_id: UUID | None
    tags: tuple[UUID, ...]
    assignee_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCreated(TaskFields):
    """A task was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEdits:
    """What an edit may change, and its undo put back."""

    title: Change[str] | None = None
    description: Change[str | None] | None = None
    priority: Change[Priority] | None = None
    due: Change[Due | None] | None = None
    tags: Change[tuple[UUID, ...]] | None = None
    assignee_id: Change[str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEdited(TaskEdits):
    """Some of a task's own fields changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted:
    """Work on a task began."""

    status: Change[Status]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBlocked:
    """Something stands in a task's way, or the reason changed."""

    status: Change[Status] | None = None
    blocked_reason: Change[str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskUnblocked:
    """Nothing stands in the task's way any more."""

    status: Change[Status]
    blocked_reason: Change[str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCompleted:
    """A task is done."""

    status: Change[Status]
    completed_at: Change[datetime | None]
    blocked_reason: Change[str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReopened:
    """A completed or cancelled task is to be done after all."""

    status: Change[Status]
    completed_at: Change[datetime | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCancelled:
    """A task will not be done."""

    status: Change[Status]
    blocked_reason: Change[str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMoved:
    """A task stands elsewhere: another project, section, parent, or place in a list."""

    project_id: Change[UUID | None] | None = None
    section_id: Change[UUID | None] | None = None
    deleted_section_id: Change[UUID | None] | None = None
    parent_id: Change[UUID | None] | None = None
    rank: Change[str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetagged:
    """A tag of the task was deleted or merged."""

    tags: Change[tuple[UUID, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskArchived:
    """A task was put away."""

    archived: Change[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskUnarchived:
    """A task was taken out again."""

    archived: Change[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDeleted:
    """A task was deleted, softly; `deleted_with` is the task or project it went with.

    Restoring that one brings back whatever went with it.
    """

    deleted: Change[bool]
    deleted_with: Change[UUID | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRestored:
    """A deleted task came back."""

    deleted: Change[bool]
    deleted_with: Change[UUID | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCommented:
    """Somebody said something about a task.

    Older events lack author and instant; those of their record take their place.
    """

    comment_id: UUID
    body: str
    author_id: str | None = None
    created_at: datetime | None = None

    def recorded(self, author_id: str, created_at: datetime) -> Self:
        """Return the event with what its record tells, where it does not say it."""
        if self.author_id is not None and self.created_at is not None:
            return self
        return replace(self, author_id=author_id, created_at=created_at)

    def exchanges_of(self) -> Mapping[str, Exchange[Comment]]:
        """Return what is new among the comments."""
        assert self.author_id is not None and self.created_at is not None
        said = Comment(
            id=self.comment_id,
            author_id=self.author_id,
            text=self.body,
            created_at=self.created_at,
        )
        return {"comments": Exchange((), (said,))}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCommentEdited:
    """Somebody changed what they had said."""

    comments: Exchange[Comment]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCommentDeleted:
    """Somebody took back what they had said."""

    comments: Exchange[Comment]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReverted(TaskEdits):
    """An undo put fields of a task back."""

    status: Change[Status] | None = None
    project_id: Change[UUID | None] | None = None
    section_id: Change[UUID | None] | None = None
    deleted_section_id: Change[UUID | None] | None = None
    parent_id: Change[UUID | None] | None = None
    rank: Change[str | None] | None = None
    blocked_reason: Change[str | None] | None = None
    completed_at: Change[datetime | None] | None = None
    archived: Change[bool] | None = None
    deleted: Change[bool] | None = None
    deleted_with: Change[UUID | None] | None = None
    comments: Exchange[Comment] | None = None


TaskEvent = (
    TaskCreated
    | TaskEdited
    | TaskStarted
    | TaskBlocked
    | TaskUnblocked
    | TaskCompleted
    | TaskReopened
    | TaskCancelled
    | TaskMoved
    | TaskRetagged
    | TaskArchived
    | TaskUnarchived
    | TaskDeleted
    | TaskRestored
    | TaskCommented
    | TaskCommentEdited
    | TaskCommentDeleted
    | TaskReverted
)

EVENTS: dict[str, type[TaskEvent]] = {
    "task.created": TaskCreated,
    "task.edited": TaskEdited,
    "task.started": TaskStarted,
    "task.blocked": TaskBlocked,
    "task.unblocked": TaskUnblocked,
    "task.completed": TaskCompleted,
    "task.reopened": TaskReopened,
    "task.cancelled": TaskCancelled,
    "task.moved": TaskMoved,
    "task.retagged": TaskRetagged,
    "task.archived": TaskArchived,
    "task.unarchived": TaskUnarchived,
    "task.deleted": TaskDeleted,
    "task.restored": TaskRestored,
    "task.commented": TaskCommented,
    "task.comment_edited": TaskCommentEdited,
    "task.comment_deleted": TaskCommentDeleted,
    "task.reverted": TaskReverted,
}
