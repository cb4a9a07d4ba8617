"""Field types and base classes of request bodies and query parameters."""

import datetime as dt
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, ClassVar, TypeVar, get_origin
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticKnownError
from typing_extensions import TypeAliasType

from metacortex.events import tasks as events
from metacortex.events.tasks import Due
from metacortex.kernel.text import HIDING, shows

SURROGATES = re.compile("[\ud800-\udfff]")  # what is no character of its own


def _clean(value: str) -> str:
    if "\x00" in value:
        raise ValueError("The character U+0000 cannot be stored")
    if SURROGATES.search(value):
        raise ValueError("A lone surrogate cannot be stored")
    return value


Clean = AfterValidator(_clean)


def _like(pattern: str, what: str) -> BeforeValidator:
    """Return a check of the exact form, before anything lax is tried."""
    compiled = re.compile(pattern)

    def check(value: Any) -> Any:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ValueError(f"Input should be {what}")
        return value

    return BeforeValidator(check)


def at_most(items: int) -> BeforeValidator:
    """Return a check of the length of an array, before any of its items is looked at.

    Each bad item would be an error to tell.
    """

    def check(value: Any) -> Any:
        if isinstance(value, list) and len(value) > items:
            told = {"field_type": "Array", "max_length": items}
            raise PydanticKnownError("too_long", {**told, "actual_length": len(value)})
        return value

    return BeforeValidator(check)


_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
_HEX = r"[0-9a-fA-F]"


def _utc(value: dt.datetime) -> dt.datetime:
    try:
        return value.astimezone(dt.UTC)
    except OverflowError:
        raise ValueError("Not within the years 1 to 9999 of UTC") from None


Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$", strict=True)]
Id = Annotated[
    UUID,
    _like(f"{_HEX}{{8}}-({_HEX}{{4}}-){{3}}{_HEX}{{12}}", "a UUID with hyphens"),
]
Day = Annotated[dt.date, _like(_DAY, "a date such as 2026-11-23")]
Instant = Annotated[
    AwareDatetime,
    _like(
        f"{_DAY}[Tt]{_CLOCK}([Zz]|[+-][0-9]{{2}}:[0-9]{{2}})",
        "an instant such as 2026-11-23T09:00:00Z (RFC 3339)",
    ),
    AfterValidator(_utc),
]
DIGITS = _like("[0-9]{1,16}", "a whole number in digits")  # behind constraints
Name = Annotated[  # constraints first: they would not strip behind a validator
    str, StringConstraints(strip_whitespace=True, min_length=1, strict=True), Clean
]


def _shown(value: str) -> str:
    if HIDING.search(value):
        raise ValueError("A name must not hold what hides or reverses other text")
    if not shows(value):
        raise ValueError("A name must show something")
    return value


ShownName = Annotated[Name, AfterValidator(_shown)]
"""A name of one line that people see: of a task, a project, a person."""
UserId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}$", strict=True)
]


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """Return the names of the IANA time zones that are known here, and mean one."""
    return frozenset(available_timezones() - {"Factory", "localtime"})


def _zone(value: str) -> str:
    if value not in zones():
        raise ValueError("Not the name of an IANA time zone")
    return value


Zone = Annotated[str, AfterValidator(_zone)]
TaskStatus = TypeAliasType(
    "TaskStatus", events.Status
)  # an alias has a name in the document
Priority = TypeAliasType("Priority", events.Priority)


WallTime = Annotated[
    str,
    StringConstraints(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", strict=True
    ),
]


def _parts(values: Any) -> list[str]:
    """Return the values of a repeated parameter, split at commas."""
    given = [values] if isinstance(values, str) else values
    return [part for value in given for part in str(value).split(",")]


T = TypeVar("T")
Many = Annotated[tuple[T, ...], BeforeValidator(_parts)]
"""Values of a repeated parameter, or of one with commas between."""


class Parameters(BaseModel):
    """Base of query parameters: unknown ones are refused.

    The string below a field is its description in the OpenAPI document.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    @classmethod
    @lru_cache
    def multiple(cls) -> frozenset[str]:
        """Return the names of the parameters that take more than one value."""
        return frozenset(
            field.alias or name
            for name, field in cls.model_fields.items()
            if get_origin(field.annotation) is tuple
        )


class Body(BaseModel):
    """Base of request bodies: unknown fields are refused, absent and null differ.

    The string below a field is its description in the OpenAPI document.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True
    )
    examples: ClassVar[Mapping[str, Any]] = {}

    def arguments(self) -> dict[str, Any]:
        """Return the command's arguments; fields that were not sent are not given."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def without_defaults(schema: dict[str, Any]) -> None:
    """Remove the defaults from a schema: an absent field means "unchanged"."""
    for found in schema.get("properties", {}).values():
        found.pop("default", None)


class Changes(Body):
    """Base of merge patches: fields that are not sent keep their value."""

    model_config = ConfigDict(json_schema_extra=without_defaults)


def not_both(after: UUID | None, given: ValidationInfo) -> UUID | None:
    """Refuse `after` where `before` is given as well."""
    if after is not None and given.data.get("before") is not None:
        raise ValueError("before and after exclude each other")
    return after


class Nothing(Body):
    """The body of a command that takes no arguments: none, or an empty object."""


class DueBody(Body):
    """A day, or a local time on it; without a time zone, that of whoever reads it."""

    date: Day
    time: WallTime | None = None
    """Local time in the time zone, such as 09:30."""
    time_zone: Zone | None = None
    """Name of an IANA time zone, such as Europe/Berlin; without it, the reader's."""

    def due(self) -> Due:
        """Return it as events hold it."""
        time = None if self.time is None else dt.time.fromisoformat(self.time)
        return Due(date=self.date, time=time, time_zone=self.time_zone)
