"""Worker and scheduler: wake-ups, jobs, the sweep, and what the leader does.

Messages are wake-ups only. Redis may be emptied or be down: the scheduler's sweep
projects whatever lags by itself, so that read tables follow without any message, and
jobs stand in Postgres.
"""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

import dramatiq
import structlog
from prometheus_client import disable_created_metrics, start_http_server
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel import tracing
from metacortex.kernel.database import autocommit, engine
from metacortex.kernel.driver_errors import report
from metacortex.operations.actor_functions import ActorFunctions
from metacortex.operations.actors import QUEUES
from metacortex.operations.error_reports import failure
from metacortex.operations.heartbeats import Heart, Heartbeat, Process
from metacortex.operations.jobs import JobWorker
from metacortex.operations.leader_tasks import TICK_S, LeaderTasks
from metacortex.operations.recorder import Recorder
from metacortex.operations.runs import FailedTurn
from metacortex.operations.schedules import SWEEP, entries
from metacortex.queries.projector import Projector, Turn
from metacortex.settings import Settings
from metacortex.wakeups import (
    ACTOR,
    AGE_LIMIT_MS,
    FAILED,
    QUEUE,
    TURN_LIMIT_S,
    Broker,
    CarryTrace,
    make_broker,
    sender,
)

logger = structlog.get_logger(__name__)

POLL_MS = 500  # how often an idle thread looks whether it is to stop

RECORDER_POOL = 4  # claims of two jobs, ends, and the heartbeat
NAMED = 50  # workspaces that the run of a failed wake-up names
LEASE_S = 5.0  # a dead leader is followed after this


class Worker:
    """Dramatiq's threads around a projector that lives in our event loop."""

    def __init__(
        self,
        broker: Broker,
        projector: Projector,
        *,
        threads: int,
        recorder: Recorder | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._projector = projector
        self._recorder = recorder
        self._send = sender(broker)
        if tracing.tracer is not None:
            broker.add_middleware(CarryTrace())
        declare = dramatiq.actor(
            actor_name=ACTOR, queue_name=QUEUE, broker=broker, max_age=AGE_LIMIT_MS
        )
        declare(self._project)
        self._worker = dramatiq.Worker(
            broker, queues={QUEUE}, worker_threads=threads, worker_timeout=POLL_MS
        )

    def _project(self, workspaces: list[str]) -> None:
        """Project in the event loop while one of Dramatiq's threads waits for it."""
        begun = time.perf_counter()
        try:
            turn = self._turn(workspaces)
        except Exception as error:
            self._record(begun, 0, (workspaces, error))
            raise
        self._record(begun, turn.events)
        if turn.behind:
            self._go_on([str(id) for id in turn.behind])

    def _go_on(self, behind: list[str]) -> None:
        """Wake up somebody for what is left; without Redis the sweep goes on."""
        try:
            self._send(behind)
        except Exception as error:
            FAILED.inc()
            logger.warning("wake_up_failed", error=repr(error))

    def _turn(self, workspaces: list[str]) -> Turn:
        turn = self._projector.turn(map(UUID, workspaces))
        done = asyncio.run_coroutine_threadsafe(turn, self._loop)
        try:
            return done.result(TURN_LIMIT_S)
        except TimeoutError:
            done.cancel()  # a stuck turn would hold its checkpoints
            raise

    def _record(
        self,
        begun: float,
        events: int,
        failed: tuple[Sequence[str], Exception] | None = None,
    ) -> None:
        if self._recorder is None:
            return
        ms = (time.perf_counter() - begun) * 1_000
        told = None
        if failed is not None:
            arguments = {"workspaces": failed[0][:NAMED]}
            told = FailedTurn(ACTOR, arguments, ms, failure(ACTOR, failed[1]))
        self._recorder.turn(ms, events, told)

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


def _serve_metrics(settings: Settings) -> None:
    """Serve this process's metrics, if a port is set. Raises OSError if it is taken."""
    if settings.metrics_port is not None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # as it is made
        start_http_server(settings.metrics_port)


async def run_worker(settings: Settings, *, schedules: bool = False) -> None:
    """Serve wake-ups and jobs until a signal comes; with `schedules`, lead as well."""
    stopping = _stopping()
    _serve_metrics(settings)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_work(settings, stopping))
        if schedules:
            tasks.create_task(_schedule(settings, stopping))


async def run_scheduler(settings: Settings) -> None:
    """Sweep, and do what is due, while this process leads, until a signal comes."""
    stopping = _stopping()
    _serve_metrics(settings)
    await _schedule(settings, stopping)


async def _work(settings: Settings, stopping: asyncio.Event) -> None:
    database, projector = _projector(settings)
    writes = engine(
        settings.database_url,
        pool_size=settings.database_pool_size,
        pooler=settings.database_pooler,
        name="metacortex-worker",
    )
    broker, brokers = make_broker(settings.redis_url), list[Broker]()
    recorder = _recorder(settings, brokers)
    worker = Worker(
        broker, projector, threads=settings.worker_threads, recorder=recorder
    )
    jobs = _jobs(settings, recorder, projector, database, writes)
    brokers += (broker, jobs.broker)
    recorder.start()
    worker.start()
    jobs.start()
    logger.info("worker_started", threads=settings.worker_threads)
    await stopping.wait()
    grace_s = settings.shutdown_grace_s
    await asyncio.gather(worker.stop(grace_s), jobs.stop(grace_s))
    await asyncio.to_thread(recorder.stop, grace_s)
    broker.close()
    await asyncio.gather(database.dispose(), writes.dispose())
    logger.info("worker_stopped")


def _recorder(settings: Settings, brokers: Sequence[Broker]) -> Recorder:
    def pause(queues: set[str]) -> None:
        for broker in brokers:
            broker.pause(queues)

    def connect() -> AsyncEngine:
        return engine(
            settings.projector_url,
            pool_size=RECORDER_POOL,
            pooler=settings.database_pooler,
            name="metacortex-recorder",
        )

    return Recorder(
        connect,
        Process(kind="worker", queues=QUEUES),
        asyncio.get_running_loop(),
        pause,
    )


def _jobs(
    settings: Settings,
    recorder: Recorder,
    projector: Projector,
    database: AsyncEngine,
    writes: AsyncEngine,
) -> JobWorker:
    telling = make_broker(settings.redis_url)
    actors = ActorFunctions(
        projector=projector,
        keeping=database,
        writes=writes,
        wake=lambda id: sender(telling)([str(id)]),
    )
    return JobWorker(
        lambda middleware: make_broker(settings.redis_url, middleware),
        recorder,
        actors.work(),
    )


async def _schedule(settings: Settings, stopping: asyncio.Event) -> None:
    database, projector = _projector(settings)
    broker = make_broker(settings.redis_url)
    leadership, sweep = Leadership(database, SWEEP), Sweep(projector)
    wanted = entries(settings.sweep_interval_s)
    leader_tasks = LeaderTasks(database, broker, wanted)
    heartbeat = Heartbeat(Heart(database, Process(kind="scheduler")))
    heartbeat.start()
    logger.info("scheduler_started", interval_s=settings.sweep_interval_s)

    async def sweeping() -> None:
        """Sweep until nothing lags, while this process leads and none stops it."""
        while not stopping.is_set() and leader_tasks.sweeps and await leadership.take():
            if not await sweep.turn():
                return

    async def doing() -> None:
        """Do what a second brings, while this process leads."""
        await leader_tasks.turn(await leadership.take())

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_repeated(sweeping, settings.sweep_interval_s, stopping))
        tasks.create_task(_repeated(doing, TICK_S, stopping))
    await heartbeat.stop()
    await _guarded(leadership.give_up)
    broker.close()
    await database.dispose()
    logger.info("scheduler_stopped")


Step = Callable[[], Awaitable[None]]


async def _repeated(step: Step, seconds: float, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        await _guarded(step)
        await _pause(stopping, seconds)


async def _guarded(step: Step) -> None:
    """Run a step; a database that is away for a while does not end the scheduler."""
    try:
        await step()
    except Exception as error:
        report(logger, "sweep_failed", error, step=step.__name__)  # and tries again


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
