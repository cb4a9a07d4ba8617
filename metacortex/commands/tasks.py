"""Tasks, write side: the commands, the state they need, and the rules.

Pure: no I/O, no clock, no framework (a contract in pyproject.toml). The table of state
and command is `TRANSITIONS`; the API publishes it as it stands here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, assert_never
from uuid import UUID

from metacortex.events.tasks import (
    STREAM,
    Due,
    Priority,
    Status,
    TaskArchived,
    TaskBlocked,
    TaskCancelled,
    TaskCommented,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskEdited,
    TaskEvent,
    TaskMoved,
    TaskReopened,
    TaskRestored,
    TaskReverted,
    TaskStarted,
    TaskUnarchived,
    TaskUnblocked,
)
from metacortex.kernel.decider import (
    UNSET,
    Change,
    Decider,
    Elsewhere,
    Facts,
    Found,
    LookUp,
    Need,
    Stream,
    Unset,
    change,
    changed,
)
from metacortex.kernel.errors import Invalid, NotFound, Refused

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
class EditTask:
    """Change a task's own fields. What equals the present value changes nothing."""

    task_id: UUID
    title: str | Unset = UNSET
    description: str | None | Unset = UNSET
    priority: Priority | Unset = UNSET
    due: Due | None | Unset = UNSET
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

    Open subtasks are left as they are, completed along, or a reason to refuse.
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
    """Put a task elsewhere; subtasks of the same project come along."""

    task_id: UUID
    project_id: UUID | None | Unset = UNSET
    parent_id: UUID | None | Unset = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveTask:
    """Put a task away. Archiving an archived task changes nothing."""

    task_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UnarchiveTask:
    """Take a task out again. A repeat changes nothing."""

    task_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTask:
    """Delete a task with its subtree, softly. A repeat changes nothing."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertTask:
    """Put fields of a task back; issued by an undo only."""

    task_id: UUID
    changes: Mapping[str, Change[Any]]


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
    | RevertTask
)


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


class _Project(Protocol):
    """What the rules of tasks read of a project."""

    archived: bool
    deleted: bool


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

ON = Change(False, True)
OFF = Change(True, False)


def needs(command: TaskCommand) -> Sequence[Need]:
    """Name the streams and look-ups that the rules of a command read."""
    own: list[Need] = [Stream(STREAM, command.task_id)]
    if isinstance(command, CreateTask):
        return own + _needs_to_create(command)
    own.append(LookUp("task.project", command.task_id))
    match command:
        case EditTask():
            return own + _needs_of(command.add_tags, command.assignee_id)
        case CompleteTask(subtasks="leave"):
            return own
        case CompleteTask() | DeleteTask() | RestoreTask():
            return own + _family(command.task_id)
        case MoveTask():
            return (
                own
                + _needs_to_stand(command.project_id, command.parent_id)
                + (_family(command.task_id))
            )
        case RevertTask(changes=changes):
            after = {name: value.new for name, value in changes.items()}
            return (
                own
                + _needs_to_stand(after.get("project_id"), after.get("parent_id"))
                + _needs_of(after.get("tags", ()), after.get("assignee_id"))
                + _family(command.task_id)
            )
        case _:
            return own


def _needs_to_create(command: CreateTask) -> list[Need]:
    tags = () if isinstance(command.tags, Unset) else command.tags
    return _needs_to_stand(command.project_id, command.parent_id) + _needs_of(
        tags, command.assignee_id
    )


def _needs_to_stand(
    project_id: UUID | None | Unset, parent_id: UUID | None | Unset
) -> list[Need]:
    found: list[Need] = []
    if isinstance(project_id, UUID):
        found.append(Stream("project", project_id))
    if isinstance(parent_id, UUID):
        found.append(LookUp("task.ancestors", parent_id))
        found.append(LookUp("task.project", parent_id))
    return found


def _needs_of(tags: Iterable[UUID], assignee_id: str | None | Unset) -> list[Need]:
    found: list[Need] = [Stream("tag", tag) for tag in tags]
    if isinstance(assignee_id, str):
        found.append(LookUp("member.named", assignee_id))
    return found


def _family(task_id: UUID) -> list[Need]:
    return [LookUp("task.subtree", task_id), LookUp("task.ancestors", task_id)]


def decide(
    command: TaskCommand, task: Task | None, facts: Facts
) -> Sequence[TaskEvent | Elsewhere]:
    """Return what happens. Raises NotFound, Refused, Invalid."""
    if isinstance(command, CreateTask):
        return _create(command, task, facts)
    if task is None:
        raise NotFound("not_found")
    _check_project(facts.look_up("task.project", command.task_id))
    match command:
        case DeleteTask():
            return [] if task.deleted else _delete(command, facts)
        case RestoreTask():
            return _restore(command, task, facts) if task.deleted else []
        case RevertTask():
            return _revert(command, task, facts)
        case ArchiveTask():
            _check_present(task)
            return [] if task.archived else [TaskArchived(archived=ON)]
        case UnarchiveTask():
            _check_present(task)
            return [TaskUnarchived(archived=OFF)] if task.archived else []
        case _:
            _check_present(task)
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
            return _move(command, task, facts)
        case CommentTask():
            return [TaskCommented(comment_id=command.comment_id, body=command.body)]
        case _:
            assert_never(command)


def _create(command: CreateTask, task: Task | None, facts: Facts) -> list[TaskEvent]:
    if task is not None:
        raise Refused("already_exists")
    parent = _parent(command.parent_id, facts)
    project_id, tags = command.project_id, command.tags
    if isinstance(project_id, Unset):
        project_id = parent.project_id if parent else None
    if isinstance(tags, Unset):
        tags = parent.tags if parent else ()
    else:
        tags = _checked_tags(tags, facts, "/tags")
    if command.project_id is not UNSET and project_id is not None:
        _check_target(project_id, facts)
    elif parent is not None and command.parent_id is not None:
        _check_project(facts.look_up("task.project", command.parent_id))
    if command.parent_id is not None:
        _check_depth(len(facts.look_up("task.ancestors", command.parent_id)) + 1)
    _check_assignee(command.assignee_id, facts)
    return [
        TaskCreated(
            title=command.title,
            description=command.description,
            priority=command.priority,
            due=command.due,
            project_id=project_id,
            parent_id=command.parent_id,
            tags=tuple(dict.fromkeys(tags)),
            assignee_id=command.assignee_id,
        )
    ]


def _edit(command: EditTask, task: Task, facts: Facts) -> list[TaskEvent]:
    added = _checked_tags(command.add_tags, facts, "/tags/add")
    removed = set(command.remove_tags) - set(added)
    kept = (tag for tag in task.tags if tag not in removed)
    tags = tuple(dict.fromkeys((*kept, *added)))
    if len(tags) > TAG_LIMIT:
        raise Refused("too_many_tags", meta={"limit": TAG_LIMIT})
    assignee = change(task.assignee_id, command.assignee_id)
    _check_assignee(assignee.new if assignee else None, facts)
    edited = TaskEdited(
        title=change(task.title, command.title),
        description=change(task.description, command.description),
        priority=change(task.priority, command.priority),
        due=change(task.due, command.due),
        tags=change(task.tags, tags),
        assignee_id=assignee,
    )
    return [] if edited == TaskEdited() else [edited]


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
    still_open = [
        found
        for found in facts.look_up("task.subtree", command.task_id)
        if found.state.status in OPEN and not found.state.deleted
    ]
    if command.subtasks == "require_done":
        if still_open and status is not None:
            raise Refused("open_subtasks", meta=_named(still_open))
        return done
    return done + [
        Elsewhere(found.id, _completed(found.state, moved, facts.now))
        for found in still_open
        if (moved := _transition("complete", found.state)) is not None
    ]


def _completed(task: Task, status: Change[Status], now: datetime) -> TaskCompleted:
    return TaskCompleted(
        status=status,
        completed_at=Change(task.completed_at, now),
        blocked_reason=_no_reason(task),
    )


def _move(command: MoveTask, task: Task, facts: Facts) -> list[TaskEvent | Elsewhere]:
    parent_id = task.parent_id if command.parent_id is UNSET else command.parent_id
    assert not isinstance(parent_id, Unset)
    project_id = command.project_id
    if command.parent_id is not UNSET:
        parent = _parent(parent_id, facts)
        _check_place(command.task_id, parent_id, facts)
        if project_id is UNSET and parent is not None:
            project_id = parent.project_id
    moved = TaskMoved(
        project_id=change(task.project_id, project_id),
        parent_id=change(task.parent_id, parent_id),
    )
    if moved == TaskMoved():
        return []
    along: list[TaskEvent | Elsewhere] = [moved]
    if moved.project_id is not None:
        _check_new_project(moved.project_id.new, command, facts)
        along += _brought_along(command.task_id, moved.project_id, facts)
    return along


def _check_new_project(
    project_id: UUID | None, command: MoveTask, facts: Facts
) -> None:
    if project_id is None:
        return
    if command.project_id is UNSET:
        assert isinstance(command.parent_id, UUID)
        _check_project(facts.look_up("task.project", command.parent_id))
    else:
        _check_target(project_id, facts)


def _brought_along(
    task_id: UUID, moved: Change[UUID | None], facts: Facts
) -> list[Elsewhere]:
    """Let the subtasks of the old project follow to the new one."""
    return [
        Elsewhere(found.id, TaskMoved(project_id=moved))
        for found in facts.look_up("task.subtree", task_id)
        if found.state.project_id == moved.old and not found.state.deleted
    ]


def _delete(command: DeleteTask, facts: Facts) -> Sequence[TaskEvent | Elsewhere]:
    gone = TaskDeleted(deleted=ON, deleted_with=Change(None, command.task_id))
    return [gone] + [
        Elsewhere(found.id, gone)
        for found in facts.look_up("task.subtree", command.task_id)
        if not found.state.deleted
    ]


def _restore(
    command: RestoreTask, task: Task, facts: Facts
) -> Sequence[TaskEvent | Elsewhere]:
    if any(
        found.state.deleted
        for found in facts.look_up("task.ancestors", command.task_id)
        if found.id == task.parent_id
    ):
        raise Refused("parent_deleted", meta={"parent_id": str(task.parent_id)})
    for project in facts.look_up("task.project", command.task_id):
        if project.state.deleted:
            raise Refused("project_deleted", meta={"project_id": str(project.id)})
    back = TaskRestored(deleted=OFF, deleted_with=Change(task.deleted_with, None))
    return [back] + [
        Elsewhere(found.id, back)
        for found in facts.look_up("task.subtree", command.task_id)
        if found.state.deleted and found.state.deleted_with == task.deleted_with
    ]


def _revert(command: RevertTask, task: Task, facts: Facts) -> list[TaskEvent]:
    reverted = TaskReverted(**command.changes)
    after = changed(task, reverted)
    if reverted.parent_id is not None:
        _parent(after.parent_id, facts)
        _check_place(command.task_id, after.parent_id, facts)
    if reverted.project_id is not None and after.project_id is not None:
        _check_target(after.project_id, facts)
    if reverted.tags is not None:
        _checked_tags(set(after.tags) - set(task.tags), facts, None)
    if after.deleted and not task.deleted:
        _check_alone(command.task_id, facts)
    return [reverted]


def _check_alone(task_id: UUID, facts: Facts) -> None:
    """Refuse to undo the birth of a task that has live subtasks by now."""
    live = [
        found
        for found in facts.look_up("task.subtree", task_id)
        if not found.state.deleted
    ]
    if live:
        raise Refused("undo_conflict", meta=_named(live))


def _named(tasks: Sequence[Found]) -> dict[str, Any]:
    ids = [str(task.id) for task in tasks[:NAMED_LIMIT]]
    return {"tasks": ids, "count": len(tasks)}


def _parent(parent_id: UUID | None, facts: Facts) -> Task | None:
    """Return the parent, which must be live. Raises Invalid, Refused."""
    if parent_id is None:
        return None
    above = facts.look_up("task.ancestors", parent_id)
    if not above:
        raise Invalid("unknown_reference", source={"pointer": "/parent_id"})
    parent: Task = above[0].state
    if parent.deleted:
        raise Refused("parent_deleted", meta={"parent_id": str(parent_id)})
    return parent


def _check_place(task_id: UUID, parent_id: UUID | None, facts: Facts) -> None:
    """Refuse a place below the task itself, or too deep for its subtree."""
    if parent_id is None:
        return
    above = [found.id for found in facts.look_up("task.ancestors", parent_id)]
    if task_id in above:
        path = [*reversed(above[: above.index(task_id) + 1]), task_id]
        raise Refused("cycle_detected", meta={"path": [str(step) for step in path]})
    _check_depth(len(above) + _height(task_id, facts))


def _height(task_id: UUID, facts: Facts) -> int:
    """Return how many levels the task and its subtree span."""
    level = {task_id: 1}
    for found in facts.look_up("task.subtree", task_id):
        level[found.id] = level[found.state.parent_id] + 1
    return max(level.values())


def _check_depth(depth: int) -> None:
    if depth > DEPTH_LIMIT:
        raise Refused("depth_exceeded", meta={"limit": DEPTH_LIMIT, "depth": depth})


def _check_present(task: Task) -> None:
    if task.deleted:
        raise Refused("task_deleted")


def _check_project(found: Sequence[Found]) -> None:
    """Refuse whatever would touch a task of an archived project."""
    for project in found:
        if project.state.archived:
            raise Refused("project_archived", meta={"project_id": str(project.id)})


def _check_target(project_id: UUID, facts: Facts) -> None:
    """Refuse a project that cannot take tasks. Raises Invalid, Refused."""
    project: _Project | None = facts.stream("project", project_id)
    if project is None:
        raise Invalid("unknown_reference", source={"pointer": "/project_id"})
    if project.deleted:
        raise Refused("project_deleted", meta={"project_id": str(project_id)})
    if project.archived:
        raise Refused("project_archived", meta={"project_id": str(project_id)})


def _checked_tags(
    tags: Iterable[UUID], facts: Facts, pointer: str | None
) -> tuple[UUID, ...]:
    for tag_id in tags:
        tag = facts.stream("tag", tag_id)
        if tag is None or tag.deleted:
            source = {"pointer": pointer} if pointer else None
            meta = {"tag_id": str(tag_id)}
            raise Invalid("unknown_reference", source=source, meta=meta)
    return tuple(tags)


def _check_assignee(assignee_id: str | None, facts: Facts) -> None:
    if assignee_id is None or assignee_id == facts.actor_id:
        return
    if not facts.look_up("member.named", assignee_id):
        raise Invalid("member_unknown", source={"pointer": "/assignee_id"})


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


def revert(task_id: UUID, changes: Mapping[str, Change[Any]]) -> RevertTask:
    """Return the command that puts the fields back; undoing a birth deletes."""
    if "created" in changes:
        changes = {"deleted": ON, "deleted_with": Change(None, task_id)}
    return RevertTask(task_id=task_id, changes=changes)


DECIDER = Decider(
    stream_type=STREAM,
    state=Task,
    commands={
        "task.create": CreateTask,
        "task.edit": EditTask,
        "task.start": StartTask,
        "task.block": BlockTask,
        "task.unblock": UnblockTask,
        "task.complete": CompleteTask,
        "task.reopen": ReopenTask,
        "task.cancel": CancelTask,
        "task.move": MoveTask,
        "task.archive": ArchiveTask,
        "task.unarchive": UnarchiveTask,
        "task.delete": DeleteTask,
        "task.restore": RestoreTask,
        "task.comment": CommentTask,
        "task.revert": RevertTask,
    },
    stream_id=lambda command: command.task_id,
    needs=needs,
    decide=decide,
    evolve=evolve,
    revert=revert,
)
