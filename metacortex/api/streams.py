"""The open event streams of a process: one reader for each workspace, for all of them.

However many listen, the database is asked once for what is new. A stream that is
behind catches up by itself, a few of a process at a time: reads keep their connections.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from metacortex.api.auth import LEEWAY_S, Caller
from metacortex.kernel.driver_errors import report
from metacortex.kernel.errors import RateLimited
from metacortex.queries.bus import Queries

logger = structlog.get_logger(__name__)

USER_STREAMS = 20
"""Of a user at a process: one for each open page, as browsers have them."""
HEARTBEAT_S = 15.0  # proxies close connections that are silent for a minute
LIFETIME_S = 600.0  # a stream ends then, so that deploys are not forgotten
CHUNK = 500  # events read at a time
KEPT = 1_000  # events of a workspace in memory, some 400 kB: for who is a little behind
CATCHING_UP = 2  # streams that read for themselves at a time: a fifth of the pool
LOOK_S = 1.0  # how soon a stream notices that it has to end
EVENT_STREAM = "text/event-stream"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
BEGIN = "retry: 3000\n\n"
HEARTBEAT = ": still here\n\n"
RECONNECT = "event: reconnect\ndata: {}\n\n"


@dataclass(slots=True, eq=False)
class Stream:
    """An open stream; it ends when its token does, or when it is told to."""

    caller: Caller
    ends: float
    ended: bool = False

    @property
    def is_over(self) -> bool:
        """Tell whether it has to end."""
        return self.ended or time.monotonic() >= self.ends


class _Feed:
    """What is new in one workspace, read once for all who listen."""

    def __init__(self, queries: Queries, workspace_id: UUID) -> None:
        self._queries = queries
        self._workspace_id = workspace_id
        self._events: deque[tuple[int, str]] = deque()
        self._news = asyncio.Event()
        self.listeners = 0
        self.ended = False
        self.first: int | None = None
        """The sequence behind which the kept events begin; None before it is known."""

    async def run(self) -> None:
        """Read while somebody listens; an error of the database ends all streams."""
        try:
            shown = await self._queries.watermarks.shown(self._workspace_id)
            self.first = at = shown.sequence
            self._tell()
            while self.listeners:
                shown = await self._queries.watermarks.wait(
                    self._workspace_id, at + 1, LOOK_S
                )
                while shown.sequence > at and (rows := await self.read(at)):
                    self._events.extend(rows)
                    at = rows[-1][0]
                    while len(self._events) > KEPT:
                        self.first = self._events.popleft()[0]
                    self._tell()
        except Exception as error:
            self.fail(error)
        finally:
            self.ended = True
            self._tell()

    def fail(self, error: Exception) -> None:
        """End all streams for an error, which is logged once for all of them."""
        if not self.ended:
            self.ended = True
            report(logger, "stream_ended", error, streams=self.listeners)
            self._tell()

    async def read(self, after: int) -> list[tuple[int, str]]:
        """Return the next events after a sequence, as a stream sends them."""
        rows = await self._queries.thin(self._workspace_id, after, CHUNK)
        return [
            (sequence, f"id: {sequence}\nevent: {type}\ndata: {data}\n\n")
            for sequence, type, data in rows
        ]

    def after(self, sequence: int) -> list[tuple[int, str]]:
        """Return the kept events after a sequence, in order."""
        found = []
        for event in reversed(self._events):
            if event[0] <= sequence:
                break
            found.append(event)
        return found[::-1]

    async def news(self) -> None:
        """Wait until there are more events, or the feed has ended, but not for long."""
        try:
            async with asyncio.timeout(LOOK_S):
                await self._news.wait()
        except TimeoutError:
            pass

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class Streams:
    """The open streams; needs a running event loop."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._feeds: dict[UUID, tuple[_Feed, asyncio.Task[None]]] = {}
        self._open: set[Stream] = set()
        self._of_user: Counter[str] = Counter()
        self._catching_up = asyncio.Semaphore(CATCHING_UP)

    def open(self, caller: Caller) -> Stream:
        """Count a stream of somebody; `close` it. Raises RateLimited."""
        if self._of_user[caller.user_id] >= USER_STREAMS:
            raise RateLimited("too_many_streams", meta={"limit": USER_STREAMS})
        left = min(LIFETIME_S, caller.expires_at + LEEWAY_S - time.time())
        stream = Stream(caller, time.monotonic() + left)
        self._open.add(stream)
        self._of_user[caller.user_id] += 1
        return stream

    def close(self, stream: Stream) -> None:
        """Forget a stream that has ended."""
        self._open.discard(stream)
        self._of_user[stream.caller.user_id] -= 1
        if not self._of_user[stream.caller.user_id]:
            del self._of_user[stream.caller.user_id]

    def revoke(self, refused: Callable[[Caller], bool]) -> int:
        """End the streams of callers who may no longer listen; return how many.

        They end within a second. For whoever learns that a session was revoked.
        """
        found = [it for it in self._open if refused(it.caller)]
        for stream in found:
            stream.ended = True
        return len(found)

    async def events(
        self, stream: Stream, after: int, closing: Callable[[], bool]
    ) -> AsyncGenerator[str, None]:
        """Yield what happens in the caller's workspace after a sequence."""
        feed = self._feed(stream.caller.workspace_id)
        feed.listeners += 1
        quiet = time.monotonic()
        try:
            yield BEGIN
            while not (stream.is_over or feed.ended or closing()):
                found = await self._next(feed, after)
                for after, event in found:  # noqa: B007  # the last one is kept
                    yield event
                now = time.monotonic()
                if found:
                    quiet = now
                elif now - quiet >= HEARTBEAT_S:
                    quiet = now
                    yield HEARTBEAT
            yield RECONNECT
        finally:
            feed.listeners -= 1

    async def _next(self, feed: _Feed, after: int) -> list[tuple[int, str]]:
        """Return the next events, none if none came for a moment."""
        found: list[tuple[int, str]] = []
        if feed.first is not None and after < feed.first:
            try:
                async with self._catching_up:
                    found = await feed.read(after)
            except Exception as error:
                feed.fail(error)
        else:
            found = feed.after(after)
        if not (found or feed.ended):
            await feed.news()
        return found

    def _feed(self, workspace_id: UUID) -> _Feed:
        """Return the feed of a workspace; its reader ends with the last listener."""
        found = self._feeds.get(workspace_id)
        if found is not None and not found[0].ended:
            return found[0]
        feed = _Feed(self._queries, workspace_id)
        task = asyncio.create_task(self._read(workspace_id, feed))
        self._feeds[workspace_id] = feed, task
        return feed

    async def _read(self, workspace_id: UUID, feed: _Feed) -> None:
        await feed.run()
        if self._feeds.get(workspace_id, (None,))[0] is feed:
            del self._feeds[workspace_id]


class StreamResponse(StreamingResponse):
    """The answer that is a stream, which is counted until it has ended."""

    def __init__(
        self, streams: Streams, stream: Stream, events: AsyncGenerator[str, None]
    ) -> None:
        super().__init__(events, media_type=EVENT_STREAM, headers=HEADERS)
        self._events = events
        self._close = partial(streams.close, stream)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._close()
            await self._events.aclose()
