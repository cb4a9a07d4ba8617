"""The one handler: a batch of units in one transaction.

lock heads -> receipts (seen before?) -> load states -> decide, in order -> append
events and leaf hashes -> save states -> save receipts -> commit. Two statements carry
it all (docs/decisions/0002-lane.md). Only the bus commits on the write side.
"""

import asyncio
import random
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import receipts, repository, undo
from metacortex.commands.batch import Batch, Planned
from metacortex.commands.message import Answer, EventRef, Request, Result, Unit
from metacortex.commands.receipts import Receipt
from metacortex.commands.registry import DECIDER_OF, DECIDERS
from metacortex.commands.repository import Stored
from metacortex.events import codec, log
from metacortex.events.record import EventRecord
from metacortex.kernel import clock
from metacortex.kernel.database import (
    ReadConnection,
    WriteConnection,
    autocommit,
    is_transient,
)
from metacortex.kernel.decider import Need
from metacortex.kernel.errors import MetaCortexError, NotFound, Refused, UndoConflict

ATTEMPTS = 3  # conflicts are rare; more would hide a defect
BACK_OFF_S = 0.02  # about one transaction of the other party


class Bus:
    """Runs units; holds nothing between them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = autocommit(engine)

    async def execute(self, units: Sequence[Unit]) -> list[list[Result]]:
        """Return one result per request; all that was applied is committed.

        Raises what the database raised, with nothing committed or, if the connection
        broke at the commit, with the outcome unknown: the same units may be sent again.
        """
        plans = await self._plan(units)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                batch = await self._transact(plans)
                break
            except SQLAlchemyError as error:
                if attempt == ATTEMPTS or not _worth_another(error):
                    raise
                await asyncio.sleep(BACK_OFF_S * attempt * (1 + random.random()))
        return await self._finish(batch)

    async def _plan(self, units: Sequence[Unit]) -> list[Planned]:
        """Work out what each request will ask of the deciders; reads only for undo."""
        if not any(
            isinstance(it.command, undo.Undo) for u in units for it in u.requests
        ):
            return [
                Planned(unit, [[it.command] for it in unit.requests]) for unit in units
            ]
        async with self._reading.connect() as connection:
            reader = ReadConnection(connection)
            return [
                Planned(unit, [await _steps(reader, it) for it in unit.requests])
                for unit in units
            ]

    async def _transact(self, plans: Sequence[Planned]) -> Batch:
        workspaces = sorted({plan.unit.workspace_id for plan in plans})
        commands = [
            (plan.unit.workspace_id, request.context.command_id)
            for plan in plans
            for request in plan.unit.requests
        ]
        needs = list(_needs(plans))
        while True:
            async with self._engine.begin() as opened:
                connection = WriteConnection(ReadConnection(opened))
                loaded = await repository.load(connection, workspaces, commands, needs)
                if len(loaded.heads) == len(workspaces):
                    if loaded.stale:
                        loaded = await repository.load(
                            connection, workspaces, commands, needs
                        )
                    batch = Batch(loaded, clock.now())
                    for plan in plans:
                        batch.run(plan)
                    if batch.receipts:
                        await repository.save(
                            connection,
                            batch.touched_heads(),
                            batch.rows,
                            batch.changed_states(),
                            batch.receipts.values(),
                        )
                    return batch
            await self._ensure_heads(workspaces)

    async def _ensure_heads(self, workspaces: Sequence[UUID]) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(log.ENSURE, {"workspaces": list(workspaces)})

    async def _finish(self, batch: Batch) -> list[list[Result]]:
        """Fill in what only the log can tell: first answers, and undo conflicts."""
        if not batch.unfinished:
            return batch.results
        async with self._reading.connect() as connection:
            reader = ReadConnection(connection)
            for results in batch.results:
                for index, result in enumerate(results):
                    results[index] = await _finished(reader, result, batch)
        return batch.results


def _worth_another(error: SQLAlchemyError) -> bool:
    """Tell whether the same batch may succeed now; receipts make a repeat harmless.

    A connection that broke may only have been an old one: the pool has others.
    """
    broken = isinstance(error, DBAPIError) and error.connection_invalidated
    return broken or is_transient(error)


async def _steps(reader: ReadConnection, request: Request) -> list[Any]:
    """Return the command itself, or for an undo what it undoes."""
    if not isinstance(request.command, undo.Undo):
        return [request.command]
    workspace_id = request.context.workspace_id
    receipt = await receipts.find(reader, workspace_id, request.command.command_id)
    if receipt is None:
        return [NotFound("not_found")]
    if receipt.first_sequence is None or receipt.last_sequence is None:
        return [Refused("not_undoable")]
    records = await log.read_range(
        reader, workspace_id, receipt.first_sequence, receipt.last_sequence
    )
    try:
        events = (codec.read(record) for record in records)
        return list(undo.touched(events, receipt.stream_id))
    except MetaCortexError as error:
        return [error]


def _needs(plans: Iterable[Planned]) -> Iterable[tuple[UUID, Need]]:
    for plan in plans:
        for step in plan.every_step():
            for need in _needs_of(step):
                yield plan.unit.workspace_id, need


def _needs_of(step: Any) -> Sequence[Need]:
    if isinstance(step, MetaCortexError):
        return ()
    if isinstance(step, undo.Touched):
        revert = DECIDERS[step.stream_type].revert
        step = revert(step.stream_id, undo.swapped(step))
    return DECIDER_OF[type(step)].needs(step)


async def _finished(reader: ReadConnection, result: Result, batch: Batch) -> Result:
    if isinstance(result, UndoConflict) and "stream" in result.meta:
        return await _named(reader, result, batch)
    if isinstance(result, Answer) and result.replayed:
        return await _first_answer(reader, result.receipt, result.sequence)
    return result


async def _named(
    reader: ReadConnection, conflict: UndoConflict, batch: Batch
) -> UndoConflict:
    """Return the conflict with the later events that caused it."""
    meta = dict(conflict.meta)
    workspace_id = batch.workspace_of[id(conflict)]
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
        id=record.event_id,
        type=record.type,
        version=record.version,
        sequence=record.sequence,
        stream_type=record.stream_type,
        stream_id=record.stream_id,
    )
