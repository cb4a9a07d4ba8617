"""Checking whole logs, by several processes where there is much to read."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import UUID

from metacortex.audit_check.heads import HEADS, amount, heads
from metacortex.audit_check.logs import SPAN, Head, Log, Part, Span, Verdict
from metacortex.audit_check.reading import Arguments, connected, read
from metacortex.kernel.processes import die_with_parent

ALONE = 4 * SPAN  # below so many events, more processes cost more than they save
AHEAD = 32  # jobs for each process: enough while one looks at a million receipts
REPORT_S = 2.0  # between two lines of progress


Progress = Callable[[int, int, int, float], None]
"""Told workspaces done, workspaces of all, events done, and seconds since the start."""

_Read = Callable[[Sequence[Span]], Awaitable[list[Part]]]


async def check(
    arguments: Arguments,
    workspaces: Sequence[UUID] = (),
    *,
    processes: int | None = None,
    progress: Progress = lambda *_: None,
) -> AsyncIterator[Verdict]:
    """Yield a verdict for each workspace, for all where none is named.

    Raises UnknownWorkspace, and what the driver raises.
    """
    async with connected(arguments) as connection:
        total, events = await amount(connection, workspaces)
        if processes is None:
            processes = (os.cpu_count() or 1) if events > ALONE else 1
        found = heads(connection, workspaces)
        said = _Said(total, progress)
        ahead = processes * AHEAD if processes > 1 else 1  # one connection, one job
        async with _readers(arguments, connection, processes) as reads:
            async for log in _logs(found, reads, ahead, said):
                said.workspace()
                yield log.verdict()
        said.end()


async def _logs(
    heads: AsyncIterator[Head], reads: _Read, ahead: int, said: "_Said"
) -> AsyncIterator[Log]:
    """Yield whole logs, in order, while the next jobs are being read."""
    running: deque[tuple[list[Log], asyncio.Future[list[Part]]]] = deque()

    async def first() -> list[Log]:
        logs, job = running.popleft()
        complete = []
        for log, part in zip(logs, await job, strict=True):
            log.join(part)
            said.events(part.events)
            if part.span.last == log.head.sequence:
                complete.append(log)
        return complete

    try:
        async for logs, spans in _jobs(heads):
            running.append((logs, asyncio.ensure_future(reads(spans))))
            if len(running) >= ahead:
                for log in await first():
                    yield log
        while running:
            for log in await first():
                yield log
    finally:
        for _, job in running:
            job.cancel()


async def _jobs(
    heads: AsyncIterator[Head],
) -> AsyncIterator[tuple[list[Log], list[Span]]]:
    """Yield spans with their logs: many small ones at once, or one that is long."""
    logs: list[Log] = []
    spans: list[Span] = []
    events = 0
    async for head in heads:
        log = Log(head)
        for span in head.spans():
            logs.append(log)
            spans.append(span)
            events += span.last - span.first + 1
            if events >= SPAN // 2 or len(spans) >= HEADS:
                yield logs, spans
                logs, spans, events = [], [], 0
    if spans:
        yield logs, spans


class _Said:
    """Counts, and tells of it now and then."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._progress = total, progress
        self._workspaces = self._events = 0
        self._began = self._reported_at = time.monotonic()

    def workspace(self) -> None:
        self._workspaces += 1

    def events(self, count: int) -> None:
        self._events += count
        if time.monotonic() - self._reported_at >= REPORT_S:
            self._report()

    def end(self) -> None:
        self._report()

    def _report(self) -> None:
        self._reported_at = time.monotonic()
        since = self._reported_at - self._began
        self._progress(self._workspaces, self._total, self._events, since)


def _readers(
    arguments: Arguments, connection: Any, processes: int
) -> AbstractAsyncContextManager[_Read]:
    return _pool(arguments, processes) if processes > 1 else _alone(connection)


@asynccontextmanager
async def _alone(connection: Any) -> AsyncIterator[_Read]:
    """Read on a connection that others use in between."""

    async def reads(spans: Sequence[Span]) -> list[Part]:
        return [await read(connection, span) for span in spans]

    yield reads


@asynccontextmanager
async def _pool(arguments: Arguments, processes: int) -> AsyncIterator[_Read]:
    """Read in processes of their own, which end with the block."""
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(dict(arguments),),
    )

    async def reads(spans: Sequence[Span]) -> list[Part]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, _in_process, spans)

    try:
        yield reads
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_own: dict[str, Any] = {}
"""Of a process of the pool: its event loop, and what it connects with."""


def _begin(arguments: Arguments) -> None:
    die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the pool
    _own["arguments"], _own["runner"] = arguments, asyncio.Runner()


def _in_process(spans: Sequence[Span]) -> list[Part]:
    async def reads() -> list[Part]:
        async with connected(_own["arguments"]) as connection:
            return [await read(connection, span) for span in spans]

    found: list[Part] = _own["runner"].run(reads())
    return found
