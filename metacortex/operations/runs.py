"""Runs in Postgres: enqueued, claimed, ended, and ended for those that died.

A run is a row before its message is sent, and a message only names it. Whoever gets the
message claims the row; of two claims one succeeds, so that a doubled message runs
nothing twice, and a lost one is sent again (docs/decisions/0018-runs.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import orjson
from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import DriverConnection, driver_pool
from metacortex.kernel.ids import new_id
from metacortex.operations.actors import ACTORS, Actor, actor_of, wait_of
from metacortex.operations.error_reports import Failure, fingerprint, masked_arguments

ENDED = Counter(
    "metacortex_runs_total",
    "Attempts at jobs that ended, and wake-ups that failed",
    ("actor", "outcome"),
)
DEAD_S = 8.0  # without a heartbeat: four of them, so that a busy machine kills nobody
CRASHED = "Crashed"
CLOCK_SLACK = (
    "1 second"  # of the scheduler's clock before a worker's; both ask Postgres
)

_INSERT = text(
    "INSERT INTO workers.runs (id, actor, queue, message_id, arguments, workspace_id,"
    " unique_key, schedule, correlation_id, command_id, retry_of, max_attempts)"
    " VALUES (:id, :actor, :queue, :message, CAST(:arguments AS jsonb), :workspace,"
    " :unique_key, :schedule, :correlation, :command, :retry_of, :attempts)"
    " ON CONFLICT DO NOTHING"
)
_HOLDER = text(
    "SELECT id FROM workers.runs WHERE unique_key = :unique_key"
    " AND outcome IN ('queued', 'running')"
)
_CLAIM = text(
    "UPDATE workers.runs r SET outcome = 'running', started_at = clock_timestamp(),"
    " worker = :worker WHERE id = :id AND outcome = 'queued'"
    f" AND due_at <= now() + interval '{CLOCK_SLACK}' AND NOT EXISTS ("
    "SELECT FROM workers.queues q WHERE q.name = r.queue AND q.paused)"
    " RETURNING id, actor, arguments::text, workspace_id, attempt, max_attempts,"
    " correlation_id"
)
_SUCCEEDED = text(
    "UPDATE workers.runs r SET outcome = 'succeeded', finished_at = clock_timestamp(),"
    " duration_ms = e.ms, done = coalesce(total, done)"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:ms AS float8[])) AS e(id, ms)"
    " WHERE r.id = e.id AND r.outcome = 'running' AND r.worker = :worker"
)
_END = text(
    "UPDATE workers.runs SET outcome = :outcome, finished_at = clock_timestamp(),"
    " duration_ms = coalesce(CAST(:ms AS float8),"
    " extract(epoch FROM clock_timestamp() - started_at) * 1000),"
    " error_type = :type, error_message = :message, fingerprint = :fingerprint,"
    " traceback = :traceback, open = :open,"
    " next_attempt_at = clock_timestamp() + make_interval(secs => :wait)"
    " WHERE id = :id AND outcome = 'running' AND worker = :worker"
)
_AGAIN = text(
    "INSERT INTO workers.runs (id, actor, queue, message_id, arguments, workspace_id,"
    " unique_key, schedule, correlation_id, command_id, retry_of, due_at, attempt,"
    " max_attempts) SELECT :new, actor, queue, message_id, arguments, workspace_id,"
    " unique_key, schedule, correlation_id, command_id, retry_of, next_attempt_at,"
    " attempt + 1, max_attempts + :more FROM workers.runs WHERE id = :id"
    " ON CONFLICT DO NOTHING"
)
_GROUP = text(
    "INSERT INTO workers.failures AS f (fingerprint, actor, error_type, message,"
    " first_at, last_at, count, sample_run_id) VALUES (:fingerprint, :actor, :type,"
    " :message, now(), now(), 1, :id) ON CONFLICT (fingerprint) DO UPDATE SET"
    " message = excluded.message, last_at = excluded.last_at, count = f.count + 1,"
    " sample_run_id = excluded.sample_run_id"
)
_FAILED_TURN = text(
    "INSERT INTO workers.runs (id, actor, queue, message_id, arguments, started_at,"
    " finished_at, duration_ms, outcome, worker, error_type, error_message,"
    " fingerprint, traceback) VALUES (:id, :actor, :queue, :id,"
    " CAST(:arguments AS jsonb), now() - make_interval(secs => :ms / 1000), now(), :ms,"
    " 'failed', :worker, :type, :message, :fingerprint, :traceback)"
)
_ORPHANS = text(
    "SELECT r.id, r.actor, r.worker, r.attempt, r.max_attempts, p.host, p.pid"
    " FROM workers.runs r LEFT JOIN workers.processes p ON p.id = r.worker"
    " WHERE r.outcome = 'running' AND (p.id IS NULL OR p.stopped_at IS NOT NULL"
    " OR p.seen_at < now() - make_interval(secs => :dead)"
    " OR r.started_at < now() - make_interval(secs => :dead)"
    " AND NOT p.running ? r.id::text)"  # a claim whose answer got lost
)
_PROGRESS = text(
    "UPDATE workers.runs r SET done = p.done, total = p.total FROM unnest("
    "CAST(:ids AS uuid[]), CAST(:done AS bigint[]), CAST(:total AS bigint[]))"
    " AS p(id, done, total)"
    " WHERE r.id = p.id AND r.outcome = 'running' AND r.worker = :worker"
)


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A run, and whether this call made it: else it was there already."""

    run_id: UUID
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A job to enqueue."""

    actor: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    workspace_id: UUID | None = None
    unique_key: str | None = None
    schedule: str | None = None
    correlation_id: str | None = None
    command_id: UUID | None = None
    retry_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that a worker may begin now."""

    id: UUID
    actor: Actor
    arguments: Mapping[str, Any]
    workspace_id: UUID | None
    attempt: int
    max_attempts: int
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How a claimed run ended.

    `interrupted`: its worker shut down; that counts as no attempt.
    """

    run: Claimed
    how: Literal["succeeded", "failed", "interrupted"]
    ms: float
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class FailedTurn:
    """A wake-up that raised; the sweep tries what it named again."""

    actor: str
    arguments: Mapping[str, Any]
    ms: float
    failure: Failure


async def enqueue(direct: DriverConnection, wanted: JobRequest) -> Enqueued:
    """Write a run that waits, in the caller's transaction; the dispatcher sends it.

    With a `unique_key` that another run holds, return that one. Raises Refused for an
    actor that this release does not have.
    """
    actor, id = actor_of(wanted.actor), new_id()
    values = {
        "id": id,
        "actor": actor.name,
        "queue": actor.queue,
        "message": new_id(),
        "arguments": _json(wanted.arguments),
        "workspace": wanted.workspace_id,
        "unique_key": wanted.unique_key,
        "schedule": wanted.schedule,
        "correlation": wanted.correlation_id or str(id),
        "command": wanted.command_id,
        "retry_of": wanted.retry_of,
        "attempts": actor.max_attempts,
    }
    for _ in range(3):  # the holder may end between our insert and our look
        if await direct.write(_INSERT, values):
            return Enqueued(id, True)
        held = await direct.row(_HOLDER, {"unique_key": wanted.unique_key})
        if held is not None:
            return Enqueued(plain(held[0]), False)
    raise KeyHeld(wanted.unique_key)


class KeyHeld(Exception):
    """Runs with this key come and go faster than we can look."""


class Runs:
    """What workers and the scheduler do to runs."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._pool = driver_pool(engine)

    async def claim(self, run_id: UUID, worker: UUID) -> Claimed | None:
        """Begin a run; None if it is not to be had: begun, not due, or paused."""
        row = await self._pool.row(_CLAIM, {"id": run_id, "worker": worker})
        if row is None:
            return None
        id, actor, arguments, workspace, attempt, most, correlation = row
        return Claimed(
            plain(id),
            ACTORS[actor],
            orjson.loads(arguments),
            None if workspace is None else plain(workspace),
            attempt,
            most,
            correlation,
        )

    async def end(
        self, worker: UUID, ended: Sequence[Ended], turns: Sequence[FailedTurn] = ()
    ) -> None:
        """Write how runs ended, in one transaction.

        A run that was declared crashed meanwhile stays so: another attempt is on.
        """
        async with self._pool.begin() as direct:
            good = [it for it in ended if it.how == "succeeded"]
            if good:
                values = {
                    "ids": [it.run.id for it in good],
                    "ms": [it.ms for it in good],
                    "worker": worker,
                }
                await direct.write(_SUCCEEDED, values)
            for it in ended:
                if it.how != "succeeded":
                    await _end_one(direct, worker, it)
            for turn in turns:
                await _failed_turn(direct, worker, turn)
        for it in ended:
            ENDED.labels(it.run.actor.name, it.how).inc()
        for turn in turns:
            ENDED.labels(turn.actor, "failed").inc()

    async def reap(self) -> int:
        """End as crashed what dead processes ran; return how many that were.

        Another attempt follows, up to the limit: a job that kills its process stops.
        """
        async with self._pool.begin() as direct:
            found = await direct.rows(_ORPHANS, {"dead": DEAD_S})
            for id, actor, worker, attempt, most, host, pid in found:
                place = f"process {pid} on {host}" if host else "its process"
                failure = Failure(
                    type=CRASHED,
                    message=f"{place} died in the middle of it",
                    fingerprint=fingerprint(actor, CRASHED, ""),
                    traceback="",
                )
                again = attempt < most
                wait = wait_of(actor, attempt) if again else None
                run = {"id": id, "worker": worker, "ms": None, "actor": actor}
                await _fail(direct, run, "crashed", failure, wait)
        for _, actor, *_ in found:
            ENDED.labels(actor, "crashed").inc()
        return len(found)

    async def progress(
        self, worker: UUID, progress: Mapping[UUID, tuple[int, int]]
    ) -> None:
        """Note how far runs are: done, and of how many."""
        values = {
            "ids": list(progress),
            "done": [done for done, _ in progress.values()],
            "total": [total for _, total in progress.values()],
            "worker": worker,
        }
        await self._pool.write(_PROGRESS, values)


async def _end_one(direct: DriverConnection, worker: UUID, ended: Ended) -> None:
    run, failure = ended.run, ended.failure
    assert failure is not None
    values = {"id": run.id, "worker": worker, "ms": ended.ms, "actor": run.actor.name}
    if ended.how == "interrupted":
        await _interrupt(direct, values, failure)
        return
    again = run.attempt < run.max_attempts
    wait = run.actor.wait(run.attempt) if again else None
    await _fail(direct, values, "failed" if wait is None else "retrying", failure, wait)


async def _fail(
    direct: DriverConnection,
    run: Mapping[str, Any],
    outcome: str,
    failure: Failure,
    wait_s: float | None,
) -> None:
    """End a run; enqueue its next attempt, or leave it open for an operator."""
    values = {**run, **_told(failure), "outcome": outcome}
    values |= {"open": wait_s is None, "wait": wait_s}
    if not await direct.write(_END, values):
        return
    await direct.write(_GROUP, values)
    if wait_s is not None:
        await direct.write(_AGAIN, {"new": new_id(), "id": run["id"], "more": 0})


async def _interrupt(
    direct: DriverConnection, run: Mapping[str, Any], failure: Failure
) -> None:
    values = {**run, **_told(failure), "outcome": "retrying", "open": False, "wait": 0}
    values["fingerprint"] = None  # no failure: it belongs to no group
    if await direct.write(_END, values):
        await direct.write(_AGAIN, {"new": new_id(), "id": run["id"], "more": 1})


async def _failed_turn(
    direct: DriverConnection, worker: UUID, turn: FailedTurn
) -> None:
    values = {
        "id": new_id(),
        "actor": turn.actor,
        "queue": ACTORS[turn.actor].queue,
        "arguments": _json(turn.arguments),
        "ms": turn.ms,
        "worker": worker,
        **_told(turn.failure),
    }
    await direct.write(_FAILED_TURN, values)
    await direct.write(_GROUP, values)


def plain(id: Any) -> UUID:
    """Return an id of the driver's own class as one that orjson writes."""
    return UUID(int=id.int)


def _told(failure: Failure) -> dict[str, str]:
    return {
        "type": failure.type,
        "message": failure.message,
        "fingerprint": failure.fingerprint,
        "traceback": failure.traceback,
    }


def _json(value: Any) -> str:
    return orjson.dumps(masked_arguments(value)).decode()
