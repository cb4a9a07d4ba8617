"""What one may ask of tasks: the commands, and how long their parts may be."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from metacortex.events.tasks import Due, Priority
from metacortex.kernel.decider import UNSET, Unset

TITLE_LIMIT = 255
DESCRIPTION_LIMIT = 16_383  # Todoist's, so that imports fit
REASON_LIMIT = 1_000
COMMENT_LIMIT = 15_000  # Todoist's, so that imports fit
TAG_LIMIT = 100  # on one task
DEPTH_LIMIT = 32  # levels, the root being the first
NAMED_LIMIT = 20  # ids that a refusal lists; more would help nobody
Subtasks = Literal["leave", "complete", "require_done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTask:
    """Make a task. A subtask takes project and tags of its parent unless given."""

    task_id: UUID
    title: str
    description: str | None = None
    priority: Priority = "medium"
    due: Due | None = None
    project_id: UUID | None | Unset = UNSET
    parent_id: UUID | None = None
    tags: tuple[UUID, ...] | Unset = UNSET
    assignee_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DueChange:
    """What to change of when a task is due; the rest of it stays."""

    date: dt.date | None | Unset = UNSET
    time: dt.time | None | Unset = UNSET
    time_zone: str | None | Unset = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class EditTask:
    """Change a task's own fields. What equals the present value changes nothing."""

    task_id: UUID
    title: str | Unset = UNSET
    description: str | None | Unset = UNSET
    priority: Priority | Unset = UNSET
    due: Due | DueChange | None | Unset = UNSET
    assignee_id: str | None | Unset = UNSET
    add_tags: tuple[UUID, ...] = ()
    remove_tags: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTask:
    """Begin work. Starting a started task changes nothing."""

    task_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTask:
    """Say what stands in the way. Repeating it with the same reason changes nothing."""

    task_id: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnblockTask:
    """Nothing stands in the way any more. A repeat changes nothing."""

    task_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTask:
    """Mark a task done. Completing a completed task changes nothing.

    Open subtasks are left as they are, completed along, or a reason to refuse. Archived
    ones, and those of an archived project, are neither completed nor waited for.
    """

    task_id: UUID
    subtasks: Subtasks = "leave"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenTask:
    """Take a completed or cancelled task up again. An open task is left as it is."""

    task_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTask:
    """Decide not to do a task. Cancelling a cancelled task changes nothing."""

    task_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveTask:
    """Put a task elsewhere; subtasks of the same project come along, archived too."""

    task_id: UUID
    project_id: UUID | None | Unset = UNSET
    parent_id: UUID | None | Unset = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveTask:
    """Put a task away, not its subtasks. Archiving an archived task changes nothing.

    Until it is taken out it can only be deleted and restored. What its tree or a tag
    does to it, it follows: moved, deleted and restored along, a deleted tag taken off.
    """

    task_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UnarchiveTask:
    """Take a task out again. A repeat changes nothing."""

    task_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTask:
    """Delete a task with its subtree, softly. A repeat changes nothing.

    Archived subtasks go along; one of an archived project is a reason to refuse.
    """

    task_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreTask:
    """Bring back a task with what was deleted along. A repeat changes nothing."""

    task_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentTask:
    """Say something about a task. A repeat with another command id says it twice."""

    task_id: UUID
    comment_id: UUID
    body: str


TaskCommand = (
    CreateTask
    | EditTask
    | StartTask
    | BlockTask
    | UnblockTask
    | CompleteTask
    | ReopenTask
    | CancelTask
    | MoveTask
    | ArchiveTask
    | UnarchiveTask
    | DeleteTask
    | RestoreTask
    | CommentTask
)
