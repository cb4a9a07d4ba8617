"""Which workspaces there are to check, with a head or without."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from metacortex.audit_check.logs import Head

HEADS = 1_000  # read at a time


_HEAD_COLUMNS = (
    "h.sequence, h.recorded_at, h.frontier, (SELECT max(l.sequence) FROM events.log l"
    " WHERE l.workspace_id = k.id)"
)
_HEADS = (
    f"SELECT k.id, {_HEAD_COLUMNS} FROM unnest($1::text[]::uuid[]) k(id)"
    " LEFT JOIN events.heads h ON h.workspace_id = k.id ORDER BY k.id"
)
# one step of an index for each workspace that has events, with a head or without
_NEXT_IDS = (
    "WITH RECURSIVE w(id) AS ((SELECT workspace_id FROM events.log"
    " WHERE workspace_id > $1 ORDER BY workspace_id LIMIT 1) UNION ALL"
    " SELECT (SELECT l.workspace_id FROM events.log l WHERE l.workspace_id > w.id"
    " ORDER BY l.workspace_id LIMIT 1) FROM w WHERE w.id IS NOT NULL)"
    " SELECT id FROM ((SELECT id FROM w WHERE id IS NOT NULL LIMIT $2) UNION"
    " (SELECT workspace_id FROM events.heads WHERE workspace_id > $1"
    " ORDER BY workspace_id LIMIT $2)) a ORDER BY id LIMIT $2"
)
_COUNTS = "SELECT count(*), coalesce(sum(sequence), 0)::bigint FROM events.heads"
LATEST = (
    "SELECT workspace_id FROM events.heads WHERE sequence > 0"
    " ORDER BY recorded_at DESC LIMIT $1"
)
RANDOM = (
    "SELECT workspace_id FROM events.heads WHERE sequence > 0"
    " ORDER BY random() LIMIT $1"
)


class UnknownWorkspace(LookupError):
    """There is neither a head nor an event of a workspace that was named."""


async def amount(connection: Any, workspaces: Sequence[UUID]) -> tuple[int, int]:
    """Return how many workspaces and events there are to check."""
    if not workspaces:
        row = await connection.fetchrow(_COUNTS)
        return row[0], row[1]
    found = [head async for head in heads(connection, workspaces)]
    for head in found:
        if head.recorded_at is None and not head.newest:
            raise UnknownWorkspace(f"there is no workspace {head.workspace_id}")
    return len(found), sum(head.sequence for head in found)


async def heads(connection: Any, workspaces: Sequence[UUID]) -> AsyncIterator[Head]:
    """Yield the heads of some workspaces, or of all, also of logs without one."""
    if workspaces:
        ids = [str(id) for id in sorted(set(workspaces))]
        for row in await connection.fetch(_HEADS, ids):
            yield _head(row)
        return
    after = str(UUID(int=0))
    while ids := [row[0] for row in await connection.fetch(_NEXT_IDS, after, HEADS)]:
        for row in await connection.fetch(_HEADS, ids):
            yield _head(row)
        after = ids[-1]


def _head(row: Any) -> Head:
    id, sequence, recorded_at, frontier, newest = row
    return Head(UUID(id), sequence or 0, recorded_at, frontier or b"", newest or 0)
