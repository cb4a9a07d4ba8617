"""Given, then: what rows events amount to, without a database.

Events of one resource stand bare; those of others as `Elsewhere`. The nth event of a
stream is recorded at `at(n)`, so that a row's times say which events made it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from metacortex.commands.registry import STREAM_OF
from metacortex.events import codec
from metacortex.events.record import EventRecord, Recorded
from metacortex.kernel.decider import Elsewhere
from metacortex.queries.registry import PROJECTIONS

OWN = UUID("0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a01")
WORKSPACE = UUID(int=99)
_FIRST = datetime(2026, 11, 23, 9, tzinfo=UTC)


def at(version: int) -> datetime:
    """Return when the event of a version was recorded."""
    return _FIRST + timedelta(minutes=version - 1)


def recorded(event: Any, version: int = 1, stream_id: UUID = OWN) -> Recorded[Any]:
    """Return an event with the record that would hold it."""
    name = codec.NAMES[type(event)]
    record = EventRecord(
        workspace_id=WORKSPACE,
        sequence=version,
        event_id=UUID(int=version),
        stream_type=STREAM_OF[type(event)],
        stream_id=stream_id,
        version=version,
        type=name,
        schema_version=codec.VERSIONS[name],
        recorded_at=at(version),
        actor_type="user",
        actor_id="user_me",
        command_id=UUID(int=version),
        command_type="task.edit",
        correlation_id="c",
        causation_id=None,
        data=codec.encode(event),
        context=b"{}",
        salt=b"",
        payload_hash=b"",
        leaf_hash=b"",
    )
    return codec.read(record)


@dataclass(frozen=True, slots=True)
class Given:
    """What happened; read back from disk, as the projector reads it."""

    events: tuple[Any, ...]

    def then(self, *rows: Any) -> None:
        """Expect exactly these rows, in the order in which they came to be."""
        assert list(self.rows().values()) == list(rows)

    def then_columns(self, **columns: Any) -> None:
        """Expect that the columns of the one row hold this, among others."""
        ((type, _),) = rows = self.rows()
        found = PROJECTIONS[type].columns(next(iter(rows.values())))
        assert {name: found[name] for name in columns} == columns

    def rows(self) -> Mapping[tuple[str, UUID], Any]:
        """Return the row of every stream."""
        rows: dict[tuple[str, UUID], Any] = {}
        for it in self.events:
            where = it if isinstance(it, Elsewhere) else Elsewhere(OWN, it)
            key = (STREAM_OF[type(where.event)], where.stream_id)
            row = rows.get(key)
            event = recorded(where.event, row.version + 1 if row else 1, key[1])
            rows[key] = PROJECTIONS[key[0]].project(row, event)
        return rows


def given(*events: Any) -> Given:
    """Begin a specification with what happened."""
    return Given(events)
