"""Watermarks: the sequence that a workspace's read tables show.

All requests that wait for one share a query of the checkpoints. A query that starts
after a request has come in is fresh enough for it.
"""

import asyncio
import math
import time
from collections import defaultdict
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from metacortex.kernel.database import Reader

FIRST_POLL_S = 0.004  # about as long as a projection takes
POLL_S = 0.005  # polls are at multiples of this, so that requests share them
MAX_POLL_S = 0.05  # the interval grows to this: a client hardly notices it

_CHECKPOINTS = text(
    "SELECT workspace_id, sequence, rebuilds FROM queries.checkpoints"
    " WHERE workspace_id = ANY (CAST(:workspaces AS uuid[]))"
)


class Watermark(NamedTuple):
    """What the read tables show: a sequence, after this number of rebuilds."""

    sequence: int = 0
    rebuilds: int = 0


class Watermarks:
    """The watermarks as one process asks for them; needs a running event loop."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._waiting: dict[UUID, list[asyncio.Future[Watermark]]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None

    async def shown(self, workspace_id: UUID) -> Watermark:
        """Return the present watermark of a workspace."""
        future: asyncio.Future[Watermark] = asyncio.get_running_loop().create_future()
        self._waiting[workspace_id].append(future)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
        return await future

    async def wait(self, workspace_id: UUID, sequence: int, wait_s: float) -> Watermark:
        """Wait until a sequence is shown, at most `wait_s`; return the watermark."""
        until, pause = time.monotonic() + wait_s, FIRST_POLL_S
        while True:
            shown = await self.shown(workspace_id)
            left = until - time.monotonic()
            if shown.sequence >= sequence or left <= 0:
                return shown
            await asyncio.sleep(min(_until_poll(pause), left))
            pause = min(pause * 1.5, MAX_POLL_S)

    async def _poll(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, defaultdict(list)
            try:
                found = await self._read(list(waiting))
            except Exception as error:
                self._fail(waiting, error)
                continue
            for workspace_id, futures in waiting.items():
                for future in futures:
                    if not future.done():
                        future.set_result(found.get(workspace_id, Watermark()))

    async def _read(self, workspaces: list[UUID]) -> dict[UUID, Watermark]:
        rows = await self._reader.rows(_CHECKPOINTS, {"workspaces": workspaces})
        return {row[0]: Watermark(row[1], row[2]) for row in rows}

    def _fail(
        self, waiting: dict[UUID, list[asyncio.Future[Watermark]]], error: Exception
    ) -> None:
        """Raise the error in every request that waits."""
        for futures in waiting.values():
            for future in futures:
                if not future.done():
                    future.set_exception(error)


def _until_poll(pause: float) -> float:
    """Return the seconds to the first multiple of `POLL_S` after the pause."""
    now = time.monotonic()
    return math.ceil((now + pause) / POLL_S) * POLL_S - now
