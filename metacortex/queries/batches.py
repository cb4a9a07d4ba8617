"""Batches of events: read from the log, checked against their hashes, and folded.

All of this is done before anything is locked or written, so that the next batch can be
made ready while Postgres writes the one before. The event loop is let go every few
events: other workspaces share it.
"""

import asyncio
from collections import ChainMap
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import TextClause, text

from metacortex.events import codec, log
from metacortex.events.record import EventRecord, Recorded, mismatch
from metacortex.kernel.database import Reader
from metacortex.queries import fold
from metacortex.queries.fold import Fold
from metacortex.queries.registry import PROJECTIONS
from metacortex.queries.row_writes import Write, write_of

T = TypeVar("T")

SLICE = 200  # events worked on without a pause, some 5 ms


class Gap(Exception):
    """An event is missing in a log: nothing goes on as if it had not been there."""


class Altered(Exception):
    """The log is not what was appended; the message says where, and what differs."""


class Place(NamedTuple):
    """Where in a workspace's log a batch begins, and a head that the log has."""

    workspace_id: UUID
    sequence: int
    """Of the last event before."""
    head: int


@dataclass(frozen=True, slots=True)
class Read:
    """Events as they were appended, decoded, and where that has come to."""

    records: Sequence[EventRecord]
    events: Sequence[Recorded[Any]]
    reached: Mapping[UUID, int]
    begun: Set[fold.Key]
    """The streams that began before: whose rows are to be had first."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events with what their rows become, ready to be written."""

    read: Read
    rows: dict[fold.Key, Any]
    write: Write


async def read(reader: Reader, places: Sequence[Place], each: int) -> Read:
    """Read up to `each` next events of every workspace. Raises Gap, Altered.

    And UnknownEvent for one that this release cannot read.
    """
    after = [(it.workspace_id, it.sequence) for it in places]
    records, all_read = await log.read_after(reader, after, each)
    last = dict(after)
    events = []
    begun, born = set[fold.Key](), set[fold.Key]()
    async for part in _slices(records):
        for record in part:
            before = last[record.workspace_id]
            if record.sequence != before + 1:
                raise Gap(f"event {record.sequence} follows event {before} in the log")
            if what := mismatch(record):
                raise Altered(f"event {record.sequence}: {what}")
            last[record.workspace_id] = record.sequence
            (begun if record.version > 1 else born).add(fold.key(record))
            events.append(codec.read(record))
    for id, sequence, head in places if all_read else ():
        check_end(last[id], min(head, sequence + each), head)
    return Read(records, events, last, begun - born)


def check_end(reached: int, wanted: int, head: int) -> None:
    """Raise Gap if a log ends too early."""
    if reached < wanted:
        raise Gap(f"the log ends at {reached}, its head says {head}")


async def _slices(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Give items in parts, and others a turn after each."""
    for begin in range(0, len(items), SLICE):
        yield items[begin : begin + SLICE]
        await asyncio.sleep(0)


async def present(reader: Reader, keys: Iterable[fold.Key]) -> dict[fold.Key, Any]:
    """Return the rows of streams as the tables have them."""
    rows: dict[fold.Key, Any] = {}
    wanted = list(keys)
    for type in {kind for _, kind, _ in wanted}:
        values = {
            "workspaces": [workspace for workspace, kind, _ in wanted if kind == type],
            "ids": [id for _, kind, id in wanted if kind == type],
        }
        found = await reader.rows(_present(PROJECTIONS[type].table), values)
        async for part in _slices(found):
            for workspace, id, document in part:
                rows[workspace, type, id] = fold.parse(type, document)
    return rows


@lru_cache
def _present(table: str) -> TextClause:
    return text(
        f"SELECT t.workspace_id, t.id, t.document::text FROM {table} t"
        " JOIN unnest(CAST(:workspaces AS uuid[]), CAST(:ids AS uuid[])) AS k(w, i)"
        " ON t.workspace_id = k.w AND t.id = k.i"
    )


async def apply(events: Sequence[Recorded[Any]], folded: Fold) -> None:
    """Fold events into rows, which are those before them."""
    async for part in _slices(events):
        for event in part:
            folded.apply(event)


async def prepare(
    reader: Reader, places: Sequence[Place], each: int, rows: dict[fold.Key, Any]
) -> Batch:
    """Make a batch ready; `rows` are known to be as the tables have them."""
    found = await read(reader, places, each)
    others = await present(reader, found.begun - rows.keys())
    before = ChainMap(others, rows)
    result = Fold({key: before[key] for key in found.begun if key in before})
    await apply(found.events, result)
    begins = {it.workspace_id: it.sequence for it in places}
    write = write_of(result, begins, found.reached)
    return Batch(found, result.rows, write)
