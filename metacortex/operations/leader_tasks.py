"""What the leading scheduler does every second, besides sweeping."""

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
    Schedule,
    Schedules,
)
from metacortex.wakeups import QUEUE, Broker

logger = structlog.get_logger(__name__)

TICK_S = 1.0

_PAUSED = text("SELECT paused FROM workers.queues WHERE name = :name")


class LeaderTasks:
    """One turn enqueues what is due, ends what died, and sends what waits."""

    def __init__(self, engine: AsyncEngine, broker: Broker) -> None:
        self._pool = driver_pool(engine)
        self._schedules = Schedules(engine)
        self._runs = Runs(engine)
        self._dispatcher = Dispatcher(engine, broker)
        self._sampler = Sampler(engine, broker)
        self.sweeps = True
        """Whether to sweep: neither the schedule nor the projections' queue paused."""

    async def turn(self) -> None:
        """Do each of it; what fails is tried again a second later, alone."""
        for step in (self._enqueue_due, self._runs.reap, self._dispatcher.turn):
            try:
                await step()
            except Exception as error:
                report(logger, "leader_task_failed", error, task=step.__name__)

    async def _enqueue_due(self) -> None:
        for schedule in await self._schedules.all():
            if schedule.name in IN_PROCESS:
                await self._in_process(schedule)
            else:
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
