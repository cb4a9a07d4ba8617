"""What the leading scheduler does every second, besides sweeping."""

from collections.abc import Sequence

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import driver_pool
from metacortex.kernel.driver_errors import report
from metacortex.operations.dispatching import Dispatcher
from metacortex.operations.runs import Runs
from metacortex.operations.samples import Sampler
from metacortex.operations.schedules import (
    IN_PROCESS,
    SAMPLES,
    SWEEP,
    Entry,
    Schedule,
    Schedules,
)
from metacortex.wakeups import QUEUE, Broker

logger = structlog.get_logger(__name__)

TICK_S = 1.0

_PAUSED = text("SELECT paused FROM workers.queues WHERE name = :name")


class LeaderTasks:
    """One turn enqueues what is due, ends what died, and sends what waits."""

    def __init__(
        self, engine: AsyncEngine, broker: Broker, wanted: Sequence[Entry]
    ) -> None:
        """`wanted` are this release's schedules."""
        self._wanted = wanted
        self._led = False
        self._pool = driver_pool(engine)
        self._schedules = Schedules(engine)
        self._runs = Runs(engine)
        self._dispatcher = Dispatcher(engine, broker)
        self._sampler = Sampler(engine, broker)
        self.sweeps = True
        """Whether to sweep: neither the schedule nor the projections' queue paused."""

    async def turn(self, leads: bool = True) -> None:
        """Do each of it while this process leads; what fails is tried again, alone.

        The schedules become this release's when the lead is taken, not when a process
        starts: so after a rolling update they are the last one's.
        """
        if leads and not self._led:
            await self._schedules.declare(self._wanted)
        self._led = leads
        if not leads:
            return
        for step in (self._enqueue_due, self._runs.reap, self._dispatcher.turn):
            try:
                await step()
            except Exception as error:
                report(logger, "leader_task_failed", error, task=step.__name__)

    async def _enqueue_due(self) -> None:
        for schedule in await self._schedules.all():
            try:
                await self._do(schedule)
            except Exception as error:  # the other schedules do not wait for this one
                report(logger, "schedule_failed", error, schedule=schedule.name)

    async def _do(self, schedule: Schedule) -> None:
        if schedule.name in IN_PROCESS:
            await self._in_process(schedule)
        elif schedule.is_known:
            await self._schedules.enqueue_due(schedule)

    async def _in_process(self, schedule: Schedule) -> None:
        if schedule.name == SWEEP:
            paused = await self._pool.row(_PAUSED, {"name": QUEUE})
            self.sweeps = not (schedule.paused or (paused and paused[0]))
        if not schedule.is_up:
            return
        if schedule.name == SAMPLES:
            await self._sampler.take()
        await self._schedules.ran(schedule)
