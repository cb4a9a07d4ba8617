"""The rules of tasks: what happens when a command meets a state."""

from collections.abc import Sequence, Set
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from metacortex.commands.tasks.commands import (
    ArchiveTask,
    BlockTask,
    CancelTask,
    CommentTask,
    CompleteTask,
    CreateTask,
    DeleteComment,
    DeleteTask,
    DueChange,
    EditComment,
    EditTask,
    MoveTask,
    ReopenTask,
    RestoreTask,
    StartTask,
    TaskCommand,
    UnarchiveTask,
    UnblockTask,
)
from metacortex.commands.tasks.comments import (
    check_authors,
    comment,
    delete_comment,
    edit_comment,
)
from metacortex.commands.tasks.policies import (
    check_alone,
    check_assignee,
    check_depth,
    check_place,
    check_present,
    check_project,
    check_section,
    check_section_back,
    check_tags_back,
    check_target,
    checked_tags,
    closed_projects,
    distinct,
    live_parent,
    named,
    open_parent,
)
from metacortex.commands.tasks.state import OPEN, TRANSITIONS, Task
from metacortex.commands.tasks.tree import (
    OFF,
    ON,
    check_home,
    delete,
    move,
    restore,
)
from metacortex.events.tasks import (
    Due,
    Status,
    TaskArchived,
    TaskBlocked,
    TaskCancelled,
    TaskCompleted,
    TaskCreated,
    TaskEdited,
    TaskEvent,
    TaskReopened,
    TaskReverted,
    TaskStarted,
    TaskUnarchived,
    TaskUnblocked,
)
from metacortex.kernel.decider import (
    UNSET,
    Change,
    Elsewhere,
    Facts,
    Found,
    Revert,
    Unset,
    change,
    changed,
    creation,
    edit,
)
from metacortex.kernel.errors import Invalid, NotFound, Refused


def decide(
    command: TaskCommand | Revert, task: Task | None, facts: Facts
) -> Sequence[TaskEvent | Elsewhere]:
    """Return what happens. Raises NotFound, Refused, Invalid."""
    if isinstance(command, CreateTask):
        return _create(command, task, facts)
    if task is None:
        raise NotFound("not_found")
    if isinstance(command, Revert):
        return _revert(command, task, facts)
    check_project(facts.look_up("task.project", command.task_id))
    match command:
        case DeleteTask():
            return [] if task.deleted else delete(command, facts)
        case RestoreTask():
            return restore(command, task, facts) if task.deleted else []
        case ArchiveTask():
            check_present(task)
            return [] if task.archived else [TaskArchived(archived=ON)]
        case UnarchiveTask():
            check_present(task)
            return [TaskUnarchived(archived=OFF)] if task.archived else []
        case _:
            check_present(task)
            if task.archived:
                raise Refused("task_archived")
            return _decide_open(command, task, facts)


def _decide_open(
    command: (
        EditTask
        | StartTask
        | BlockTask
        | UnblockTask
        | CompleteTask
        | ReopenTask
        | CancelTask
        | MoveTask
        | CommentTask
        | EditComment
        | DeleteComment
    ),
    task: Task,
    facts: Facts,
) -> Sequence[TaskEvent | Elsewhere]:
    match command:
        case EditTask():
            return _edit(command, task, facts)
        case StartTask():
            moved = _transition("start", task)
            return [TaskStarted(status=moved)] if moved else []
        case BlockTask():
            return _block(command, task)
        case UnblockTask():
            return _unblock(task)
        case CompleteTask():
            return _complete(command, task, facts)
        case ReopenTask():
            return _reopen(task)
        case CancelTask():
            return _cancel(task)
        case MoveTask():
            return move(command, task, facts)
        case CommentTask():
            return comment(command, task, facts)
        case EditComment():
            return edit_comment(command, task, facts)
        case DeleteComment():
            return delete_comment(command, task, facts)
        case _:
            assert_never(command)


def _create(command: CreateTask, task: Task | None, facts: Facts) -> list[TaskEvent]:
    if task is not None:
        raise Refused("already_exists")
    parent = open_parent(command.parent_id, facts)
    project_id, section_id = command.project_id, command.section_id
    tags = command.tags
    if isinstance(section_id, Unset):
        inherits = parent is not None and project_id is UNSET
        section_id = parent.section_id if parent and inherits else None
    if isinstance(project_id, Unset):
        project_id = parent.project_id if parent else None
    if isinstance(tags, Unset):
        tags = parent.tags if parent else ()
    else:
        tags = checked_tags(tags, facts, "/tags")
    if command.project_id is not UNSET and project_id is not None:
        check_target(project_id, facts)
    if command.section_id is not UNSET and section_id is not None:
        check_section(section_id, project_id, facts)
    if command.parent_id is not None:
        check_depth(len(facts.look_up("task.ancestors", command.parent_id)) + 1)
    check_assignee(command.assignee_id, facts)
    taken = {"project_id": project_id, "section_id": section_id}
    return [creation(TaskCreated, command, tags=distinct(tags), **taken)]


def _edit(command: EditTask, task: Task, facts: Facts) -> list[TaskEvent]:
    assignee = change(task.assignee_id, command.assignee_id)
    check_assignee(assignee.new if assignee else None, facts)
    due, tags = _due(command.due, task.due), _tags(command, task, facts)
    edited = edit(TaskEdited, task, command, due=due, tags=tags)
    return [] if edited is None else [edited]


def _due(asked: Due | DueChange | None | Unset, now: Due | None) -> Due | None | Unset:
    """Return when the task shall be due. Raises Invalid where no day is left."""
    if not isinstance(asked, DueChange):
        return asked
    names = ("date", "time", "time_zone")
    given = {it: value for it in names if (value := getattr(asked, it)) is not UNSET}
    merged: dict[str, Any] = {it: getattr(now, it, None) for it in names} | given
    if merged["date"] is None:
        raise Invalid("missing_field", source={"pointer": "/due/date"})
    return Due(**merged)


def _tags(command: EditTask, task: Task, facts: Facts) -> tuple[UUID, ...]:
    if not command.add_tags and not command.remove_tags:
        return task.tags
    added = checked_tags(command.add_tags, facts, "/tags/add")
    removed = set(command.remove_tags) - set(added)
    kept = (tag for tag in task.tags if tag not in removed)
    return distinct((*kept, *added))


def _transition(command: str, task: Task) -> Change[Status] | None:
    """Return the change of status, None if there is none. Raises Refused."""
    after = TRANSITIONS[command].get(task.status)
    if after is None:
        raise Refused(
            "invalid_transition",
            f"A task that is {task.status} does not take the command {command}",
            meta={"status": task.status, "command": command},
        )
    return change(task.status, after)


def _block(command: BlockTask, task: Task) -> list[TaskEvent]:
    blocked = TaskBlocked(
        status=_transition("block", task),
        blocked_reason=change(task.blocked_reason, command.reason),
    )
    return [] if blocked == TaskBlocked() else [blocked]


def _unblock(task: Task) -> list[TaskEvent]:
    status = _transition("unblock", task)
    if status is None:
        return []
    return [TaskUnblocked(status=status, blocked_reason=_no_reason(task))]


def _reopen(task: Task) -> list[TaskEvent]:
    status = _transition("reopen", task)
    if status is None:
        return []
    return [TaskReopened(status=status, completed_at=change(task.completed_at, None))]


def _cancel(task: Task) -> list[TaskEvent]:
    status = _transition("cancel", task)
    if status is None:
        return []
    return [TaskCancelled(status=status, blocked_reason=_no_reason(task))]


def _no_reason(task: Task) -> Change[str | None] | None:
    return change(task.blocked_reason, None)


def _complete(
    command: CompleteTask, task: Task, facts: Facts
) -> list[TaskEvent | Elsewhere]:
    status = _transition("complete", task)
    done: list[TaskEvent | Elsewhere] = []
    if status is not None:
        done.append(_completed(task, status, facts.now))
    if command.subtasks == "leave":
        return done
    still_open = _open_below(command, facts)
    if command.subtasks == "require_done":
        if still_open and status is not None:
            raise Refused("open_subtasks", meta=named(still_open))
        return done
    return done + [
        Elsewhere(found.id, _completed(found.state, moved, facts.now))
        for found in still_open
        if (moved := _transition("complete", found.state)) is not None
    ]


def _open_below(command: CompleteTask, facts: Facts) -> list[Found]:
    """Return the open subtasks that may be completed: what is put away is left out."""
    closed = closed_projects(facts)
    return [
        found
        for found in facts.look_up("task.subtree", command.task_id)
        if found.state.status in OPEN
        and not (found.state.deleted or found.state.archived)
        and found.state.project_id not in closed
    ]


def _completed(task: Task, status: Change[Status], now: datetime) -> TaskCompleted:
    return TaskCompleted(
        status=status,
        completed_at=Change(task.completed_at, now),
        blocked_reason=_no_reason(task),
    )


def _revert(command: Revert, task: Task, facts: Facts) -> list[TaskEvent]:
    """Put fields back, if the rules of places still allow it.

    A parent may be archived: the task is not new there.
    """
    id, changes = command.stream_id, command.changes
    if command.creation:
        changes = {"deleted": ON, "deleted_with": Change(None, id)}
    _check_revertible(command, {*changes, *command.exchanges}, task, facts)
    check_authors(command.exchanges.get("comments"), facts)
    fields: dict[str, Any] = {**changes, **command.exchanges}
    reverted = TaskReverted(**fields)
    after = changed(task, reverted)
    if reverted.parent_id is not None:
        live_parent(after.parent_id, facts)
        check_place(id, after.parent_id, facts)
    if reverted.project_id is not None and after.project_id is not None:
        check_target(after.project_id, facts)
    if reverted.section_id is not None or reverted.project_id is not None:
        check_section_back(id, after, reverted.section_id is not None, facts)
    if reverted.tags is not None:
        check_tags_back(set(after.tags) - set(task.tags), facts)
        distinct(after.tags)
    if after.deleted and not task.deleted:
        check_alone(id, facts)
    if task.deleted and not after.deleted:
        check_home(id, task, facts)
    return [reverted]


FOLLOWED = {"tags", "project_id", "section_id", "deleted_section_id"}
"""What a task follows its tree, its tags and its section in, archived or not."""


def _check_revertible(
    command: Revert, names: Set[str], task: Task, facts: Facts
) -> None:
    """Refuse to change a task that is put away behind the back of its rules.

    What a task above or a tag brought about is taken back all the same: the tags even
    in an archived project.
    """
    if not (command.cascaded and names == {"tags"}):
        check_project(facts.look_up("task.project", command.stream_id))
    if "deleted" in names or (command.cascaded and names <= FOLLOWED):
        return
    check_present(task)
    if task.archived and "archived" not in names:
        raise Refused("task_archived")
