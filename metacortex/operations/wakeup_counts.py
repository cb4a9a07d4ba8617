"""The wake-ups of a minute, counted: a row per wake-up would cost more than its work.

Durations are counted in buckets, which add up over processes as percentiles do not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from metacortex.kernel.database import DriverConnection

FIRST_MS = 0.1
GROWTH = 1.25  # a percentile is off by at most an eighth
BUCKETS = 64  # the last one begins at two minutes, twice the longest turn
_LOG = math.log(GROWTH)

_ADD = text(
    "INSERT INTO workers.project_minutes (minute, runs, events, failures, p50_ms,"
    " p95_ms, max_ms, buckets) VALUES (:minute, 0, 0, 0, 0, 0, 0, :buckets)"
    " ON CONFLICT DO NOTHING"
)
_LOCK = text(
    "SELECT buckets, max_ms FROM workers.project_minutes WHERE minute = :minute"
    " FOR UPDATE"
)
_SET = text(
    "UPDATE workers.project_minutes SET runs = runs + :runs, events = events + :events,"
    " failures = failures + :failures, p50_ms = :p50, p95_ms = :p95, max_ms = :max,"
    " buckets = :buckets WHERE minute = :minute"
)


@dataclass(slots=True)
class Minute:
    """What one process counted in one minute."""

    runs: int = 0
    events: int = 0
    failures: int = 0
    max_ms: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    def count(self, ms: float, events: int, failed: bool) -> None:
        """Count one turn."""
        self.runs += 1
        self.events += events
        self.failures += failed
        if ms > self.max_ms:
            self.max_ms = ms
        self.buckets[bucket(ms)] += 1

    def add(self, other: "Minute") -> None:
        """Add what was counted elsewhere."""
        self.runs += other.runs
        self.events += other.events
        self.failures += other.failures
        self.max_ms = max(self.max_ms, other.max_ms)
        self.buckets = [a + b for a, b in zip(self.buckets, other.buckets, strict=True)]


def bucket(ms: float) -> int:
    """Return the bucket that a duration falls into."""
    if ms <= FIRST_MS:
        return 0
    return min(int(math.log(ms / FIRST_MS) / _LOG) + 1, BUCKETS - 1)


def percentile(buckets: Sequence[int], share: float) -> float:
    """Return milliseconds that this share of the turns does not exceed, or 0."""
    left = share * sum(buckets)
    for number, count in enumerate(buckets):
        left -= count
        if count and left <= 0:
            return float(FIRST_MS * GROWTH**number)
    return 0.0


async def add(direct: DriverConnection, minutes: Mapping[datetime, Minute]) -> None:
    """Add what one process counted to the rows that all share."""
    for minute in sorted(minutes):  # in one order, or two processes would deadlock
        mine = minutes[minute]
        await direct.write(_ADD, {"minute": minute, "buckets": [0] * BUCKETS})
        row = await direct.row(_LOCK, {"minute": minute})
        all_of_it = [a + b for a, b in zip(row[0], mine.buckets, strict=True)]
        most = max(row[1], mine.max_ms)
        values = {
            "minute": minute,
            "runs": mine.runs,
            "events": mine.events,
            "failures": mine.failures,
            "p50": min(percentile(all_of_it, 0.5), most),
            "p95": min(percentile(all_of_it, 0.95), most),
            "max": most,
            "buckets": all_of_it,
        }
        await direct.write(_SET, values)
