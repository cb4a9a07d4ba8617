"""The loaded states of one workspace, and indexes over their fields.

An index is built when a look-up first asks for it, and kept up to date afterwards: what
one command changes, the look-ups of the next one find without a scan.
"""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

CREATED = "created_at"
"""Where, beside the states, stands when each of these streams began."""

_Index = dict[Any, dict[UUID, None]]


class States(dict[str, dict[UUID, Any]]):
    """States by stream type and id. Change them by `put` and `remove` only."""

    def __init__(self) -> None:
        super().__init__()
        self._indexes: dict[str, dict[str, _Index]] = {}

    @classmethod
    def of(cls, states: Mapping[str, Mapping[UUID, Any]]) -> "States":
        """Return a copy of states that were collected in another form."""
        found = cls()
        for type, of_type in states.items():
            found[type] = dict(of_type)
        return found

    def __missing__(self, type: str) -> dict[UUID, Any]:
        found = self[type] = {}
        return found

    def put(self, type: str, id: UUID, state: Any) -> None:
        """Set the state of a stream."""
        of_type = self[type]
        if (indexes := self._indexes.get(type)) is not None:
            _move(indexes, id, of_type.get(id), state)
        of_type[id] = state

    def remove(self, type: str, id: UUID) -> None:
        """Forget a stream."""
        state = self[type].pop(id)
        if (indexes := self._indexes.get(type)) is not None:
            _move(indexes, id, state, None)

    def by(self, type: str, field: str, value: Any) -> Collection[UUID]:
        """Return the streams whose field has a value, or has it among its members."""
        indexes = self._indexes.setdefault(type, {})
        index = indexes.get(field)
        if index is None:
            index = indexes[field] = {}
            for id, state in self[type].items():
                for key in _keys(state, field):
                    index.setdefault(key, {})[id] = None
        return index.get(value, ())


def _keys(state: Any, field: str) -> tuple[Any, ...]:
    """Return under what a state stands in the index of a field; a set has members."""
    if state is None:
        return ()
    value = getattr(state, field)
    return value if value.__class__ is tuple else (value,)


def _move(indexes: Mapping[str, _Index], id: UUID, before: Any, after: Any) -> None:
    """Bring indexes up to date with a state that changed, came or went."""
    for field, index in indexes.items():
        old, new = _keys(before, field), _keys(after, field)
        if old == new:
            continue
        for key in old:
            index[key].pop(id, None)
        for key in new:
            index.setdefault(key, {})[id] = None
