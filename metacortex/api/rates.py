"""Rate limits: how much one user, or one address, may ask in a minute.

A moving window of two counters: what was used in this minute of the clock, and the part
of the minute before that the window still covers. A request is decided by what this
process knows, in a microsecond; twice a second it tells Redis what it has counted, and
learns what all processes have (docs/decisions/0020-limits.md).
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import structlog
from prometheus_client import REGISTRY, Counter, Gauge
from redis.asyncio import Redis
from redis.exceptions import RedisError

from metacortex.api.proxies import network_of
from metacortex.kernel.errors import RateLimited

logger = structlog.get_logger(__name__)

SHARED = Gauge(
    "metacortex_rate_limits_shared",
    "1 while processes share their counts in Redis, 0 while each counts alone",
    registry=REGISTRY,
)
LIMITED = Counter(
    "metacortex_rate_limited_total",
    "Requests answered with 429",
    ("quota",),
    registry=REGISTRY,
)

WINDOW_S = 60
SYNC_S = 0.5  # between two exchanges with Redis: what processes may not know of others
PAUSE_S = 5.0  # before Redis is asked again, after it did not answer
KEPT = 50_000  # windows in memory, some 15 MB; beyond it, the oldest go
AT_ONCE = 1_000  # windows of one script: a few milliseconds of Redis
PREFIX = "metacortex:rate"

COMMANDS, QUERIES, SEARCHES = "commands", "queries", "searches"
EXPORTS, STREAMS, FAILURES = "exports", "streams", "failed_attempts"
QUOTAS = (COMMANDS, QUERIES, SEARCHES, EXPORTS, STREAMS, FAILURES)
COSTS = {SEARCHES: 5}
"""What a request counts at first, if not 1. Commands count their events afterwards."""

# KEYS: a window, the one before it, and so on. ARGV: what to add, by window.
SCRIPT = f"""
local found = {{}}
for i = 1, #KEYS, 2 do
  found[i] = redis.call('INCRBY', KEYS[i], ARGV[(i + 1) / 2])
  redis.call('EXPIRE', KEYS[i], {2 * WINDOW_S})
  found[i + 1] = tonumber(redis.call('GET', KEYS[i + 1]) or 0)
end
return found
"""


@dataclass(frozen=True, slots=True)
class Quota:
    """How many units a window takes; `policy` says so in a header."""

    name: str
    amount: int
    policy: bytes

    @classmethod
    def of(cls, name: str, amount: int) -> "Quota":
        """Return a quota with its header (draft-ietf-httpapi-ratelimit-headers-10)."""
        return cls(name, amount, f'"{name}";q={amount};w={WINDOW_S}'.encode())


class Window:
    """What one user, or one address, has used of one quota."""

    __slots__ = ("before", "current", "index", "key", "pending", "quota", "_owner")

    def __init__(self, owner: "Rates", quota: Quota, key: str, index: int) -> None:
        self._owner = owner
        self.quota = quota
        self.key = key
        self.index = index
        self.before = 0
        self.current = 0
        self.pending = 0  # of the current one, not told to Redis yet

    def used(self, now: float) -> float:
        """Return the units used in the minute that ends now."""
        at = now / WINDOW_S
        index = int(at)
        if index != self.index:
            self._roll(index)
        return self.current + self.before * (1 - (at - index))

    def take(self, cost: int, now: float) -> None:
        """Use some units. Raises RateLimited, and uses none then."""
        if self.used(now) + cost > self.quota.amount:
            raise self._limited(cost, now)
        self.add(cost)

    def add(self, units: int) -> None:
        """Use units whether there are any left or not: what has been done counts."""
        self.current += units
        self.pending += units
        self._owner.dirty.add(self)

    def left(self) -> bytes:
        """Return the header that says what is left, and until when."""
        now = self._owner.clock()
        left = max(0, int(self.quota.amount - self.used(now)))
        ends = WINDOW_S - now % WINDOW_S if left else self.wait_s(1, now)
        return b'"%b";r=%d;t=%d' % (self.quota.name.encode(), left, ceil(ends))

    def wait_s(self, cost: int, now: float) -> float:
        """Return the seconds until a cost fits, 0 if it does."""
        room, into = self.quota.amount - cost, now / WINDOW_S - self.index
        if self.current <= room:  # once enough of the window before has gone
            past = 1 - (room - self.current) / max(self.before, 1)
            return max(0.0, (past - into) * WINDOW_S)
        past = 1 - room / self.current
        return (1 - into + past) * WINDOW_S

    def _limited(self, cost: int, now: float) -> RateLimited:
        LIMITED.labels(self.quota.name).inc()
        meta = {
            "limit_of": self.quota.name,
            "limit": self.quota.amount,
            "window_s": WINDOW_S,
            "retry_after_s": max(1, ceil(self.wait_s(cost, now))),
        }
        return RateLimited("rate_limited", meta=meta)

    def _roll(self, index: int) -> None:
        self.before = self.current if index == self.index + 1 else 0
        self.current = self.pending = 0
        self.index = index

    def names(self) -> tuple[str, str]:
        """Return the keys in Redis of this window and of the one before."""
        base = f"{PREFIX}:{self.quota.name}:{self.key}"
        return f"{base}:{self.index}", f"{base}:{self.index - 1}"


class Rates:
    """The windows of one process, told to Redis and corrected by it."""

    def __init__(
        self,
        quotas: Mapping[str, int],
        redis: Redis,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives epoch seconds, so that processes count the same minutes."""
        self._quotas = {name: Quota.of(name, it) for name, it in quotas.items()}
        self._redis = redis
        self.clock = clock
        self._windows: dict[tuple[str, str], Window] = {}
        self.dirty: set[Window] = set()
        self._shared = True
        self._task: asyncio.Task[None] | None = None

    def window(self, name: str, key: str) -> Window:
        """Return what somebody has used of a quota."""
        window = self._windows.get((name, key))
        if window is None:
            index = int(self.clock() / WINDOW_S)
            window = Window(self, self._quotas[name], key, index)
            self._windows[name, key] = window
            if len(self._windows) > KEPT:
                del self._windows[next(iter(self._windows))]
        return window

    def failed(self, address: str | None) -> None:
        """Count a failed attempt of an address. Raises RateLimited for one too many."""
        self.window(FAILURES, network_of(address)).take(1, self.clock())

    def start(self) -> None:
        """Begin to exchange counts with Redis."""
        SHARED.set(1)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Tell Redis the rest, and end."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.sync()

    async def _run(self) -> None:
        while True:
            shared = await self.sync()
            await asyncio.sleep(SYNC_S if shared else PAUSE_S)
            self._forget()

    async def sync(self) -> bool:
        """Exchange counts; return whether Redis has answered. Never raises."""
        waiting = list(self.dirty)
        try:
            for begin in range(0, len(waiting), AT_ONCE):
                await self._exchange(waiting[begin : begin + AT_ONCE])
        except (RedisError, OSError) as error:
            self._note(False, repr(error))
            return False
        if waiting:
            self._note(True)
        return True

    def _note(self, shared: bool, error: str = "") -> None:
        """Note whether counts are shared; log once when they no longer are."""
        if self._shared and not shared:
            logger.warning("rate_limits_not_shared", error=error)
        self._shared = shared
        SHARED.set(shared)

    async def _exchange(self, windows: list[Window]) -> None:
        """Add what is pending, and take over what all processes have counted."""
        sent = [(it, it.index, it.pending) for it in windows]
        keys = [name for it in windows for name in it.names()]
        arguments = [pending for _, _, pending in sent]
        found: Any = await self._redis.eval(SCRIPT, len(keys), *keys, *arguments)
        for number, (window, index, pending) in enumerate(sent):
            if window.index == index:
                window.pending -= pending
                window.current = found[2 * number] + window.pending
                window.before = max(window.before, found[2 * number + 1])
            if not window.pending:
                self.dirty.discard(window)

    def _forget(self) -> None:
        """Drop the windows that were not used for two minutes."""
        oldest = int(self.clock() / WINDOW_S) - 1
        first = next(iter(self._windows.values()), None)
        if first is None or first.index >= oldest:
            return
        self._windows = {
            key: it for key, it in self._windows.items() if it.index >= oldest
        }
