"""Reading a span of a log, in pages, and checking what can be told within it.

Runs in any process. Whatever is read in one span is of one snapshot.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from metacortex.audit_check.logs import BACKWARDS, Found, Part, Span
from metacortex.events import merkle
from metacortex.events.log import READ_BYTES, within_bytes
from metacortex.events.record import (
    LEAF_ALTERED,
    PAYLOAD_ALTERED,
    leaf,
    payload_hash,
)
from metacortex.kernel.clock import rfc3339

PAGE = 2_000  # events held in memory at a time, unless `READ_BYTES` are fewer

Arguments = Mapping[str, Any]
"""What the driver connects with; see `driver_arguments`."""


_COLUMNS = (
    "workspace_id, sequence, event_id, stream_type, stream_id, version, type,"
    " schema_version, recorded_at, actor_type, actor_id, command_id, command_type,"
    " correlation_id, causation_id, data, context, salt, payload_hash, leaf_hash"
)
_PAGE = f"SELECT {_COLUMNS} FROM " + within_bytes(
    f"(SELECT {_COLUMNS} FROM events.log WHERE workspace_id = $1"
    " AND sequence > $2 AND sequence <= $3 ORDER BY sequence LIMIT $4) l",
    "sequence",
    "$5",
)
_ORPHAN = (
    "SELECT min(k.sequence) FROM unnest($2::text[], $3::text[], $4::int[],"
    " $5::bigint[]) AS k(id, type, version, sequence) WHERE coalesce((SELECT l.sequence"
    " FROM events.log l WHERE l.workspace_id = $1 AND l.stream_id = k.id::uuid"
    " AND l.version = k.version - 1 AND l.stream_type = k.type LIMIT 1)"
    " >= k.sequence, true)"
)
_RECEIPT = (
    " FROM (SELECT * FROM events.log WHERE workspace_id = $1 AND sequence <= $2) l"
    " LEFT JOIN commands.receipts r ON r.workspace_id = $1"
    " AND r.command_id = l.command_id"
)
# a minimum, not the first in order: all rows are looked at, and none is the usual case
_MISNAMED = (
    f"SELECT min(l.sequence){_RECEIPT} WHERE NOT coalesce(r.outcome = 'applied'"
    " AND r.type = l.command_type AND r.actor_id = l.actor_id"
    " AND r.actor_type = l.actor_type"
    " AND l.sequence BETWEEN r.first_sequence AND r.last_sequence, false)"
)
_MISNAMED_HOW = (
    "SELECT l.command_id, r.command_id IS NULL,"
    " l.sequence BETWEEN r.first_sequence AND r.last_sequence,"
    f" r.first_sequence, r.last_sequence{_RECEIPT} WHERE l.sequence = $2"
)
_NAMING = (
    " FROM commands.receipts r WHERE workspace_id = $1"
    " AND (outcome = 'applied' OR coalesce(first_sequence, last_sequence) IS NOT NULL)"
)
_ODD = (
    "coalesce(outcome <> 'applied' OR first_sequence > last_sequence, true)"
    " OR last_sequence > (SELECT h.sequence FROM events.heads h"
    " WHERE h.workspace_id = $1)"
)
_NAMED = (
    "SELECT coalesce(sum(last_sequence - first_sequence + 1)"
    " FILTER (WHERE last_sequence <= $2), 0)::bigint,"
    f" coalesce(bool_or({_ODD}), false){_NAMING}"
)
_MISNAMING = (
    "SELECT coalesce(first_sequence, last_sequence, 0), command_id"
    f"{_NAMING} AND (last_sequence <= $2 OR {_ODD}) AND ({_ODD} OR (SELECT count(*)"
    " FROM events.log l WHERE l.workspace_id = $1 AND l.command_id = r.command_id"
    " AND l.sequence BETWEEN r.first_sequence AND r.last_sequence)"
    " < last_sequence - first_sequence + 1) ORDER BY 1 LIMIT 1"
)


@asynccontextmanager
async def connected(arguments: Arguments) -> AsyncIterator[Any]:
    """Give a connection of the driver's own, on which ids are texts."""
    connection = await asyncpg.connect(**arguments)
    try:
        await connection.set_type_codec(
            "uuid", schema="pg_catalog", encoder=str, decoder=str, format="text"
        )
        yield connection
    finally:
        await connection.close()


async def read(connection: Any, span: Span) -> Part:
    """Check what can be told of a span by itself; with the first, all receipts."""
    part = Part(span)
    streams = _Streams(whole=span.first == 1)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        done = span.first - 1
        while done < span.last and part.found is None:
            rows = await connection.fetch(
                _PAGE, span.workspace_id, done, span.last, PAGE, READ_BYTES
            )
            if not rows:
                part.note(_missing(done + 1, span))
                break
            _read_page(part, streams, rows)
            done = rows[-1]["sequence"]
        part.note(await streams.orphan(connection, span.workspace_id))
        if span.first == 1:
            part.of_receipts = await _receipts(connection, span)
    return part


def _missing(sequence: int, span: Span) -> Found:
    return Found(sequence, f"missing, though the head is at {span.head}")


def _read_page(part: Part, streams: "_Streams", rows: Sequence[Any]) -> None:
    leaves: list[bytes] = []
    sequence, before, written = part.span.first + part.events, part.ended, ""
    for row in rows:
        at = row[8]
        if row[1] != sequence:
            part.note(_missing(sequence, part.span))
            break
        if at != before or not written:  # events of a batch share their time
            written = rfc3339(at)
        what = _mismatch(row, written) or streams.wrong(row, sequence)
        if what is None and before is not None and at < before:
            what = BACKWARDS
        if what is not None:
            part.note(Found(sequence, what))
            break
        leaves.append(row[19])
        before = at
        sequence += 1
    part.began, part.ended = part.began or rows[0][8], before
    part.frontier = merkle.advance(part.events, part.frontier, leaves)
    part.events += len(leaves)


def _mismatch(row: Any, recorded_at: str) -> str | None:
    """Say which stored hash of a row differs from what its columns amount to."""
    data, context, salt, payload, hashed = row[15:20]
    if data is None or context is None or salt is None:
        return PAYLOAD_ALTERED
    if payload_hash(salt, data.encode(), context.encode()) != payload:
        return PAYLOAD_ALTERED
    if merkle.leaf_hash(leaf(row, payload, recorded_at)) != hashed:
        return LEAF_ALTERED
    return None


async def _receipts(connection: Any, span: Span) -> Found | None:
    """Compare a whole log with the receipts.

    Each event lies within what the receipt of its command names, and together they
    name as many events as there are: so each names precisely its own.
    """
    id, head = span.workspace_id, span.head
    await connection.execute("SET LOCAL statement_timeout = 0")  # of a long log
    sequence = await connection.fetchval(_MISNAMED, id, head)
    if sequence is not None:
        row = await connection.fetchrow(_MISNAMED_HOW, id, sequence)
        return Found(sequence, _misnamed(*row))
    named, odd = await connection.fetchrow(_NAMED, id, head)
    if named == head and not odd:
        return None
    row = await connection.fetchrow(_MISNAMING, id, head)
    if row is None:
        return Found(head, "receipts name more events than the log has")
    what = f"the receipt of command {row[1]} names events that it has not"
    return Found(row[0], what)


def _misnamed(
    id: str, missing: bool, within: bool | None, first: int | None, last: int | None
) -> str:
    if missing:
        return f"command {id} has no receipt"
    if within is False:
        return f"the receipt of command {id} names {first} to {last}"
    return f"the receipt of command {id} is of something else"


class _Streams:
    """Versions of the streams of a span, each one more than the one before.

    What a stream begins with in a span that is not the first is asked of the database.
    """

    def __init__(self, whole: bool) -> None:
        self._whole = whole
        self._versions: dict[tuple[str, str], int] = {}
        self._begun: list[tuple[str, str, int, int]] = []

    def wrong(self, row: Any, sequence: int) -> str | None:
        type, id, version = row[3:6]
        key = (type, id)
        before = self._versions.get(key, 0)
        self._versions[key] = version
        if version == before + 1:
            return None
        if before or self._whole:
            return f"version {version} of its stream follows version {before}"
        self._begun.append((id, type, version, sequence))
        return None

    async def orphan(self, connection: Any, workspace_id: UUID) -> Found | None:
        """Return the first event whose stream lacks the version before, if any."""
        if not self._begun:
            return None
        columns = [list(column) for column in zip(*self._begun, strict=True)]
        sequence = await connection.fetchval(_ORPHAN, workspace_id, *columns)
        what = "the version before its own is not in front of it"
        return None if sequence is None else Found(sequence, what)
