"""The decider: the interface of a module of the write side.

`decide(command, state, facts) -> events` and `evolve(state, event) -> state` are plain
functions over frozen dataclasses (Chassaing, "Functional event sourcing decider",
2021). `Facts` carries the time, the actor and the state of other streams; `needs` names
these streams in advance (docs/decisions/0003-deciders.md).
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
    """The value of a field that a command leaves as it is; null is a value."""

    UNSET = "unset"


UNSET = Unset.UNSET


def _on_disk(name: str) -> str:
    return {"old": "from", "new": "to"}.get(name, name)


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """A field's value before and after; on disk `{"from": …, "to": …}`."""

    old: T
    new: T

    # read by pydantic in the codec; a plain mapping, so that nothing is imported here
    __pydantic_config__ = {"alias_generator": _on_disk}


def change(old: T, new: T | Unset) -> Change[T] | None:
    """Return the change, or None if `new` is not given or equals `old`."""
    return None if new is UNSET or new == old else Change(old, new)


class Stream(NamedTuple):
    """A stream whose state a rule reads."""

    type: str
    id: UUID


class LookUp(NamedTuple):
    """A named query for streams of the workspace, with its one argument."""

    name: str
    key: UUID | str


Need = Stream | LookUp


class Found(NamedTuple):
    """A stream that a look-up found, with its state."""

    id: UUID
    state: Any


class Facts(NamedTuple):
    """What a rule may use besides the state of its stream; the bus loads it beforehand.

    `now` is never before the last event of the workspace, even if the clock is.
    """

    now: datetime
    actor_id: str
    streams: Mapping[Stream, Any] = MappingProxyType({})
    found: Mapping[LookUp, tuple[Found, ...]] = MappingProxyType({})

    def stream(self, type: str, id: UUID) -> Any:
        """Return the state of a needed stream, None if it does not exist."""
        return self.streams[Stream(type, id)]

    def look_up(self, name: str, key: UUID | str) -> tuple[Found, ...]:
        """Return what a needed look-up found, in the order that the look-up defines."""
        return self.found[LookUp(name, key)]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An event that a decision appends to another stream than its command's."""

    stream_id: UUID
    event: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """A module's write side; `commands` maps names on disk to classes."""

    stream_type: str
    state: type[Any]
    commands: Mapping[str, type[Any]]
    creation_commands: Sequence[type[Any]]
    """The commands that create their stream, and are refused if it exists."""
    stream_id: Callable[[Any], UUID]
    needs: Callable[[Any], Sequence[Need]]
    decide: Callable[[Any, Any, Facts], Sequence[Any]]
    evolve: Callable[[Any, Any], Any]
    revert: Callable[[UUID, Mapping[str, Change[Any]]], Any]
    """Returns the internal command that sets fields back to their values before.

    The key `created` stands for the creation of the stream; `along` says that the
    command to undo was about another stream.
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
