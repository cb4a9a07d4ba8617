"""The command bus: loads, decides and saves a batch of units in one transaction.

It loads heads, receipts and states, decides the units in order, and saves events,
heads, receipts and states: two statements in all (docs/decisions/0002-lane.md).
Only the bus commits on the write side, in one of two ways. `execute` locks the heads
before it loads anything. `prepare` and `commit` lock nothing in between, so that the
next batch can be prepared while one is being saved; `commit` saves nothing if others
have written since (compare-and-set on the heads).
"""

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import repository, row_parsing, undo
from metacortex.commands.batch import Batch, PlannedUnit, Step, step
from metacortex.commands.budget import QUICK_EVENTS, QUICK_FOUND
from metacortex.commands.load_plan import LoadPlan
from metacortex.commands.message import Answer, CommandRequest, EventRef, Result, Unit
from metacortex.commands.receipts import Receipt
from metacortex.commands.registry import DECIDERS
from metacortex.commands.repository import (
    AssumedAbsent,
    BatchChanges,
    Loaded,
    LoadStatement,
    SaveStatement,
    Stored,
)
from metacortex.commands.session import SessionCache
from metacortex.events import codec, log
from metacortex.events.record import EventRecord
from metacortex.kernel import clock
from metacortex.kernel.database import (
    ReadConnection,
    WriteConnection,
    autocommit,
    driver_pool,
)
from metacortex.kernel.driver_errors import Meaning, meaning, worth_another
from metacortex.kernel.errors import MetaCortexError, Unavailable, UndoConflict

ATTEMPTS = 3  # conflicts are rare; more would hide a defect
BACK_OFF_S = 0.02  # about as long as a transaction of the other process


@dataclass(slots=True)
class Prepared:
    """A decided batch; `save` is None if there is nothing to save."""

    units: Sequence[PlannedUnit]
    batch: Batch
    save: SaveStatement | None

    def leave_out(self) -> None:
        """Drop what was postponed: the results are those of the other units."""
        postponed = self.batch.postponed
        numbers = [it for it in range(len(self.units)) if it not in postponed]
        self.units = [self.units[it] for it in numbers]
        self.batch.results = [self.batch.results[it] for it in numbers]
        self.batch.postponed = {}


class Bus:
    """Runs units, keeps no state between them; `now` is the clock of this process."""

    def __init__(
        self, engine: AsyncEngine, *, now: Callable[[], datetime] = clock.now
    ) -> None:
        self._engine = engine
        self._now = now
        self._single = autocommit(engine)
        self._direct = driver_pool(engine)
        self._plans = self._direct.plans

    async def execute(self, units: Sequence[Unit]) -> list[list[Result]]:
        """Return one result per request, with everything committed.

        However long that takes: it is decided in a thread, beside the event loop.
        Raises what the database raised, with nothing committed, or Unavailable if that
        is not known, since a connection broke: the same units may be sent again.
        Raises Refused where more is to be loaded than may be.
        """
        return (await self.execute_locked(units, quick=False)).batch.results

    async def execute_locked(self, units: Sequence[Unit], *, quick: bool) -> Prepared:
        """Return a batch that is committed, and whose results are complete.

        A `quick` one leaves out what takes long. Raises what `execute` raises.
        """
        planned = await self._plan(units, quick=quick)
        unknown = False
        for attempt in range(1, ATTEMPTS + 1):
            try:
                prepared = await self._transact(planned, quick=quick)
                break
            except Exception as error:
                unknown = unknown or meaning(error) is Meaning.LOST
                if attempt == ATTEMPTS or not worth_another(error):
                    if unknown:
                        raise Unavailable("outcome_unknown") from error
                    raise
                await asyncio.sleep(BACK_OFF_S * attempt * (1 + random.random()))
        try:
            await self.finish(prepared)
        except Exception as error:
            if meaning(error) is None:
                raise
            raise Unavailable("outcome_unknown") from error  # committed, not read back
        return prepared

    async def prepare(
        self, units: Sequence[Unit], cache: SessionCache, *, saving: bool = False
    ) -> Prepared:
        """Load what is not cached, decide a quick batch and write nothing.

        `saving` says that the previous batch may not be committed yet, so that the
        database may still show the state before it.
        Commands, and the streams that they create, are assumed to be new; `commit`
        verifies it. The cache then holds the state after the batch. Raises
        StaleSession, Refused for too much to load, and what the database raises; the
        cache is unusable after that.
        """
        if not saving:
            cache.saving = frozenset()
        planned = await self._plan(units, quick=True)
        now = self._now()
        plan = LoadPlan(planned, cache, now)
        while (load := plan.statement()) is not None:
            row = await self._direct.row(load.statement, load.values)
            loaded = await _parsed(load, row)
            if not (missing := plan.workspaces - loaded.heads.keys()):
                cache.merge(loaded)
                if len(loaded.states) > QUICK_FOUND:
                    await asyncio.sleep(0)  # to merge them took about 5 ms
                break
            await self._ensure_heads(missing)
        cache.size += sum(len(it.unit.requests) for it in planned)
        batch = _decided(planned, cache, now, quick=True)
        changes = batch.close()
        cache.saving = frozenset(head.workspace_id for head in changes.heads)
        return Prepared(planned, batch, _save_if_new(changes, plan.assumed_absent))

    async def commit(self, prepared: Prepared) -> bool:
        """Save a prepared batch; return False, with nothing saved, if it is stale.

        Raises what the database raised; the outcome is unknown if that was a connection
        that broke.
        """
        save = prepared.save
        if save is None:
            return True
        count = await self._direct.write(save.statement, save.values)
        self._plans.wrote(save.rows)
        return count == save.heads

    async def finish(self, prepared: Prepared) -> list[list[Result]]:
        """Return the results of a batch that is committed.

        Completes those that need the log: answers to repeats, and undo conflicts.
        """
        results = prepared.batch.results
        if not prepared.batch.incomplete:
            return results
        async with self._single.connect() as connection:
            reader = ReadConnection(connection)
            for planned, of_unit in zip(prepared.units, results, strict=True):
                for index, result in enumerate(of_unit):
                    of_unit[index] = await _finished(
                        reader, result, planned.unit.workspace_id
                    )
        return results

    async def _plan(self, units: Sequence[Unit], *, quick: bool) -> list[PlannedUnit]:
        """Return the units with their steps; reads the log, and only for an undo."""
        if not any(
            isinstance(it.command, undo.Undo) for u in units for it in u.requests
        ):
            return [
                PlannedUnit(unit, [(step(it.command),) for it in unit.requests])
                for unit in units
            ]
        async with self._single.connect() as connection:
            reader = ReadConnection(connection)
            return [await _planned(reader, unit, quick=quick) for unit in units]

    async def _transact(
        self, planned: Sequence[PlannedUnit], *, quick: bool
    ) -> Prepared:
        """Run a batch in one transaction that locks its heads first."""
        workspaces = {it.unit.workspace_id for it in planned}
        if quick:
            load = _locking(workspaces, planned)
        else:
            load = await asyncio.to_thread(_locking, workspaces, planned)
        while True:
            async with self._engine.begin() as opened:
                await self._plans.refresh(opened)
                connection = WriteConnection(ReadConnection(opened))
                loaded = await _load(connection, load)
                if not (missing := workspaces - loaded.heads.keys()):
                    if loaded.stale:
                        loaded = await _load(connection, load)
                    now = self._now()
                    if quick:
                        batch, save = _decided_locked(planned, loaded, now, quick=True)
                    else:
                        batch, save = await asyncio.to_thread(
                            _decided_locked, planned, loaded, now, quick=False
                        )
                    if save is not None:
                        await _save(connection, save)
                        self._plans.wrote(save.rows)
                    return Prepared(planned, batch, save)
            await self._ensure_heads(missing)

    async def _ensure_heads(self, workspaces: Collection[UUID]) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(log.ENSURE_HEADS, {"workspaces": list(workspaces)})


def _locking(workspaces: set[UUID], planned: Sequence[PlannedUnit]) -> LoadStatement:
    """Return what loads all that a batch needs, and locks its heads."""
    commands = [key for it in planned for key in it.keys()]
    needs = [(it.unit.workspace_id, need) for it in planned for need in it.needs()]
    return repository.load_statement(workspaces, commands, needs, lock=True)


async def _load(connection: ReadConnection, load: LoadStatement) -> Loaded:
    found = await connection.execute(load.statement, load.values)
    return await _parsed(load, found.one())


async def _parsed(load: LoadStatement, row: Sequence[Any]) -> Loaded:
    """Parse what was loaded; much of it beside the event loop. Raises Refused."""
    if sum(len(it) for it in row if isinstance(it, str)) < row_parsing.LONG:
        return load.loaded(row)
    return await asyncio.to_thread(load.loaded, row)


async def _save(connection: WriteConnection, save: SaveStatement) -> None:
    written = await connection.execute(save.statement, save.values)
    assert written.rowcount == save.heads, "a locked head cannot change"


def _decided(
    planned: Sequence[PlannedUnit], cache: SessionCache, now: datetime, *, quick: bool
) -> Batch:
    batch = Batch(cache, now, quick=quick)
    for unit in planned:
        batch.run(unit)
    return batch


def _decided_locked(
    planned: Sequence[PlannedUnit], loaded: Loaded, now: datetime, *, quick: bool
) -> tuple[Batch, SaveStatement | None]:
    """Return a batch decided over what was loaded under locks, and what saves it."""
    batch = _decided(planned, SessionCache.of(loaded), now, quick=quick)
    return batch, _save_locked(batch.close())


def _save_locked(changes: BatchChanges) -> SaveStatement | None:
    """Return what saves a batch that has loaded everything under locks."""
    return repository.save_statement(changes) if changes.heads else None


def _save_if_new(
    changes: BatchChanges, assumed_absent: Iterable[AssumedAbsent]
) -> SaveStatement | None:
    """Return what saves a batch if its commands and these streams are new."""
    if not changes.heads:
        return None
    return repository.save_statement(
        changes, new_commands=True, assumed_absent=assumed_absent
    )


async def _planned(reader: ReadConnection, unit: Unit, *, quick: bool) -> PlannedUnit:
    """Return a unit with its steps; a long one has none if it has to be quick."""
    steps: list[Sequence[Step]] = []
    for request in unit.requests:
        found = await _steps(reader, request, quick=quick)
        if found is None:
            return PlannedUnit(unit, [], is_long=True)
        steps.append(found)
    return PlannedUnit(unit, steps)


async def _steps(
    reader: ReadConnection, request: CommandRequest, *, quick: bool
) -> Sequence[Step] | None:
    """Return the steps of a request: one, or for an undo one per stream to revert.

    None for an undo that takes long, where it has to be quick.
    """
    if not isinstance(request.command, undo.Undo):
        return [step(request.command)]
    workspace_id = request.context.workspace_id
    try:
        of, events = await undo.events_to_undo(reader, workspace_id, request.command)
        if quick and events > QUICK_EVENTS:
            return None
        assert of.first_sequence is not None and of.last_sequence is not None
        records = await log.read_range(
            reader, workspace_id, of.first_sequence, of.last_sequence
        )
        if quick:
            return _steps_of(records, of.stream_id)
        return await asyncio.to_thread(_steps_of, records, of.stream_id)
    except MetaCortexError as error:
        return [step(error)]


def _steps_of(records: Sequence[EventRecord], own: UUID | None) -> Sequence[Step]:
    return [step(touched) for touched in undo.planned(records, own)]


async def _finished(
    reader: ReadConnection, result: Result, workspace_id: UUID
) -> Result:
    if isinstance(result, UndoConflict) and "stream" in result.meta:
        return await _with_later_events(reader, result, workspace_id)
    if isinstance(result, Answer) and result.replayed:
        return await _first_answer(reader, result.receipt, result.sequence)
    return result


async def _with_later_events(
    reader: ReadConnection, conflict: UndoConflict, workspace_id: UUID
) -> UndoConflict:
    """Return the conflict with the later events that caused it, as its meta."""
    meta = dict(conflict.meta)
    records = await log.read_stream(
        reader,
        workspace_id,
        meta["stream"]["type"],
        UUID(meta["stream"]["id"]),
        after=meta["after_version"],
    )
    events = (codec.read(record) for record in records)
    meta["later"] = undo.later(events, meta["fields"])
    return UndoConflict("undo_conflict", meta=meta)


async def _first_answer(
    reader: ReadConnection, receipt: Receipt, sequence: int
) -> Answer:
    """Return the answer to a repeat: the resource as the first execution left it."""
    stored = await replay(reader, receipt)
    events: Sequence[EventRef] = ()
    if receipt.first_sequence is not None and receipt.last_sequence is not None:
        sequence = receipt.last_sequence
        records = await log.read_range(
            reader, receipt.workspace_id, receipt.first_sequence, sequence
        )
        events = [_ref(record) for record in records]
    return Answer(
        receipt=receipt, stored=stored, sequence=sequence, events=events, replayed=True
    )


async def replay(reader: ReadConnection, receipt: Receipt) -> Stored | None:
    """Return the stream of a receipt as of the version in the receipt."""
    type, id = receipt.stream_type, receipt.stream_id
    if type is None or id is None or not receipt.version:
        return None
    records = await log.read_stream(
        reader, receipt.workspace_id, type, id, version=receipt.version
    )
    return fold(records)


def fold(records: Sequence[EventRecord]) -> Stored:
    """Return the state of a stream, folded from all of its records."""
    state: Any = None
    for record in records:
        decider = DECIDERS[record.stream_type]
        state = decider.evolve(state, codec.read(record).event)
    first, last = records[0], records[-1]
    return Stored(
        last.stream_id, last.version, first.recorded_at, last.recorded_at, state
    )


def _ref(record: EventRecord) -> EventRef:
    return EventRef(
        id=str(record.event_id),
        type=record.type,
        version=record.version,
        sequence=record.sequence,
        stream_type=record.stream_type,
        stream_id=record.stream_id,
    )
