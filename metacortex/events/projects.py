"""Projects: what can happen to one. Facts only; names on disk stand at the end."""

from dataclasses import dataclass

from metacortex.kernel.decider import Change

STREAM = "project"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFields:
    """What a project has from its creation on, in the event as in the state."""

    name: str
    description: str | None
    colour: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectCreated(ProjectFields):
    """A project was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectEdits:
    """What an edit may change, and its undo put back."""

    name: Change[str] | None = None
    description: Change[str | None] | None = None
    colour: Change[str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectEdited(ProjectEdits):
    """Some of a project's own fields changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectArchived:
    """A project was put away; its tasks refuse commands."""

    archived: Change[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectUnarchived:
    """A project was taken out again."""

    archived: Change[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectDeleted:
    """A project was deleted, softly; its tasks say so in their own streams."""

    deleted: Change[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRestored:
    """A deleted project came back."""

    deleted: Change[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectReverted(ProjectEdits):
    """An undo put fields of a project back."""

    archived: Change[bool] | None = None
    deleted: Change[bool] | None = None


ProjectEvent = (
    ProjectCreated
    | ProjectEdited
    | ProjectArchived
    | ProjectUnarchived
    | ProjectDeleted
    | ProjectRestored
    | ProjectReverted
)

EVENTS: dict[str, type[ProjectEvent]] = {
    "project.created": ProjectCreated,
    "project.edited": ProjectEdited,
    "project.archived": ProjectArchived,
    "project.unarchived": ProjectUnarchived,
    "project.deleted": ProjectDeleted,
    "project.restored": ProjectRestored,
    "project.reverted": ProjectReverted,
}
