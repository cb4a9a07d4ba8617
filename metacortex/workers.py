"""Dramatiq: the broker, one thin actor, the sweep, and the scheduler with its leader.

Messages are wake-ups only. Redis may be emptied or be down: the scheduler's sweep
projects whatever lags by itself, so that read tables follow without any message.
"""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import dramatiq
import structlog
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import autocommit, engine
from metacortex.kernel.driver_errors import report
from metacortex.queries.projector import Projector
from metacortex.settings import Settings
from metacortex.wakeups import ACTOR, QUEUE, TURN_LIMIT_S, make_broker, sender

logger = structlog.get_logger(__name__)

POLL_MS = 20  # idle pick-up is about this, for some 3 % of a core

SWEEP = "sweep"
LEASE_S = 5.0  # a dead leader is followed after this


class Worker:
    """Dramatiq's threads around a projector that lives in our event loop."""

    def __init__(
        self, broker: RedisBroker, projector: Projector, *, threads: int
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._projector = projector
        self._send = sender(broker)
        declare = dramatiq.actor(actor_name=ACTOR, queue_name=QUEUE, broker=broker)
        declare(self._project)
        self._worker = dramatiq.Worker(
            broker, queues={QUEUE}, worker_threads=threads, worker_timeout=POLL_MS
        )

    def _project(self, workspaces: list[str]) -> None:
        """Project in the event loop while one of Dramatiq's threads waits for it."""
        turn = self._projector.turn(map(UUID, workspaces))
        done = asyncio.run_coroutine_threadsafe(turn, self._loop)
        behind = done.result(TURN_LIMIT_S).behind
        if behind:
            self._send([str(id) for id in behind])

    def start(self) -> None:
        """Begin to serve."""
        self._worker.start()

    async def stop(self, grace_s: float) -> None:
        """Finish what has begun, and give back what has not."""
        await asyncio.to_thread(self._worker.stop, int(grace_s * 1_000))


class Sweep:
    """Finds workspaces that lag and projects them, message or no message."""

    def __init__(self, projector: Projector) -> None:
        self._projector = projector

    async def turn(self) -> int:
        """Give all that lags now one turn; return how many events it applied."""
        behind = await self._projector.behind()
        return (await self._projector.turn(behind)).events if behind else 0


_LEAD = text(
    "INSERT INTO workers.leases AS l (name, holder, expires_at)"
    " VALUES (:name, :holder, now() + :lease) ON CONFLICT (name) DO UPDATE"
    " SET holder = excluded.holder, expires_at = excluded.expires_at"
    " WHERE l.holder = excluded.holder OR l.expires_at < now() RETURNING true"
)
_YIELD = text("DELETE FROM workers.leases WHERE name = :name AND holder = :holder")


class Leadership:
    """A lease in the database: one holder at a time, whoever holds connections."""

    def __init__(self, engine: AsyncEngine, name: str) -> None:
        self._engine = autocommit(engine)
        host = f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"
        self._who = {"name": name, "holder": host}

    async def take(self) -> bool:
        """Take or keep the lease; tell whether it is ours."""
        values = {**self._who, "lease": timedelta(seconds=LEASE_S)}
        async with self._engine.connect() as connection:
            return bool(await connection.scalar(_LEAD, values))

    async def give_up(self) -> None:
        """Let another one lead at once."""
        async with self._engine.connect() as connection:
            await connection.execute(_YIELD, self._who)


def _projector(settings: Settings) -> tuple[AsyncEngine, Projector]:
    database = engine(
        settings.projector_url,
        pool_size=settings.database_pool_size,
        pooler=settings.database_pooler,
        name="metacortex-projector",
    )
    projector = Projector(
        database, batch=settings.projector_batch, turn_s=settings.projector_turn_s
    )
    return database, projector


def _stopping() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, event.set)
    return event


async def run_worker(settings: Settings) -> None:
    """Serve wake-ups until a signal comes."""
    stopping = _stopping()
    database, projector = _projector(settings)
    broker = make_broker(settings.redis_url)
    worker = Worker(broker, projector, threads=settings.worker_threads)
    worker.start()
    logger.info("worker_started", threads=settings.worker_threads)
    await stopping.wait()
    await worker.stop(settings.shutdown_grace_s)
    broker.close()
    await database.dispose()
    logger.info("worker_stopped")


async def run_scheduler(settings: Settings) -> None:
    """Sweep at every interval while this process leads, until a signal comes."""
    stopping = _stopping()
    database, projector = _projector(settings)
    leadership, sweep = Leadership(database, SWEEP), Sweep(projector)
    logger.info("scheduler_started", interval_s=settings.sweep_interval_s)

    async def tick() -> None:
        """Sweep until nothing lags, while this process leads and none stops it."""
        while not stopping.is_set() and await leadership.take():
            if not await sweep.turn():
                return

    while not stopping.is_set():
        await _guarded(tick)
        await _pause(stopping, settings.sweep_interval_s)
    await _guarded(leadership.give_up)
    await database.dispose()
    logger.info("scheduler_stopped")


async def _guarded(step: Callable[[], Awaitable[None]]) -> None:
    """Run a step; a database that is away for a while does not end the scheduler."""
    try:
        await step()
    except Exception as error:
        report(logger, "sweep_failed", error)  # the next interval tries again


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
