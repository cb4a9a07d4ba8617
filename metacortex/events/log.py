"""The event log and the heads: append in batches, read by workspace and by stream.

A workspace has one row in `heads`. Its lock serialises the writes of the workspace, so
that sequences have no gaps and their order is the commit order
(docs/decisions/0001-workspace-log.md). The statement that appends takes the lock first
and appends nothing if a head has changed since it was read (compare-and-set). Nothing
in this module commits.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Index,
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
from metacortex.kernel.database import ReadConnection, Reader, Table

SCHEMA = "events"


class HeadTable(Table):
    """The state of a workspace's log after its last write.

    `write_count` is the number of write transactions, those without events included.
    """

    __tablename__ = "heads"
    __table_args__ = ({"schema": SCHEMA},)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    write_count: Mapped[int] = mapped_column(BigInteger)
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
        Index(  # the events of undos, which name what they undo
            "ix_log_cause",
            "workspace_id",
            "causation_id",
            "stream_id",
            postgresql_where=text("causation_id IS NOT NULL"),
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

NEW_HEADS = """
new_heads AS MATERIALIZED (
    SELECT *
    FROM json_to_recordset(CAST(:heads AS json)) AS head (
        workspace_id uuid,
        sequence bigint,
        write_count bigint,
        recorded_at timestamptz,
        frontier bytea,
        from_sequence bigint,
        from_frontier bytea
    )
)"""
"""CTE: the heads to write, with the sequence and the frontier that each was read with.

`:heads` is a JSON array of what `_head_row` in `commands/repository.py` returns.
"""

LOCKED_HEADS = """
locked_heads AS MATERIALIZED (
    SELECT head.workspace_id
    FROM events.heads head
    JOIN new_heads
      ON new_heads.workspace_id = head.workspace_id
     AND new_heads.write_count = head.write_count + 1
     AND new_heads.from_sequence = head.sequence
     AND new_heads.from_frontier = head.frontier
    ORDER BY head.workspace_id
    FOR UPDATE OF head
)"""
"""CTE: locks the heads that are unchanged since they were read, in order of their ids.

The write count shows writers that left receipts only. The frontier identifies the log:
after a restore or a fail-over another log may reach the same count, never the same
frontier. A row that another transaction is changing is waited for and then compared
as it is after that (read committed).
"""

STREAMS_ABSENT = """
NOT EXISTS (
    SELECT
    FROM json_to_recordset(CAST(:assumed_absent AS json))
      AS absent (workspace_id uuid, type text, id uuid)
    CROSS JOIN LATERAL (
        SELECT
        FROM events.log
        WHERE log.workspace_id = absent.workspace_id
          AND log.stream_id = absent.id
          AND log.version = 1
          AND log.stream_type = absent.type
        LIMIT 1
    ) first_event
)"""
"""Condition: none of the streams in the JSON array `:assumed_absent` exists."""


def guard(*conditions: str) -> str:
    """Return the CTE that decides whether a statement writes at all.

    It passes if all of `new_heads` are locked, and so unchanged, and the conditions
    hold. Every part that writes has `GUARD_PASSED` in its WHERE clause.
    """
    passed = " AND ".join(
        ("(SELECT count(*) FROM locked_heads) = count(*)", *conditions)
    )
    return f"""
guard AS MATERIALIZED (
    SELECT {passed} AS passed
    FROM new_heads
)"""


GUARD_PASSED = "(SELECT passed FROM guard)"

APPEND_EVENTS = f"""
INSERT INTO events.log ({_NAMES})
SELECT {_NAMES}
FROM json_populate_recordset(NULL::events.log, CAST(:log AS json))
WHERE {GUARD_PASSED}"""
"""Appends the rows of the JSON array `:log`; `data` and `context` keep their bytes."""

ADVANCE_HEADS = f"""
UPDATE events.heads head
SET sequence = new_heads.sequence,
    write_count = new_heads.write_count,
    recorded_at = new_heads.recorded_at,
    frontier = new_heads.frontier
FROM new_heads
WHERE head.workspace_id = new_heads.workspace_id
  AND {GUARD_PASSED}"""
"""Writes the new heads. Its row count is their number, or 0 if the guard failed."""

ENSURE_HEADS = text("""
INSERT INTO events.heads
    (workspace_id, sequence, write_count, recorded_at, frontier)
SELECT workspace_id, 0, 0, 'epoch', ''
FROM unnest(CAST(:workspaces AS uuid[])) workspace_id
ORDER BY workspace_id
ON CONFLICT DO NOTHING
""")
"""Creates the heads of new workspaces: FOR UPDATE can only lock rows that exist."""

_AS_READ = {
    "data": "coalesce(convert_to(data::text, 'UTF8'), '') AS data",
    "context": "coalesce(convert_to(context::text, 'UTF8'), '') AS context",
    "salt": "coalesce(salt, '') AS salt",
}
"""What was set to NULL is read as empty, and matches no hash."""

_SELECT = "SELECT " + ", ".join(_AS_READ.get(name, name) for name in COLUMNS)

_STREAM = text(f"""
{_SELECT}
FROM events.log
WHERE workspace_id = :workspace
  AND stream_id = :stream
  AND version > :after
  AND version <= :version
  AND stream_type = :type
  AND recorded_at <= :until
ORDER BY version
""")

_STREAMS = text(f"""
{_SELECT}
FROM events.log
WHERE workspace_id = :workspace
  AND stream_id = ANY (CAST(:streams AS uuid[]))
  AND stream_type = :type
ORDER BY sequence
""")

RANGE_PAGE = 500
"""Records of a range that are read at a time: they take 5 ms of the event loop."""

_RANGE = text(
    f"{_SELECT} FROM events.log"
    " WHERE workspace_id = :workspace AND sequence BETWEEN :first AND :last"
    " ORDER BY sequence"
)

READ_BYTES = 4 * 2**20
"""Of data and context in one reading; what is made of it takes seven times as much.

Two readings are in memory at a time, the next one while the last is written. The
event that reaches it is still read, so that there is always one.
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


def _plain(row: Iterable[Any]) -> EventRecord:
    """Return a record with ids that orjson takes: not of the driver's subclass."""
    record = EventRecord._make(row)
    return record._replace(
        workspace_id=UUID(bytes=record.workspace_id.bytes),
        event_id=UUID(bytes=record.event_id.bytes),
        stream_id=UUID(bytes=record.stream_id.bytes),
        command_id=UUID(bytes=record.command_id.bytes),
    )


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
    return [_plain(row) for row in await connection.execute(_STREAM, values)]


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
    return [_plain(row) for row in await connection.execute(_STREAMS, values)]


async def read_range(
    connection: ReadConnection, workspace_id: UUID, first: int, last: int
) -> list[EventRecord]:
    """Return a workspace's records from `first` to `last`, both included, by pages."""
    found: list[EventRecord] = []
    for at in range(first, last + 1, RANGE_PAGE):
        end = min(at + RANGE_PAGE - 1, last)
        values = {"workspace": workspace_id, "first": at, "last": end}
        found += map(_plain, await connection.execute(_RANGE, values))
        if len(found) <= end - first:  # sequences have no gaps: there are no more
            break
    return found


Place = tuple[UUID, int, str]
"""Stream, version and stream type: the position of `read_by_stream`."""

FIRST_PLACE: Place = (UUID(int=0), 0, "")


def place(record: EventRecord) -> Place:
    """Return a record's position in the order of `read_by_stream`."""
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
    return [
        EventRecord._make(row) for row in await connection.execute(_BY_STREAM, values)
    ]


async def read_after(
    reader: Reader,
    after: Sequence[tuple[UUID, int]],
    each: int,
) -> tuple[list[EventRecord], bool]:
    """Return up to `each` next records of every workspace, in order within each.

    Also whether that is all of them, or `READ_BYTES` were reached before. Their ids are
    as the driver makes them, which takes a tenth of the time: `str` is their JSON.
    """
    values = {
        "workspaces": [workspace for workspace, _ in after],
        "after": [sequence for _, sequence in after],
        "each": each,
        "bytes": READ_BYTES,
    }
    records = [EventRecord._make(row) for row in await reader.rows(_AFTER, values)]
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
    found = [EventRecord._make(row) for row in await connection.execute(_AFTER, values)]
    return [record for record in found if record.sequence <= last]


_HEAD = text("SELECT sequence FROM events.heads WHERE workspace_id = :workspace")


async def head_sequence(connection: ReadConnection, workspace_id: UUID) -> int:
    """Return the sequence of a workspace's last event; 0 if there is none."""
    found = await connection.scalar(_HEAD, {"workspace": workspace_id})
    return found or 0
