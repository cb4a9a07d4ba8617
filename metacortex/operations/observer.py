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
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from metacortex.kernel import clock
from metacortex.kernel.database import Reader
from metacortex.kernel.driver_errors import cause, meaning, sqlstate
from metacortex.operations import queries_state
from metacortex.operations.conditions import (
    CONDITIONS,
    Finding,
    Judge,
    Judgement,
)
from metacortex.operations.queries_runs import Row
from metacortex.operations.queries_state import Lag
from metacortex.operations.queue_depths import Depth, depths
from metacortex.wakeups import QUEUE as PROJECTIONS

logger = structlog.get_logger(__name__)

FRESH_S = 0.9  # a look is shared for this long: streams want one every second
SIZES_S = 30.0  # sizes change slowly, and Postgres asks the file system for each
HISTORY_S = 24 * 3600.0  # processes that are remembered as gone
NAMED = 5  # processes, queues or workspaces that one reason names

_REVISION = text("SELECT version_num FROM public.alembic_version")
_HEARD = text("SELECT max(seen_at) FROM workers.processes")
_MISSING = ("3F", "42P01", "42703")  # schema, table or column: another release's


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
        self._counted: tuple[float, Mapping[str, float]] | None = None
        self._rates: dict[str, float | None] = {}

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
        self._ask_disk(seen)
        at = seen.lag.now if seen.lag is not None else clock.now()
        queues = _merged(seen, waiting, self._sources.queues)
        seen.findings += _of_queues(queues, at)
        look = Look(
            at,
            self._judge.judge(seen.findings, at),
            frozenset(it.code for it in seen.findings),
            seen.lag,
            seen.failed,
            seen.processes,
            queues,
            self._now(seen),
            None if self._sizes is None or seen.lag is None else self._sizes[1],
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
                seen.findings.append(_another_release(found, self._sources.schema))
            await self._ask_tables(seen, primary)
        except Exception as error:
            finding = _of_database(error, self._sources.schema)
            if finding is None:
                raise
            seen.findings.append(finding)

    async def _ask_tables(self, seen: _Seen, primary: Reader) -> None:
        lag = await queries_state.lag(primary)
        seen.processes = await _processes(primary)
        seen.failed = await queries_state.failed(primary, lag.now)
        await self._ask_queues(seen, primary)
        seen.samples = await queries_state.last_samples(
            primary, tuple(queries_state.UNITS)
        )
        leader = await queries_state.leader(primary, self._sources.lease)
        if self._sizes is None or time.monotonic() - self._sizes[0] > SIZES_S:
            self._sizes = (time.monotonic(), await queries_state.sizes(primary))
        seen.lag = lag
        seen.findings += _of_lag(lag)
        seen.findings += _of_failures(seen.failed)
        seen.findings += _of_processes(seen.processes, leader, lag.now)

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
        """Compare the newest heartbeat on both: a silent primary looks like no lag."""
        replica = self._sources.replica
        if replica is None:
            return
        try:
            newest = await asyncio.gather(
                self._sources.primary.row(_HEARD, {}), replica.row(_HEARD, {})
            )
        except Exception as error:
            if meaning(error) is None and not _is_missing(error):
                raise
            logger.info("replica_not_asked", error=repr(cause(error)))
            return
        seen.findings += _of_replica(*(row[0] for row in newest))

    def _ask_disk(self, seen: _Seen) -> None:
        if self._sources.disk is None:
            return
        usage = shutil.disk_usage(self._sources.disk)
        free = usage.free / usage.total
        if free < CONDITIONS["disk_low"].threshold:
            said = f"{free:.1%} free, {usage.free // 2**20} MB, where the data is"
            seen.findings.append(Finding("disk_low", said))

    def _now(self, seen: _Seen) -> dict[str, float | None]:
        """Return the rates of now: counted by the processes, or sampled."""
        self._count(seen)
        sampled = {
            "commands_per_s": seen.samples.get("commands"),
            "events_per_s": seen.samples.get("events"),
            "requests_per_s": None,
            "p99_ms": seen.samples.get("request_p99_ms"),
        }
        return {name: self._rates.get(name, value) for name, value in sampled.items()}

    def _count(self, seen: _Seen) -> None:
        """Difference what API processes have counted since the look before."""
        now, totals = time.monotonic(), dict[str, float]()
        for process in seen.processes or ():
            for name, value in process["figures"].items():
                if name.endswith("_total"):
                    totals[f"{process['id']}/{name}"] = value
        before = self._counted
        if before is not None and now - before[0] < RATE_S:
            return
        self._counted = (now, totals)
        if before is None or now - before[0] > 10 * RATE_S:
            self._rates = {}
            return
        self._rates = {
            f"{name}_per_s": _grown(totals, before[1], name) / (now - before[0])
            for name in ("requests",)
        }


def state_of(process: Row) -> str:
    """Return whether a process works, hangs, or has ended."""
    silent_s = (process["now"] - process["seen_at"]).total_seconds()
    if process["stopped_at"] is not None or silent_s > GONE_S:
        return "gone"
    hangs = process["loop_delay_ms"] > STALLED_S * 1_000
    return "stalled" if silent_s > STALLED_S or hangs else "alive"


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


STALLED_S = 10.0  # five heartbeats
GONE_S = 60.0  # nobody hangs for so long and comes back
RATE_S = 5.0  # heartbeats come every two seconds; a rate needs some of them


def _grown(now: Mapping[str, float], before: Mapping[str, float], name: str) -> float:
    """Return by how much a figure grew, over the processes that had it before."""
    keys = [key for key in now if key.endswith(f"/{name}_total") and key in before]
    return sum(max(0.0, now[key] - before[key]) for key in keys)


async def _processes(reads: Reader) -> list[Row]:
    found = await queries_state.processes(reads, HISTORY_S)
    for it in found:
        it["state"] = state_of(it)
    return found


async def processes(reads: Reader) -> list[Row]:
    """Return the processes of the last day, as operators see them."""
    internal = ("now", "figures", "stopped_at")
    return [
        {name: value for name, value in it.items() if name not in internal}
        for it in await _processes(reads)
    ]


def _another_release(found: str, needed: str) -> Finding:
    said = f"The database is at {found}, this release needs {needed}"
    return Finding("schema_mismatch", said)


def _is_missing(error: BaseException) -> bool:
    return (sqlstate(error) or "").startswith(_MISSING)


def _of_database(error: Exception, schema: str) -> Finding | None:
    """Return what an error says of the database; None if it is a defect of ours."""
    if _is_missing(error):
        return _another_release("another schema", schema)
    if isinstance(error, TimeoutError) or meaning(error) is not None:
        said = f"Postgres: {type(cause(error)).__name__}"
        return Finding("database_unreachable", said)
    return None


def _of_lag(lag: Lag) -> list[Finding]:
    found = []
    if lag.parked:
        said = f"{lag.parked} {_plural(lag.parked, 'workspace')} parked"
        found.append(Finding("workspace_parked", said, lag.parked_since))
    limit_s = CONDITIONS["projection_lagging"].threshold
    if lag.oldest_at is not None and lag.oldest_s > limit_s:
        said = (
            f"{lag.behind} {_plural(lag.behind, 'workspace')} behind, the furthest by"
            f" {lag.oldest_s:.0f} s"
        )
        since = lag.oldest_at + timedelta(seconds=limit_s)
        found.append(Finding("projection_lagging", said, since))
    return found


def _plural(count: int, noun: str) -> str:
    return f"{noun} is" if count == 1 else f"{noun}s are"


def _of_failures(failed: Row) -> list[Finding]:
    if not failed["open"]:
        return []
    said = f"{failed['open']} open, {failed['new_last_hour']} in the last hour"
    return [Finding("failures_open", said, failed["since"])]


def _of_processes(
    processes: Sequence[Row], leader: Row | None, now: datetime
) -> list[Finding]:
    found = []
    workers = [it for it in processes if it["kind"] == "worker"]
    if not any(it["state"] == "alive" for it in workers):
        last = max((it["seen_at"] for it in workers), default=None)
        said = (
            "None was heard of" if last is None else f"The last one was {last:%H:%M:%S}"
        )
        found.append(Finding("no_worker", said, last))
    if leader is None or leader["expires_at"] < leader["now"]:
        schedulers = [it for it in processes if it["kind"] == "scheduler"]
        last = max((it["seen_at"] for it in schedulers), default=None)
        if leader is not None:
            last = leader["expires_at"]
        holder = "nobody" if leader is None else leader["holder"]
        found.append(Finding("no_scheduler", f"The last leader: {holder}", last))
    if stalled := [it for it in processes if it["state"] == "stalled"]:
        names = [f"{it['kind']} {it['host']}:{it['pid']}" for it in stalled]
        since = min(it["seen_at"] for it in stalled)
        found.append(Finding("worker_stalled", _some(names), since))
    return found


def _of_queues(queues: Sequence[Row], now: datetime) -> list[Finding]:
    limit_s = CONDITIONS["queue_growing"].threshold
    old = [it for it in queues if (it["oldest_age_s"] or 0.0) > limit_s]
    if not old:
        return []
    said = [
        f"{it['name']}{' is paused' if it['paused'] else ''}: {it['ready']} ready, the"
        f" oldest for {it['oldest_age_s']:.0f} s"
        for it in old
    ]
    age_s = max(it["oldest_age_s"] for it in old)
    since = now - timedelta(seconds=age_s - limit_s)
    return [Finding("queue_growing", _some(said), since)]


def _of_replica(primary: datetime | None, replica: datetime | None) -> list[Finding]:
    if primary is None:
        return []
    behind = None if replica is None else (primary - replica).total_seconds()
    if behind is not None and behind <= CONDITIONS["replica_lagging"].threshold:
        return []
    said = "It has seen no heartbeat" if behind is None else f"{behind:.0f} s behind"
    return [Finding("replica_lagging", said)]


def _some(items: Sequence[str]) -> str:
    more = len(items) - NAMED
    return "; ".join(items[:NAMED]) + (f"; and {more} more" if more > 0 else "")


async def look_once(sources: Sources) -> Look:
    """Return one look, for a process that ends after it."""
    return await Observer(sources).look()
