"""How far each workspace's read tables have come, asked by many at once.

Requests that wait for a sequence share one look at the checkpoints; a look that began
after a request came in is fresh for it, whatever replica answers.
"""

import asyncio
import math
import time
from collections import defaultdict
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from metacortex.kernel.database import Reads

FIRST_LOOK_S = 0.004  # a projection takes about as long
LOOK_S = 0.005  # whoever waits looks at multiples of this, all with one statement
SLOWEST_LOOK_S = 0.05  # a waiting client notices no more than this

_LOOK = text(
    "SELECT workspace_id, sequence, rebuilds FROM queries.checkpoints"
    " WHERE workspace_id = ANY (CAST(:workspaces AS uuid[]))"
)


class Shown(NamedTuple):
    """What a workspace's read tables show: a sequence, after so many rebuilds."""

    sequence: int = 0
    rebuilds: int = 0


class Watermarks:
    """Answers for one process; needs a running event loop."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._asked: dict[UUID, list[asyncio.Future[Shown]]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None

    async def shown(self, workspace_id: UUID) -> Shown:
        """Return what the read tables show now."""
        future: asyncio.Future[Shown] = asyncio.get_running_loop().create_future()
        self._asked[workspace_id].append(future)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        return await future

    async def wait(self, workspace_id: UUID, sequence: int, wait_s: float) -> Shown:
        """Wait for a sequence until time is up; return what the tables show."""
        until, pause = time.monotonic() + wait_s, FIRST_LOOK_S
        while True:
            shown = await self.shown(workspace_id)
            left = until - time.monotonic()
            if shown.sequence >= sequence or left <= 0:
                return shown
            await asyncio.sleep(min(_to_look(pause), left))
            pause = min(pause * 1.5, SLOWEST_LOOK_S)

    async def _look(self) -> None:
        while self._asked:
            asked, self._asked = self._asked, defaultdict(list)
            try:
                found = await self._read(list(asked))
            except Exception as error:
                self._fail(asked, error)
                continue
            for workspace_id, futures in asked.items():
                for future in futures:
                    if not future.done():
                        future.set_result(found.get(workspace_id, Shown()))

    async def _read(self, workspaces: list[UUID]) -> dict[UUID, Shown]:
        rows = await self._reads.rows(_LOOK, {"workspaces": workspaces})
        return {row[0]: Shown(row[1], row[2]) for row in rows}

    def _fail(
        self, asked: dict[UUID, list[asyncio.Future[Shown]]], error: Exception
    ) -> None:
        """Hand the error to whoever asked; each of them answers for it."""
        for futures in asked.values():
            for future in futures:
                if not future.done():
                    future.set_exception(error)


def _to_look(pause: float) -> float:
    """Return the seconds to the first common moment that is a pause away or more."""
    now = time.monotonic()
    return math.ceil((now + pause) / LOOK_S) * LOOK_S - now
