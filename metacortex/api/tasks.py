"""Tasks in HTTP: request bodies and routes."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from metacortex.api.fields import (
    Body,
    Changes,
    Clean,
    Day,
    DueBody,
    Id,
    Instant,
    Many,
    Name,
    Nothing,
    Priority,
    ShownName,
    TaskStatus,
    UserId,
    WallTime,
    Zone,
    at_most,
    not_both,
)
from metacortex.api.pages import ListParameters, ListRoute, Search
from metacortex.api.routes import CommandRoute, ExampleStep, ModuleRoutes
from metacortex.commands import tasks as rules
from metacortex.queries.tasks import ListedTask, ListTasks, TaskRow

OTHER = UUID("0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a01")  # in examples
Title = Annotated[ShownName, Field(max_length=rules.TITLE_LIMIT)]
Description = Annotated[
    str, Clean, Field(max_length=rules.DESCRIPTION_LIMIT, strict=True)
]
Reason = Annotated[Name, Field(max_length=rules.REASON_LIMIT)]
Comment = Annotated[Name, Field(max_length=rules.COMMENT_LIMIT)]
Tags = Annotated[
    tuple[Id, ...], Field(max_length=rules.TAG_LIMIT), at_most(rules.TAG_LIMIT)
]


class CreateTaskBody(Body):
    """A new task; a subtask takes project and tags of its parent unless given."""

    id: Id | None = None
    """An id chosen by the client; the server makes one without it."""
    title: Title
    description: Description | None = None
    """Markdown."""
    priority: Priority = "medium"
    due: DueBody | None = None
    """A day, or a time on it."""
    project_id: Id | None = None
    """The parent's unless given."""
    section_id: Id | None = None
    """A section of the project; the parent's unless this or a project is given."""
    parent_id: Id | None = None
    """The task that this one is a part of."""
    tags: Tags = ()
    """The parent's unless given."""
    assignee_id: UserId | None = None
    """A member of the workspace."""

    examples = {"title": "Call the notary", "priority": "high"}

    def arguments(self) -> dict[str, Any]:
        """Return the command's arguments."""
        return _with_due(super().arguments(), self.due)


class TagChanges(Changes):
    """Tags to add and to remove; others stay, so that two editors do not collide."""

    add: Tags = ()
    remove: Tags = ()


class DueChanges(Changes):
    """What to change of a day, or of the wall time on it."""

    date: Day | None = None
    time: WallTime | None = None
    """On a clock in the time zone; null for the whole day."""
    time_zone: Zone | None = None
    """Such as Europe/Berlin; null for the reader's."""

    def change(self) -> rules.DueChange:
        """Return it as the command has it."""
        given = self.arguments()
        if self.time is not None:
            given["time"] = dt.time.fromisoformat(self.time)
        return rules.DueChange(**given)


class EditTaskBody(Changes):
    """What to change; what is not sent stays, null empties."""

    title: Title = ""
    description: Description | None = None
    """Markdown."""
    priority: Priority = "medium"
    due: DueChanges | None = None
    """What to change of it; null for no day at all."""
    tags: TagChanges = TagChanges()
    assignee_id: UserId | None = None
    """A member of the workspace."""

    examples = {"priority": "urgent", "due": {"date": "2026-12-01"}}

    def arguments(self) -> dict[str, Any]:
        """Return the command's arguments."""
        found = super().arguments()
        if self.due is not None:
            found["due"] = self.due.change()
        found.pop("tags", None)
        return {**found, "add_tags": self.tags.add, "remove_tags": self.tags.remove}


def _with_due(found: dict[str, Any], due: DueBody | None) -> dict[str, Any]:
    if "due" in found:
        found["due"] = None if due is None else due.due()
    return found


class BlockTaskBody(Body):
    """What stands in the way."""

    reason: Reason

    examples = {"reason": "Waiting for the landlord"}


class CompleteTaskBody(Body):
    """What becomes of open subtasks."""

    subtasks: rules.Subtasks = "leave"
    """Leave them open, complete them, or refuse while there are any."""

    examples = {"subtasks": "complete"}


class MoveTaskBody(Changes):
    """Where the task shall stand; null takes it out."""

    project_id: Id | None = None
    """Subtasks come along."""
    section_id: Id | None = None
    """A section of the project; subtasks come along."""
    parent_id: Id | None = None
    """The task that this one shall be a part of."""
    before: Id | None = None
    """The sibling there that it shall stand right before."""
    after: Annotated[Id | None, AfterValidator(not_both)] = None
    """The sibling there that it shall stand right after; not with `before`."""

    examples = {"parent_id": None}


class CommentTaskBody(Body):
    """What to say."""

    body: Comment

    examples = {"body": "They call back on Monday"}


class EditCommentBody(Body):
    """Which comment of the task, and what it shall say."""

    comment_id: Id
    text: Comment

    examples = {"comment_id": str(OTHER), "text": "They call back on Tuesday"}


class DeleteCommentBody(Body):
    """Which comment of the task."""

    comment_id: Id

    examples = {"comment_id": str(OTHER)}


def _expanded(states: tuple[str, ...]) -> tuple[str, ...]:
    """Return the states with those that `open` stands for, each once."""
    found = [
        one for state in states for one in (rules.OPEN if state == "open" else (state,))
    ]
    return tuple(dict.fromkeys(found))


class TaskFilters(ListParameters):
    """Which tasks; a repeated parameter means any of its values."""

    status: Annotated[
        Many[TaskStatus | Literal["open"]], AfterValidator(_expanded)
    ] = ()
    """In this state; open: pending, in progress or blocked."""
    priority: Many[Priority] = ()
    """Of this priority."""
    project_id: Many[Id | Literal["none"]] = ()
    """In this project; none: in no project."""
    section_id: Many[Id | Literal["none"]] = ()
    """In this section of a project; none: in no section."""
    parent_id: Many[Id | Literal["none"]] = ()
    """Right below this task; none: not below any. One of them is needed to sort by
    rank."""
    tag: Many[Id] = ()
    """With this tag."""
    tag_mode: Literal["any", "all"] = "any"
    """Whether one of the tags is enough."""
    assignee_id: Many[UserId] = ()
    created_by: Many[UserId] = ()
    """Created by this user."""
    due_from: Day | None = None
    """Due on this day or later."""
    due_to: Day | None = None
    """Due on this day or sooner."""
    overdue: bool | None = None
    """true: open tasks past their deadline; false: all others."""
    time_zone: Zone | None = None
    """IANA time zone of deadlines that name none; without it your own, else UTC."""
    q: Search | None = None
    """Words to search for; "a phrase", or, -excluded; the last may go on."""
    updated_since: Instant | None = None
    """Changed at this instant or later."""
    as_of: Instant | None = None
    """The whole list as it was at this instant, overdue as of then."""
    archived: bool | None = None
    """true: only archived ones; false: only others; both without it."""
    deleted: bool = False
    """true: only deleted ones; false: only others."""


_NOT_OPEN = ("task_deleted", "task_archived", "project_archived")
_STATE = (*_NOT_OPEN, "invalid_transition")
_PLACE = (
    "unknown_reference",
    "project_archived",
    "project_deleted",
    "parent_archived",
    "parent_deleted",
    "depth_exceeded",
)
_FIELDS = ("unknown_reference", "member_unknown", "too_many_tags")


def _plain(
    verb: str, summary: str, errors: Sequence[str], after: str = ""
) -> CommandRoute:
    """Return the route of a command that takes no arguments."""
    steps = [ExampleStep(f"task.{after}")] if after else []
    return CommandRoute(
        f"task.{verb}",
        "POST",
        f"/{{id}}/{verb}",
        Nothing,
        summary,
        errors=errors,
        example_after=steps,
    )


MODULE = ModuleRoutes(
    stream_type="task",
    plural="tasks",
    row=TaskRow,
    description="Tasks and subtasks: what is to be done.",
    commands=(
        CommandRoute(
            "task.create",
            "POST",
            "",
            CreateTaskBody,
            "Create a task",
            201,
            errors=("already_exists", *_PLACE, *_FIELDS),
        ),
        CommandRoute(
            "task.edit",
            "PATCH",
            "/{id}",
            EditTaskBody,
            "Edit a task",
            errors=(*_NOT_OPEN, *_FIELDS),
        ),
        CommandRoute(
            "task.block",
            "POST",
            "/{id}/block",
            BlockTaskBody,
            "Block a task",
            errors=_STATE,
        ),
        CommandRoute(
            "task.complete",
            "POST",
            "/{id}/complete",
            CompleteTaskBody,
            "Complete a task",
            errors=(*_STATE, "open_subtasks"),
        ),
        CommandRoute(
            "task.move",
            "POST",
            "/{id}/move",
            MoveTaskBody,
            "Move a task",
            errors=(*_NOT_OPEN, *_PLACE, "cycle_detected", "not_a_sibling"),
        ),
        CommandRoute(
            "task.comment",
            "POST",
            "/{id}/comment",
            CommentTaskBody,
            "Comment on a task",
            errors=(*_NOT_OPEN, "already_exists"),
        ),
        CommandRoute(
            "task.comment_edit",
            "PATCH",
            "/{id}/comments/{comment_id}",
            EditCommentBody,
            "Edit a comment",
            errors=(*_NOT_OPEN, "not_the_author"),
            lean=False,
        ),
        CommandRoute(
            "task.comment_delete",
            "DELETE",
            "/{id}/comments/{comment_id}",
            DeleteCommentBody,
            "Delete a comment",
            errors=(*_NOT_OPEN, "not_the_author"),
            lean=False,
        ),
        CommandRoute(
            "task.delete",
            "DELETE",
            "/{id}",
            Nothing,
            "Delete a task with its subtasks",
            errors=(*_NOT_OPEN, "project_deleted"),
        ),
        _plain("start", "Start a task", _STATE),
        _plain("unblock", "Unblock a task", _STATE, "block"),
        _plain("reopen", "Reopen a completed or cancelled task", _STATE, "complete"),
        _plain("cancel", "Cancel a task", _STATE),
        _plain("archive", "Archive a task", _NOT_OPEN),
        _plain("unarchive", "Take a task out of the archive", _NOT_OPEN, "archive"),
        _plain(
            "restore", "Restore a task with what was deleted along", _PLACE, "delete"
        ),
    ),
    listing=ListRoute(
        ListTasks,
        TaskFilters,
        ListedTask,
        "List tasks",
        needs_now=True,
        example={"subtasks": {"open": 0, "all": 0}, "comments": 0},
    ),
)
