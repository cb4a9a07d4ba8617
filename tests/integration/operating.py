"""A worker of jobs in this process, with work that tests hand it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import driver_pool, engine
from metacortex.operations import runs
from metacortex.operations.actors import QUEUES
from metacortex.operations.dispatching import Dispatcher
from metacortex.operations.heartbeats import Process
from metacortex.operations.jobs import JobWorker, Work
from metacortex.operations.operator_actions import (
    ActionsOf,
    Operator,
    OperatorActions,
)
from metacortex.operations.recorder import Recorder
from metacortex.operations.runs import JobRequest, Runs
from metacortex.wakeups import Broker, make_broker
from tests.conftest import Urls

HANG_S = 60.0  # only there to end a hang


@dataclass
class Operating:
    """Runs of a database and a Redis, as the scheduler and workers see them."""

    urls: Urls
    database: AsyncEngine
    broker: Broker

    @classmethod
    @asynccontextmanager
    async def on(cls, urls: Urls) -> AsyncIterator["Operating"]:
        """Connect."""
        found = cls(urls, engine(urls.projector), make_broker(urls.redis))
        yield found
        found.broker.close()
        await found.database.dispose()

    @property
    def runs(self) -> Runs:
        return Runs(self.database)

    async def enqueue(self, actor: str, **values: Any) -> UUID:
        """Write a run that waits."""
        async with driver_pool(self.database).begin() as direct:
            started = await runs.enqueue(direct, JobRequest(actor=actor, **values))
        return started.run_id

    async def dispatch(self) -> int:
        """Send what is due."""
        return await Dispatcher(self.database, self.broker).turn()

    @asynccontextmanager
    async def worker(self, work: Mapping[str, Work]) -> AsyncIterator[JobWorker]:
        """Serve jobs with this work."""
        brokers: list[Broker] = []

        def pause(names: set[str]) -> None:
            for broker in brokers:
                broker.pause(names)

        recorder = Recorder(
            lambda: engine(self.urls.projector, pool_size=4),
            Process(kind="worker", queues=QUEUES),
            asyncio.get_running_loop(),
            pause,
        )
        jobs = JobWorker(
            lambda middleware: make_broker(self.urls.redis, middleware), recorder, work
        )
        brokers.append(jobs.broker)
        recorder.start()
        jobs.start()
        try:
            yield jobs
        finally:
            await jobs.stop(5)
            await asyncio.to_thread(recorder.stop, 5)

    async def rows(self, sql: str, **values: Any) -> Sequence[Any]:
        """Return rows."""
        return await driver_pool(self.database).rows(text(sql), values)

    async def attempts(self, run_id: UUID) -> list[tuple[int, str]]:
        """Return the attempts of a run's job with their outcomes."""
        found = await self.rows(ATTEMPTS, id=run_id)
        return [(row[0], row[1]) for row in found]

    async def until(self, run_id: UUID, *outcomes: str, turns: bool = True) -> None:
        """Wait until a job's attempts have had these outcomes, dispatching meanwhile.

        The back-off is cut short.
        """
        async with asyncio.timeout(HANG_S):
            while [it[1] for it in await self.attempts(run_id)] != list(outcomes):
                if turns:
                    await self.change("UPDATE workers.runs SET due_at = now()")
                    await self.dispatch()
                await asyncio.sleep(0.02)

    async def change(self, sql: str, **values: Any) -> int:
        """Write."""
        return await driver_pool(self.database).write(text(sql), values)


def acting(database: AsyncEngine, broker: Broker | None = None) -> ActionsOf:
    """Return what an operator may do."""
    return OperatorActions(database, broker).by(Operator("user_olga", "192.0.2.7"))


ATTEMPTS = (
    "SELECT attempt, outcome FROM workers.runs WHERE message_id ="
    " (SELECT message_id FROM workers.runs WHERE id = :id) ORDER BY attempt"
)
