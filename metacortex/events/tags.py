"""Tags: what can happen to one. Facts only; names on disk stand at the end."""

from dataclasses import dataclass
from uuid import UUID

from metacortex.kernel.decider import Change

STREAM = "tag"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFields:
    """What a tag has from its creation on, in the event as in the state."""

    name: str
    colour: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCreated(TagFields):
    """A tag was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRenamed:
    """A tag got another name."""

    name: Change[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRecoloured:
    """A tag got another colour, or lost it."""

    colour: Change[str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagDeleted:
    """A tag is gone; the tasks that had it say so in their own streams."""

    deleted: Change[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagMerged:
    """A tag went up in another one."""

    deleted: Change[bool]
    merged_into: Change[UUID | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagReverted:
    """An undo put fields of a tag back."""

    name: Change[str] | None = None
    colour: Change[str | None] | None = None
    deleted: Change[bool] | None = None
    merged_into: Change[UUID | None] | None = None


TagEvent = (
    TagCreated | TagRenamed | TagRecoloured | TagDeleted | TagMerged | TagReverted
)

EVENTS: dict[str, type[TagEvent]] = {
    "tag.created": TagCreated,
    "tag.renamed": TagRenamed,
    "tag.recoloured": TagRecoloured,
    "tag.deleted": TagDeleted,
    "tag.merged": TagMerged,
    "tag.reverted": TagReverted,
}
