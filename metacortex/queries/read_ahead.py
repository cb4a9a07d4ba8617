"""Working ahead: the next batch is read and folded while Postgres writes one.

A log is never changed, so that it may be read before the checkpoint says so. What was
made ready is used if the checkpoint, once it is locked, is where that was made for; it
is thrown away if somebody else has moved it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any, Self
from uuid import UUID

from metacortex.kernel.database import DriverConnection, DriverPool, Reader
from metacortex.queries import batches, fold
from metacortex.queries.batches import Batch, Place, Read
from metacortex.queries.row_writes import write_of

CHUNK = 1_000  # events that a rebuild reads at a time; it holds three readings
KEPT_ROWS = 10_000  # that a rebuild need not ask for again, some 20 MB
SPARE = 1  # connections: with fewer left, others would wait for ours


class ReadAhead:
    """The next batch of one turn; at the end nothing of it is left running."""

    def __init__(self, pool: DriverPool, until: float) -> None:
        """`until` is when the turn ends, by the monotonic clock."""
        self._pool, self._until = pool, until
        self._began = time.monotonic()
        self._ready: tuple[Mapping[UUID, int], int, asyncio.Task[Batch]] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._drop()

    def begin(
        self, places: Sequence[Place], each: int, rows: dict[fold.Key, Any]
    ) -> None:
        """Begin with the batch after one that is being written; `rows` are that one's.

        Does nothing where there is no next one, no connection to spare, or no time left
        once the one before is written, which takes half a step.
        """
        began, self._began = self._began, time.monotonic()
        ends = self._began + (self._began - began) / 2
        if places and ends < self._until and self._pool.spare >= SPARE:
            work = batches.prepare(self._pool, places, each, rows)
            self._ready = _sequences(places), each, asyncio.create_task(work)

    async def take(self, places: Sequence[Place], each: int) -> Batch | None:
        """Return the batch that begins there, None if there is none.

        One that failed is none: it is tried again where the checkpoint is locked.
        """
        if self._ready is None:
            return None
        begins, size, task = self._ready
        found = None
        if begins == _sequences(places) and size == each:
            await asyncio.wait({task})
            found = None if task.exception() else task.result()
        await self._drop()
        return found

    async def _drop(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            await _end(ready[2])


def _sequences(places: Sequence[Place]) -> Mapping[UUID, int]:
    return {it.workspace_id: it.sequence for it in places}


async def _end(task: "asyncio.Future[Any]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Refold:
    """Folds a whole workspace in one transaction, which has emptied its tables."""

    def __init__(
        self, pool: DriverPool, direct: DriverConnection, begin: Place
    ) -> None:
        self._direct, self._begin = direct, begin
        self._apart = pool.spare >= SPARE
        self._reader: Reader = pool if self._apart else direct
        self._rows: dict[fold.Key, Any] = {}
        self._writing: asyncio.Task[None] | None = None

    async def run(self) -> AsyncIterator[Read]:
        """Give each part that was read; written are all once this has ended."""
        reading = asyncio.create_task(self._read(self._begin.sequence))
        try:
            while (found := await reading).records:
                reached = found.reached[self._begin.workspace_id]
                if self._apart:
                    reading = asyncio.create_task(self._read(reached))
                await self._write(found)
                yield found
                if not self._apart:
                    await self._written()
                    reading = asyncio.create_task(self._read(reached))
            await self._written()
        finally:
            await _end(reading)
            if self._writing is not None:
                await _end(self._writing)

    def _read(self, sequence: int) -> Coroutine[Any, Any, Read]:
        place = self._begin._replace(sequence=sequence)
        return batches.read(self._reader, [place], CHUNK)

    async def _write(self, found: Read) -> None:
        """Begin to write; only rows that are not at hand wait for the write before."""
        if wanted := found.begun - self._rows.keys():
            await self._written()
            self._rows |= await batches.present(self._direct, wanted)
        folded = await batches.folded(found, self._rows)
        write = write_of(folded, found.records, found.reached)
        self._keep(folded.rows)
        await self._written()
        self._writing = asyncio.create_task(write.run(self._direct))

    def _keep(self, rows: dict[fold.Key, Any]) -> None:
        self._rows |= rows
        for key in list(self._rows)[: max(0, len(self._rows) - KEPT_ROWS)]:
            del self._rows[key]

    async def _written(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing
