"""Rules of tasks about where they stand: moved, ordered, deleted, restored."""

from collections.abc import Sequence
from dataclasses import replace
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
    check_section,
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
    changed,
)
from metacortex.kernel.errors import Refused
from metacortex.kernel.rank import of_creation, rank_beside

ON = Change(False, True)
OFF = Change(True, False)


def move(command: MoveTask, task: Task, facts: Facts) -> list[TaskEvent | Elsewhere]:
    """Put the task elsewhere, its subtasks along."""
    moved = _new_place(command, task, facts)
    moved = replace(moved, rank=_new_rank(command, task, changed(task, moved), facts))
    if moved == TaskMoved():
        return []
    if moved.project_id is not None:
        _check_new_project(moved.project_id.new, command, facts)
    after = changed(task, moved)
    if isinstance(command.section_id, UUID):
        check_section(command.section_id, after.project_id, facts)
    return [moved, *_brought_along(command.task_id, task, after, facts)]


def _new_place(command: MoveTask, task: Task, facts: Facts) -> TaskMoved:
    """Return the change of project, section and parent."""
    parent_id = task.parent_id if command.parent_id is UNSET else command.parent_id
    assert not isinstance(parent_id, Unset)
    project_id, parent = command.project_id, None
    if command.parent_id is not UNSET:
        stays = parent_id == task.parent_id
        parent = (live_parent if stays else open_parent)(parent_id, facts)
        check_place(command.task_id, parent_id, facts)
        if project_id is UNSET and parent is not None:
            project_id = parent.project_id
    projects = change(task.project_id, project_id)
    section_id = command.section_id
    if section_id is UNSET and (projects or parent_id != task.parent_id):
        if parent is not None and command.project_id is UNSET:
            section_id = parent.section_id
        elif projects:
            section_id = None
    sections = change(task.section_id, section_id)
    return TaskMoved(
        project_id=projects,
        section_id=sections,
        deleted_section_id=_forgotten(task) if projects or sections else None,
        parent_id=change(task.parent_id, parent_id),
    )


def _forgotten(task: Task) -> Change[UUID | None] | None:
    """Let a task forget the deleted section that it was in."""
    return change(task.deleted_section_id, None)


def _new_rank(
    command: MoveTask, task: Task, after: Task, facts: Facts
) -> Change[str | None] | None:
    """Return the change of rank of a task that shall stand as `after` says."""
    beside = command.before or command.after
    if beside is None:
        end = of_creation(facts.now, command.task_id)
        return None if _home(task) == _home(after) else change(task.rank, end)
    found = facts.look_up("task.neighbours", beside)
    sibling = next((it for it in found if it.id == beside), None)
    if sibling is None or not _are_siblings(sibling, command.task_id, after):
        raise Refused("not_a_sibling", meta={"id": str(beside)})
    rank = rank_beside(found, beside, command.task_id, facts, command.after is None)
    return None if rank is None else change(task.rank, rank)


def _are_siblings(other: Found, task_id: UUID, after: Task) -> bool:
    """Tell whether a task will stand in one list with another, which is live."""
    same = _home(other.state) == _home(after)
    return same and other.id != task_id and not other.state.deleted


def _home(task: Task) -> UUID | tuple[UUID | None, UUID | None]:
    """Return what tasks of one list have in common: a parent, or where it is on top."""
    return task.parent_id or (task.project_id, task.section_id)


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
    task_id: UUID, task: Task, after: Task, facts: Facts
) -> list[Elsewhere]:
    """Let subtasks follow: of the old project to the new one, or of the old section."""
    along: list[Elsewhere] = []
    if (task.project_id, task.section_id) == (after.project_id, after.section_id):
        return along
    for found in facts.look_up("task.subtree", task_id):
        state = found.state
        same = state.project_id == task.project_id and (
            task.project_id != after.project_id or state.section_id == task.section_id
        )
        if same and not state.deleted:
            moved = TaskMoved(
                project_id=change(state.project_id, after.project_id),
                section_id=change(state.section_id, after.section_id),
                deleted_section_id=_forgotten(state),
            )
            along.append(Elsewhere(found.id, moved))
    return along


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
