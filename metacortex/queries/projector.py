"""The checkpointed projector: exactly-once effects, however often it is called.

A turn locks the checkpoints of the workspaces it can get, reads their next events in
one query, folds them with the pure `project`, writes each table with one statement and
moves the checkpoints in the same transaction. Afterwards, holding no lock, it compares
heads and checkpoints once more: whoever skipped a locked workspace relies on that look
(docs/decisions/0006-projector.md). Only the projector commits on the read side.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
import structlog
from prometheus_client import Histogram
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.events import log, merkle
from metacortex.events.record import EventRecord, mismatch
from metacortex.kernel import tracing
from metacortex.kernel.database import DriverConnection, ReadConnection, driver_pool
from metacortex.kernel.driver_errors import meaning, sqlstate
from metacortex.queries import activity, fold
from metacortex.queries import verify as verification
from metacortex.queries.activity import ActivityTable
from metacortex.queries.fold import Fold
from metacortex.queries.registry import PROJECTIONS
from metacortex.queries.tables import KEPT
from metacortex.queries.verify import Progress, no_progress, written_columns

logger = structlog.get_logger(__name__)

BATCH = Histogram(
    "metacortex_projector_batch_events",
    "Events that one projector transaction applied",
    buckets=(1, 5, 10, 50, 100, 500, 1_000, 2_000),
)
REBUILD_CHUNK = 5_000  # events held in memory at a time while a workspace is rebuilt
ERROR_LIMIT = 2_000  # characters of an error that a checkpoint keeps

_CREATE = text(
    "INSERT INTO queries.checkpoints (workspace_id, sequence)"
    " SELECT w, 0 FROM unnest(CAST(:workspaces AS uuid[])) w"
    " WHERE NOT EXISTS (SELECT 1 FROM queries.checkpoints WHERE workspace_id = w)"
    " ORDER BY w ON CONFLICT DO NOTHING"
)
_LOCK = text(
    "SELECT workspace_id, sequence, coalesce((SELECT h.sequence FROM events.heads h"
    " WHERE h.workspace_id = c.workspace_id), 0) FROM queries.checkpoints c"
    " WHERE workspace_id = ANY (CAST(:workspaces AS uuid[])) AND parked_at IS NULL"
    " ORDER BY workspace_id FOR UPDATE OF c SKIP LOCKED"
)
_LOCK_ONE = text(
    "SELECT sequence FROM queries.checkpoints WHERE workspace_id = :workspace"
    " FOR UPDATE"
)
_HEAD = text(
    "SELECT sequence, frontier FROM events.heads WHERE workspace_id = :workspace"
)
_MOVE = (
    "UPDATE queries.checkpoints c SET sequence = n.s FROM"
    " unnest(CAST(:workspaces AS uuid[]), CAST(:sequences AS bigint[])) AS n(w, s)"
    " WHERE c.workspace_id = n.w"
)
_PARK = text(
    "INSERT INTO queries.checkpoints AS c (workspace_id, sequence, parked_at, error)"
    " VALUES (:workspace, :sequence, now(), :error) ON CONFLICT (workspace_id)"
    " DO UPDATE SET parked_at = excluded.parked_at, error = excluded.error"
    " WHERE c.sequence = excluded.sequence AND c.parked_at IS NULL"
)
_BEGIN_ANEW = text(
    "UPDATE queries.checkpoints SET sequence = 0, rebuilds = rebuilds + 1,"
    " parked_at = NULL, error = NULL WHERE workspace_id = :workspace"
)
_UNPARK = text(
    "UPDATE queries.checkpoints SET parked_at = NULL, error = NULL"
    " WHERE workspace_id = :workspace AND parked_at IS NOT NULL"
)
_PARKED = text(
    "SELECT error FROM queries.checkpoints"
    " WHERE workspace_id = :workspace AND parked_at IS NOT NULL"
)
_BEHIND = text(
    "SELECT h.workspace_id FROM events.heads h LEFT JOIN queries.checkpoints c"
    " USING (workspace_id) WHERE h.sequence > coalesce(c.sequence, 0)"
    " AND c.parked_at IS NULL AND (CAST(:workspaces AS uuid[]) IS NULL"
    " OR h.workspace_id = ANY (CAST(:workspaces AS uuid[])))"
    " ORDER BY h.workspace_id LIMIT :limit"
)

_ABOUT_VALUES = ("22", "23", "54")  # bad data, violated constraints, too much of it
BEHIND_LIMIT = 1_000  # workspaces a sweep names at once; the next sweep names more


class Gap(Exception):
    """An event is missing in a log: nothing goes on as if it had not been there."""


class Altered(Exception):
    """The log is not what was appended; the message says where, and what differs."""


class Parked(Exception):
    """The workspace stopped at the same event again; the message is the error's."""


class Poisoned(Exception):
    """What follows a checkpoint cannot be applied, whoever tries; the cause says why.

    It need not be the first event after it, nor of this workspace, unless one event of
    one workspace was tried.
    """

    def __init__(self, workspace_id: UUID, sequence: int) -> None:
        super().__init__(workspace_id, sequence)
        self.workspace_id = workspace_id
        self.sequence = sequence


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn did: events applied, and workspaces that have more."""

    events: int
    behind: Sequence[UUID]


class Projector:
    """Moves read tables on; any number of these may run at once."""

    def __init__(
        self, engine: AsyncEngine, *, batch: int = 2000, turn_s: float = 0.25
    ) -> None:
        self._engine = engine
        self._direct = driver_pool(engine)
        self._batch = batch
        self._turn_s = turn_s

    async def turn(self, workspaces: Iterable[UUID]) -> Turn:
        """Catch up for at most the turn's length, so that others get theirs."""
        behind = sorted(set(workspaces))
        until = time.monotonic() + self._turn_s
        events = 0
        while behind:
            done = await self._step(behind)
            events += done
            behind = await self.behind(behind)
            if time.monotonic() >= until or not done:
                break
        return Turn(events, behind)

    async def behind(
        self, workspaces: Sequence[UUID] | None = None, limit: int = BEHIND_LIMIT
    ) -> list[UUID]:
        """Return workspaces whose head is beyond their checkpoint, parked ones not."""
        values = {
            "workspaces": None if workspaces is None else list(workspaces),
            "limit": limit,
        }
        return [row[0] for row in await self._direct.rows(_BEHIND, values)]

    async def _step(self, workspaces: Sequence[UUID]) -> int:
        """Apply one batch of each workspace; find the guilty one if that fails."""
        try:
            return await self._apply(workspaces, self._batch)
        except Poisoned:
            if len(workspaces) > 1:
                return sum([await self._step([one]) for one in workspaces])
            return await self._one_by_one(workspaces[0])

    async def _one_by_one(self, workspace_id: UUID) -> int:
        """Apply single events up to the one that cannot be, and park there."""
        applied = 0
        while True:
            try:
                done = await self._apply([workspace_id], 1)
            except Poisoned as poisoned:
                await self._park(poisoned)
                return applied
            applied += done
            if not done:
                return applied

    async def _apply(self, workspaces: Sequence[UUID], batch: int) -> int:
        if tracing.tracer is None:
            return len(await self._applied(workspaces, batch))
        began_ns = time.time_ns()
        records = await self._applied(workspaces, batch)
        tracing.projected(began_ns, records)
        return len(records)

    async def _applied(
        self, workspaces: Sequence[UUID], batch: int
    ) -> Sequence[EventRecord]:
        """Apply the next events of workspaces in one transaction; return them."""
        async with self._direct.begin() as direct:
            locked = await self._locked(direct, workspaces)
            if not locked:
                return ()
            each = max(1, batch // len(locked))
            after = [(id, sequence) for id, sequence, _ in locked]
            records, all_read = await log.read_after(direct, after, each)
            try:
                reached = _reached(after, records)
                for id, sequence, head in locked if all_read else ():
                    _check_end(reached[id], min(head, sequence + each), head)
                await self._write(direct, records)
            except Exception as error:
                if _is_about_the_events(error):
                    raise Poisoned(*after[0]) from error
                raise
            BATCH.observe(len(records))
            return records

    async def _locked(
        self, direct: DriverConnection, workspaces: Sequence[UUID]
    ) -> list[tuple[UUID, int, int]]:
        """Lock the checkpoints that nobody holds; make those that are missing.

        Return them with their sequences, and those of the heads.
        """
        values = {"workspaces": list(workspaces)}
        found = await direct.rows(_LOCK, values)
        if len(found) < len(workspaces):
            await direct.write(_CREATE, values)
            found = await direct.rows(_LOCK, values)
        return [(row[0], row[1], row[2]) for row in found]

    async def _write(
        self, direct: DriverConnection, records: Sequence[EventRecord]
    ) -> None:
        if not records:
            return
        folded = await _folded(direct, records)
        reached = {record.workspace_id: record.sequence for record in records}
        await _save(direct, folded, reached)

    async def _park(self, poisoned: Poisoned) -> None:
        """Stop a workspace at an event that cannot be applied; others go on.

        Unless somebody has got past it meanwhile, as a later release does.
        """
        cause = poisoned.__cause__
        values = {
            "workspace": poisoned.workspace_id,
            "sequence": poisoned.sequence,
            "error": repr(cause)[:ERROR_LIMIT],
        }
        if await self._direct.write(_PARK, values):
            workspace = str(poisoned.workspace_id)
            logger.error("workspace_parked", workspace_id=workspace, exc_info=cause)

    async def retry(self, workspace_id: UUID) -> int:
        """Let a parked workspace go on for a turn. Raises Parked if it cannot."""
        own = {"workspace": workspace_id}
        await self._direct.write(_UNPARK, own)
        turn = await self.turn([workspace_id])
        if (row := await self._direct.row(_PARKED, own)) is not None:
            raise Parked(row[0])
        return turn.events

    async def rebuild(
        self, workspace_id: UUID, progress: Progress = no_progress
    ) -> int:
        """Fold a workspace again from its first event; readers see all or nothing.

        Also what brings a parked workspace back. Returns the number of events, and
        `progress` hears of events done and events in all. Raises Gap where the log
        lacks one and Altered where it is not what was appended, with everything left as
        it was.
        """
        total, edge = 0, list[bytes]()
        own = {"workspace": workspace_id}
        async with self._direct.begin() as direct:
            await direct.write(_CREATE, {"workspaces": [workspace_id]})
            await direct.rows(_LOCK_ONE, own)
            for table in _tables():
                await direct.write(_delete(table), own)
            await direct.write(_BEGIN_ANEW, own)
            head, frontier = await direct.row(_HEAD, own) or (0, b"")
            while records := (
                await log.read_after(direct, [(workspace_id, total)], REBUILD_CHUNK)
            )[0]:
                reached = _reached([(workspace_id, total)], records)
                leaves = [it.leaf_hash for it in records if it.sequence <= head]
                edge = merkle.advance(total, edge, leaves)
                await self._write(direct, records)
                total = reached[workspace_id]
                progress(total, max(total, head))
            _check_end(total, head, head)
            if differs := merkle.difference(head, edge, frontier):
                raise Altered(differs[1])
        return total

    async def verify(
        self,
        workspace_id: UUID,
        chunk: int = verification.CHUNK,
        progress: Progress = no_progress,
    ) -> list[str]:
        """Compare the read tables with the log; return what differs, in words.

        Holds the workspace's checkpoint meanwhile, and `chunk` events in memory.
        `progress` hears of events read and events to read: each is read three times.
        """
        async with self._engine.begin() as opened:
            connection = ReadConnection(opened)
            row = await connection.execute(_LOCK_ONE, {"workspace": workspace_id})
            shown = row.scalar_one_or_none() or 0
            return await verification.differences(
                connection, workspace_id, shown, chunk, progress
            )


def _check_end(reached: int, wanted: int, head: int) -> None:
    if reached < wanted:
        raise Gap(f"the log ends at {reached}, its head says {head}")


def _reached(
    after: Iterable[tuple[UUID, int]], records: Iterable[EventRecord]
) -> dict[UUID, int]:
    """Return where reading on has come to, by workspace. Raises Gap, Altered."""
    last = dict(after)
    for record in records:
        before = last[record.workspace_id]
        if record.sequence != before + 1:
            raise Gap(f"event {record.sequence} follows event {before} in the log")
        if what := mismatch(record):
            raise Altered(f"event {record.sequence}: {what}")
        last[record.workspace_id] = record.sequence
    return last


def _is_about_the_events(error: Exception) -> bool:
    """Tell whether an error comes of what the events say, not of the database.

    Of the database's own errors only those about values do: a table that a migration
    has not made yet is no reason to stop at an event.
    """
    state = sqlstate(error)
    if state is not None:
        return state.startswith(_ABOUT_VALUES)
    return meaning(error) is None


async def _folded(direct: DriverConnection, records: Sequence[EventRecord]) -> Fold:
    folded = Fold(await _rows(direct, records))
    for record in records:
        folded.apply(record)
    return folded


async def _rows(
    direct: DriverConnection, records: Iterable[EventRecord]
) -> dict[fold.Key, Any]:
    """Return the present rows of the streams that the records are of."""
    keys = {fold.key(record): None for record in records if record.version > 1}
    rows: dict[fold.Key, Any] = {}
    for type in {kind for _, kind, _ in keys}:
        wanted = [(workspace, id) for workspace, kind, id in keys if kind == type]
        values = {
            "workspaces": [workspace for workspace, _ in wanted],
            "ids": [id for _, id in wanted],
        }
        found = await direct.rows(_present(PROJECTIONS[type].table), values)
        for workspace, id, document in found:
            rows[workspace, type, id] = fold.parse(type, document)
    return rows


@lru_cache
def _present(table: str) -> TextClause:
    return text(
        f"SELECT t.workspace_id, t.id, t.document::text FROM {table} t"
        " JOIN unnest(CAST(:workspaces AS uuid[]), CAST(:ids AS uuid[])) AS k(w, i)"
        " ON t.workspace_id = k.w AND t.id = k.i"
    )


async def _save(
    direct: DriverConnection, folded: Fold, reached: Mapping[UUID, int]
) -> None:
    """Write rows, the task log and the checkpoints, in one statement."""
    rows = {it.table: folded.table_rows(type) for type, it in PROJECTIONS.items()}
    for type, projection in PROJECTIONS.items():
        if projection.parts is not None:
            rows[projection.parts.table] = folded.part_rows(type)
    values: dict[str, Any] = {
        _bound(table): _json(it) for table, it in rows.items() if it
    }
    statement = _saving(tuple(table for table, it in rows.items() if it))
    values["log"] = _json(folded.log)
    values["workspaces"], values["sequences"] = list(reached), list(reached.values())
    await direct.write(statement, values)


@lru_cache
def _saving(tables: tuple[str, ...]) -> TextClause:
    parts = [f"{_bound(it)}_rows AS ({_upsert(it)})" for it in tables]
    parts.append(f"lines AS ({_INSERT_ACTIVITY})")
    return text(f"WITH {', '.join(parts)} {_MOVE}")


def _json(rows: Any) -> str:
    return orjson.dumps(rows).decode()


def _bound(table: str) -> str:
    """Return the name under which a table's rows are bound."""
    return table.partition(".")[2]


def _upsert(table: str) -> str:
    columns = written_columns(table)
    names = ", ".join(columns)
    sets = ", ".join(
        f"{name} = {_after(name)}"
        for name in columns
        if name not in ("workspace_id", "id")
    )
    return (
        f"INSERT INTO {table} AS t ({names}) SELECT {names} FROM"
        f" json_populate_recordset(NULL::{table}, CAST(:{_bound(table)} AS json))"
        f" ON CONFLICT (workspace_id, id) DO UPDATE SET {sets}"
    )


def _after(column: str) -> str:
    """Return what a column of a row that is there becomes."""
    if column in KEPT:
        return f"coalesce(excluded.{column}, t.{column})"
    return f"excluded.{column}"


_ACTIVITY_NAMES = ", ".join(ActivityTable.__table__.columns.keys())
_INSERT_ACTIVITY = (
    f"INSERT INTO queries.activity ({_ACTIVITY_NAMES}) SELECT {_ACTIVITY_NAMES} FROM"
    " json_populate_recordset(NULL::queries.activity, CAST(:log AS json))"
)


def _tables() -> list[str]:
    parts = [it.parts.table for it in PROJECTIONS.values() if it.parts is not None]
    return [*(it.table for it in PROJECTIONS.values()), *parts, activity.TABLE]


@lru_cache
def _delete(table: str) -> TextClause:
    return text(f"DELETE FROM {table} WHERE workspace_id = :workspace")
