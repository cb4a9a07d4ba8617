"""What operators do, each effective once however often it is asked for.

Every function says what it came to, in a word that the list of actions keeps: whoever
asks second is told that it is done, and by which run.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import DriverConnection, driver_pool
from metacortex.kernel.errors import NotFound
from metacortex.operations import runs
from metacortex.operations.actors import (
    ACTORS,
    QUEUES,
    REBUILD,
    RETRY_PROJECTION,
    VERIFY,
)
from metacortex.operations.jobs import send
from metacortex.operations.runs import JobRequest
from metacortex.operations.schedules import IN_PROCESS
from metacortex.wakeups import Broker

logger = structlog.get_logger(__name__)

STEP = 500  # runs of a group that one transaction retries or discards

_RUN = text(
    "SELECT outcome, open, (SELECT r.id FROM workers.runs r WHERE r.retry_of = :id"
    " ORDER BY r.id DESC LIMIT 1) FROM workers.runs WHERE id = :id"
)
_JOB = (
    "id, actor, arguments::text, workspace_id, unique_key, schedule, correlation_id,"
    " command_id"
)
_TAKE = text(
    "UPDATE workers.runs SET open = false WHERE id = :id AND open" f" RETURNING {_JOB}"
)
_TAKE_GROUP = text(
    "UPDATE workers.runs SET open = false WHERE id = ANY (ARRAY(SELECT id FROM"
    " workers.runs WHERE fingerprint = :fingerprint AND open"
    " AND finished_at <= CAST(:until AS timestamptz) ORDER BY id LIMIT :most"
    f" FOR UPDATE SKIP LOCKED)) RETURNING {_JOB}"
)
_DISCARD = text(
    "UPDATE workers.runs SET open = false, outcome = 'discarded',"
    " finished_at = coalesce(finished_at, now())"
    " WHERE id = :id AND (open OR outcome = 'queued') RETURNING id"
)
_DISCARD_GROUP = text(
    "UPDATE workers.runs SET open = false, outcome = 'discarded' WHERE id = ANY"
    " (ARRAY(SELECT id FROM workers.runs WHERE fingerprint = :fingerprint AND open"
    " AND finished_at <= CAST(:until AS timestamptz) ORDER BY id LIMIT :most"
    " FOR UPDATE SKIP LOCKED)) RETURNING id"
)
_GROUP = text("SELECT now() FROM workers.failures WHERE fingerprint = :fingerprint")
_SET_QUEUE = text(
    "INSERT INTO workers.queues AS q (name, paused, changed_at) VALUES"
    " (:name, :paused, now()) ON CONFLICT (name) DO UPDATE SET paused = :paused,"
    " changed_at = now() WHERE q.paused <> :paused"
)
_SET_SCHEDULE = text(
    "UPDATE workers.schedules SET paused = :paused, next_at = NULL"
    " WHERE name = :name AND paused <> :paused"
)
_SCHEDULE = text(
    "SELECT actor, arguments::text FROM workers.schedules WHERE name = :name FOR UPDATE"
)
_NOW = text("UPDATE workers.schedules SET next_at = now() WHERE name = :name")
_SLOT = text(
    "INSERT INTO workers.schedule_runs (name, due_at, run_id) VALUES"
    " (:name, clock_timestamp(), :run)"
)
_HEAD = text("SELECT sequence FROM events.heads WHERE workspace_id = :workspace")
_PARKED = text(
    "SELECT parked_at IS NOT NULL FROM queries.checkpoints"
    " WHERE workspace_id = :workspace"
)

Result = Literal[
    "retried",
    "discarded",
    "started",
    "paused",
    "resumed",
    "already_retried",
    "already_discarded",
    "already_running",
    "already_paused",
    "not_paused",
    "not_failed",
    "not_parked",
    "nothing_open",
]


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The outcome of an action: the run it made or found, how many it touched."""

    result: Result
    run_id: UUID | None = None
    count: int = 0


class OperatorActions:
    """What operators do, on a database; new runs are sent at once with a broker.

    Raises NotFound for what there is not.
    """

    def __init__(self, engine: AsyncEngine, broker: Broker | None = None) -> None:
        self._pool = driver_pool(engine)
        self._broker = broker

    # Runs and failures

    async def retry_run(self, id: UUID) -> ActionResult:
        """Repeat a run that failed for good, as a new job."""
        async with self._pool.begin() as direct:
            taken = await direct.rows(_TAKE, {"id": id})
            if taken:
                started = await _repeat(direct, taken[0])
        if taken:
            await self.sent([(started, taken[0][1])])
            return ActionResult("retried", started, 1)
        outcome, _, later = await self._run(id)
        if later is not None:
            return ActionResult("already_retried", later)
        return ActionResult(
            "already_discarded" if outcome == "discarded" else "not_failed", id
        )

    async def discard_run(self, id: UUID) -> ActionResult:
        """Decide that a failed run stays so, or that a waiting one does not begin."""
        if await self._pool.rows(_DISCARD, {"id": id}):
            return ActionResult("discarded", id, 1)
        outcome, _, later = await self._run(id)
        if later is not None:
            return ActionResult("already_retried", later)
        return ActionResult(
            "already_discarded" if outcome == "discarded" else "not_failed", id
        )

    async def retry_failures(self, fingerprint: str) -> ActionResult:
        """Repeat all of a group that failed before now; later ones are not touched."""
        values = {**await self._group(fingerprint), "most": STEP}
        count, last = 0, None
        while True:
            async with self._pool.begin() as direct:
                taken = await direct.rows(_TAKE_GROUP, values)
                made = [(await _repeat(direct, row), row[1]) for row in taken]
            if not made:
                break
            await self.sent(made)
            count, last = count + len(made), made[-1][0]
        return (
            ActionResult("retried", last, count)
            if count
            else ActionResult("nothing_open")
        )

    async def discard_failures(self, fingerprint: str) -> ActionResult:
        """Decide that all of a group that failed before now stays so."""
        values = {**await self._group(fingerprint), "most": STEP}
        count = 0
        while rows := await self._pool.rows(_DISCARD_GROUP, values):
            count += len(rows)
        return (
            ActionResult("discarded", None, count)
            if count
            else ActionResult("nothing_open")
        )

    # Queues and schedules

    async def pause_queue(self, name: str) -> ActionResult:
        """Let workers begin nothing of a queue; its messages stay."""
        return await self._set_queue(name, True)

    async def resume_queue(self, name: str) -> ActionResult:
        """Let workers go on with a queue."""
        return await self._set_queue(name, False)

    async def _set_queue(self, name: str, paused: bool) -> ActionResult:
        if name not in QUEUES:
            raise NotFound("not_found")
        changed = await self._pool.write(_SET_QUEUE, {"name": name, "paused": paused})
        return _switched(bool(changed), paused)

    async def pause_schedule(self, name: str) -> ActionResult:
        """Enqueue nothing by a schedule any more."""
        return await self._set_schedule(name, True)

    async def resume_schedule(self, name: str) -> ActionResult:
        """Go on with a schedule at its next time; what fell due meanwhile does not run.

        Paused is no accident, as a scheduler that was away is.
        """
        return await self._set_schedule(name, False)

    async def _set_schedule(self, name: str, paused: bool) -> ActionResult:
        values = {"name": name, "paused": paused}
        async with self._pool.begin() as direct:
            if await direct.row(_SCHEDULE, values) is None:
                raise NotFound("not_found")
            return _switched(bool(await direct.write(_SET_SCHEDULE, values)), paused)

    async def run_schedule(self, name: str) -> ActionResult:
        """Run a schedule now, unless a run that was started so is still on."""
        async with self._pool.begin() as direct:
            row = await direct.row(_SCHEDULE, {"name": name})
            if row is None:
                raise NotFound("not_found")
            if name in IN_PROCESS:
                await direct.write(_NOW, {"name": name})
                return ActionResult("started")
            wanted = JobRequest(
                actor=row[0],
                arguments=orjson.loads(row[1]),
                schedule=name,
                unique_key=f"schedule {name}",
            )
            started = await runs.enqueue(direct, wanted)
            if started.new:
                await direct.write(_SLOT, {"name": name, "run": started.run_id})
        if not started.new:
            return ActionResult("already_running", started.run_id)
        await self.sent([(started.run_id, row[0])])
        return ActionResult("started", started.run_id, 1)

    # Projections

    async def rebuild(self, workspace_id: UUID) -> ActionResult:
        """Begin to fold a workspace's read tables again."""
        return await self._about(workspace_id, REBUILD)

    async def verify(self, workspace_id: UUID) -> ActionResult:
        """Begin to compare a workspace's read tables with its log."""
        return await self._about(workspace_id, VERIFY)

    async def retry_projection(self, workspace_id: UUID) -> ActionResult:
        """Let a parked workspace go on at the event that stopped it."""
        own = {"workspace": workspace_id}
        row = await self._pool.row(_PARKED, own)
        if row is not None and not row[0]:
            return ActionResult("not_parked")
        return await self._about(workspace_id, RETRY_PROJECTION)

    async def _about(self, workspace_id: UUID, actor: str) -> ActionResult:
        async with self._pool.begin() as direct:
            if await direct.row(_HEAD, {"workspace": workspace_id}) is None:
                raise NotFound("not_found")
            wanted = JobRequest(
                actor=actor,
                arguments={"workspace_id": str(workspace_id)},
                workspace_id=workspace_id,
                unique_key=f"{actor} {workspace_id}",
            )
            started = await runs.enqueue(direct, wanted)
        if not started.new:
            return ActionResult("already_running", started.run_id)
        await self.sent([(started.run_id, actor)])
        return ActionResult("started", started.run_id, 1)

    async def sent(self, made: Sequence[tuple[UUID, str]]) -> None:
        """Tell Redis of new runs (id, actor); if it is away, the scheduler does."""
        if self._broker is None or not made:
            return
        named = [(id, actor, ACTORS[actor].queue) for id, actor in made]
        try:
            await asyncio.to_thread(send, self._broker, named)
        except Exception as error:
            logger.warning("run_not_sent", error=repr(error))

    async def _run(self, id: UUID) -> Any:
        row = await self._pool.row(_RUN, {"id": id})
        if row is None:
            raise NotFound("not_found")
        outcome, open, later = row
        return outcome, open, None if later is None else runs.plain(later)

    async def _group(self, fingerprint: str) -> Mapping[str, Any]:
        row = await self._pool.row(_GROUP, {"fingerprint": fingerprint})
        if row is None:
            raise NotFound("not_found")
        return {"fingerprint": fingerprint, "until": row[0]}


async def _repeat(direct: DriverConnection, row: Sequence[Any]) -> UUID:
    """Enqueue the job of a run again; one that is on already stands for it."""
    id, actor, arguments, workspace, key, schedule, correlation, command = row
    wanted = JobRequest(
        actor=actor,
        arguments=orjson.loads(arguments),
        workspace_id=workspace,
        unique_key=key,
        schedule=schedule,
        correlation_id=correlation,
        command_id=command,
        retry_of=runs.plain(id),
    )
    return (await runs.enqueue(direct, wanted)).run_id


def _switched(changed: bool, paused: bool) -> ActionResult:
    if changed:
        return ActionResult("paused" if paused else "resumed", None, 1)
    return ActionResult("already_paused" if paused else "not_paused")
