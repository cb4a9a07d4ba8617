"""The decider: the interface of a module of the write side.

`decide(command, state, facts) -> events` and `evolve(state, event) -> state` are plain
functions over frozen dataclasses (Chassaing, "Functional event sourcing decider",
2021). `Facts` carries the time, the actor and the state of other streams; `needs` names
these streams in advance (docs/decisions/0003-deciders.md).
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import (
    Any,
    Generic,
    NamedTuple,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)
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


@dataclass(frozen=True, slots=True)
class Exchange(Generic[T]):
    """Members that a sorted set lost and got; those that stay are not said again."""

    removed: tuple[T, ...] = ()
    added: tuple[T, ...] = ()


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
    """A stream that a look-up found, with its state, and when it began."""

    id: UUID
    state: Any
    created_at: datetime


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
class Revert:
    """Put fields of a stream back; planned by an undo only (commands/undo.py).

    `creation`: what is undone created the stream, and the module says what undoes
    that. `cascaded`: the command that is undone was about another stream.
    `exchanges`: what to put back into sets, and to take out of them.
    """

    stream_type: str
    stream_id: UUID
    changes: Mapping[str, Change[Any]]
    creation: bool = False
    cascaded: bool = False
    exchanges: Mapping[str, Exchange[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """A module's write side; `commands` maps names on disk to classes.

    `needs` and `decide` take the module's commands and `Revert`.
    """

    stream_type: str
    plural: str
    """The name of the table that holds the states."""
    state: type[Any]
    commands: Mapping[str, type[Any]]
    creation_commands: Sequence[type[Any]]
    """The commands that create their stream, and are refused if it exists."""
    stream_id: Callable[[Any], UUID]
    needs: Callable[[Any], Sequence[Need]]
    decide: Callable[[Any, Any, Facts], Sequence[Any]]
    evolve: Callable[[Any, Any], Any]


def changes_of(event: Any) -> dict[str, Change[Any]]:
    """Return the field changes that an event carries, by field name."""
    found = {}
    for name in _names(event.__class__):
        value = getattr(event, name)
        if value.__class__ is Change:
            found[name] = value
    return found


_NOTHING: Mapping[str, Any] = MappingProxyType({})


@cache
def may_exchange(cls: Hashable) -> bool:
    """Tell whether events of a class may change sets; few do."""
    return hasattr(cls, "exchanges_of") or any(
        _mentions_exchange(it) for it in get_type_hints(cls).values()
    )


def _mentions_exchange(hint: Any) -> bool:
    if hint is Any or get_origin(hint) is Exchange:
        return True
    return any(map(_mentions_exchange, get_args(hint)))


def exchanges_of(event: Any) -> Mapping[str, Exchange[Any]]:
    """Return what an event changes of sets, by field name.

    An event that says it in another form has a method of this name.
    """
    if not may_exchange(event.__class__):
        return _NOTHING
    if hasattr(event, "exchanges_of"):
        said: Mapping[str, Exchange[Any]] = event.exchanges_of()
        return said
    found = {}
    for name in _names(event.__class__):
        value = getattr(event, name)
        if value.__class__ is Exchange:
            found[name] = value
    return found


def names_of(cls: type[Any]) -> tuple[str, ...]:
    """Return the names of a dataclass's fields, inherited ones too."""
    return _names(cls)  # type: ignore[arg-type] # to mypy, a class is not hashable


@cache
def _names(cls: type[Any]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(cls))


def birth(cls: type[S], created: type[Any], *besides: str) -> Callable[..., S]:
    """Return what makes a `cls` of a creation event: each field by name.

    It takes the event, and the fields `besides` in this order. Raises TypeError for a
    field of the event that the class lacks. Compiled, as dataclasses compile their
    `__init__`: in a loop it would take half as long again, for every event.
    """
    if lost := set(names_of(created)) - set(names_of(cls)):
        raise TypeError(f"{cls.__name__} lacks {lost} of {created.__name__}")
    given = "".join(f", {name}" for name in besides)
    values = [f"{name}=event.{name}" for name in names_of(created)]
    values += [f"{name}={name}" for name in besides]
    made: Callable[..., S] = eval(
        f"lambda event{given}: cls({', '.join(values)})", {"cls": cls}
    )
    return made


def changed(state: S, event: Any, **more: Any) -> S:
    """Return the state with every change of the event applied, and `more`.

    A state that lacks a set is no reason to fail, as rows lack those that have rows of
    their own. Raises TypeError for any other field that it lacks.
    """
    for name in _names(event.__class__):
        value = getattr(event, name)
        if value.__class__ is Change:
            more[name] = value.new
    if may_exchange(event.__class__):
        for name, exchange in exchanges_of(event).items():
            if hasattr(state, name):
                kept = set(getattr(state, name)) - set(exchange.removed)
                more[name] = tuple(sorted(kept | set(exchange.added)))
    if not more:
        return state
    cls: Any = state.__class__
    made, setters = _copier(cls)(state), _setters(cls)
    for name, value in more.items():
        if name not in setters:
            raise TypeError(f"{cls.__name__} has no field {name}")
        setters[name](made, value)
    return cast(S, made)


@cache
def _setters(cls: Any) -> Mapping[str, Callable[[Any, Any], None]]:
    """Return what sets each field of a frozen dataclass with slots."""
    return {name: getattr(cls, name).__set__ for name in names_of(cls)}


@cache
def _copier(cls: Any) -> Callable[[Any], Any]:
    """Return what copies a frozen dataclass with slots; compiled as births are.

    Slot by slot: its `__init__` takes four times as long, and checks nothing either.
    """
    setters = {f"set_{name}": set for name, set in _setters(cls).items()}
    copied = ", ".join(f"set_{it}(made, old.{it})" for it in names_of(cls))
    fill = eval(f"lambda old, made: ({copied},)", setters)

    def copy(old: Any) -> Any:
        made = object.__new__(cls)
        fill(old, made)
        return made

    return copy


def creation(cls: type[S], command: Any, **instead: Any) -> S:
    """Return the event with each field as the command has it, or as `instead` says.

    Raises AttributeError for a field that neither has.
    """
    names = [name for name in names_of(cls) if name not in instead]
    return cls(**{name: getattr(command, name) for name in names}, **instead)


def edit(cls: type[S], state: Any, command: Any, **instead: Any) -> S | None:
    """Return the event with what the command changes of each field, None for nothing.

    `instead` is what to change a field to where the command does not say it by name.
    Raises AttributeError for a field that neither has.
    """
    changes = {}
    for name in names_of(cls):
        new = instead[name] if name in instead else getattr(command, name)
        old = getattr(state, name)
        if new is not UNSET and new != old:
            changes[name] = Change(old, new)
    return cls(**changes) if changes else None
