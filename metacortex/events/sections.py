"""Sections: what can happen to one. Facts only; names on disk stand at the end."""

from dataclasses import dataclass
from uuid import UUID

from metacortex.kernel.decider import Change

STREAM = "section"


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionFields:
    """What a section has from its creation on, in the event as in the state."""

    name: str
    project_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionCreated(SectionFields):
    """A section was made in a project, which it stays in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionEdits:
    """What an edit may change, and its undo put back."""

    name: Change[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionEdited(SectionEdits):
    """A section got another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionMoved:
    """A section stands elsewhere among those of its project."""

    rank: Change[str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionDeleted:
    """A section was deleted, softly; its tasks say so in their own streams."""

    deleted: Change[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionRestored:
    """A deleted section came back."""

    deleted: Change[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionReverted(SectionEdits):
    """An undo put fields of a section back."""

    rank: Change[str | None] | None = None
    deleted: Change[bool] | None = None


SectionEvent = (
    SectionCreated
    | SectionEdited
    | SectionMoved
    | SectionDeleted
    | SectionRestored
    | SectionReverted
)

EVENTS: dict[str, type[SectionEvent]] = {
    "section.created": SectionCreated,
    "section.edited": SectionEdited,
    "section.moved": SectionMoved,
    "section.deleted": SectionDeleted,
    "section.restored": SectionRestored,
    "section.reverted": SectionReverted,
}
