"""The one handler: a batch of units, decided over one state and saved as one.

heads, receipts (seen before?) and states -> decide, in order -> events, leaf hashes,
states, receipts and heads. Two statements carry it all (docs/decisions/0002-lane.md).
Only the bus commits on the write side, in one of two ways: `execute` holds the heads
from the first statement to the last; `prepare` and `commit` hold nothing, so that the
next batch can be prepared while one is saved, and save only if nobody came between.
"""

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import repository, undo
from metacortex.commands.batch import Batch, Planned, Step, step
from metacortex.commands.message import Answer, EventRef, Request, Result, Unit
from metacortex.commands.receipts import Receipt
from metacortex.commands.registry import DECIDERS
from metacortex.commands.repository import (
    BatchChanges,
    Loaded,
    Reading,
    Stored,
    Unborn,
    Writing,
)
from metacortex.commands.space import Spaces
from metacortex.commands.wanted import Wanted
from metacortex.events import codec, log
from metacortex.events.record import EventRecord
from metacortex.kernel import clock
from metacortex.kernel.database import (
    ReadConnection,
    WriteConnection,
    autocommit,
    straight,
)
from metacortex.kernel.driver_errors import Meaning, meaning, worth_another
from metacortex.kernel.errors import MetaCortexError, Unavailable, UndoConflict

ATTEMPTS = 3  # conflicts are rare; more would hide a defect
BACK_OFF_S = 0.02  # about one transaction of the other party


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch that is decided; `writing` is None where there is nothing to save."""

    plans: Sequence[Planned]
    batch: Batch
    writing: Writing | None


class Bus:
    """Runs units; holds nothing between them. `now` is the clock of this process."""

    def __init__(
        self, engine: AsyncEngine, *, now: Callable[[], datetime] = clock.now
    ) -> None:
        self._engine = engine
        self._now = now
        self._single = autocommit(engine)
        self._straight = straight(engine)

    async def execute(self, units: Sequence[Unit]) -> list[list[Result]]:
        """Return one result per request; all that was applied is committed.

        Raises what the database raised, with nothing committed, or Unavailable if that
        is not known, since a connection broke: the same units may be sent again.
        """
        plans = await self._plan(units)
        unknown = False
        for attempt in range(1, ATTEMPTS + 1):
            try:
                prepared = await self._transact(plans)
                break
            except Exception as error:
                unknown = unknown or meaning(error) is Meaning.LOST
                if attempt == ATTEMPTS or not worth_another(error):
                    if unknown:
                        raise Unavailable("outcome_unknown") from error
                    raise
                await asyncio.sleep(BACK_OFF_S * attempt * (1 + random.random()))
        try:
            return await self.finish(prepared)
        except Exception as error:
            if meaning(error) is None:
                raise
            raise Unavailable("outcome_unknown") from error  # committed, not read back

    async def prepare(
        self, units: Sequence[Unit], spaces: Spaces, *, saving: bool = False
    ) -> Prepared:
        """Decide a batch over what is known and what else it needs; write nothing.

        `saving`: the batch before may not be saved yet, so that others may still read
        what was there before it.
        Takes commands to be new, and what they give birth to not to exist: saving
        tells. Afterwards the spaces are as the batch leaves them. Raises Stale, and
        what the database raises; the spaces are then of no more use.
        """
        if not saving:
            spaces.unsaved = frozenset()
        plans = await self._plan(units)
        now = self._now()
        wanted = Wanted(plans, spaces, now)
        while (reading := wanted.reading()) is not None:
            row = await self._straight.row(reading.statement, reading.values)
            loaded = reading.loaded(row)
            if not (missing := wanted.workspaces - loaded.heads.keys()):
                spaces.absorb(loaded)
                break
            await self._ensure_heads(missing)
        spaces.weight += sum(len(plan.unit.requests) for plan in plans)
        batch = _decided(plans, spaces, now)
        changes = batch.close()
        spaces.unsaved = frozenset(head.workspace_id for head in changes.heads)
        return Prepared(plans, batch, _writing(changes, wanted.unborn))

    async def commit(self, prepared: Prepared) -> bool:
        """Save what was prepared; return False, with nothing saved, if it is stale.

        Raises what the database raised; the outcome is unknown if that was a connection
        that broke.
        """
        writing = prepared.writing
        if writing is None:
            return True
        count = await self._straight.write(writing.statement, writing.values)
        return count == writing.heads

    async def finish(self, prepared: Prepared) -> list[list[Result]]:
        """Return the results of what is saved.

        Fills in what only the log can tell: first answers, and undo conflicts.
        """
        results = prepared.batch.results
        if not prepared.batch.unfinished:
            return results
        async with self._single.connect() as connection:
            reader = ReadConnection(connection)
            for plan, of_unit in zip(prepared.plans, results, strict=True):
                for index, result in enumerate(of_unit):
                    of_unit[index] = await _finished(
                        reader, result, plan.unit.workspace_id
                    )
        return results

    async def _plan(self, units: Sequence[Unit]) -> list[Planned]:
        """Work out what each request will ask of the deciders; reads only for undo."""
        if not any(
            isinstance(it.command, undo.Undo) for u in units for it in u.requests
        ):
            return [
                Planned(unit, [(step(it.command),) for it in unit.requests])
                for unit in units
            ]
        async with self._single.connect() as connection:
            reader = ReadConnection(connection)
            return [
                Planned(unit, [await _steps(reader, it) for it in unit.requests])
                for unit in units
            ]

    async def _transact(self, plans: Sequence[Planned]) -> Prepared:
        """Run a batch under the locks of its heads."""
        workspaces = {plan.unit.workspace_id for plan in plans}
        commands = [key for plan in plans for key in plan.keys()]
        needs = [(plan.unit.workspace_id, it) for plan in plans for it in plan.needs()]
        reading = repository.reading(workspaces, commands, needs, lock=True)
        while True:
            async with self._engine.begin() as opened:
                connection = WriteConnection(ReadConnection(opened))
                loaded = await _load(connection, reading)
                if not (missing := workspaces - loaded.heads.keys()):
                    if loaded.stale:
                        loaded = await _load(connection, reading)
                    batch = _decided(plans, Spaces.of(loaded), self._now())
                    writing = _writing(batch.close())
                    if writing is not None:
                        await _save(connection, writing)
                    return Prepared(plans, batch, writing)
            await self._ensure_heads(missing)

    async def _ensure_heads(self, workspaces: Collection[UUID]) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(log.ENSURE, {"workspaces": list(workspaces)})


async def _load(connection: ReadConnection, reading: Reading) -> Loaded:
    found = await connection.execute(reading.statement, reading.values)
    return reading.loaded(found.one())


async def _save(connection: WriteConnection, writing: Writing) -> None:
    written = await connection.execute(writing.statement, writing.values)
    assert written.rowcount == writing.heads, "whoever holds the heads has them alone"


def _decided(plans: Sequence[Planned], spaces: Spaces, now: datetime) -> Batch:
    batch = Batch(spaces, now)
    for plan in plans:
        batch.run(plan)
    return batch


def _writing(
    changes: BatchChanges, unborn: Iterable[Unborn] | None = None
) -> Writing | None:
    """Return what saves a batch; None if there is nothing to save."""
    if not changes.heads:
        return None
    if unborn is None:
        return repository.writing(changes)
    return repository.writing(changes, first=True, unborn=unborn)


async def _steps(reader: ReadConnection, request: Request) -> list[Step]:
    """Return the step of the command itself, or for an undo of what it undoes."""
    if not isinstance(request.command, undo.Undo):
        return [step(request.command)]
    try:
        found = await undo.plan(reader, request.context.workspace_id, request.command)
    except MetaCortexError as error:
        return [step(error)]
    return [step(touched) for touched in found]


async def _finished(
    reader: ReadConnection, result: Result, workspace_id: UUID
) -> Result:
    if isinstance(result, UndoConflict) and "stream" in result.meta:
        return await _named(reader, result, workspace_id)
    if isinstance(result, Answer) and result.replayed:
        return await _first_answer(reader, result.receipt, result.sequence)
    return result


async def _named(
    reader: ReadConnection, conflict: UndoConflict, workspace_id: UUID
) -> UndoConflict:
    """Return the conflict with the later events that caused it."""
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
    """Return a command's first answer: the resource as it was at that version."""
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
    """Return the stream of a receipt, folded to the receipt's version."""
    type, id = receipt.stream_type, receipt.stream_id
    if type is None or id is None or not receipt.version:
        return None
    records = await log.read_stream(
        reader, receipt.workspace_id, type, id, version=receipt.version
    )
    return fold(records)


def fold(records: Sequence[EventRecord]) -> Stored:
    """Return the state that a stream's records amount to, from its birth on."""
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
