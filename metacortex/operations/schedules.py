"""Schedules: what is due when, and each due time enqueued once.

Times are the database's, so that schedulers need not agree on theirs. Whoever enqueues
a due time writes it, the run, and the next due time in one transaction; a second one
that tries finds the due time written (`pk_schedule_runs`), leader or not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import orjson
from cronsim import CronSim
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import DriverConnection, driver_pool
from metacortex.operations import runs
from metacortex.operations.actors import ACTORS, DELETE_OLD
from metacortex.operations.runs import JobRequest

SWEEP = "sweep"
SAMPLES = "samples"
IN_PROCESS = (SWEEP, SAMPLES)
"""Work of the scheduler itself, which needs neither Redis nor a worker."""

LATE_S = 60.0  # beyond it a due time counts as missed: the scheduler was away

_DECLARE = text(
    "INSERT INTO workers.schedules AS s (name, cron, interval_s, time_zone, actor,"
    " arguments, missed) VALUES (:name, :cron, :interval, :zone, :actor,"
    " CAST(:arguments AS jsonb), :missed) ON CONFLICT (name) DO UPDATE SET"
    " cron = excluded.cron, interval_s = excluded.interval_s,"
    " time_zone = excluded.time_zone, actor = excluded.actor,"
    " arguments = excluded.arguments, missed = excluded.missed, next_at = CASE WHEN"
    " (s.cron, s.interval_s, s.time_zone) IS NOT DISTINCT FROM"
    " (excluded.cron, excluded.interval_s, excluded.time_zone) THEN s.next_at END"
    " WHERE (s.cron, s.interval_s, s.time_zone, s.actor, s.arguments, s.missed)"
    " IS DISTINCT FROM (excluded.cron, excluded.interval_s, excluded.time_zone,"
    " excluded.actor, excluded.arguments, excluded.missed)"
)
_WITHDRAW = text("DELETE FROM workers.schedules WHERE name = ANY (:names)")
_ALL = text(
    "SELECT name, cron, interval_s, time_zone, actor, arguments::text, paused, missed,"
    " next_at, now() FROM workers.schedules ORDER BY name"
)
_SLOT = text(
    "INSERT INTO workers.schedule_runs (name, due_at, run_id) VALUES"
    " (:name, :due, :run) ON CONFLICT DO NOTHING"
)
_MOVE = text(
    "UPDATE workers.schedules SET next_at = :next,"
    " last_run = coalesce(CAST(:ran AS timestamptz), last_run) WHERE name = :name"
    " AND NOT paused AND next_at IS NOT DISTINCT FROM CAST(:was AS timestamptz)"
)

Missed = Literal["run_once", "skip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A schedule as the code declares it; what an operator paused stays paused."""

    name: str
    actor: str
    cron: str | None = None
    interval_s: float | None = None
    time_zone: str = "UTC"
    missed: Missed = "run_once"
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A row, and what time it is there."""

    name: str
    cron: str | None
    interval_s: float | None
    time_zone: str
    actor: str
    arguments: Mapping[str, Any]
    paused: bool
    missed: Missed
    next_at: datetime | None
    now: datetime

    def after(self, instant: datetime) -> datetime:
        """Return the first due time after an instant."""
        if self.cron is not None:
            return next_due(self.cron, self.time_zone, instant)
        assert self.interval_s is not None
        due = (self.next_at or instant) + timedelta(seconds=self.interval_s)
        return due if due > instant else instant + timedelta(seconds=self.interval_s)

    @property
    def is_known(self) -> bool:
        """Whether this release has the actor; else one that has it runs it."""
        return self.name in IN_PROCESS or self.actor in ACTORS

    @property
    def is_up(self) -> bool:
        """Whether its time has come, or it has none yet."""
        return not self.paused and (self.next_at is None or self.next_at <= self.now)

    def due(self) -> datetime | None:
        """Return the due time to run now, the last one if several have passed."""
        if self.next_at is None or not self.is_up:
            return None
        due = self.next_at
        while self.cron and (later := self.after(due)) <= self.now:
            due = later
        late = self.now - due > timedelta(seconds=LATE_S)
        return None if late and self.missed == "skip" else due


def entries(sweep_interval_s: float) -> Sequence[Entry]:
    """Return all schedules of this release."""
    return (
        Entry(name=SWEEP, actor=SWEEP, interval_s=sweep_interval_s, missed="skip"),
        Entry(name=SAMPLES, actor=SAMPLES, interval_s=10.0, missed="skip"),
        Entry(name="retention", actor=DELETE_OLD, cron="17 3 * * *"),
    )


WITHDRAWN: Sequence[str] = ()
"""Names of schedules that earlier releases had.

They are named, not inferred: what a release does not know may be a later one's.
"""


def next_due(cron: str, zone: str, after: datetime) -> datetime:
    """Return the first time after an instant that a cron expression means in a zone.

    A time that the clock skips is due at the next instant there is, one that it shows
    twice is due the first time.
    """
    there = after.astimezone(ZoneInfo(zone))
    for found in CronSim(cron, there):
        instant = found.astimezone(after.tzinfo)
        if instant > after:  # in a doubled hour it may name the first of the two
            return instant
    raise NeverDue(cron)


class NeverDue(Exception):
    """No time within fifty years is meant by the cron expression."""


class Schedules:
    """The rows, for the scheduler."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._pool = driver_pool(engine)

    async def declare(
        self, wanted: Iterable[Entry], withdrawn: Sequence[str] = WITHDRAWN
    ) -> None:
        """Make the rows those of this release; what is paused stays so.

        Rows that it does not know stay too: in a rolling update they are of the later
        release, which leads next.
        """
        async with self._pool.begin() as direct:
            for it in wanted:
                values = {
                    "name": it.name,
                    "cron": it.cron,
                    "interval": it.interval_s,
                    "zone": it.time_zone,
                    "actor": it.actor,
                    "arguments": orjson.dumps(dict(it.arguments)).decode(),
                    "missed": it.missed,
                }
                await direct.write(_DECLARE, values)
            await direct.write(_WITHDRAW, {"names": list(withdrawn)})

    async def all(self) -> list[Schedule]:
        """Return every schedule."""
        found = []
        for row in await self._pool.rows(_ALL, {}):
            values = [*row]
            values[5] = orjson.loads(values[5])
            found.append(Schedule(*values))
        return found

    async def enqueue_due(self, schedule: Schedule) -> bool:
        """Enqueue a schedule if it is due and nobody has; move on to its next time."""
        if not schedule.is_up:
            return False
        due = schedule.due()
        async with self._pool.begin() as direct:
            moved = await _move(direct, schedule, due)
            if not moved or due is None:
                return False
            await _enqueue(direct, schedule, due)
        return True

    async def ran(self, schedule: Schedule) -> None:
        """Note that the scheduler has done a schedule's work itself."""
        async with self._pool.begin() as direct:
            await _move(direct, schedule, schedule.now)


async def _move(
    direct: DriverConnection, schedule: Schedule, ran: datetime | None
) -> bool:
    """Move to the next due time; False if somebody else has, or paused it."""
    values = {
        "name": schedule.name,
        "ran": ran,
        "was": schedule.next_at,
        "next": schedule.after(schedule.now),
    }
    return bool(await direct.write(_MOVE, values))


async def _enqueue(direct: DriverConnection, schedule: Schedule, due: datetime) -> None:
    wanted = JobRequest(
        actor=schedule.actor, arguments=schedule.arguments, schedule=schedule.name
    )
    started = await runs.enqueue(direct, wanted)
    slot = {"name": schedule.name, "due": due, "run": started.run_id}
    if not await direct.write(_SLOT, slot):
        raise AlreadyEnqueued(schedule.name, due)  # takes the run back


class AlreadyEnqueued(Exception):
    """Another scheduler has enqueued this due time."""
