"""Wake-ups: telling workers which workspaces have something new, at no one's cost.

Best effort by design: a lost, doubled or late message costs time, never data, since
the sweep finds whatever was forgotten (docs/decisions/0006-projector.md).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AgeLimit, Retries, ShutdownNotifications, TimeLimit
from prometheus_client import Counter
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = structlog.get_logger(__name__)

FAILED = Counter("metacortex_wakeups_failed_total", "Wake-ups that could not be sent")
QUEUE = "projections"
ACTOR = "project"
HEARTBEAT_MS = 5_000  # a killed worker's messages are given to another after this
EVERY_FETCH = 1_000_000  # maintenance chance in a million: look at each fetch
AGE_LIMIT_MS = 60_000  # an older wake-up was served by the sweep long ago
CONNECT_S = 0.5
SOCKET_S = 5.0  # longer than any command takes; a half-open socket ends then
TURN_LIMIT_S = 60.0  # no turn comes near; a stuck one frees its thread
GAP_S = 0.01  # between two messages: under load the second names what moved meanwhile
PAUSE_S = 1.0  # between tries while the broker is down: the sweep is at work meanwhile


class WakeUps:
    """Gathers workspaces and sends them off in the background."""

    def __init__(self, send: Callable[[Sequence[str]], None]) -> None:
        """`send` may block; it is called in a thread, one call at a time."""
        self._send = send
        self._moved: set[UUID] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def tell(self, workspaces: Iterable[UUID]) -> None:
        """Note that workspaces moved; never blocks, never fails."""
        self._moved.update(workspaces)
        self._wake.set()

    def start(self) -> None:
        """Begin to send; needs a running event loop."""
        self._task = asyncio.create_task(self._run(), name="wake-ups")

    async def stop(self) -> None:
        """Send what is left, if the broker answers, and end."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._flush()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            sent = await self._flush()
            await asyncio.sleep(GAP_S if sent else PAUSE_S)

    async def _flush(self) -> bool:
        moved, self._moved = self._moved, set()
        if not moved:
            return True
        try:
            await asyncio.to_thread(self._send, [str(id) for id in moved])
        except Exception as error:
            FAILED.inc()
            logger.warning("wake_up_failed", error=repr(error))
            return False
        return True


def make_broker(url: str) -> RedisBroker:
    """Return a broker; nothing connects before it is used."""
    client = redis.Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_S,
        socket_timeout=SOCKET_S,
        retry=Retry(NoBackoff(), 0),  # the default blocks a sender for seconds
        client_name="metacortex",
    )
    return RedisBroker(  # type: ignore[no-untyped-call]  # its __init__ has no types
        client=client,
        namespace="metacortex",
        heartbeat_timeout=HEARTBEAT_MS,
        maintenance_chance=EVERY_FETCH,
        middleware=[
            AgeLimit(max_age=AGE_LIMIT_MS),
            TimeLimit(time_limit=int(TURN_LIMIT_S * 1_000)),
            ShutdownNotifications(),
            Retries(max_retries=0),
        ],
    )


def wake_up(workspaces: Sequence[str]) -> "dramatiq.Message[None]":
    """Return the message that names workspaces with something new."""
    return dramatiq.Message(
        queue_name=QUEUE,
        actor_name=ACTOR,
        args=(list(workspaces),),
        kwargs={},
        options={},
    )


def sender(broker: RedisBroker) -> Callable[[Sequence[str]], None]:
    """Return a function that sends a wake-up; it blocks, and raises what Redis does."""
    broker.declare_queue(QUEUE)

    def send(workspaces: Sequence[str]) -> None:
        broker.enqueue(wake_up(workspaces))

    return send
