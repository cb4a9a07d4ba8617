"""Working ahead: the next batch is read and folded while Postgres writes one.

A log is never changed, so that it may be read before the checkpoint says so. What was
made ready is used if the checkpoint, once it is locked, is where that was made for; it
is thrown away if somebody else has moved it.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Self
from uuid import UUID

from metacortex.kernel.database import DriverPool
from metacortex.queries import batches, fold
from metacortex.queries.batches import Batch, Place

SPARE = 1  # connections: with fewer left, others would wait for ours
KEPT_ROWS = 10_000  # that the next batches of a turn need not ask for, some 20 MB


class ReadAhead:
    """The next batch of one turn; at the end nothing of it is left running."""

    def __init__(self, pool: DriverPool, until: float) -> None:
        """`until` is when the turn ends, by the monotonic clock."""
        self._pool, self._until = pool, until
        self._began = time.monotonic()
        self._rows: dict[fold.Key, Any] = {}
        self._ready: tuple[Mapping[UUID, int], int, asyncio.Task[Batch]] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._drop()

    def begin(
        self, places: Sequence[Place], each: int, rows: dict[fold.Key, Any]
    ) -> None:
        """Begin with the batch after one that is being written; `rows` are that one's.

        Those of the batches before are known as well, if all of them were made ready.
        Does nothing where there is no next one, no connection to spare, or no time left
        once the one before is written, which takes half a step.
        """
        began, self._began = self._began, time.monotonic()
        ends = self._began + (self._began - began) / 2
        self._rows |= rows
        if (more := len(self._rows) - KEPT_ROWS) > 0:
            for key in list(islice(self._rows, more)):
                del self._rows[key]
        if places and ends < self._until and self._pool.spare >= SPARE:
            work = batches.prepare(self._pool, places, each, self._rows)
            self._ready = _sequences(places), each, asyncio.create_task(work)

    async def take(self, places: Sequence[Place], each: int) -> Batch | None:
        """Return the batch that begins there, None if there is none.

        One that failed is none: it is tried again where the checkpoint is locked.
        """
        found = None
        if self._ready is not None:
            begins, size, task = self._ready
            if begins == _sequences(places) and size == each:
                await asyncio.wait({task})
                found = None if task.exception() else task.result()
            await self._drop()
        if found is None:
            self._rows = {}  # somebody else may have moved the tables on
        return found

    async def _drop(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            await ended(ready[2])


def _sequences(places: Sequence[Place]) -> Mapping[UUID, int]:
    return {it.workspace_id: it.sequence for it in places}


async def ended(task: "asyncio.Future[Any]") -> None:
    """End what is under way, and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
