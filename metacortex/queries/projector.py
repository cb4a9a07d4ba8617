"""The checkpointed projector: exactly-once effects, however often it is called.

A turn locks the checkpoints of the workspaces it can get, reads their next events in
one query (queries/batches.py; or has done so while the batch before was written), folds
them with the pure `project`, writes all tables and moves the checkpoints with one
statement. Afterwards, holding no lock, it compares heads and checkpoints once more:
whoever skipped a locked workspace relies on that look
(docs/decisions/0006-projector.md). Only the projector commits on the read side.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from prometheus_client import Histogram
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.events import merkle
from metacortex.events.record import EventRecord
from metacortex.kernel import tracing
from metacortex.kernel.database import DriverConnection, ReadConnection, driver_pool
from metacortex.kernel.driver_errors import meaning, sqlstate
from metacortex.queries import batches, refold
from metacortex.queries import verify as verification
from metacortex.queries.batches import Altered, Place
from metacortex.queries.read_ahead import ReadAhead
from metacortex.queries.refold import Refold
from metacortex.queries.verify import Progress, no_progress

logger = structlog.get_logger(__name__)

BATCH = Histogram(
    "metacortex_projector_batch_events",
    "Events that one projector transaction applied",
    buckets=(1, 5, 10, 50, 100, 500, 1_000, 2_000),
)
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
    """What a turn did: events applied, and workspaces that have more.

    Of those only whose checkpoint it `held`: others look after theirs.
    """

    events: int
    behind: Sequence[UUID]
    held: Sequence[UUID]


class Projector:
    """Moves read tables on; any number of these may run at once."""

    def __init__(
        self, engine: AsyncEngine, *, batch: int = 1000, turn_s: float = 0.25
    ) -> None:
        self._engine = engine
        self._direct = driver_pool(engine)
        self._batch = batch
        self._turn_s = turn_s

    async def turn(self, workspaces: Iterable[UUID]) -> Turn:
        """Catch up for at most the turn's length, so that others get theirs."""
        wanted = sorted(set(workspaces))
        behind: Sequence[UUID] = wanted
        until = time.monotonic() + self._turn_s
        events, held = 0, set[UUID]()
        async with ReadAhead(self._direct, until) as ahead:
            while behind:
                step = await self._step(behind, ahead)
                events += step.events
                held.update(step.held)
                over = not step.events or time.monotonic() >= until
                if over or not step.behind:  # others may have skipped what we had
                    behind = await self.behind(sorted(held)) if held else []
                else:
                    behind = step.behind
                if over:
                    break
        return Turn(events, behind, sorted(held))

    async def behind(
        self, workspaces: Sequence[UUID] | None = None, limit: int = BEHIND_LIMIT
    ) -> list[UUID]:
        """Return workspaces whose head is beyond their checkpoint, parked ones not."""
        values = {
            "workspaces": None if workspaces is None else list(workspaces),
            "limit": limit,
        }
        return [row[0] for row in await self._direct.rows(_BEHIND, values)]

    async def _step(self, workspaces: Sequence[UUID], ahead: ReadAhead) -> Turn:
        """Apply one batch of each workspace; find the guilty one if that fails."""
        try:
            return await self._apply(workspaces, self._batch, ahead)
        except Poisoned:
            if len(workspaces) > 1:
                steps = [await self._step([one], ahead) for one in workspaces]
                return Turn(sum(it.events for it in steps), [], workspaces)
            return Turn(await self._one_by_one(workspaces[0], ahead), [], workspaces)

    async def _one_by_one(self, workspace_id: UUID, ahead: ReadAhead) -> int:
        """Apply single events up to the one that cannot be, and park there."""
        applied = 0
        while True:
            try:
                done = (await self._apply([workspace_id], 1, ahead)).events
            except Poisoned as poisoned:
                await self._park(poisoned)
                return applied
            applied += done
            if not done:
                return applied

    async def _apply(
        self, workspaces: Sequence[UUID], batch: int, ahead: ReadAhead
    ) -> Turn:
        """Apply a batch; say which of its workspaces have more than that."""
        if tracing.tracer is None:
            records, left, held = await self._applied(workspaces, batch, ahead)
        else:
            began_ns = time.time_ns()
            records, left, held = await self._applied(workspaces, batch, ahead)
            tracing.projected(began_ns, records)
        return Turn(len(records), left, held)

    async def _applied(
        self, workspaces: Sequence[UUID], batch: int, ahead: ReadAhead
    ) -> tuple[Sequence[EventRecord], list[UUID], list[UUID]]:
        """Apply the next events in one transaction.

        Return them, who has more, and whose checkpoints were held.
        """
        async with self._direct.begin() as direct:
            locked = await self._locked(direct, workspaces)
            if not locked:
                return (), [], []
            each = max(1, batch // len(locked))
            try:
                ready = await ahead.take(locked, each)
                if ready is None:
                    ready = await batches.prepare(direct, locked, each, {})
                left = [
                    it._replace(sequence=ready.read.reached[it.workspace_id])
                    for it in locked
                    if ready.read.reached[it.workspace_id] < it.head
                ]
                ahead.begin(left, max(1, batch // max(1, len(left))), ready.rows)
                if ready.read.records:
                    await ready.write.run(direct)
            except Exception as error:
                if _is_about_the_events(error):
                    raise Poisoned(*locked[0][:2]) from error
                raise
        BATCH.observe(len(ready.read.records))
        self._direct.plans.wrote(len(ready.read.records))
        held = [it.workspace_id for it in locked]
        return ready.read.records, [it.workspace_id for it in left], held

    async def _locked(
        self, direct: DriverConnection, workspaces: Sequence[UUID]
    ) -> list[Place]:
        """Lock the checkpoints that nobody holds; make those that are missing."""
        values = {"workspaces": list(workspaces)}
        found = await direct.rows(_LOCK, values)
        if len(found) < len(workspaces):
            await direct.write(_CREATE, values)
            found = await direct.rows(_LOCK, values)
        return list(map(Place._make, found))

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
        own = {"workspace": workspace_id}
        async with self._direct.begin() as direct:
            await direct.write(_CREATE, {"workspaces": [workspace_id]})
            await direct.rows(_LOCK_ONE, own)
            head, frontier = await direct.row(_HEAD, own) or (0, b"")
            begin = Place(workspace_id, 0, head)
            await refold.clear(direct, begin)
            await direct.write(_BEGIN_ANEW, own)
            folding = Refold(self._direct, direct, begin)
            total, edge = 0, list[bytes]()
            async for found in folding.run():
                its = [it.leaf_hash for it in found.records if it.sequence <= head]
                edge = merkle.advance(total, edge, its)
                total = found.reached[workspace_id]
                progress(total, max(total, head))
            batches.check_end(total, head, head)
            if differs := merkle.difference(head, edge, frontier):
                raise Altered(differs[1])
            await refold.count(direct, workspace_id)
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


def _is_about_the_events(error: Exception) -> bool:
    """Tell whether an error comes of what the events say, not of the database.

    Of the database's own errors only those about values do: a table that a migration
    has not made yet is no reason to stop at an event.
    """
    state = sqlstate(error)
    if state is not None:
        return state.startswith(_ABOUT_VALUES)
    return meaning(error) is None
