"""Sends messages for runs that are due, again where Redis has lost them."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import driver_pool
from metacortex.operations.jobs import send
from metacortex.wakeups import Broker

AGAIN_S = 5.0  # after this a run that nobody began is looked for in Redis
MOST = 500  # runs of one turn; the next one follows a second later

_DUE = text(
    "SELECT id, actor, queue FROM workers.runs r WHERE outcome = 'queued'"
    " AND due_at <= now() AND (sent_at IS NULL"
    " OR sent_at < now() - make_interval(secs => :again)) AND NOT EXISTS ("
    "SELECT FROM workers.queues q WHERE q.name = r.queue AND q.paused)"
    " ORDER BY due_at LIMIT :most"
)
_SENT = text(
    "UPDATE workers.runs SET sent_at = now() WHERE id = ANY (CAST(:ids AS uuid[]))"
)


class Dispatcher:
    """Keeps Redis informed of what stands in Postgres."""

    def __init__(self, engine: AsyncEngine, broker: Broker) -> None:
        self._pool = driver_pool(engine)
        self._broker = broker

    async def turn(self) -> int:
        """Send what is due; return how many runs that were. Raises what Redis does."""
        values = {"again": AGAIN_S, "most": MOST}
        rows = [tuple(it) for it in await self._pool.rows(_DUE, values)]
        if rows:
            await asyncio.to_thread(send, self._broker, rows)
            await self._pool.write(_SENT, {"ids": [row[0] for row in rows]})
        return len(rows)
