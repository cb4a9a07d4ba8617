"""A worker's recorder: a thread that writes what the worker does, off its hot path.

It has an event loop and connections of its own, so that it tells of the worker's loop
even when that stands still. What it is handed waits in a bounded queue. If the database
is away longer than that holds, the oldest is dropped and counted; a run whose end was
dropped ends as crashed, and its next attempt makes that good.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import datetime, timezone
from typing import Any, TypeVar
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import driver_pool
from metacortex.kernel.driver_errors import report
from metacortex.operations import wakeup_counts
from metacortex.operations.heartbeats import BEAT_S, Heart, Process
from metacortex.operations.runs import Claimed, Ended, FailedTurn, Runs
from metacortex.operations.wakeup_counts import Minute

logger = structlog.get_logger(__name__)

T = TypeVar("T")

DROPPED = Counter(
    "metacortex_run_records_dropped_total", "Ends of runs that could not be written"
)
CAPACITY = 10_000  # ends that wait for the database; some 10 MB with tracebacks
CLAIM_S = 5.0  # a claim is one statement; later than this it has failed
GATHER_S = 0.02  # between the first end and the writing, so that others join it
PROGRESS_S = 1.0
MINUTES_S = 5.0
AGAIN_S = 1.0  # between tries while the database is away

_PAUSED = text("SELECT name FROM workers.queues WHERE paused")


class Recorder:
    """Hands to and from the thread; every method may be called from any thread."""

    def __init__(
        self,
        connect: Callable[[], AsyncEngine],
        process: Process,
        loop: asyncio.AbstractEventLoop,
        paused: Callable[[set[str]], None] = lambda names: None,
    ) -> None:
        """`connect` opens an engine in the thread; `loop` is watched for delays.

        `paused` hears every other second which queues are.
        """
        self._connect, self._process, self._watched = connect, process, loop
        self._paused = paused
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, name="recorder", daemon=True)
        self._stopping = False
        self._something = asyncio.Event()
        self._lock = threading.Lock()
        self._ended: deque[Ended] = deque()
        self._turns: deque[FailedTurn] = deque(maxlen=CAPACITY)
        self._running: dict[UUID, Claimed] = {}
        self._progress: dict[UUID, tuple[int, int]] = {}
        self._minutes: dict[int, Minute] = {}
        self._asked: tuple[float, asyncio.Event] | None = None
        self._runs: Runs | None = None
        self._ready = threading.Event()

    @property
    def process(self) -> Process:
        return self._process

    def start(self) -> None:
        """Begin to write; returns once claims are taken."""
        self._thread.start()
        self._ready.wait()

    def stop(self, grace_s: float) -> None:
        """Write what is left, if the database answers in time, and end."""
        self._stopping = True
        self._loop.call_soon_threadsafe(self._something.set)
        self._thread.join(grace_s)

    # What workers call

    def claim(self, run_id: UUID) -> Claimed | None:
        """Begin a run, if it is to be had. Raises what the database does."""
        assert self._runs is not None
        claimed = self._call(self._runs.claim(run_id, self._process.id))
        if claimed is not None:
            self._running[claimed.id] = claimed
        return claimed

    def ended(self, ended: Ended) -> None:
        """Note how a run ended; never blocks, never fails."""
        with self._lock:
            self._ended.append(ended)
            if len(self._ended) > CAPACITY:
                self._running.pop(self._ended.popleft().run.id, None)
                DROPPED.inc()
        self._loop.call_soon_threadsafe(self._something.set)

    def progress(self, run_id: UUID, done: int, total: int) -> None:
        """Note how far a run is; written once a second at most."""
        self._progress[run_id] = (done, total)

    def turn(self, ms: float, events: int, failed: FailedTurn | None = None) -> None:
        """Count a wake-up; one that failed is a run as well."""
        minute = int(time.time()) // 60
        with self._lock:
            found = self._minutes.get(minute)
            if found is None:
                found = self._minutes[minute] = Minute()
            found.count(ms, events, failed is not None)
        if failed is not None:
            self._turns.append(failed)
            self._loop.call_soon_threadsafe(self._something.set)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        done = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return done.result(CLAIM_S)
        except TimeoutError:
            done.cancel()
            raise

    # What the thread does

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._run())
        finally:
            self._ready.set()  # or a start that fails would be waited for
            self._loop.close()

    async def _run(self) -> None:
        engine = self._connect()
        self._runs = Runs(engine)
        heart = Heart(engine, self._process)
        self._ready.set()
        tasks = [
            asyncio.create_task(it)
            for it in (
                self._every(BEAT_S, lambda: self._beat(heart)),
                self._every(BEAT_S, lambda: self._look(engine)),
                self._every(PROGRESS_S, self._tell_progress),
                self._every(MINUTES_S, lambda: self._add_minutes(engine)),
            )
        ]
        while not self._stopping:
            await self._something.wait()
            await asyncio.sleep(GATHER_S)
            self._something.clear()
            if not await self._guarded(self._write_ends):
                self._something.set()
                await asyncio.sleep(AGAIN_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._guarded(self._write_ends)
        await self._guarded(lambda: self._add_minutes(engine))
        await self._guarded(heart.stop)
        await engine.dispose()

    async def _every(
        self, seconds: float, step: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        while True:
            await self._guarded(step)
            await asyncio.sleep(seconds)

    async def _guarded(self, step: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Run a step; a database that is away for a while does not end the thread."""
        try:
            await step()
        except Exception as error:
            report(logger, "recording_failed", error)
            return False
        return True

    async def _write_ends(self) -> None:
        with self._lock:
            ended, turns = list(self._ended), list(self._turns)
        if not ended and not turns:
            return
        assert self._runs is not None
        await self._tell_progress()  # the last of it; an ended run takes no more
        await self._runs.end(self._process.id, ended, turns)
        with self._lock:
            written = set(map(id, ended))
            while self._ended and id(self._ended[0]) in written:
                self._ended.popleft()
            written = set(map(id, turns))
            while self._turns and id(self._turns[0]) in written:
                self._turns.popleft()
        for it in ended:
            self._running.pop(it.run.id, None)

    async def _beat(self, heart: Heart) -> None:
        """Say what runs, ends that are not written yet included."""
        await heart.beat(await self._delay_ms(), list(self._running))

    async def _delay_ms(self) -> float:
        """Return how late the watched loop is: for as long as it stands still, growing.

        It is asked for a sign of life, and that is waited for a beat at most; the next
        beat goes on waiting for the same one.
        """
        if self._asked is None:
            self._asked = (time.monotonic(), asked := asyncio.Event())
            self._watched.call_soon_threadsafe(
                lambda: self._loop.call_soon_threadsafe(asked.set)
            )
        begun, answered = self._asked
        try:
            await asyncio.wait_for(answered.wait(), BEAT_S)
            self._asked = None
        except TimeoutError:
            logger.warning("event_loop_stands_still", seconds=time.monotonic() - begun)
        return (time.monotonic() - begun) * 1_000

    async def _look(self, engine: AsyncEngine) -> None:
        rows = await driver_pool(engine).rows(_PAUSED, {})
        self._paused({row[0] for row in rows})

    async def _tell_progress(self) -> None:
        told, self._progress = self._progress, {}
        if told:
            assert self._runs is not None
            await self._runs.progress(self._process.id, told)

    async def _add_minutes(self, engine: AsyncEngine) -> None:
        with self._lock:
            counted, self._minutes = self._minutes, {}
        if not counted:
            return
        named = {
            datetime.fromtimestamp(minute * 60, timezone.utc): it
            for minute, it in counted.items()
        }
        try:
            async with driver_pool(engine).begin() as direct:
                await wakeup_counts.add(direct, named)
        except BaseException:
            with self._lock:
                for minute, it in counted.items():
                    self._minutes.setdefault(minute, Minute()).add(it)
            raise
