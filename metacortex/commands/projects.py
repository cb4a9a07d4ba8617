"""Projects, write side: the commands, the state they need, and the rules.

Pure: no I/O, no clock, no framework (a contract in pyproject.toml). An archived
project takes no command but `UnarchiveProject`; its tasks refuse theirs. Its tasks are
deleted and restored with all that stands below them, in whatever project that is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import assert_never
from uuid import UUID

from metacortex.events.projects import (
    STREAM,
    ProjectArchived,
    ProjectCreated,
    ProjectDeleted,
    ProjectEdited,
    ProjectEvent,
    ProjectFields,
    ProjectRestored,
    ProjectReverted,
    ProjectUnarchived,
)
from metacortex.events.tasks import TaskDeleted, TaskRestored
from metacortex.kernel.decider import (
    UNSET,
    Change,
    Decider,
    Elsewhere,
    Facts,
    Found,
    LookUp,
    Need,
    Revert,
    Stream,
    Unset,
    birth,
    changed,
    creation,
    edit,
)
from metacortex.kernel.errors import NotFound, Refused, UndoConflict

CLOSED = LookUp("project.closed", "")
NAME_LIMIT = 255
DESCRIPTION_LIMIT = 16_383  # as tasks have it
NAMED_LIMIT = 20  # ids that a refusal lists, as tasks have it


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateProject:
    """Make a project. A repeat with the same id is refused as `already_exists`."""

    project_id: UUID
    name: str
    description: str | None = None
    colour: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditProject:
    """Change a project's own fields. What equals the present value changes nothing."""

    project_id: UUID
    name: str | Unset = UNSET
    description: str | None | Unset = UNSET
    colour: str | None | Unset = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveProject:
    """Put a project away. Archiving an archived project changes nothing."""

    project_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UnarchiveProject:
    """Take a project out again. Repeating that changes nothing."""

    project_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteProject:
    """Delete a project, its tasks and their subtrees, softly. A repeat changes nothing.

    A subtask of another, archived project is a reason to refuse.
    """

    project_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreProject:
    """Bring back a project with what was deleted along. A repeat changes nothing."""

    project_id: UUID


ProjectCommand = (
    CreateProject
    | EditProject
    | ArchiveProject
    | UnarchiveProject
    | DeleteProject
    | RestoreProject
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project(ProjectFields):
    """A project as its rules see it."""

    archived: bool = False
    deleted: bool = False


def needs(command: ProjectCommand | Revert) -> Sequence[Need]:
    """Name the streams and look-ups that the rules of a command read."""
    if isinstance(command, Revert):
        id = command.stream_id
        return [Stream(STREAM, id), LookUp("project.family", id)]
    own = Stream(STREAM, command.project_id)
    match command:
        case DeleteProject() | RestoreProject():
            return [own, LookUp("project.family", command.project_id), CLOSED]
        case _:
            return [own]


def decide(
    command: ProjectCommand | Revert, project: Project | None, facts: Facts
) -> Sequence[ProjectEvent | Elsewhere]:
    """Return what happens. Raises NotFound, Refused."""
    if isinstance(command, CreateProject):
        return _create(command, project)
    if project is None:
        raise NotFound("not_found")
    match command:
        case EditProject():
            _check_open(project)
            return _edit(command, project)
        case ArchiveProject():
            _check_present(project)
            return [] if project.archived else [ProjectArchived(archived=ON)]
        case UnarchiveProject():
            _check_present(project)
            return [ProjectUnarchived(archived=OFF)] if project.archived else []
        case DeleteProject():
            return [] if project.deleted else _delete(command, project, facts)
        case RestoreProject():
            return _restore(command, facts) if project.deleted else []
        case Revert():
            return _revert(command, project, facts)
        case _:
            assert_never(command)


ON = Change(False, True)
OFF = Change(True, False)


def _create(command: CreateProject, project: Project | None) -> Sequence[ProjectEvent]:
    if project is not None:
        raise Refused("already_exists")
    return [creation(ProjectCreated, command)]


def _edit(command: EditProject, project: Project) -> Sequence[ProjectEvent]:
    edited = edit(ProjectEdited, project, command)
    return [] if edited is None else [edited]


def _delete(
    command: DeleteProject, project: Project, facts: Facts
) -> Sequence[ProjectEvent | Elsewhere]:
    _check_open(project)
    gone = TaskDeleted(deleted=ON, deleted_with=Change(None, command.project_id))
    live = [it for it in _tree(command.project_id, facts) if not it.state.deleted]
    _check_along(live, command.project_id, facts)
    return [ProjectDeleted(deleted=ON), *(Elsewhere(task.id, gone) for task in live)]


def _restore(
    command: RestoreProject, facts: Facts
) -> Sequence[ProjectEvent | Elsewhere]:
    back = TaskRestored(deleted=OFF, deleted_with=Change(command.project_id, None))
    along = _went_along(command.project_id, facts)
    _check_along(along, command.project_id, facts)
    return [ProjectRestored(deleted=OFF), *(Elsewhere(task.id, back) for task in along)]


def _tree(project_id: UUID, facts: Facts) -> list[Found]:
    """Return the tasks of a project and what is below them, parents first."""
    inside: dict[UUID, Found] = {}
    for task in facts.look_up("project.family", project_id):
        if task.state.project_id == project_id or task.state.parent_id in inside:
            inside[task.id] = task
    return list(inside.values())


def _went_along(project_id: UUID, facts: Facts) -> list[Found]:
    """Return what went with a project and can come back. Raises Refused.

    A parent outside the project may have been deleted since; what stands below a task
    that had been deleted by itself stays where it is.
    """
    tree, back = _tree(project_id, facts), dict[UUID | None, Found]()
    gone = {it.id for it in facts.look_up("project.family", project_id) if _gone(it)}
    within = {task.id for task in tree}
    for task in tree:
        parent_id = task.state.parent_id
        if task.state.deleted_with != project_id:
            continue
        if parent_id not in gone or parent_id in back:
            back[task.id] = task
        elif parent_id not in within:
            raise Refused("parent_deleted", meta={"parent_id": str(parent_id)})
    return list(back.values())


def _gone(task: Found) -> bool:
    return bool(task.state.deleted)


def _check_along(tasks: Iterable[Found], project_id: UUID, facts: Facts) -> None:
    """Refuse to delete or restore along a task whose own project is closed."""
    closed = {found.id: found.state for found in facts.look_up("project.closed", "")}
    for task in tasks:
        other_id = task.state.project_id
        if other_id != project_id and other_id in closed:
            code = (
                "project_archived" if closed[other_id].archived else "project_deleted"
            )
            raise Refused(code, meta={"project_id": str(other_id)})


def _revert(command: Revert, project: Project, facts: Facts) -> Sequence[ProjectEvent]:
    """Put fields back; a creation is undone by a deletion."""
    changes = {"deleted": ON} if command.creation else command.changes
    if "deleted" not in changes:
        _check_present(project)
    if project.archived and "archived" not in changes:
        raise Refused("project_archived")
    live = [
        str(task.id)
        for task in facts.look_up("project.family", command.stream_id)
        if task.state.project_id == command.stream_id and not task.state.deleted
    ]
    reverted = ProjectReverted(**changes)
    if live and changed(project, reverted).deleted and not project.deleted:
        meta = {"tasks": live[:NAMED_LIMIT], "count": len(live)}
        raise UndoConflict("undo_conflict", meta=meta)
    return [reverted]


def _check_present(project: Project) -> None:
    if project.deleted:
        raise Refused("project_deleted")


def _check_open(project: Project) -> None:
    _check_present(project)
    if project.archived:
        raise Refused("project_archived")


_born = birth(Project, ProjectCreated)


def evolve(project: Project | None, event: ProjectEvent) -> Project:
    """Return the project after the event."""
    if isinstance(event, ProjectCreated):
        return _born(event)
    assert project is not None, "a project's first event is its creation"
    return changed(project, event)


DECIDER = Decider(
    stream_type=STREAM,
    plural="projects",
    state=Project,
    commands={
        "project.create": CreateProject,
        "project.edit": EditProject,
        "project.archive": ArchiveProject,
        "project.unarchive": UnarchiveProject,
        "project.delete": DeleteProject,
        "project.restore": RestoreProject,
    },
    creation_commands=(CreateProject,),
    stream_id=attrgetter("project_id"),
    needs=needs,
    decide=decide,
    evolve=evolve,
)
