"""What must hold of a workspace at any moment, read from the tables themselves.

The tree is computed by the recursive definition of RFC 6962 section 2.1, not by the
code that keeps the frontier.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import bus, repository
from metacortex.commands.repository import Loaded
from metacortex.commands.tables import STATES
from metacortex.events import log, merkle
from metacortex.events.record import EventRecord, leaf_of, payload_hash
from metacortex.kernel.database import ReadConnection, WriteConnection
from metacortex.kernel.decider import Need
from metacortex.queries.fold import Fold
from metacortex.queries.projector import Projector
from metacortex.queries.registry import PROJECTIONS

EVERYTHING = 10**9  # more events than any workspace of a test has

States = dict[str, dict[UUID, repository.Stored]]


async def load(
    engine: AsyncEngine, workspace_id: UUID, needs: Sequence[Need]
) -> Loaded:
    """Return what the bus would load for these needs."""
    async with engine.begin() as opened:
        connection = WriteConnection(ReadConnection(opened))
        return await repository.load(
            connection, [workspace_id], [], [(workspace_id, need) for need in needs]
        )


async def records(engine: AsyncEngine, workspace_id: UUID) -> list[EventRecord]:
    """Return the whole log of a workspace."""
    async with engine.connect() as opened:
        reader = ReadConnection(opened)
        return await log.read_range(reader, workspace_id, 1, EVERYTHING)


async def state_rows(engine: AsyncEngine, workspace_id: UUID) -> States:
    """Return every stored state of a workspace, read as the bus reads them."""
    found: States = {}
    for type, table in STATES.items():
        sql = text(
            f"SELECT {repository._STATES} FROM {table.name} s WHERE workspace_id = :w"
        )
        async with engine.connect() as connection:
            rows = await connection.scalar(sql, {"w": workspace_id})
        stored = [it for _, _, it in repository._parse(type, rows)]
        found[type] = {it.id: it for it in stored}
    return found


async def check(engine: AsyncEngine, workspace_id: UUID) -> int:
    """Assert every law of the write side; return the number of events."""
    found = await records(engine, workspace_id)
    loaded = await load(engine, workspace_id, [])
    _check_order(found)
    _check_hashes(found)
    head = loaded.heads[workspace_id]
    assert head.sequence == len(found)
    assert merkle.root(head.frontier) == tree([it.leaf_hash for it in found])
    assert not found or head.recorded_at == found[-1].recorded_at
    await _check_states(engine, workspace_id, found)
    return len(found)


def _check_order(found: Sequence[EventRecord]) -> None:
    assert [it.sequence for it in found] == list(range(1, len(found) + 1))
    times = [it.recorded_at for it in found]
    assert times == sorted(times)
    for stream in _streams(found).values():
        assert [it.version for it in stream] == list(range(1, len(stream) + 1))
    assert len({it.event_id for it in found}) == len(found)


def _check_hashes(found: Sequence[EventRecord]) -> None:
    for it in found:
        assert it.payload_hash == payload_hash(it.salt, it.data, it.context)
        assert it.leaf_hash == hashlib.sha256(b"\x00" + leaf_of(it)).digest()


async def _check_states(
    engine: AsyncEngine, workspace_id: UUID, found: Sequence[EventRecord]
) -> None:
    rows = await state_rows(engine, workspace_id)
    stored = {
        (type, id): it
        for type, of_type in rows.items()
        if type != "member"  # a member has no events
        for id, it in of_type.items()
    }
    assert stored == {key: bus.fold(its) for key, its in _streams(found).items()}


def _streams(
    found: Sequence[EventRecord],
) -> Mapping[tuple[str, UUID], list[EventRecord]]:
    streams = defaultdict[tuple[str, UUID], list[EventRecord]](list)
    for it in found:
        streams[it.stream_type, it.stream_id].append(it)
    return streams


def tree(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes: MTH of RFC 6962."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    below = tree(leaves[:split]) + tree(leaves[split:])
    return hashlib.sha256(b"\x01" + below).digest()


async def check_read_side(
    engine: AsyncEngine, projector: Projector, workspace_id: UUID
) -> None:
    """Assert that documents, columns and task log are those of a pure projection."""
    assert await projector.verify(workspace_id) == []
    folded = Fold({})
    for record in await records(engine, workspace_id):
        folded.apply(record)
    assert await shown(engine, workspace_id) == len(folded.log)
    for type in PROJECTIONS:
        rows = folded.table_rows(type)
        assert await _column_differences(engine, workspace_id, type, rows) == 0


async def shown(engine: AsyncEngine, workspace_id: UUID) -> int:
    """Return the sequence that the read tables show."""
    sql = text("SELECT sequence FROM queries.checkpoints WHERE workspace_id = :w")
    async with engine.connect() as connection:
        return await connection.scalar(sql, {"w": workspace_id}) or 0


async def _column_differences(
    engine: AsyncEngine, workspace_id: UUID, type: str, rows: Sequence[Any]
) -> int:
    """Count the rows that only one side has, whatever Postgres computes left out."""
    table = PROJECTIONS[type].table
    there = f"SELECT to_jsonb(t) - 'search' FROM {table} t WHERE workspace_id = :w"
    wanted = (
        "SELECT to_jsonb(r) - 'search'"
        f" FROM json_populate_recordset(NULL::{table}, CAST(:rows AS json)) r"
    )
    both = f"(({there}) EXCEPT ({wanted})) UNION (({wanted}) EXCEPT ({there}))"
    values = {"w": workspace_id, "rows": orjson.dumps(rows).decode()}
    async with engine.connect() as connection:
        sql = text(f"SELECT count(*) FROM ({both}) differs")
        return int(await connection.scalar(sql, values) or 0)
