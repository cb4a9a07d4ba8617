"""Rules of tasks about where they stand: moved, deleted, restored."""

from collections.abc import Sequence
from uuid import UUID

from metacortex.commands.tasks.commands import (
    DeleteTask,
    MoveTask,
    RestoreTask,
)
from metacortex.commands.tasks.policies import (
    check_along,
    check_place,
    check_project,
    check_target,
    live_parent,
    open_parent,
)
from metacortex.commands.tasks.state import Task
from metacortex.events.tasks import (
    TaskDeleted,
    TaskEvent,
    TaskMoved,
    TaskRestored,
)
from metacortex.kernel.decider import (
    UNSET,
    Change,
    Elsewhere,
    Facts,
    Found,
    Unset,
    change,
)
from metacortex.kernel.errors import Refused

ON = Change(False, True)
OFF = Change(True, False)


def move(command: MoveTask, task: Task, facts: Facts) -> list[TaskEvent | Elsewhere]:
    """Put the task elsewhere, its subtasks along."""
    parent_id = task.parent_id if command.parent_id is UNSET else command.parent_id
    assert not isinstance(parent_id, Unset)
    project_id = command.project_id
    if command.parent_id is not UNSET:
        stays = parent_id == task.parent_id
        parent = (live_parent if stays else open_parent)(parent_id, facts)
        check_place(command.task_id, parent_id, facts)
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
        check_project(facts.look_up("task.project", command.parent_id))
    else:
        check_target(project_id, facts)


def _brought_along(
    task_id: UUID, moved: Change[UUID | None], facts: Facts
) -> list[Elsewhere]:
    """Let the subtasks of the old project follow to the new one."""
    return [
        Elsewhere(found.id, TaskMoved(project_id=moved))
        for found in facts.look_up("task.subtree", task_id)
        if found.state.project_id == moved.old and not found.state.deleted
    ]


def delete(command: DeleteTask, facts: Facts) -> Sequence[TaskEvent | Elsewhere]:
    """Delete the task and what stands below it."""
    gone = TaskDeleted(deleted=ON, deleted_with=Change(None, command.task_id))
    live = [
        found
        for found in facts.look_up("task.subtree", command.task_id)
        if not found.state.deleted
    ]
    check_along(live, facts)
    return [gone, *(Elsewhere(found.id, gone) for found in live)]


def restore(
    command: RestoreTask, task: Task, facts: Facts
) -> Sequence[TaskEvent | Elsewhere]:
    """Bring the task back, with all that went along, or refuse."""
    check_home(command.task_id, task, facts)
    along = _went_along(command.task_id, task, facts)
    check_along(along, facts)
    back = TaskRestored(deleted=OFF, deleted_with=Change(task.deleted_with, None))
    return [back, *(Elsewhere(found.id, back) for found in along)]


def _went_along(task_id: UUID, task: Task, facts: Facts) -> list[Found]:
    """Return what went with the task, and stands below nothing that stays deleted."""
    back, along = {task_id}, []
    for found in facts.look_up("task.subtree", task_id):
        went = found.state.deleted_with == task.deleted_with
        if went and found.state.parent_id in back:
            back.add(found.id)
            along.append(found)
    return along


def check_home(task_id: UUID, task: Task, facts: Facts) -> None:
    """Refuse to bring a task back where its parent or its project is gone."""
    for found in facts.look_up("task.ancestors", task_id):
        if found.id == task.parent_id and found.state.deleted:
            raise Refused("parent_deleted", meta={"parent_id": str(found.id)})
    for project in facts.look_up("task.project", task_id):
        if project.state.deleted:
            raise Refused("project_deleted", meta={"project_id": str(project.id)})
