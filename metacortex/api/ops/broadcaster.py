"""One look a second, shared by all who listen; nobody listens, nobody looks."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog

from metacortex.kernel import clock
from metacortex.kernel.database import Reader
from metacortex.kernel.driver_errors import report
from metacortex.kernel.ids import first_id
from metacortex.operations import queries_runs
from metacortex.operations.observer import Observer

logger = structlog.get_logger(__name__)

TICK_S = 1.0
HEARTBEAT_S = 15.0  # proxies close connections that are silent for a minute
LIFETIME_S = 600.0  # a stream ends then, so that tokens and deploys are not forgotten
BACKLOG = 1_000  # messages that a slow listener may be behind; then the oldest go
OVERLAP = timedelta(seconds=5)  # runs are written in batches, later than they happen
REMEMBERED = 20_000  # changes that were told, of that time
FAILED = ("failed", "crashed", "retrying")
BEGIN = "retry: 3000\n\n"
HEARTBEAT = ": still here\n\n"
RECONNECT = "event: reconnect\ndata: {}\n\n"


class Broadcaster:
    """Tells every listener the same; needs a running event loop."""

    def __init__(self, reads: Reader, observer: Observer) -> None:
        self._reads = reads
        self._observer = observer
        self._listeners: set[asyncio.Queue[str]] = set()
        self._task: asyncio.Task[None] | None = None
        self._told: OrderedDict[tuple[Any, ...], None] = OrderedDict()
        self._since = clock.now()
        self._action = first_id(self._since)

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    async def listen(self, closing: Callable[[], bool]) -> AsyncGenerator[str, None]:
        """Yield messages until the stream's time is up, or the process ends."""
        queue: asyncio.Queue[str] = asyncio.Queue(BACKLOG)
        loop = asyncio.get_running_loop()
        ends = loop.time() + LIFETIME_S
        quiet = loop.time()
        self._listeners.add(queue)
        self._begin()
        try:
            yield BEGIN
            while loop.time() < ends and not closing():
                try:
                    async with asyncio.timeout(TICK_S / 2):
                        message = await queue.get()
                except TimeoutError:
                    if loop.time() - quiet >= HEARTBEAT_S:
                        quiet = loop.time()
                        yield HEARTBEAT
                    continue
                quiet = loop.time()
                yield message
            yield RECONNECT
        finally:
            self._listeners.discard(queue)

    def _begin(self) -> None:
        if self._task is not None and not self._task.done():
            return
        self._since = clock.now()
        self._action = first_id(self._since)
        self._task = asyncio.create_task(self._run(), name="operators' stream")

    async def _run(self) -> None:
        """Look every second while somebody listens."""
        loop = asyncio.get_running_loop()
        while self._listeners:
            began = loop.time()
            try:
                await self._tick()
            except Exception as error:  # the next second tries again
                report(logger, "operators_stream_waits", error)
            await asyncio.sleep(max(0.0, TICK_S - (loop.time() - began)))

    async def _tick(self) -> None:
        look = await self._observer.look()
        self._send("overview", look.overview())
        if look.lag is None:
            return
        await self._tell_runs(look.at)
        for action in await queries_runs.actions_after(self._reads, self._action):
            self._action = max(self._action, UUID(bytes=action["id"].bytes))
            self._send("action", action)

    async def _tell_runs(self, now: datetime) -> None:
        """Tell each change of a run once, though the same time is looked at again."""
        since, self._since = self._since - OVERLAP, now
        for run in await queries_runs.changed_since(self._reads, since):
            key = (run["id"], run["outcome"])
            if key in self._told:
                continue
            self._told[key] = None
            self._send("run", run)
            if run["outcome"] in FAILED and run["fingerprint"] is not None:
                names = ("fingerprint", "actor", "error_type", "at")
                failure = {name: run[name] for name in names}
                self._send("failure", {**failure, "run_id": run["id"]})
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)

    def _send(self, event: str, data: Mapping[str, Any]) -> None:
        said = orjson.dumps(data, default=str).decode()
        message = f"event: {event}\ndata: {said}\n\n"
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(message)
