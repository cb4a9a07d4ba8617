"""Folding a whole workspace again: what differs is written, each row once.

In the order of the log, so that it is read once. A row waits in memory until no event
has changed it for a while, and is compared with others while the next events are read.
Where it differs from what is there, or is not there, Postgres writes it; all of it in
one transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from metacortex.kernel.database import DriverConnection, DriverPool, Reader
from metacortex.queries import activity, batches, counts, fold
from metacortex.queries.batches import Place, Read
from metacortex.queries.fold import Fold
from metacortex.queries.read_ahead import SPARE, ended
from metacortex.queries.registry import PROJECTIONS
from metacortex.queries.row_writes import write_of
from metacortex.queries.tables import Projection, words_of

CHUNK = 1_000  # events that are read at a time; three readings are in memory
SETTLED = 20_000
"""Events after its last one when a row is written; so many rows, of some 2 kB, wait."""
WAITING_BYTES = 32 * 2**20
"""Of data of the events that made the waiting rows; beyond, the oldest are written."""


def _counted_anew(table: str) -> Sequence[TextClause]:
    kind, tasks = counts.SOURCES[table]
    names = ", ".join(("workspace_id", *kind))
    return (
        text(f"DELETE FROM {table} WHERE workspace_id = :workspace"),
        text(
            f"INSERT INTO {table} ({names}, n) SELECT {names}, count(*) FROM {tasks}"
            f" WHERE workspace_id = :workspace GROUP BY {names}"
        ),
    )


_COUNT = [it for table in counts.TABLES for it in _counted_anew(table)]
_BEYOND = text(
    f"DELETE FROM {activity.TABLE} WHERE workspace_id = :workspace"
    " AND sequence NOT BETWEEN 1 AND :head"
)


def _without_stream(projection: Projection) -> TextClause:
    return text(
        f"DELETE FROM {projection.table} t WHERE workspace_id = :workspace"
        " AND NOT EXISTS (SELECT FROM events.log l WHERE l.workspace_id = :workspace"
        " AND l.stream_id = t.id AND l.version = 1"
        f" AND l.stream_type = '{projection.stream_type}')"
    )


def _without_row(table: str, words: str) -> TextClause:
    return text(
        f"DELETE FROM {words} w WHERE workspace_id = :workspace AND NOT EXISTS (SELECT"
        f" FROM {table} t WHERE t.workspace_id = :workspace AND t.id = w.id)"
    )


_WITHOUT_STREAM = [_without_stream(it) for it in PROJECTIONS.values()]
_WITHOUT_ROW = [
    _without_row(it.table, words)
    for it in PROJECTIONS.values()
    if (words := words_of(it.table)) is not None
]
_PARTS = [
    text(f"DELETE FROM {it.parts.table} WHERE workspace_id = :workspace")
    for it in PROJECTIONS.values()
    if it.parts is not None
]


async def clear(direct: DriverConnection, begin: Place) -> None:
    """Delete what no event of a workspace made, and the parts of streams."""
    own = {"workspace": begin.workspace_id}
    for statement in (*_WITHOUT_STREAM, *_WITHOUT_ROW, *_PARTS):
        await direct.write(statement, own)
    await direct.write(_BEYOND, {**own, "head": begin.head})


async def count(direct: DriverConnection, workspace_id: UUID) -> None:
    """Count a workspace's tasks anew, whatever the triggers made of the counts."""
    for statement in _COUNT:
        await direct.write(statement, {"workspace": workspace_id})


class Refold:
    """Folds a whole workspace in one transaction, after `clear`."""

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
            rows = await batches.present(self._direct, missing)
            firsts = {fold.key(it): it.version for it in reversed(found.records)}
            # one of another version is of before: this log has no beginning of it
            self._fold.rows |= {
                key: row for key, row in rows.items() if row.version == firsts[key] - 1
            }
        await batches.apply(found.events, self._fold)

    async def _write(self, keys: Sequence[fold.Key], begins: int, reached: int) -> None:
        """Begin to write some rows, and what else comes of the events in between."""
        rows = self._fold.take(keys)
        write = write_of(rows, {self._id: begins}, {self._id: reached}, mend=True)
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
