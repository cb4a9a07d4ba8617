"""One look at the whole installation: the overview, and the verdict over it.

The API's processes keep one observer each and share its look among all who ask within a
second; the command line makes one for itself. A look never raises what an unreachable
part raises: that is a finding.
"""

import asyncio
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from metacortex.kernel import clock
from metacortex.kernel.database import Reader
from metacortex.kernel.driver_errors import cause, meaning
from metacortex.operations import findings, queries_state
from metacortex.operations.conditions import CONDITIONS, Finding, Judge, Judgement
from metacortex.operations.current_rates import CurrentRates
from metacortex.operations.findings import DiskSpace
from metacortex.operations.process_states import judged_processes
from metacortex.operations.queries_runs import Row
from metacortex.operations.queries_state import Lag
from metacortex.operations.queue_depths import Depth, depths
from metacortex.wakeups import QUEUE as PROJECTIONS

logger = structlog.get_logger(__name__)

FRESH_S = 0.9  # a look is shared for this long: streams want one every second
SIZES_S = 30.0  # sizes change slowly, and Postgres asks the file system for each

_REVISION = text("SELECT version_num FROM public.alembic_version")
_HEARD = text("SELECT max(seen_at) FROM workers.processes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where an observer looks; `disk` is the folder of a database on this machine."""

    primary: Reader
    redis: Redis
    schema: str
    """The revision that this release needs."""
    queues: Sequence[str]
    lease: str = "sweep"
    replica: Reader | None = None
    disk: Path | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What was there at an instant; what could not be asked is None."""

    at: datetime
    judgement: Judgement
    found: frozenset[str]
    """The codes of all that holds, however short it has."""
    lag: Lag | None
    failed: Row | None
    processes: Sequence[Row] | None
    queues: Sequence[Row]
    now: Mapping[str, float | None]
    sizes: Row | None
    disk: DiskSpace | None
    """None where the database is not on this machine."""

    def overview(self) -> dict[str, Any]:
        """Return it as `GET /ops/overview` answers."""
        judged = self.judgement
        return {
            "verdict": judged.verdict,
            "reasons": [
                {name: getattr(it, name) for name in it.__slots__}
                for it in judged.reasons
            ],
            "now": dict(self.now),
            "lag": self.lag
            and {
                "behind": self.lag.behind,
                "oldest_s": round(self.lag.oldest_s, 3),
                "parked": self.lag.parked,
            },
            "failures": self.failed
            and {name: self.failed[name] for name in ("open", "new_last_hour")},
            "workers": (
                None
                if self.processes is None
                else {state: self.count(state) for state in ("alive", "stalled")}
            ),
            "queues": {
                name: _total(self.queues, name) for name in ("ready", "delayed", "dead")
            },
            "storage": self.sizes,
        }

    def count(self, state: str, kind: str | None = None) -> int:
        """Return how many processes are in a state."""
        return sum(
            it["state"] == state and kind in (None, it["kind"])
            for it in self.processes or ()
        )


def _total(queues: Sequence[Row], name: str) -> int | None:
    values = [it[name] for it in queues]
    return None if not values or None in values else sum(values)


@dataclass(slots=True)
class _Seen:
    """What one look gathers."""

    findings: list[Finding] = field(default_factory=list)
    lag: Lag | None = None
    failed: Row | None = None
    processes: Sequence[Row] | None = None
    queues: Sequence[Row] | None = None
    samples: Mapping[str, float] = field(default_factory=dict)
    wake_ups: float = 0.0


class Observer:
    """Looks when asked, at most once a second; needs a running event loop."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._judge = Judge()
        self._last: tuple[float, Look] | None = None
        self._task: asyncio.Task[Look] | None = None
        self._sizes: tuple[float, Row] | None = None
        self._rates = CurrentRates()

    async def look(self) -> Look:
        """Return a look that is at most a second old; many share one."""
        if self._last is not None and time.monotonic() - self._last[0] < FRESH_S:
            return self._last[1]
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(), name="observer")
        return await asyncio.shield(self._task)

    async def queues(self) -> list[Row]:
        """Return the queues as they are now, so that one sees what one did to them.

        Raises what Postgres does; what only the broker knows is None while it is away.
        """
        seen = _Seen()
        await self._ask_queues(seen, self._sources.primary)
        waiting = await self._ask_broker(seen)
        return _merged(seen, waiting, self._sources.queues)

    async def _ask_queues(self, seen: _Seen, primary: Reader) -> None:
        seen.queues = await queries_state.queues(primary, self._sources.queues)
        seen.wake_ups = await queries_state.wake_ups_per_minute(primary)

    async def _look(self) -> Look:
        seen = _Seen()
        _, waiting, _ = await asyncio.gather(
            self._ask_database(seen), self._ask_broker(seen), self._ask_replica(seen)
        )
        disk = disk_space(self._sources.disk)
        seen.findings += findings.of_disk(disk)
        at = seen.lag.now if seen.lag is not None else clock.now()
        queues = _merged(seen, waiting, self._sources.queues)
        seen.findings += findings.of_queues(queues, at)
        look = Look(
            at,
            self._judge.judge(seen.findings, at),
            frozenset(it.code for it in seen.findings),
            seen.lag,
            seen.failed,
            seen.processes,
            queues,
            self._rates.of(seen.processes or (), seen.samples),
            None if self._sizes is None or seen.lag is None else self._sizes[1],
            disk,
        )
        self._last = (time.monotonic(), look)
        return look

    async def _ask_database(self, seen: _Seen) -> None:
        """Ask Postgres everything, unless it is away or of another release."""
        primary, limit_s = self._sources.primary, CONDITIONS["database_unreachable"]
        try:
            async with asyncio.timeout(limit_s.threshold):
                row = await primary.row(_REVISION, {})
            if row is None or row[0] != self._sources.schema:
                found = "no revision" if row is None else f"revision {row[0]}"
                seen.findings.append(
                    findings.another_release(found, self._sources.schema)
                )
            await self._ask_tables(seen, primary)
        except Exception as error:
            finding = findings.of_database(error, self._sources.schema)
            if finding is None:
                raise
            seen.findings.append(finding)

    async def _ask_tables(self, seen: _Seen, primary: Reader) -> None:
        lag = await queries_state.lag(primary)
        seen.processes = await judged_processes(primary)
        seen.failed = await queries_state.failed(primary, lag.now)
        await self._ask_queues(seen, primary)
        seen.samples = await queries_state.last_samples(
            primary, tuple(queries_state.UNITS)
        )
        leader = await queries_state.leader(primary, self._sources.lease)
        if self._sizes is None or time.monotonic() - self._sizes[0] > SIZES_S:
            self._sizes = (time.monotonic(), await queries_state.sizes(primary))
        seen.lag = lag
        seen.findings += findings.of_lag(lag)
        seen.findings += findings.of_failures(seen.failed)
        seen.findings += findings.of_processes(seen.processes, leader, lag.now)

    async def _ask_broker(self, seen: _Seen) -> Mapping[str, Depth]:
        limit_s = CONDITIONS["broker_unreachable"].threshold
        try:
            async with asyncio.timeout(limit_s):
                return await depths(self._sources.redis, (PROJECTIONS,))
        except (RedisError, OSError) as error:
            said = f"Redis: {type(error).__name__}"
            seen.findings.append(Finding("broker_unreachable", said))
            return {}

    async def _ask_replica(self, seen: _Seen) -> None:
        replica = self._sources.replica
        if replica is None:
            return
        try:
            newest = await asyncio.gather(
                self._sources.primary.row(_HEARD, {}), replica.row(_HEARD, {})
            )
        except Exception as error:
            if meaning(error) is None and not findings.is_missing(error):
                raise
            logger.info("replica_not_asked", error=repr(cause(error)))
            return
        seen.findings += findings.of_replica(*(row[0] for row in newest))


def _merged(
    seen: _Seen, waiting: Mapping[str, Depth], names: Sequence[str]
) -> list[Row]:
    """Return every queue: jobs as Postgres knows them, wake-ups as the broker does."""
    known = {it["name"]: it for it in seen.queues or ()}
    return [
        (
            _wake_up_queue(known.get(name), waiting.get(name), seen.wake_ups)
            if name == PROJECTIONS
            else known.get(name, _unknown(name))
        )
        for name in dict.fromkeys((*names, *known))
    ]


def _wake_up_queue(row: Row | None, depth: Depth | None, per_minute: float) -> Row:
    return {
        **(row or _unknown(PROJECTIONS)),
        "ready": None if depth is None else depth.ready,
        "delayed": None if depth is None else depth.delayed,
        "oldest_age_s": None if depth is None else depth.oldest_age_s,
        "per_minute": per_minute,
    }


def _unknown(name: str) -> Row:
    """Return a queue of which nobody knows anything just now."""
    nothing = dict.fromkeys(("ready", "delayed", "dead", "oldest_age_s"))
    return {**nothing, "name": name, "paused": False, "running": 0, "per_minute": 0.0}


def disk_space(folder: Path | None) -> DiskSpace | None:
    """Return the room where a database on this machine keeps its data."""
    if folder is None:
        return None
    usage = shutil.disk_usage(folder)
    return DiskSpace(usage.free, usage.total)


async def look_once(sources: Sources) -> Look:
    """Return one look, for a process that ends after it."""
    return await Observer(sources).look()
