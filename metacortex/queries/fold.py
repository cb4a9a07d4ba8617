"""Folding events into rows, purely; the projector and the past both use it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from metacortex.events import codec
from metacortex.events.record import EventRecord, Recorded
from metacortex.queries.registry import PROJECTIONS
from metacortex.queries.tables import Parts, texts_of

REWORDED = "reworded"
"""Of a row as columns: whether its texts are new, and their words to be found out."""

Key = tuple[UUID, str, UUID]
"""Workspace, stream type, stream id: one row of one read table."""

_ADAPTERS: Mapping[str, TypeAdapter[Any]] = {
    type: TypeAdapter(projection.row) for type, projection in PROJECTIONS.items()
}


def parse(stream_type: str, document: str | bytes) -> Any:
    """Return the row that a document was written from."""
    return _ADAPTERS[stream_type].validator.validate_json(document)


def document(stream_type: str, row: Any) -> bytes:
    """Return a row as the JSON that answers send."""
    return _ADAPTERS[stream_type].serializer.to_json(row)


def key(record: EventRecord) -> Key:
    """Return which row an event changes."""
    return record.workspace_id, record.stream_type, record.stream_id


class Change(NamedTuple):
    """What is known of a changed row besides what it is now."""

    sequence: int
    """Of its last event."""
    size: int
    """Bytes of data of its events, about what the row takes."""


@dataclass(slots=True)
class Fold:
    """Rows before and after some events."""

    rows: dict[Key, Any]
    changed: dict[Key, Change] = field(default_factory=dict)
    """The rows that events changed, those changed last at the end."""
    parts: dict[Key, Any] = field(default_factory=dict)
    """Parts of streams as they are after the events; the key has the part's own id."""
    reworded: set[Key] = field(default_factory=set)
    """Rows whose words are to be found out: new ones, and those with another text."""
    size: int = 0
    """Bytes of data of the events that changed rows."""

    def apply(self, event: Recorded[Any]) -> None:
        """Apply one event. Raises whatever a poisoned event makes `project` raise."""
        record = event.record
        projection = PROJECTIONS[record.stream_type]
        its = key(record)
        before = self.rows.get(its)
        row = self.rows[its] = projection.project(before, event)
        texts = _texts(record.stream_type)
        if texts and (before is None or texts(before) != texts(row)):
            self.reworded.add(its)
        size, last = len(record.data), self.changed.pop(its, None)
        self.size += size
        self.changed[its] = Change(
            record.sequence, size if last is None else size + last.size
        )
        if projection.parts is not None:
            for part in projection.parts.project(event):
                where = (record.workspace_id, record.stream_type, part.id)
                self.parts[where] = part

    def settled(self, upto: int, size: int) -> list[Key]:
        """Return the rows that no event changed after a sequence.

        And those after them, until the others are of no more than `size` bytes.
        """
        found, left = [], self.size
        for its, change in self.changed.items():
            if change.sequence > upto and left <= size:
                break
            left -= change.size
            found.append(its)
        return found

    def take(self, keys: Iterable[Key]) -> "Fold":
        """Take changed rows out, and all parts, as a fold of their own."""
        taken = Fold({}, parts=self.parts)
        self.parts = {}
        for its in keys:
            taken.rows[its] = self.rows.pop(its)
            change = taken.changed[its] = self.changed.pop(its)
            taken.size += change.size
            if its in self.reworded:
                self.reworded.remove(its)
                taken.reworded.add(its)
        self.size -= taken.size
        return taken

    def table_rows(self, stream_type: str) -> list[dict[str, Any]]:
        """Return the changed rows of a read table, as columns.

        With the texts, where the table has words of them, and whether they are new.
        """
        changed = [its for its in self.changed if its[1] == stream_type]
        found = [columns(its[0], stream_type, self.rows[its]) for its in changed]
        if texts := texts_of(PROJECTIONS[stream_type].table):
            for its, row in zip(changed, found, strict=True):
                row[REWORDED] = its in self.reworded
                for text in texts:
                    row[text] = getattr(self.rows[its], text)
        return found

    def part_rows(self, stream_type: str) -> list[dict[str, Any]]:
        """Return the changed rows of the table of a stream type's parts, as columns."""
        parts = PROJECTIONS[stream_type].parts
        assert parts is not None, "whoever asks has seen that there are any"
        return [
            part_columns(parts, workspace_id, row)
            for (workspace_id, type, _), row in self.parts.items()
            if type == stream_type
        ]


@cache
def _texts(stream_type: str) -> Callable[[Any], Any] | None:
    """Return what gives the texts of a row whose words are kept, None for no words."""
    texts = texts_of(PROJECTIONS[stream_type].table)
    return attrgetter(*texts) if texts else None


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows, as columns, as a JSON array for `json_populate_recordset`."""
    return orjson.dumps(rows, default=_plain).decode()


def _plain(value: Any) -> Any:
    """Return a document as it is, and an id of the driver's own class as text."""
    return orjson.Fragment(value) if isinstance(value, bytes) else str(value)


def columns(workspace_id: UUID, stream_type: str, row: Any) -> dict[str, Any]:
    """Return a row as the columns of its read table."""
    return {
        **PROJECTIONS[stream_type].columns(row),
        "workspace_id": workspace_id,
        "id": row.id,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "document": document(stream_type, row),
    }


def part_columns(parts: Parts, workspace_id: UUID, row: Any) -> dict[str, Any]:
    """Return a part's row as the columns of its table."""
    return {
        **parts.columns(row),
        "workspace_id": workspace_id,
        "id": row.id,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "document": parts.document(row),
    }


def fold(records: Iterable[EventRecord]) -> Any:
    """Return the row that a stream's records amount to, None for none."""
    row: Any = None
    for record in records:
        row = PROJECTIONS[record.stream_type].project(row, codec.read(record))
    return row
