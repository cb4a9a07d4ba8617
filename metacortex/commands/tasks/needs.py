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
    RevertTask,
    TaskCommand,
)
from metacortex.events.tasks import STREAM
from metacortex.kernel.decider import LookUp, Need, Stream, Unset

CLOSED = LookUp("project.closed", "")


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
            return own + _family(command.task_id) + [CLOSED]
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
                + _needs_of(after.get("tags", ()), None)
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
