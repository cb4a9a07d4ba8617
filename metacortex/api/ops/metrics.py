"""Gauges of the whole installation, set whenever somebody reads `/metrics`.

Any API process tells them; take the greatest over all of them. What is not known just
now is not there, or is NaN. No labels hold ids.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.api.ops.service import Operations
from metacortex.commands.lane import Lane
from metacortex.operations import queries_state
from metacortex.operations.conditions import CONDITIONS
from metacortex.operations.observer import Look
from metacortex.operations.queries_runs import Row

UNKNOWN = float("nan")

CONDITION = Gauge(
    "metacortex_condition",
    "1 while a condition of the verdict holds, for long enough to be told",
    ("code", "severity"),
)
BEHIND = Gauge("metacortex_projections_behind", "Workspaces whose read tables lag")
PARKED = Gauge("metacortex_projections_parked", "Workspaces that are parked")
LAG = Gauge(
    "metacortex_projection_lag_seconds", "Age of the oldest event that is not shown"
)
OPEN = Gauge("metacortex_failures_open", "Runs that failed for good and are open")
PROCESSES = Gauge(
    "metacortex_processes", "Processes of the last day", ("kind", "state")
)
LOOP_DELAY = Gauge(
    "metacortex_event_loop_delay_seconds",
    "How late the event loop of the worst process was",
    ("kind",),
)
READY = Gauge("metacortex_queue_ready", "Messages that could be served", ("queue",))
DELAYED = Gauge("metacortex_queue_delayed", "Jobs whose time comes later", ("queue",))
DEAD = Gauge("metacortex_queue_dead", "Jobs that failed and are open", ("queue",))
OLDEST = Gauge(
    "metacortex_queue_oldest_seconds", "Age of what waits longest", ("queue",)
)
PAUSED = Gauge("metacortex_queue_paused", "1 while a queue is paused", ("queue",))
BROKER = Gauge("metacortex_broker_up", "1 while Redis answers")
DATABASE = Gauge("metacortex_database_up", "1 while Postgres answers")
DATABASE_BYTES = Gauge("metacortex_database_bytes", "Size of the database")
DISK_FREE = Gauge(
    "metacortex_database_disk_free_ratio",
    "Share of the database's disk that is free; NaN where it is on another machine",
)
LOG_EVENTS = Gauge("metacortex_log_events", "Events in the logs of all workspaces")
NEXT = Gauge(
    "metacortex_schedule_next_timestamp_seconds", "When it is due next", ("schedule",)
)
LAST = Gauge(
    "metacortex_schedule_last_run_timestamp_seconds", "When it ran last", ("schedule",)
)
SCHEDULE_PAUSED = Gauge(
    "metacortex_schedule_paused", "1 while a schedule is paused", ("schedule",)
)
LANE = Gauge("metacortex_lane_waiting", "Units of commands that wait in this process")
POOL = Gauge(
    "metacortex_pool_connections",
    "Connections of this process to Postgres",
    ("pool", "state"),
)
LISTENERS = Gauge("metacortex_operators_listening", "Open operators' streams")

_BY_QUEUE = ((READY, "ready"), (DELAYED, "delayed"), (DEAD, "dead"))
_STATES = ("alive", "stalled", "gone")
_KINDS = ("api", "worker", "scheduler")


async def refresh(operations: Operations, lane: Lane) -> None:
    """Set all gauges to what is there now."""
    look = await operations.observer.look()
    _of_verdict(look)
    _of_database(look)
    _of_processes(look)
    _of_queues(look.queues)
    BROKER.set("broker_unreachable" not in look.found)
    DATABASE.set("database_unreachable" not in look.found)
    LANE.set(lane.waiting)
    LISTENERS.set(operations.broadcaster.listeners)
    _of_pools(operations.engines)
    _of_schedules(
        await queries_state.schedules(operations.reads) if look.lag is not None else ()
    )


def _of_verdict(look: Look) -> None:
    told = {it.code for it in look.judgement.reasons}
    for code, condition in CONDITIONS.items():
        CONDITION.labels(code, condition.severity).set(code in told)


def _of_database(look: Look) -> None:
    lag, failed, sizes = look.lag, look.failed or {}, look.sizes or {}
    BEHIND.set(UNKNOWN if lag is None else lag.behind)
    PARKED.set(UNKNOWN if lag is None else lag.parked)
    LAG.set(UNKNOWN if lag is None else lag.oldest_s)
    OPEN.set(failed.get("open", UNKNOWN))
    DATABASE_BYTES.set(sizes.get("database_bytes", UNKNOWN))
    DISK_FREE.set(UNKNOWN if look.disk is None else look.disk.free_share)
    LOG_EVENTS.set(sizes.get("log_events", UNKNOWN))


def _of_processes(look: Look) -> None:
    PROCESSES.clear()
    LOOP_DELAY.clear()
    if look.processes is None:
        return
    for kind in _KINDS:
        for state in _STATES:
            PROCESSES.labels(kind, state).set(look.count(state, kind))
        delays = [
            it["loop_delay_ms"]
            for it in look.processes
            if it["kind"] == kind and it["state"] != "gone"
        ]
        if delays:
            LOOP_DELAY.labels(kind).set(max(delays) / 1_000)


def _of_queues(queues: Iterable[Row]) -> None:
    for gauge in (READY, DELAYED, DEAD, OLDEST, PAUSED):
        gauge.clear()
    for queue in queues:
        name = queue["name"]
        for gauge, field in _BY_QUEUE:
            if queue[field] is not None:
                gauge.labels(name).set(queue[field])
        if queue["ready"] is not None:
            OLDEST.labels(name).set(queue["oldest_age_s"] or 0.0)
        PAUSED.labels(name).set(queue["paused"])


def _of_schedules(schedules: Iterable[Row]) -> None:
    for gauge in (NEXT, LAST, SCHEDULE_PAUSED):
        gauge.clear()
    for it in schedules:
        for gauge, field in ((NEXT, "next_at"), (LAST, "last_run")):
            if it[field] is not None:
                gauge.labels(it["name"]).set(it[field].timestamp())
        SCHEDULE_PAUSED.labels(it["name"]).set(it["paused"])


def _of_pools(pools: Mapping[str, AsyncEngine]) -> None:
    for name, database in pools.items():
        pool: Any = database.pool
        POOL.labels(name, "in_use").set(pool.checkedout())
        POOL.labels(name, "idle").set(pool.checkedin())
