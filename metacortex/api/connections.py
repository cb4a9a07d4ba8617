"""The connections of a server: how many there may be, and how slow they may be.

One timer looks at all of them once a second, so that no request pays for a timer of its
own; what is due is found a second late at most.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import REGISTRY
from prometheus_client import Counter as Total
from prometheus_client import Gauge

from metacortex.api.proxies import Proxies
from metacortex.kernel.errors import MetaCortexError, Unavailable

OPEN = Gauge("metacortex_http_connections", "Connections open", registry=REGISTRY)
REFUSED = Total(
    "metacortex_http_refused_total",
    "Requests and connections refused before the application saw them",
    ("code",),
    registry=REGISTRY,
)

LOOK_S = 1.0  # seconds between two looks at all connections
LINGER_S = 2.0  # how long what is still being sent after an answer is read and dropped
LINGER_BYTES = 4 * 1_048_576  # four times the largest body; more is no accident
RATE_GRACE_S = 5.0  # seconds of a body that may be slow: one packet lost and sent again
STALL_S = 30.0  # seconds in which a client takes nothing of its answer
PIPELINE_LIMIT = 16  # requests of one connection that wait for those before


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How slow and how many connections may be; times are in seconds.

    `near` connections are those of this machine and of trusted proxies; they are not
    counted unless `limit_near`.
    """

    head_s: float
    body_s: float
    body_rate: int
    """Bytes a second that a body must bring, on average."""
    idle_s: float
    total: int
    per_address: int
    limit_near: bool
    proxies: Proxies


class Connection(Protocol):
    """What is looked at once a second."""

    def look(self, now: float) -> None:
        """End the connection if something is overdue; `now` is of the event loop."""


class Connections:
    """All connections of one server; not for several event loops."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: dict[Connection, str | None] = {}
        self._by_address: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def add(
        self, connection: Connection, peer: str | None, loop: asyncio.AbstractEventLoop
    ) -> MetaCortexError | None:
        """Take a connection on; return the error of one too many."""
        counted = peer
        if not self.limits.limit_near and self.limits.proxies.is_near(peer):
            counted = None
        if counted is not None:
            full = self._by_address.total() >= self.limits.total
            if full or self._by_address[counted] >= self.limits.per_address:
                return Unavailable("too_many_connections")
            self._by_address[counted] += 1
        self._open[connection] = counted
        OPEN.inc()
        if self._timer is None:
            self._timer = loop.call_later(LOOK_S, self._look, loop)
        return None

    def discard(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        if connection not in self._open:
            return
        OPEN.dec()
        counted = self._open.pop(connection)
        if counted is not None:
            self._by_address[counted] -= 1
            if not self._by_address[counted]:
                del self._by_address[counted]

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in tuple(self._open):
            connection.look(now)
        again = loop.call_later(LOOK_S, self._look, loop) if self._open else None
        self._timer = again
