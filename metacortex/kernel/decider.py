"""The decider: what a module of the write side is made of.

`decide(command, state, facts) -> events` and `evolve(state, event) -> state` are plain
functions over frozen dataclasses (Chassaing, "Functional event sourcing decider",
2021). Time, ids and whatever a rule must know of other streams arrive in `Facts`;
`needs` says beforehand what that is (docs/decisions/0003-deciders.md).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar, cast
from uuid import UUID

T = TypeVar("T")
S = TypeVar("S")


class Unset(Enum):
    """Tells "not given" from null in a command that edits."""

    UNSET = "unset"


UNSET = Unset.UNSET


def _on_disk(name: str) -> str:
    return {"old": "from", "new": "to"}.get(name, name)


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """A field's value before and after; on disk `{"from": …, "to": …}`."""

    old: T
    new: T

    # read by the codec; a plain mapping, so that this file needs no library
    __pydantic_config__ = {"alias_generator": _on_disk}


def change(old: T, new: T | Unset) -> Change[T] | None:
    """Return the change, or None where nothing was given or nothing differs."""
    return None if new is UNSET or new == old else Change(old, new)


class Stream(NamedTuple):
    """The stream that a rule needs to see."""

    type: str
    id: UUID


class LookUp(NamedTuple):
    """A named question about other streams of the workspace; `key` is its subject."""

    name: str
    key: UUID | str


Need = Stream | LookUp


class Found(NamedTuple):
    """A stream that a look-up found, with its state."""

    id: UUID
    state: Any


class Facts(NamedTuple):
    """What a rule may know besides its own state: plain data, loaded by the bus.

    `now` is never before the last event of the workspace, whatever the clock says.
    """

    now: datetime
    actor_id: str
    streams: Mapping[Stream, Any] = MappingProxyType({})
    found: Mapping[LookUp, tuple[Found, ...]] = MappingProxyType({})

    def stream(self, type: str, id: UUID) -> Any:
        """Return the state of a needed stream, None if it does not exist."""
        return self.streams[Stream(type, id)]

    def look_up(self, name: str, key: UUID | str) -> tuple[Found, ...]:
        """Return what a needed look-up found, in its own order."""
        return self.found[LookUp(name, key)]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An event that a decision appends to another stream than its command's."""

    stream_id: UUID
    event: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """A module's write side; `commands` and `events` map names on disk to classes."""

    stream_type: str
    state: type[Any]
    commands: Mapping[str, type[Any]]
    births: Sequence[type[Any]]
    """The commands whose stream does not exist before, but by mistake."""
    stream_id: Callable[[Any], UUID]
    needs: Callable[[Any], Sequence[Need]]
    decide: Callable[[Any, Any, Facts], Sequence[Any]]
    evolve: Callable[[Any, Any], Any]
    revert: Callable[[UUID, Mapping[str, Change[Any]]], Any]
    """The internal command that puts fields back.

    `created` marks a stream's birth, `along` one that another stream's command touched.
    """


def changes_of(event: Any) -> dict[str, Change[Any]]:
    """Return the field changes that an event carries, by field name."""
    found = {}
    for name in _names(event.__class__):
        value = getattr(event, name)
        if value.__class__ is Change:
            found[name] = value
    return found


@cache
def _names(cls: type[Any]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(cls))


def changed(state: S, event: Any) -> S:
    """Return the state with every change of the event applied."""
    changes = changes_of(event)
    if not changes:
        return state
    cls: Any = state.__class__
    values = {name: getattr(state, name) for name in _names(cls)}
    for name, value in changes.items():
        values[name] = value.new
    return cast(S, cls(**values))
