"""What must hold of a workspace at any moment, read from the tables themselves.

The tree is computed by the recursive definition of RFC 6962 section 2.1, not by the
code that keeps the frontier; states and receipts are read with SQL of our own.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from pydantic import TypeAdapter
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import repository
from metacortex.commands.registry import DECIDERS
from metacortex.commands.repository import Loaded
from metacortex.commands.tables import STATES
from metacortex.events import codec, log, merkle
from metacortex.events.record import EventRecord, leaf_of, payload_hash
from metacortex.kernel.database import ReadConnection
from metacortex.kernel.decider import Need
from metacortex.kernel.ids import event_id
from metacortex.queries.fold import Fold, as_json
from metacortex.queries.projector import Projector
from metacortex.queries.registry import PROJECTIONS
from metacortex.queries.tables import ReadTable, is_written

EVERYTHING = 10**9  # more events than any workspace of a test has


class Row(NamedTuple):
    """A stream's state with what every state row has."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    state: Any


States = dict[str, dict[UUID, Row]]
Streams = Mapping[tuple[str, UUID], list[EventRecord]]

_META = TypeAdapter(tuple[UUID, int, datetime, datetime])


async def load(
    engine: AsyncEngine, workspace_id: UUID, needs: Sequence[Need]
) -> Loaded:
    """Return what the bus would load for these needs."""
    async with engine.begin() as opened:
        wanted = [(workspace_id, need) for need in needs]
        load = repository.load_statement([workspace_id], [], wanted)
        found = await opened.execute(load.statement, load.values)
        return load.loaded(found.one())


async def records(engine: AsyncEngine, workspace_id: UUID) -> list[EventRecord]:
    """Return the whole log of a workspace."""
    async with engine.connect() as opened:
        reader = ReadConnection(opened)
        return await log.read_range(reader, workspace_id, 1, EVERYTHING)


async def state_rows(engine: AsyncEngine, workspace_id: UUID) -> States:
    """Return every stored state of a workspace."""
    found: States = {}
    for type, table in STATES.items():
        adapter: TypeAdapter[Any] = TypeAdapter(table.state)
        sql = text(
            f"SELECT to_json(s)::text FROM {table.name} s WHERE workspace_id = :w"
        )
        async with engine.connect() as connection:
            rows = [
                orjson.loads(it)
                for it in await connection.scalars(sql, {"w": workspace_id})
            ]
        found[type] = {
            row.id: row
            for row in (_row(it, adapter.validate_python(it)) for it in rows)
        }
    return found


def _row(columns: Mapping[str, Any], state: Any) -> Row:
    names = ("id", "version", "created_at", "updated_at")
    return Row(*_META.validate_python([columns[name] for name in names]), state)


def fold(found: Sequence[EventRecord]) -> Row:
    """Return the state that a stream's records amount to, from its birth on."""
    state: Any = None
    for it in found:
        state = DECIDERS[it.stream_type].evolve(state, codec.read(it).event)
    first, last = found[0], found[-1]
    return Row(last.stream_id, last.version, first.recorded_at, last.recorded_at, state)


async def receipts(engine: AsyncEngine, workspace_id: UUID) -> dict[UUID, RowMapping]:
    """Return what a workspace keeps of every command, by its id."""
    sql = text("SELECT * FROM commands.receipts WHERE workspace_id = :w")
    async with engine.connect() as connection:
        rows = await connection.execute(sql, {"w": workspace_id})
        return {it["command_id"]: it for it in rows.mappings()}


async def head(engine: AsyncEngine, workspace_id: UUID) -> RowMapping:
    """Return the head row of a workspace that has one."""
    sql = text("SELECT * FROM events.heads WHERE workspace_id = :w")
    async with engine.connect() as connection:
        return (await connection.execute(sql, {"w": workspace_id})).mappings().one()


async def check(engine: AsyncEngine, workspace_id: UUID) -> int:
    """Assert every law of the write side; return the number of events."""
    found = await records(engine, workspace_id)
    top = await head(engine, workspace_id)
    _check_order(found)
    _check_hashes(found)
    assert top["sequence"] == len(found)
    frontier = merkle.split(top["frontier"])
    assert merkle.root(frontier) == tree([it.leaf_hash for it in found])
    assert not found or top["recorded_at"] == found[-1].recorded_at
    await _check_states(engine, workspace_id, found)
    _check_receipts(found, await receipts(engine, workspace_id))
    return len(found)


def _check_order(found: Sequence[EventRecord]) -> None:
    assert [it.sequence for it in found] == list(range(1, len(found) + 1))
    times = [it.recorded_at for it in found]
    assert times == sorted(times)
    for stream in streams(found).values():
        assert [it.version for it in stream] == list(range(1, len(stream) + 1))
    assert len({it.event_id for it in found}) == len(found)
    for it in found:
        if it.type == "task.completed":
            assert codec.read(it).event.completed_at.new == it.recorded_at


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
    assert stored == {key: fold(its) for key, its in streams(found).items()}
    for (type, _), row in stored.items():
        assert row.created_at <= row.updated_at
        if type == "task" and row.state.completed_at is not None:
            assert row.created_at <= row.state.completed_at <= row.updated_at


def _check_receipts(
    found: Sequence[EventRecord], kept: Mapping[UUID, RowMapping]
) -> None:
    """Every event is of one applied command, whose receipt names it, and no other.

    Each receipt has the time of its events, or one after the version that it names.
    """
    by_command = defaultdict[UUID, list[EventRecord]](list)
    for it in found:
        by_command[it.command_id].append(it)
    assert by_command.keys() == {
        id for id, receipt in kept.items() if receipt["outcome"] == "applied"
    }
    for id, its in by_command.items():
        first, last = kept[id]["first_sequence"], kept[id]["last_sequence"]
        assert [it.sequence for it in its] == list(range(first, last + 1))
        ids = [str(it.event_id) for it in its]
        assert ids == [event_id(id, n) for n in range(len(its))]
        assert {it.command_type for it in its} == {kept[id]["type"]}
        assert {it.recorded_at for it in its} == {kept[id]["recorded_at"]}
    of_stream = streams(found)
    for receipt in kept.values():
        if receipt["outcome"] == "unchanged" and receipt["version"]:
            stream = of_stream[receipt["stream_type"], UUID(str(receipt["stream_id"]))]
            seen = stream[receipt["version"] - 1]
            assert receipt["recorded_at"] >= seen.recorded_at


def streams(found: Sequence[EventRecord]) -> Streams:
    """Return the records of every stream, in order."""
    found_by_stream = defaultdict[tuple[str, UUID], list[EventRecord]](list)
    for it in found:
        found_by_stream[it.stream_type, it.stream_id].append(it)
    return found_by_stream


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
    log = await records(engine, workspace_id)
    for record in log:
        folded.apply(codec.read(record))
    assert await shown(engine, workspace_id) == len(log)
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
    columns = ReadTable.metadata.tables[table].columns
    computed = [it.name for it in columns if not is_written(it)]
    left_out = "".join(f" - '{name}'" for name in computed)
    there = f"SELECT to_jsonb(t){left_out} FROM {table} t WHERE workspace_id = :w"
    wanted = (
        f"SELECT to_jsonb(r){left_out}"
        f" FROM json_populate_recordset(NULL::{table}, CAST(:rows AS json)) r"
    )
    both = f"(({there}) EXCEPT ({wanted})) UNION (({wanted}) EXCEPT ({there}))"
    values = {"w": workspace_id, "rows": as_json(rows)}
    async with engine.connect() as connection:
        sql = text(f"SELECT count(*) FROM ({both}) differs")
        return int(await connection.scalar(sql, values) or 0)
