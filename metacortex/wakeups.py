"""Wake-ups: telling workers which workspaces have something new, at no one's cost.

Best effort by design: a lost, doubled or late message costs time, never data, since
the sweep finds whatever was forgotten (docs/decisions/0006-projector.md).
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import AgeLimit, Middleware
from prometheus_client import Counter
from redis.backoff import NoBackoff
from redis.retry import Retry

from metacortex.kernel import tracing

logger = structlog.get_logger(__name__)

FAILED = Counter("metacortex_wakeups_failed_total", "Wake-ups that could not be sent")
NAMESPACE = "metacortex"
QUEUE = "projections"
ACTOR = "project"
HEARTBEAT_MS = 5_000  # a killed worker's messages are given to another after this
EVERY_FETCH = 1_000_000  # maintenance chance in a million: look at each fetch
AGE_LIMIT_MS = 60_000  # an older wake-up was served by the sweep long ago
CONNECT_S = 0.5
SOCKET_S = 5.0  # longer than any command takes; a half-open socket ends then
TURN_LIMIT_S = 60.0  # no turn comes near; a stuck one frees its thread
GAP_S = 0.01  # between two messages: under load the second names what moved meanwhile
WAIT_S = 1.0  # one wait for a message; a fifth of what a heartbeat may take
BUSY_MS = 20  # between two looks whether a message that was fetched is done
PAUSED_S = 0.2  # between two looks whether a queue is paused still
PAUSE_S = 1.0  # between tries while the broker is down: the sweep is at work meanwhile
NO_OPTIONS: Mapping[str, Any] = {}


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


_closed: Any = ConnectionClosed  # has no types
_Consumer: Any = _RedisConsumer


class WaitingConsumer(_Consumer):  # type: ignore[misc]  # of Any
    """Waits in Redis for a message, instead of asking for one many times a second.

    Leaves the messages of a paused queue in Redis, what was fetched included.
    """

    message_cache: list[bytes]

    def __init__(self, broker: Any, queue_name: str, prefetch: int, timeout: int):
        super().__init__(broker, queue_name, prefetch, BUSY_MS)

    def __next__(self) -> Any:
        if self.queue_name not in self.broker.paused:
            self._wait()
        if self.queue_name in self.broker.paused:  # it may be so by now
            return self._pause()
        return super().__next__()

    def _wait(self) -> None:
        """Wait for a message, for so long that heartbeats and a stop are in time.

        The oldest message is moved to where it is: that tells that there is one, and
        the script of Dramatiq takes it then.
        """
        if self.message_cache or self.outstanding_message_count >= self.prefetch:
            return
        queue = f"{self.broker.namespace}:{self.queue_name}"
        try:
            self.broker.client.blmove(queue, queue, WAIT_S, "LEFT", "LEFT")
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise _closed(error) from None

    def _pause(self) -> None:
        try:
            self.requeue([dramatiq.Message.decode(it) for it in self.message_cache])
            self.message_cache = []
            self.broker.do_fetch(self.queue_name, 0)  # a heartbeat, or others take over
        except redis.ConnectionError as error:
            raise _closed(error) from None
        time.sleep(PAUSED_S)


class Broker(RedisBroker):
    """Dramatiq's broker, some of whose queues may be paused."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self.paused: frozenset[str] = frozenset()

    def pause(self, names: Iterable[str]) -> None:
        """Let consumers fetch nothing of these queues, and of all others again."""
        self.paused = frozenset(names)

    @property
    def consumer_class(self) -> type[WaitingConsumer]:
        return WaitingConsumer


class CarryTrace(Middleware):
    """Hands what a wake-up carries of its trace to the thread that serves it."""

    def before_process_message(self, broker: Any, message: Any) -> None:
        tracing.received(message.options)


def make_broker(url: str, middleware: Sequence[Middleware] = ()) -> Broker:
    """Return a broker; nothing connects before it is used.

    None of Dramatiq's own limits and retries: failures and their attempts stand in
    Postgres, and each actor limits its own time.
    """
    client = redis.Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_S,
        socket_timeout=SOCKET_S,
        retry=Retry(NoBackoff(), 0),  # the default blocks a sender for seconds
        client_name="metacortex",
    )
    return Broker(
        client=client,
        namespace=NAMESPACE,
        heartbeat_timeout=HEARTBEAT_MS,
        maintenance_chance=EVERY_FETCH,
        middleware=[AgeLimit(), *middleware],
    )


def wake_up(
    workspaces: Sequence[str], options: Mapping[str, Any] = NO_OPTIONS
) -> "dramatiq.Message[None]":
    """Return the message that names workspaces with something new."""
    return dramatiq.Message(
        queue_name=QUEUE,
        actor_name=ACTOR,
        args=(list(workspaces),),
        kwargs={},
        options=dict(options),
    )


def sender(broker: RedisBroker) -> Callable[[Sequence[str]], None]:
    """Return a function that sends a wake-up; it blocks, and raises what Redis does."""
    broker.declare_queue(QUEUE)

    def send(workspaces: Sequence[str]) -> None:
        if tracing.tracer is None:
            broker.enqueue(wake_up(workspaces))
            return
        with tracing.sending(workspaces) as options:
            broker.enqueue(wake_up(workspaces, options))

    return send
