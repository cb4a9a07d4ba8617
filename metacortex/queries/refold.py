"""Folding a whole workspace again: each row is written once, as it is in the end.

In the order of the log, so that it is read once. A row waits in memory until no event
has changed it for a while, and is written with others while the next events are read:
so a task that was edited ten times in a row costs its indexes one row, not ten.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

from metacortex.kernel.database import DriverConnection, DriverPool, Reader
from metacortex.queries import batches, fold
from metacortex.queries.batches import Place, Read
from metacortex.queries.fold import Fold
from metacortex.queries.read_ahead import SPARE, ended
from metacortex.queries.row_writes import write_of

CHUNK = 1_000  # events that are read at a time; three readings are in memory
SETTLED = 20_000
"""Events after its last one when a row is written; so many rows, of some 2 kB, wait."""
WAITING_BYTES = 32 * 2**20
"""Of data of the events that made the waiting rows; beyond, the oldest are written."""


class Refold:
    """Folds a whole workspace in one transaction, which has emptied its tables."""

    def __init__(
        self, pool: DriverPool, direct: DriverConnection, begin: Place
    ) -> None:
        self._direct, self._begin = direct, begin
        self._id = begin.workspace_id
        self._apart = pool.spare >= SPARE
        self._reader: Reader = pool if self._apart else direct
        self._fold = Fold({})
        self._writing: asyncio.Task[None] | None = None

    async def run(self) -> AsyncIterator[Read]:
        """Give each part that was read; written are all once this has ended."""
        reached = self._begin.sequence
        reading = asyncio.create_task(self._read(reached))
        try:
            while (found := await reading).records:
                begins, reached = reached, found.reached[self._id]
                if self._apart:
                    reading = asyncio.create_task(self._read(reached))
                await self._apply(found)
                settled = self._fold.settled(reached - SETTLED, WAITING_BYTES)
                await self._write(settled, begins, reached)
                yield found
                if not self._apart:
                    await self._written()
                    reading = asyncio.create_task(self._read(reached))
            await self._write_rest(reached)
        finally:
            await ended(reading)
            if self._writing is not None:
                await ended(self._writing)

    def _read(self, sequence: int) -> Coroutine[Any, Any, Read]:
        place = self._begin._replace(sequence=sequence)
        return batches.read(self._reader, [place], CHUNK)

    async def _apply(self, found: Read) -> None:
        """Fold events; only rows that have been written are asked for."""
        if missing := found.begun - self._fold.rows.keys():
            await self._written()
            self._fold.rows |= await batches.present(self._direct, missing)
        await batches.apply(found.events, self._fold)

    async def _write(self, keys: Sequence[fold.Key], begins: int, reached: int) -> None:
        """Begin to write some rows, and what else comes of the events in between."""
        rows = self._fold.take(keys)
        write = write_of(rows, {self._id: begins}, {self._id: reached})
        await self._written()
        self._writing = asyncio.create_task(write.run(self._direct))

    async def _write_rest(self, reached: int) -> None:
        keys = list(self._fold.changed)
        for first in range(0, len(keys), CHUNK):
            await self._write(keys[first : first + CHUNK], reached, reached)
        await self._written()

    async def _written(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing
