"""What the rules of tasks read of other streams, command by command."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from metacortex.commands.tasks.commands import (
    CompleteTask,
    CreateTask,
    DeleteTask,
    EditTask,
    MoveTask,
    RestoreTask,
    TaskCommand,
)
from metacortex.events.tasks import STREAM
from metacortex.kernel.decider import LookUp, Need, Revert, Stream, Unset

CLOSED = LookUp("project.closed", "")


def needs(command: TaskCommand | Revert) -> Sequence[Need]:
    """Name the streams and look-ups that the rules of a command read."""
    if isinstance(command, Revert):
        return _needs_to_revert(command)
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
            return own + _family(command.task_id) + [CLOSED]
        case MoveTask():
            return (
                own
                + _needs_to_stand(
                    command.project_id, command.section_id, command.parent_id
                )
                + _needs_to_rank(command)
                + _family(command.task_id)
            )
        case _:
            return own


def _needs_to_revert(command: Revert) -> Sequence[Need]:
    id, after = command.stream_id, {k: it.new for k, it in command.changes.items()}
    moved: list[Need] = []
    if "rank" in after or "parent_id" in after:
        moved = [_neighbours(id)]
    goes = command.creation or not after.keys().isdisjoint(("deleted", "parent_id"))
    return [
        Stream(STREAM, id),
        LookUp("task.project", id),
        *moved,
        LookUp("task.section", id),
        *_needs_to_stand(
            after.get("project_id"), after.get("section_id"), after.get("parent_id")
        ),
        *_needs_of(after.get("tags", ()), None),
        *(_family(id) if goes else ()),
    ]


def _needs_to_create(command: CreateTask) -> list[Need]:
    tags = () if isinstance(command.tags, Unset) else command.tags
    places = (command.project_id, command.section_id, command.parent_id)
    return _needs_to_stand(*places) + _needs_of(tags, command.assignee_id)


def _needs_to_stand(
    project_id: UUID | None | Unset,
    section_id: UUID | None | Unset,
    parent_id: UUID | None | Unset,
) -> list[Need]:
    found: list[Need] = []
    if isinstance(section_id, UUID):
        found.append(Stream("section", section_id))
    if isinstance(project_id, UUID):
        found.append(Stream("project", project_id))
    if isinstance(parent_id, UUID):
        found.append(LookUp("task.ancestors", parent_id))
        found.append(LookUp("task.project", parent_id))
    return found


def _needs_to_rank(command: MoveTask) -> list[Need]:
    """Name the neighbours of whom it shall stand next to, and its own.

    Rules read only the former; the latter are who is left if it goes, for the commands
    after it in a batch.
    """
    beside = command.before or command.after
    own: list[Need] = [_neighbours(command.task_id)]
    return own if beside is None else [*own, _neighbours(beside)]


def _neighbours(task_id: UUID) -> Need:
    return LookUp("task.neighbours", task_id)


def _needs_of(tags: Iterable[UUID], assignee_id: str | None | Unset) -> list[Need]:
    found: list[Need] = [Stream("tag", tag) for tag in tags]
    if isinstance(assignee_id, str):
        found.append(LookUp("member.named", assignee_id))
        found.append(LookUp("person.named", assignee_id))
    return found


def _family(task_id: UUID) -> list[Need]:
    return [LookUp("task.subtree", task_id), LookUp("task.ancestors", task_id)]
