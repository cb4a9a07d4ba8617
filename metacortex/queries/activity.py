"""The task log: one row per event of any resource, with what lists filter by.

What histories, the change feed, server-sent events and the audit list are read from; it
moves with the read tables, so that all of them show the same sequence. What else they
show of an event is put together from its record (queries/event_documents.py).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import BigInteger, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from metacortex.events.record import EventRecord
from metacortex.kernel.database import Reader, Table
from metacortex.queries import event_documents
from metacortex.queries.mending import differs
from metacortex.queries.page import COUNT_LIMIT, Filters, ListQuery, Sort
from metacortex.queries.registry import PROJECTIONS
from metacortex.queries.tables import INSTANT, SCHEMA

_NAMED_APART = "correlation_id IS DISTINCT FROM request_id"
"""Whether a client has named what belongs together: else the request's name says it."""
_CORRELATED = (
    "((request_id = CAST(:correlation_id AS text) AND correlation_id = request_id) OR"
    f" (correlation_id = CAST(:correlation_id AS text) AND {_NAMED_APART}))"
)


class ActivityTable(Table):
    """The log as people read it."""

    __tablename__ = "activity"
    __table_args__ = (
        Index("ix_activity_stream", "workspace_id", "stream_id", "sequence"),
        # ids that no two workspaces share are found without the workspace
        Index("ix_activity_event", "event_id"),
        Index("ix_activity_command", "command_id"),
        Index("ix_activity_type", "workspace_id", "type", "sequence"),
        Index(
            "ix_activity_stream_type",
            "workspace_id",
            "stream_type",
            "sequence",
            postgresql_where=text("stream_type <> 'task'"),
        ),
        Index("ix_activity_actor", "workspace_id", "actor_id", "sequence"),
        Index(
            "ix_activity_correlation",
            "workspace_id",
            "correlation_id",
            postgresql_where=text(_NAMED_APART),
        ),
        Index("ix_activity_request", "workspace_id", "request_id"),
        {"schema": SCHEMA},
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    event_id: Mapped[UUID]
    stream_type: Mapped[str] = mapped_column(Text)
    stream_id: Mapped[UUID]
    type: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[str] = mapped_column(Text)
    command_id: Mapped[UUID]
    correlation_id: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(INSTANT)


TABLE = "queries.activity"


_NAMES = ActivityTable.__table__.columns.keys()
_OTHERWISE = {"request_id": "context ->> 'request_id'"}
"""What is no column of the log."""

INSERT = f"""INSERT INTO {TABLE} ({", ".join(_NAMES)})
SELECT l.* FROM unnest(CAST(:workspaces AS uuid[]), CAST(:begins AS bigint[]),
CAST(:sequences AS bigint[])) AS n(w, b, s) CROSS JOIN LATERAL (SELECT
{", ".join(f"{_OTHERWISE.get(it, it)} AS {it}" for it in _NAMES)}
FROM events.log WHERE workspace_id = w AND sequence > b AND sequence <= s
ORDER BY sequence) l"""
"""Writes the rows of the events after `:begins`, up to `:sequences`."""

MEND = f"""{INSERT} WHERE {differs(TABLE, "l", _NAMES, ("workspace_id", "sequence"))}
ON CONFLICT (workspace_id, sequence) DO UPDATE SET
{", ".join(f"{it} = excluded.{it}" for it in _NAMES)}"""
"""Does so where they are not there, or not as they should be."""


def lines(records: Sequence[EventRecord]) -> list[Mapping[str, Any]]:
    """Return the rows of events."""
    context = "request_id"
    return [
        {
            name: (
                orjson.loads(it.context)[name] if name == context else getattr(it, name)
            )
            for name in _NAMES
        }
        for it in records
    ]


def _last(by: str) -> str:
    """Return the SQL of the last sequence that was recorded by a time, 0 for none.

    Sequences have no gaps and times never go back, so halving finds it in the key.
    """
    return f"""(WITH RECURSIVE halves(low, high) AS (SELECT 0::bigint, coalesce((SELECT
        sequence FROM queries.checkpoints WHERE workspace_id = :workspace), 0)
        UNION ALL SELECT CASE WHEN l.by_then THEN m.middle ELSE h.low END,
        CASE WHEN l.by_then THEN h.high ELSE m.middle - 1 END FROM halves h
        CROSS JOIN LATERAL (SELECT (h.low + h.high + 1) / 2 AS middle) m
        CROSS JOIN LATERAL (SELECT recorded_at {by} AS by_then FROM queries.activity
        WHERE workspace_id = :workspace AND sequence = m.middle) l WHERE h.low < h.high)
        SELECT low FROM halves WHERE low >= high)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListActivity(ListQuery):
    """Events of a workspace, newest first, as people read them."""

    stream_id: UUID | None = None
    command_id: UUID | None = None
    correlation_id: str | None = None
    request_id: str | None = None
    stream_type: Sequence[str] = ()
    type: Sequence[str] = ()
    actor_id: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    table = TABLE
    reads = "p.workspace_id, p.sequence"
    document = event_documents.of_row("")
    count_limit = COUNT_LIMIT
    key = "sequence"
    key_type = "bigint"
    sorts = {"sequence": Sort("sequence", "bigint")}
    default_sort = ("-sequence",)

    def kept_total(self, columns: Collection[str], where: str) -> str | None:
        """Return how many events are shown, where all of them are."""
        if columns:
            return None
        return (
            f"SELECT coalesce(max(sequence), 0) FROM queries.checkpoints WHERE {where}"
        )

    def filters(self) -> Filters:
        """Return the conditions of this list."""
        found = Filters().by_columns(ActivityTable, self, correlation_id=None)
        if self.correlation_id is not None:
            found.add(_CORRELATED, correlation_id=self.correlation_id)
        if self.since:
            found.add(f"sequence > {_last('< :since')}", since=self.since)
        if self.until:
            found.add(f"sequence <= {_last('<= :until')}", until=self.until)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRecords(ListActivity):
    """The same list for auditors: each event with its leaf and its hashes."""

    document = event_documents.of_row(
        " || ',\"schema_version\":' || l.schema_version"
        " || ',\"data\":' || coalesce(l.data::text, 'null')"
        " || ',\"context\":' || coalesce(l.context::text, 'null')"
        " || ',\"salt\":' || coalesce('\"' || encode(l.salt, 'hex') || '\"', 'null')"
        " || ',\"payload_hash\":\"' || encode(l.payload_hash, 'hex')"
        " || '\",\"leaf_hash\":\"' || encode(l.leaf_hash, 'hex') || '\"'"
    )
    event_id: UUID | None = None


_AS_IT_IS = " ".join(
    f"WHEN '{type}' THEN (SELECT document::text FROM {projection.table} r"
    " WHERE r.workspace_id = :workspace AND r.id = stream_id)"
    for type, projection in PROJECTIONS.items()
)

_CHANGES = text(f"""WITH moved AS (SELECT sequence, stream_type, stream_id
    FROM queries.activity WHERE workspace_id = :workspace AND sequence > :since
    ORDER BY sequence LIMIT :limit), latest AS (SELECT stream_type, stream_id,
    max(sequence) AS sequence FROM moved GROUP BY 1, 2)
    SELECT (SELECT sequence FROM queries.checkpoints
    WHERE workspace_id = :workspace), (SELECT max(sequence) FROM moved),
    (SELECT string_agg('{{"type":"' || stream_type || '","id":"' || stream_id
    || '","sequence":' || sequence || ',"data":' || CASE stream_type
    {_AS_IT_IS} END || '}}', ',' ORDER BY sequence) FROM latest)""")


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """Resources that changed, each as it is now; ask again from `next_since`."""

    sequence: int
    next_since: int
    documents: bytes

    @property
    def more(self) -> bool:
        """Whether another request finds something already."""
        return self.next_since < self.sequence


async def changes_since(
    reader: Reader, workspace_id: UUID, since: int, limit: int
) -> ChangesPage:
    """Return what changed in the next `limit` events after a sequence."""
    values = {"workspace": workspace_id, "since": since, "limit": limit}
    sequence, last, documents = await reader.row(_CHANGES, values)
    shown = sequence or 0
    reached = last if last is not None else max(since, shown)
    return ChangesPage(shown, reached, (documents or "").encode())


_THIN = text(f"""SELECT a.sequence, a.type, json_build_object('event_id', a.event_id,
    'stream', json_build_object('type', a.stream_type, 'id', a.stream_id), 'version',
    l.version, 'sequence', a.sequence, 'actor_id', a.actor_id,
    'changed_fields', {event_documents.CHANGED_FIELDS})::text
    FROM queries.activity a JOIN events.log l USING (workspace_id, sequence)
    WHERE a.workspace_id = :workspace AND a.sequence > :after
    ORDER BY a.sequence LIMIT :limit""")


async def thin_after(
    reader: Reader, workspace_id: UUID, after: int, limit: int
) -> list[tuple[int, str, str]]:
    """Return sequence, type and a short JSON of the next events, for streams."""
    values = {"workspace": workspace_id, "after": after, "limit": limit}
    rows = await reader.rows(_THIN, values)
    return [(row[0], row[1], row[2]) for row in rows]
