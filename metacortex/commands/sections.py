"""Sections of projects, write side: the commands, the state they need, and the rules.

Pure: no I/O, no clock, no framework (a contract in pyproject.toml). A section stays in
its project, and takes no command while that is archived or deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol, assert_never
from uuid import UUID

from metacortex.events.sections import (
    STREAM,
    SectionCreated,
    SectionDeleted,
    SectionEdited,
    SectionEvent,
    SectionFields,
    SectionMoved,
    SectionRestored,
    SectionReverted,
)
from metacortex.events.tasks import TaskMoved
from metacortex.kernel.decider import (
    UNSET,
    Change,
    Decider,
    Elsewhere,
    Facts,
    LookUp,
    Need,
    Revert,
    Stream,
    Unset,
    birth,
    change,
    changed,
    creation,
    edit,
)
from metacortex.kernel.errors import Invalid, NotFound, Refused, UndoConflict
from metacortex.kernel.rank import rank_beside

NAME_LIMIT = 255  # as projects have it
NAMED_LIMIT = 20  # ids that a refusal lists, as tasks have it


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSection:
    """Make a section. A repeat with the same id is refused as `already_exists`."""

    section_id: UUID
    name: str
    project_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class EditSection:
    """Rename a section. What equals the present value changes nothing."""

    section_id: UUID
    name: str | Unset = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveSection:
    """Put a section beside another of its project. A repeat changes nothing."""

    section_id: UUID
    before: UUID | None = None
    after: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteSection:
    """Delete a section, softly; its tasks stay there. A repeat changes nothing."""

    section_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSection:
    """Bring back a section with the tasks that were in it. A repeat changes nothing.

    Those that have been put into another section or project since stay there.
    """

    section_id: UUID


SectionCommand = (
    CreateSection | EditSection | MoveSection | DeleteSection | RestoreSection
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section(SectionFields):
    """A section as its rules see it."""

    rank: str | None = None
    deleted: bool = False


def needs(command: SectionCommand | Revert) -> Sequence[Need]:
    """Name the streams and look-ups that the rules of a command read."""
    if isinstance(command, CreateSection):
        own = Stream(STREAM, command.section_id)
        return [own, Stream("project", command.project_id)]
    id = command.stream_id if isinstance(command, Revert) else command.section_id
    found: list[Need] = [Stream(STREAM, id), LookUp("section.project", id)]
    match command:
        case DeleteSection() | RestoreSection():
            found.append(LookUp("section.tasks", id))
        case MoveSection(before=before, after=after):
            beside = {id, before or after or id}  # our own, for those after us
            found += [LookUp("section.neighbours", it) for it in sorted(beside)]
        case Revert():
            found.append(LookUp("section.tasks", id))
            found.append(LookUp("section.neighbours", id))
        case _:
            pass
    return found


def decide(
    command: SectionCommand | Revert, section: Section | None, facts: Facts
) -> Sequence[SectionEvent | Elsewhere]:
    """Return what happens. Raises NotFound, Refused, Invalid."""
    if isinstance(command, CreateSection):
        return _create(command, section, facts)
    if section is None:
        raise NotFound("not_found")
    id = command.stream_id if isinstance(command, Revert) else command.section_id
    for project in facts.look_up("section.project", id):
        _check_project(project.id, project.state)
    match command:
        case EditSection():
            _check_present(section)
            edited = edit(SectionEdited, section, command)
            return [] if edited is None else [edited]
        case MoveSection():
            _check_present(section)
            return _move(command, section, facts)
        case DeleteSection():
            return [] if section.deleted else _delete(command, facts)
        case RestoreSection():
            return _restore(command, section, facts) if section.deleted else []
        case Revert():
            return _revert(command, section, facts)
        case _:
            assert_never(command)


ON = Change(False, True)
OFF = Change(True, False)


def _create(
    command: CreateSection, section: Section | None, facts: Facts
) -> list[SectionEvent]:
    if section is not None:
        raise Refused("already_exists")
    project = facts.stream("project", command.project_id)
    if project is None:
        raise Invalid("unknown_reference", source={"pointer": "/project_id"})
    _check_project(command.project_id, project)
    return [creation(SectionCreated, command)]


def _move(
    command: MoveSection, section: Section, facts: Facts
) -> Sequence[SectionEvent]:
    beside = command.before or command.after
    if beside is None:
        return []
    found = facts.look_up("section.neighbours", beside)
    other = next((it.state for it in found if it.id == beside), None)
    if beside == command.section_id or other is None or other.deleted:
        raise Refused("not_a_sibling", meta={"id": str(beside)})
    if other.project_id != section.project_id:
        raise Refused("not_a_sibling", meta={"id": str(beside)})
    before = command.before is not None
    rank = rank_beside(found, beside, command.section_id, facts, before)
    moved = None if rank is None else change(section.rank, rank)
    return [] if moved is None else [SectionMoved(rank=moved)]


def _delete(command: DeleteSection, facts: Facts) -> Sequence[SectionEvent | Elsewhere]:
    """Delete the section; tasks remember it, deleted and archived ones too."""
    id = command.section_id
    out = [
        Elsewhere(
            task.id,
            TaskMoved(
                section_id=Change(id, None),
                deleted_section_id=change(task.state.deleted_section_id, id),
            ),
        )
        for task in facts.look_up("section.tasks", id)
        if task.state.section_id == id
    ]
    return [SectionDeleted(deleted=ON), *out]


def _restore(
    command: RestoreSection, section: Section, facts: Facts
) -> Sequence[SectionEvent | Elsewhere]:
    id = command.section_id
    back = [
        Elsewhere(
            task.id,
            TaskMoved(section_id=Change(None, id), deleted_section_id=Change(id, None)),
        )
        for task in facts.look_up("section.tasks", id)
        if task.state.deleted_section_id == id
        and task.state.section_id is None
        and task.state.project_id == section.project_id
    ]
    return [SectionRestored(deleted=OFF), *back]


def _revert(command: Revert, section: Section, facts: Facts) -> list[SectionEvent]:
    """Put fields back; a creation is undone by a deletion."""
    changes = {"deleted": ON} if command.creation else command.changes
    if "deleted" not in changes:
        _check_present(section)
    reverted = SectionReverted(**changes)
    id = command.stream_id
    inside = [
        str(task.id)
        for task in facts.look_up("section.tasks", id)
        if task.state.section_id == id
    ]
    if inside and changed(section, reverted).deleted:
        meta = {"tasks": inside[:NAMED_LIMIT], "count": len(inside)}
        raise UndoConflict("undo_conflict", meta=meta)
    return [reverted]


def _check_present(section: Section) -> None:
    if section.deleted:
        raise Refused("section_deleted")


class _Project(Protocol):
    """What the rules of sections read of a project."""

    archived: bool
    deleted: bool


def _check_project(project_id: UUID, project: _Project) -> None:
    """Refuse what would change a project that is put away."""
    meta = {"project_id": str(project_id)}
    if project.deleted:
        raise Refused("project_deleted", meta=meta)
    if project.archived:
        raise Refused("project_archived", meta=meta)


_born = birth(Section, SectionCreated)


def evolve(section: Section | None, event: SectionEvent) -> Section:
    """Return the section after the event."""
    if isinstance(event, SectionCreated):
        return _born(event)
    assert section is not None, "a section's first event is its creation"
    return changed(section, event)


DECIDER = Decider(
    stream_type=STREAM,
    plural="sections",
    state=Section,
    commands={
        "section.create": CreateSection,
        "section.edit": EditSection,
        "section.move": MoveSection,
        "section.delete": DeleteSection,
        "section.restore": RestoreSection,
    },
    creation_commands=(CreateSection,),
    stream_id=attrgetter("section_id"),
    needs=needs,
    decide=decide,
    evolve=evolve,
)
