"""Working ahead: the next batch is read and folded while Postgres writes one.

A log is never changed, so that it may be read before the checkpoint says so. What was
made ready is used if the checkpoint, once it is locked, is where that was made for; it
is thrown away if somebody else has moved it.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Self
from uuid import UUID

from metacortex.kernel.database import DriverConnection, DriverPool, Reader
from metacortex.queries import batches, fold
from metacortex.queries.batches import After, Batch, Read
from metacortex.queries.row_writes import write_of

CHUNK = 2_000  # events that a rebuild reads at a time; it holds three readings
KEPT_ROWS = 10_000  # that a rebuild need not ask for again, some 20 MB
SPARE = 2  # connections: with fewer left, others would wait for ours


class ReadAhead:
    """The next batch of one turn; at the end nothing of it is left running."""

    def __init__(self, pool: DriverPool) -> None:
        self._pool = pool
        self._ready: tuple[list[tuple[UUID, int]], int, asyncio.Task[Batch]] | None
        self._ready = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._drop()

    def begin(self, after: After, each: int, rows: dict[fold.Key, Any]) -> None:
        """Begin with the batch after one that is being written; `rows` are that one's.

        Does nothing where there is no next one, or no connection to spare.
        """
        if after and self._pool.spare >= SPARE:
            work = batches.prepare(self._pool, after, each, rows)
            self._ready = list(after), each, asyncio.create_task(work)

    async def take(self, after: After, each: int) -> Batch | None:
        """Return the batch if it is this one, None if there is none.

        One that failed is none: it is tried again where the checkpoint is locked.
        """
        if self._ready is None:
            return None
        wanted, size, task = self._ready
        found = None
        if wanted == list(after) and size == each:
            await asyncio.wait({task})
            found = None if task.exception() else task.result()
        await self._drop()
        return found

    async def _drop(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            await _end(ready[2])


async def _end(task: "asyncio.Future[Any]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Refold:
    """Folds a whole workspace in one transaction, which has emptied its tables."""

    def __init__(
        self, pool: DriverPool, direct: DriverConnection, workspace_id: UUID
    ) -> None:
        self._direct, self._id = direct, workspace_id
        self._apart = pool.spare >= SPARE
        self._reader: Reader = pool if self._apart else direct
        self._rows: dict[fold.Key, Any] = {}
        self._writing: asyncio.Task[None] | None = None

    async def run(self) -> AsyncIterator[Read]:
        """Give each part that was read; written are all once this has ended."""
        reading = asyncio.create_task(self._read(0))
        try:
            while (found := await reading).records:
                reached = found.reached[self._id]
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
        return batches.read(self._reader, [(self._id, sequence)], CHUNK)

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
