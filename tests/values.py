"""Values of any type that a field may have, for laws about every field there is."""

from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from metacortex.kernel.decider import Change, Unset

PLAIN: dict[Any, tuple[Any, Any]] = {
    str: ("one", "two"),
    bool: (True, False),
    int: (1, 2),
    UUID: (UUID(int=1), UUID(int=2)),
    date: (date(2026, 12, 1), date(2026, 12, 2)),
    time: (time(9, 30), time(22)),
    datetime: (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)),
}


def two(type: Any) -> tuple[Any, Any]:
    """Return two values of a type that differ, neither of them null or unset."""
    args = [it for it in get_args(type) if it not in (NoneType, Unset, Ellipsis)]
    origin = get_origin(type)
    if origin in (Union, UnionType):
        return two(args[0])
    if origin is Literal:
        return args[0], args[1]
    if origin is tuple:
        one, other = two(args[0])
        return (one,), (other,)
    if origin is Change:
        one, other = two(args[0])
        return Change(one, other), Change(other, one)
    if is_dataclass(type):
        hints = get_type_hints(type)
        ones = {it.name: two(hints[it.name]) for it in fields(type)}
        made: Any = type
        one, other = (
            made(**{name: pair[n] for name, pair in ones.items()}) for n in (0, 1)
        )
        return one, other
    return PLAIN[type]
