"""People: what can happen to one in a workspace. Names on disk stand at the end."""

from dataclasses import dataclass
from typing import Literal

from metacortex.kernel.decider import Change

STREAM = "person"

WeekStart = Literal["monday", "sunday", "saturday"]
Theme = Literal["system", "light", "dark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFields:
    """What a person has from the beginning, in the event as in the state."""

    user_id: str
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonCreated(PersonFields):
    """A person was introduced by an owner, or told something about themself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonEdits:
    """What an edit may change, and its undo put back.

    `joined`: they have changed something of their own.
    """

    name: Change[str | None] | None = None
    avatar_url: Change[str | None] | None = None
    time_zone: Change[str | None] | None = None
    week_start: Change[WeekStart] | None = None
    theme: Change[Theme] | None = None
    joined: Change[bool] | None = None
    deleted: Change[bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonEdited(PersonEdits):
    """Some of a person's fields changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonReverted(PersonEdits):
    """An undo put fields of a person back."""


PersonEvent = PersonCreated | PersonEdited | PersonReverted

EVENTS: dict[str, type[PersonEvent]] = {
    "person.created": PersonCreated,
    "person.edited": PersonEdited,
    "person.reverted": PersonReverted,
}
