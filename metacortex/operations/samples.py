"""Samples for charts: every 10 s for a day, every 5 minutes for 30 days.

Counts are rates per second since the sample before; the database counts them itself,
so that no write costs more for being counted.
"""

import asyncio
import time
from collections.abc import Mapping

from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import driver_pool
from metacortex.operations.actors import QUEUES
from metacortex.operations.runs import DEAD_S
from metacortex.wakeups import NAMESPACE, Broker

METRICS: Mapping[str, str] = {
    "commands": "receipts written, per second",
    "events": "events appended, per second",
    "lag_s": "age of the oldest event that no read table shows, in seconds",
    "failures": "runs that failed or crashed, per second",
    "queue_depth": "messages in all queues",
    "request_p99_ms": "the slowest hundredth of requests, in the worst API process",
}
SUMS = ("commands", "events", "failures")
"""Rolled up to their mean; of all others the highest value is kept."""

STEP_S, LONG_S = 10, 300

_LOOK = text(
    "SELECT now(),"
    " (SELECT n_tup_ins FROM pg_stat_all_tables"
    " WHERE schemaname = 'commands' AND relname = 'receipts'),"
    " (SELECT n_tup_ins FROM pg_stat_all_tables"
    " WHERE schemaname = 'events' AND relname = 'log'),"
    " (SELECT count(*) FROM workers.runs"
    " WHERE finished_at > CAST(:since AS timestamptz) AND fingerprint IS NOT NULL"
    " AND outcome IN ('failed', 'crashed', 'retrying')),"
    " (SELECT coalesce(extract(epoch FROM now() - min(l.recorded_at)), 0)::float8"
    " FROM events.heads h LEFT JOIN queries.checkpoints c USING (workspace_id)"
    " JOIN events.log l ON l.workspace_id = h.workspace_id"
    " AND l.sequence = coalesce(c.sequence, 0) + 1"
    " WHERE h.sequence > coalesce(c.sequence, 0)),"
    " (SELECT coalesce(max((figures ->> 'request_p99_ms')::float8), 0)"
    " FROM workers.processes WHERE kind = 'api' AND stopped_at IS NULL"
    " AND seen_at > now() - make_interval(secs => :dead))"
)
_KEEP = text(
    "INSERT INTO workers.samples (metric, step, at, value)"
    f" SELECT m, {STEP_S}, date_bin('{STEP_S} s', CAST(:at AS timestamptz), 'epoch'), v"
    " FROM unnest(CAST(:metrics AS text[]), CAST(:values AS float8[])) AS s(m, v)"
    " ON CONFLICT (metric, step, at) DO UPDATE SET value = excluded.value"
)
_ROLL_UP = text(
    f"INSERT INTO workers.samples (metric, step, at, value) SELECT metric, {LONG_S},"
    f" date_bin('{LONG_S} s', at, 'epoch') AS bin, CASE WHEN metric = ANY"
    " (CAST(:sums AS text[])) THEN avg(value) ELSE max(value) END"
    f" FROM workers.samples s WHERE step = {STEP_S}"
    f" AND at < date_bin('{LONG_S} s', CAST(:at AS timestamptz), 'epoch')"
    f" AND at >= coalesce((SELECT max(at) + interval '{LONG_S} s' FROM workers.samples"
    f" l WHERE l.metric = s.metric AND step = {LONG_S}), '-infinity')"
    " GROUP BY metric, bin ON CONFLICT DO NOTHING"
)
_FORGET = text(
    f"DELETE FROM workers.samples WHERE step = {STEP_S} AND"
    " at < CAST(:at AS timestamptz) - interval '24 h'"
    f" OR step = {LONG_S} AND at < CAST(:at AS timestamptz) - interval '30 days'"
)


class Sampler:
    """Takes a sample whenever it is told to."""

    def __init__(self, engine: AsyncEngine, broker: Broker) -> None:
        self._pool = driver_pool(engine)
        self._broker = broker
        self._before: tuple[float, int, int] | None = None
        self._since = None
        self._rolled_up = 0.0

    async def take(self) -> None:
        """Take a sample of all metrics; those without a value have none."""
        row = await self._pool.row(_LOOK, {"since": self._since, "dead": DEAD_S})
        now, commands, events, failures, lag_s, p99_ms = row
        found = {"lag_s": lag_s, "request_p99_ms": p99_ms}
        found |= self._rates(time.monotonic(), commands, events, failures)
        self._since = now
        depth = await asyncio.to_thread(self._depth)
        if depth is not None:
            found["queue_depth"] = depth
        values = {"at": now, "metrics": list(found), "values": list(found.values())}
        await self._pool.write(_KEEP, values)
        if time.monotonic() - self._rolled_up >= LONG_S:
            await self._pool.write(_ROLL_UP, {"at": now, "sums": list(SUMS)})
            await self._pool.write(_FORGET, {"at": now})
            self._rolled_up = time.monotonic()

    def _rates(
        self, now: float, commands: int, events: int, failures: int
    ) -> dict[str, float]:
        """Return rates since the sample before; the first one has none.

        The database begins to count anew when it has crashed.
        """
        before, self._before = self._before, (now, commands, events)
        if before is None or commands < before[1] or events < before[2]:
            return {}
        seconds = now - before[0]
        return {
            "commands": (commands - before[1]) / seconds,
            "events": (events - before[2]) / seconds,
            "failures": failures / seconds,
        }

    def _depth(self) -> float | None:
        """Return the messages that wait, None while Redis is away."""
        look = self._broker.client.pipeline(transaction=False)
        for queue in QUEUES:
            look.llen(f"{NAMESPACE}:{queue}")
        try:
            return float(sum(look.execute()))
        except (OSError, RedisError):
            return None
