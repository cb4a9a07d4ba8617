"""What operators do: each action and its row of `workers.actions` are one transaction.

Redis is told of new runs after it; of what it was not told, the dispatcher of the
scheduler tells it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import DriverConnection, DriverPool, driver_pool
from metacortex.kernel.ids import new_id
from metacortex.operations import action_effects as effects
from metacortex.operations.action_effects import ActionResult, Result
from metacortex.operations.actors import ACTORS
from metacortex.operations.jobs import send
from metacortex.operations.queries_runs import ACTION
from metacortex.wakeups import Broker

logger = structlog.get_logger(__name__)

SENT = 500  # runs that Redis is told of at once; the dispatcher sends the rest

_RECORD = text(
    "INSERT INTO workers.actions (id, actor_id, action, target, ip, result, run_id)"
    " VALUES (:id, :actor_id, :action, :target, CAST(CAST(:ip AS text) AS inet),"
    f" :result, :run_id) RETURNING {ACTION}"
)

Target = TypeVar("Target", UUID, str)
Effect = Callable[[DriverConnection, Target], Awaitable[ActionResult]]


@dataclass(frozen=True, slots=True)
class Operator:
    """Who asks, and from where; `ip` is None where there is none, as on a socket."""

    actor_id: str
    ip: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """An action that is committed, and the row of `workers.actions` that says so."""

    result: Result
    run_id: UUID | None
    count: int
    row: Mapping[str, Any]


class OperatorActions:
    """What operators do, on a database; new runs are sent at once with a broker."""

    def __init__(self, engine: AsyncEngine, broker: Broker | None = None) -> None:
        self._pool = driver_pool(engine)
        self._broker = broker

    def by(self, operator: Operator) -> "ActionsOf":
        """Return what this operator may do."""
        return ActionsOf(self._pool, self, operator)

    async def sent(self, made: Sequence[tuple[UUID, str]]) -> None:
        """Tell Redis of new runs (id, actor); of what it misses, the scheduler does."""
        if self._broker is None or not made:
            return
        named = [(id, actor, ACTORS[actor].queue) for id, actor in made[:SENT]]
        try:
            await asyncio.to_thread(send, self._broker, named)
        except Exception as error:
            logger.warning("run_not_sent", error=repr(error))


class ActionsOf:
    """The actions of one operator; what they do, `action_effects` says.

    Raises NotFound for what there is not, Refused for another release's actor, and then
    writes no row.
    """

    def __init__(
        self, pool: DriverPool, actions: OperatorActions, operator: Operator
    ) -> None:
        self._pool, self._actions, self._operator = pool, actions, operator

    async def retry_run(self, id: UUID) -> Done:
        return await self._act("run.retry", id, effects.retry_run)

    async def discard_run(self, id: UUID) -> Done:
        return await self._act("run.discard", id, effects.discard_run)

    async def retry_failures(self, fingerprint: str) -> Done:
        return await self._act("failures.retry", fingerprint, effects.retry_failures)

    async def discard_failures(self, fingerprint: str) -> Done:
        effect = effects.discard_failures
        return await self._act("failures.discard", fingerprint, effect)

    async def pause_queue(self, name: str) -> Done:
        effect = partial(effects.set_queue, paused=True)
        return await self._act("queue.pause", name, effect)

    async def resume_queue(self, name: str) -> Done:
        effect = partial(effects.set_queue, paused=False)
        return await self._act("queue.resume", name, effect)

    async def pause_schedule(self, name: str) -> Done:
        effect = partial(effects.set_schedule, paused=True)
        return await self._act("schedule.pause", name, effect)

    async def resume_schedule(self, name: str) -> Done:
        effect = partial(effects.set_schedule, paused=False)
        return await self._act("schedule.resume", name, effect)

    async def run_schedule(self, name: str) -> Done:
        return await self._act("schedule.run", name, effects.run_schedule)

    async def rebuild(self, workspace_id: UUID) -> Done:
        return await self._act("projection.rebuild", workspace_id, effects.rebuild)

    async def verify(self, workspace_id: UUID) -> Done:
        return await self._act("projection.verify", workspace_id, effects.verify)

    async def retry_projection(self, workspace_id: UUID) -> Done:
        effect = effects.retry_projection
        return await self._act("projection.retry", workspace_id, effect)

    async def _act(self, action: str, target: Target, effect: Effect[Target]) -> Done:
        async with self._pool.begin() as direct:
            done = await effect(direct, target)
            values = {
                "id": new_id(),
                "actor_id": self._operator.actor_id,
                "action": action,
                "target": str(target),
                "ip": self._operator.ip,
                "result": str(done),
                "run_id": done.run_id,
            }
            row = dict(await direct.row(_RECORD, values))
        await self._actions.sent(done.made)
        return Done(done.result, done.run_id, done.count, row)
