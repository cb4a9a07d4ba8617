"""What each action of operators does, inside the caller's transaction.

Each takes effect once, however often it is asked for: whoever asks second is told that
it is done, and by which run. All raise NotFound for what there is not; those that begin
a job raise Refused for an actor that this release does not have, and change nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import text

from metacortex.kernel.database import DriverConnection
from metacortex.kernel.errors import NotFound
from metacortex.kernel.ids import new_id
from metacortex.operations import runs
from metacortex.operations.actors import (
    QUEUES,
    REBUILD,
    RETRY_PROJECTION,
    VERIFY,
    actor_of,
)
from metacortex.operations.runs import JobRequest
from metacortex.operations.schedules import IN_PROCESS

STEP = 500  # runs that one statement repeats

_RUN = text(
    "SELECT outcome, (SELECT r.id FROM workers.runs r WHERE r.retry_of = :id"
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
    " FOR UPDATE SKIP LOCKED)) RETURNING id, actor"
)
_AGAIN = text(
    "INSERT INTO workers.runs (id, actor, queue, message_id, arguments, workspace_id,"
    " unique_key, schedule, correlation_id, command_id, retry_of, max_attempts)"
    " SELECT n.id, r.actor, :queue, n.message, r.arguments, r.workspace_id,"
    " r.unique_key, r.schedule, r.correlation_id, r.command_id, r.id, :attempts"
    " FROM unnest(CAST(:old AS uuid[]), CAST(:new AS uuid[]),"
    " CAST(:messages AS uuid[])) AS n(old, id, message)"
    " JOIN workers.runs r ON r.id = n.old ON CONFLICT DO NOTHING RETURNING id"
)
_DISCARD = text(
    "UPDATE workers.runs SET open = false, outcome = 'discarded',"
    " finished_at = coalesce(finished_at, now())"
    " WHERE id = :id AND (open OR outcome = 'queued') RETURNING id"
)
_DISCARD_GROUP = text(
    "UPDATE workers.runs SET open = false, outcome = 'discarded' WHERE id = ANY"
    " (ARRAY(SELECT id FROM workers.runs WHERE fingerprint = :fingerprint AND open"
    " AND finished_at <= CAST(:until AS timestamptz) ORDER BY id"
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
    """The outcome of an action: the run it made or found, how many it touched.

    `made` are new runs (id, actor), of which Redis is told after the commit.
    """

    result: Result
    run_id: UUID | None = None
    count: int = 0
    made: Sequence[tuple[UUID, str]] = ()

    def __str__(self) -> str:
        return self.result if self.count < 2 else f"{self.result} {self.count}"


async def retry_run(direct: DriverConnection, id: UUID) -> ActionResult:
    """Repeat a run that failed for good, as a new job."""
    taken = await direct.row(_TAKE, {"id": id})
    if taken is None:
        return await _closed(direct, id)
    started = await _repeat(direct, taken)
    return ActionResult("retried", started, 1, [(started, taken[1])])


async def discard_run(direct: DriverConnection, id: UUID) -> ActionResult:
    """Decide that a failed run stays so, or that a waiting one does not begin."""
    if await direct.row(_DISCARD, {"id": id}) is not None:
        return ActionResult("discarded", id, 1)
    return await _closed(direct, id)


async def retry_failures(direct: DriverConnection, fingerprint: str) -> ActionResult:
    """Repeat all of a group that failed before now; later ones are not touched."""
    group = await _group(direct, fingerprint)
    count, made = 0, list[tuple[UUID, str]]()
    while taken := await direct.rows(_TAKE_GROUP, {**group, "most": STEP}):
        count += len(taken)
        made += await _repeat_all(direct, taken)
    if not count:
        return ActionResult("nothing_open")
    return ActionResult("retried", made[-1][0] if made else None, count, made)


async def discard_failures(direct: DriverConnection, fingerprint: str) -> ActionResult:
    """Decide that all of a group that failed before now stays so."""
    group = await _group(direct, fingerprint)
    count = await direct.write(_DISCARD_GROUP, group)
    return ActionResult("discarded" if count else "nothing_open", None, count)


async def set_queue(
    direct: DriverConnection, name: str, *, paused: bool
) -> ActionResult:
    """Let workers begin nothing of a queue, whose messages stay; or let them again."""
    if name not in QUEUES:
        raise NotFound("not_found")
    values = {"name": name, "paused": paused}
    return _switched(bool(await direct.write(_SET_QUEUE, values)), paused)


async def set_schedule(
    direct: DriverConnection, name: str, *, paused: bool
) -> ActionResult:
    """Pause a schedule, or let it go on at its next time.

    What fell due meanwhile does not run: paused is no accident, as a scheduler that was
    away is.
    """
    if await direct.row(_SCHEDULE, {"name": name}) is None:
        raise NotFound("not_found")
    values = {"name": name, "paused": paused}
    return _switched(bool(await direct.write(_SET_SCHEDULE, values)), paused)


async def run_schedule(direct: DriverConnection, name: str) -> ActionResult:
    """Run a schedule now, unless a run that was started so is still on."""
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
    done = await _start(direct, wanted)
    if done.made:
        await direct.write(_SLOT, {"name": name, "run": done.run_id})
    return done


async def rebuild(direct: DriverConnection, workspace_id: UUID) -> ActionResult:
    """Begin to fold a workspace's read tables again."""
    return await _about(direct, workspace_id, REBUILD)


async def verify(direct: DriverConnection, workspace_id: UUID) -> ActionResult:
    """Begin to compare a workspace's read tables with its log."""
    return await _about(direct, workspace_id, VERIFY)


async def retry_projection(
    direct: DriverConnection, workspace_id: UUID
) -> ActionResult:
    """Let a parked workspace go on at the event that stopped it."""
    row = await direct.row(_PARKED, {"workspace": workspace_id})
    if row is not None and not row[0]:
        return ActionResult("not_parked")
    return await _about(direct, workspace_id, RETRY_PROJECTION)


async def _closed(direct: DriverConnection, id: UUID) -> ActionResult:
    """Return why a run is not to be retried or discarded."""
    row = await direct.row(_RUN, {"id": id})
    if row is None:
        raise NotFound("not_found")
    outcome, later = row
    if later is not None:
        return ActionResult("already_retried", runs.plain(later))
    return ActionResult(
        "already_discarded" if outcome == "discarded" else "not_failed", id
    )


async def _group(direct: DriverConnection, fingerprint: str) -> dict[str, Any]:
    """Return what names the runs of a group that failed until now."""
    row = await direct.row(_GROUP, {"fingerprint": fingerprint})
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


async def _repeat_all(
    direct: DriverConnection, taken: Sequence[Any]
) -> list[tuple[UUID, str]]:
    """Enqueue the jobs of many runs again; a group of failures is of one actor."""
    actor = actor_of(taken[0][1])
    values = {
        "old": [row[0] for row in taken],
        "new": [new_id() for _ in taken],
        "messages": [new_id() for _ in taken],
        "queue": actor.queue,
        "attempts": actor.max_attempts,
    }
    made = await direct.rows(_AGAIN, values)
    return [(runs.plain(it[0]), actor.name) for it in made]


async def _about(
    direct: DriverConnection, workspace_id: UUID, actor: str
) -> ActionResult:
    """Start a job of a workspace, unless it is on."""
    if await direct.row(_HEAD, {"workspace": workspace_id}) is None:
        raise NotFound("not_found")
    wanted = JobRequest(
        actor=actor,
        arguments={"workspace_id": str(workspace_id)},
        workspace_id=workspace_id,
        unique_key=f"{actor} {workspace_id}",
    )
    return await _start(direct, wanted)


async def _start(direct: DriverConnection, wanted: JobRequest) -> ActionResult:
    started = await runs.enqueue(direct, wanted)
    if not started.new:
        return ActionResult("already_running", started.run_id)
    made = [(started.run_id, wanted.actor)]
    return ActionResult("started", started.run_id, 1, made)


def _switched(changed: bool, paused: bool) -> ActionResult:
    if changed:
        return ActionResult("paused" if paused else "resumed", None, 1)
    return ActionResult("already_paused" if paused else "not_paused")
