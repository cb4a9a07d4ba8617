"""The log and the heads: append in batches, read by workspace and by stream.

One head row per workspace: its lock orders the workspace's writes, so that sequences
are gapless and their order is the commit order (docs/decisions/0001-workspace-log.md).
What appends takes that lock first, in the same statement; nothing here commits.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from metacortex.events.record import EventRecord
from metacortex.kernel.database import ReadConnection, Reads, Table

SCHEMA = "events"


class HeadTable(Table):
    """How far a workspace's log has come; `turn` counts its write transactions."""

    __tablename__ = "heads"
    __table_args__ = ({"schema": SCHEMA},)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    turn: Mapped[int] = mapped_column(BigInteger)
    recorded_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    frontier: Mapped[bytes] = mapped_column(LargeBinary)


class LogTable(Table):
    """The event records, append-only by triggers and by grants."""

    __tablename__ = "log"
    __table_args__ = (
        UniqueConstraint(
            "workspace_id",
            "stream_id",
            "version",
            "stream_type",
            name="uq_log_stream_version",
        ),
        {"schema": SCHEMA},
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    event_id: Mapped[UUID]
    stream_type: Mapped[str] = mapped_column(Text)
    stream_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(Integer)
    type: Mapped[str] = mapped_column(Text)
    schema_version: Mapped[int] = mapped_column(SmallInteger)
    recorded_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    actor_type: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[str] = mapped_column(Text)
    command_id: Mapped[UUID]
    command_type: Mapped[str] = mapped_column(Text)
    correlation_id: Mapped[str] = mapped_column(Text)
    causation_id: Mapped[str | None] = mapped_column(Text)
    data: Mapped[Any | None] = mapped_column(JSON)
    context: Mapped[Any | None] = mapped_column(JSON)
    salt: Mapped[bytes | None] = mapped_column(LargeBinary)
    payload_hash: Mapped[bytes] = mapped_column(LargeBinary)
    leaf_hash: Mapped[bytes] = mapped_column(LargeBinary)


COLUMNS = tuple(LogTable.__table__.columns.keys())

_NAMES = ", ".join(COLUMNS)

HELD = (
    "n AS MATERIALIZED (SELECT * FROM json_to_recordset(CAST(:heads AS json))"
    " AS n(workspace_id uuid, sequence bigint, turn bigint, recorded_at timestamptz,"
    " frontier bytea, from_sequence bigint, from_frontier bytea)),"
    " held AS MATERIALIZED (SELECT h.workspace_id FROM events.heads h"
    " JOIN n ON n.workspace_id = h.workspace_id AND n.turn = h.turn + 1"
    " AND n.from_sequence = h.sequence AND n.from_frontier = h.frontier"
    " ORDER BY h.workspace_id FOR UPDATE OF h),"
    " unmoved AS MATERIALIZED (SELECT (SELECT count(*) FROM held) = count(*){} AS yes"
    " FROM n)"
)
"""Locks the heads of `:heads`: JSON rows of what they become, and of what they were.

`UNMOVED` is true if nobody else took a turn, and the log is the one that was read: a
log that went back and was continued may have the same turn, never the same frontier.
A row that another transaction changes meanwhile is waited for and looked at again, as
it then is (read committed). There is room for further conditions.
"""

UNBORN = (
    " AND NOT EXISTS (SELECT FROM json_to_recordset(CAST(:unborn AS json))"
    " AS u(workspace uuid, type text, id uuid) CROSS JOIN LATERAL"
    " (SELECT FROM events.log l WHERE l.workspace_id = u.workspace"
    " AND l.stream_id = u.id AND l.version = 1 AND l.stream_type = u.type LIMIT 1) s)"
)
"""True if none of the streams `:unborn` exists."""

UNMOVED = "(SELECT yes FROM unmoved)"

APPEND = (
    f"INSERT INTO events.log ({_NAMES}) SELECT {_NAMES} FROM"
    " json_populate_recordset(NULL::events.log, CAST(:log AS json))"
    f" WHERE {UNMOVED}"
)
"""One multi-row insert; `:log` is a JSON array of rows, so that bytes stay as sent."""

ADVANCE = (
    "UPDATE events.heads h SET sequence = n.sequence, turn = n.turn,"
    " recorded_at = n.recorded_at, frontier = n.frontier"
    f" FROM n WHERE h.workspace_id = n.workspace_id AND {UNMOVED}"
)

ENSURE = text(
    "INSERT INTO events.heads (workspace_id, sequence, turn, recorded_at, frontier)"
    " SELECT w, 0, 0, 'epoch', '' FROM unnest(CAST(:workspaces AS uuid[])) w"
    " ORDER BY w ON CONFLICT DO NOTHING"
)
"""Give new workspaces an empty head, before any transaction locks one."""

_SELECT = "SELECT " + ", ".join(
    f"{name}::text AS {name}" if name in ("data", "context") else name
    for name in COLUMNS
)

_STREAM = text(
    f"{_SELECT} FROM events.log WHERE workspace_id = :workspace"
    " AND stream_id = :stream AND version > :after AND version <= :version"
    " AND stream_type = :type AND recorded_at <= :until ORDER BY version"
)

_STREAMS = text(
    f"{_SELECT} FROM events.log WHERE workspace_id = :workspace"
    " AND stream_id = ANY (CAST(:streams AS uuid[])) AND stream_type = :type"
    " ORDER BY sequence"
)

_RANGE = text(
    f"{_SELECT} FROM events.log WHERE workspace_id = :workspace"
    " AND sequence BETWEEN :first AND :last ORDER BY sequence"
)

READ_BYTES = 16 * 2**20
"""Of data and context in one reading; what is made of it takes seven times as much.

The event that reaches it is still read, so that there is always one.
"""


def within_bytes(source: str, order: str, limit: str = ":bytes") -> str:
    """Return a sub-select of the rows of `source` that begin before so many bytes."""
    size = "octet_length(data::text) + octet_length(context::text)"
    return (
        f"(SELECT *, sum({size}) OVER (ORDER BY {order} ROWS BETWEEN UNBOUNDED"
        f" PRECEDING AND 1 PRECEDING) AS before FROM {source}) b"
        f" WHERE coalesce(before, 0) < {limit} ORDER BY {order}"
    )


_BY_STREAM_ORDER = "stream_id, version, stream_type"
_BY_STREAM = text(
    f"{_SELECT} FROM "
    + within_bytes(
        "(SELECT * FROM events.log WHERE workspace_id = :workspace AND"
        f" ({_BY_STREAM_ORDER}) > (:stream, :version, :type)"
        f" AND sequence <= :last ORDER BY {_BY_STREAM_ORDER} LIMIT :limit) l",
        _BY_STREAM_ORDER,
    )
)

# the first of every workspace, then the second of every one: none waits for another's
# backlog; event ids are as good as random, so that no workspace is always the last
_AFTER = text(
    f"{_SELECT} FROM "
    + within_bytes(
        "(SELECT l.*, l.sequence - k.s AS place"
        " FROM unnest(CAST(:workspaces AS uuid[]), CAST(:after AS bigint[]))"
        " AS k(w, s) CROSS JOIN LATERAL (SELECT * FROM events.log l"
        " WHERE l.workspace_id = k.w AND l.sequence > k.s"
        " ORDER BY l.sequence LIMIT :each) l) r",
        "place, event_id",
    )
)

ANY_VERSION = 2**31 - 1  # the column's largest
ANY_TIME = datetime(9998, 12, 31, tzinfo=UTC)


_UUIDS = ("workspace_id", "event_id", "stream_id", "command_id")


def _record(row: Iterable[Any]) -> EventRecord:
    values = dict(zip(COLUMNS, row, strict=True))
    for name in ("data", "context"):  # what was set to NULL matches no hash
        values[name] = (values[name] or "").encode()
    values["salt"] = values["salt"] or b""
    for name in _UUIDS:  # the driver's own class is one that orjson does not write
        values[name] = UUID(bytes=values[name].bytes)
    return EventRecord(**values)


async def read_stream(
    connection: ReadConnection,
    workspace_id: UUID,
    stream_type: str,
    stream_id: UUID,
    *,
    after: int = 0,
    version: int = ANY_VERSION,
    until: datetime | None = None,
) -> list[EventRecord]:
    """Return a stream's records between versions, up to an instant, in order."""
    values = {
        "workspace": workspace_id,
        "stream": stream_id,
        "type": stream_type,
        "after": after,
        "version": version,
        "until": until or ANY_TIME,
    }
    return [_record(row) for row in await connection.execute(_STREAM, values)]


async def read_streams(
    connection: ReadConnection,
    workspace_id: UUID,
    stream_type: str,
    stream_ids: Iterable[UUID],
) -> list[EventRecord]:
    """Return the records of some streams, in order."""
    values = {
        "workspace": workspace_id,
        "streams": list(stream_ids),
        "type": stream_type,
    }
    return [_record(row) for row in await connection.execute(_STREAMS, values)]


async def read_range(
    connection: ReadConnection, workspace_id: UUID, first: int, last: int
) -> list[EventRecord]:
    """Return a workspace's records from `first` to `last`, both included, in order."""
    values = {"workspace": workspace_id, "first": first, "last": last}
    return [_record(row) for row in await connection.execute(_RANGE, values)]


Place = tuple[UUID, int, str]
"""Stream, version and stream type: where a reading by streams has come to."""

FIRST_PLACE: Place = (UUID(int=0), 0, "")


def place(record: EventRecord) -> Place:
    """Return where a record stands in a reading by streams."""
    return record.stream_id, record.version, record.stream_type


async def read_by_stream(
    connection: ReadConnection, workspace_id: UUID, last: int, after: Place, limit: int
) -> list[EventRecord]:
    """Return the next records up to the sequence `last`, stream after stream.

    At most `limit`, and none after `READ_BYTES`.
    """
    values = {
        "workspace": workspace_id,
        "last": last,
        "limit": limit,
        "bytes": READ_BYTES,
        **dict(zip(("stream", "version", "type"), after, strict=True)),
    }
    return [_record(row) for row in await connection.execute(_BY_STREAM, values)]


async def read_after(
    reads: Reads,
    after: Sequence[tuple[UUID, int]],
    each: int,
) -> tuple[list[EventRecord], bool]:
    """Return up to `each` next records of every workspace, in order within each.

    Also whether that is all of them, or `READ_BYTES` were reached before.
    """
    values = {
        "workspaces": [workspace for workspace, _ in after],
        "after": [sequence for _, sequence in after],
        "each": each,
        "bytes": READ_BYTES,
    }
    records = [_record(row) for row in await reads.rows(_AFTER, values)]
    size = sum(len(record.data) + len(record.context) for record in records)
    return records, size < READ_BYTES


async def read_on(
    connection: ReadConnection, workspace_id: UUID, after: int, last: int, limit: int
) -> list[EventRecord]:
    """Return the next records up to the sequence `last`, in order.

    At most `limit`, and none after `READ_BYTES`.
    """
    values = {
        "workspaces": [workspace_id],
        "after": [after],
        "each": min(limit, max(0, last - after)),
        "bytes": READ_BYTES,
    }
    found = [_record(row) for row in await connection.execute(_AFTER, values)]
    return [record for record in found if record.sequence <= last]
