"""Lists of tasks as they were: folded from the log up to an instant.

The rows are folded here and handed to Postgres as a table of the statement, so that
every filter and sort means what it means in the present. Folds are kept for a while,
every so many events: whoever moves an instant to and fro waits for few events.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.events import codec, log
from metacortex.events.record import EventRecord
from metacortex.events.tasks import STREAM
from metacortex.kernel.database import ReadConnection, Reader
from metacortex.kernel.decider import exchanges_of, names_of
from metacortex.kernel.errors import Invalid
from metacortex.queries import fold, page
from metacortex.queries.cursors import Key
from metacortex.queries.page import Filters, Page, Source
from metacortex.queries.statements import Found
from metacortex.queries.tables import is_written, with_texts
from metacortex.queries.task_indexes import OPEN
from metacortex.queries.task_words import MATCHES, SEARCHED
from metacortex.queries.tasks import (
    RANK,
    ListTasks,
    TaskRow,
    TaskTable,
    project,
)
from metacortex.queries.watermarks import Watermark

EVENTS_LIMIT = 20_000  # a second of reading and folding, at first
STEP = 2_000  # events between two folds that are kept, some 100 ms
FOLDS = 40  # that a process keeps: of 20,000 tasks each takes 2 MB besides its rows
KEPT_S = 60.0  # nobody moves a slider for longer

# sequences have no gaps and times never go back, so halving finds the last one by then
_REACHED = text("""WITH RECURSIVE halves(low, high) AS (
    SELECT 0::bigint, coalesce((SELECT sequence FROM events.heads
    WHERE workspace_id = :workspace), 0)
    UNION ALL SELECT CASE WHEN l.by_then THEN m.middle ELSE h.low END,
    CASE WHEN l.by_then THEN h.high ELSE m.middle - 1 END FROM halves h
    CROSS JOIN LATERAL (SELECT (h.low + h.high + 1) / 2 AS middle) m
    CROSS JOIN LATERAL (SELECT recorded_at <= :until AS by_then FROM events.log
    WHERE workspace_id = :workspace AND sequence = m.middle) l WHERE h.low < h.high)
    SELECT low FROM halves WHERE low >= high""")

_NAMES = ", ".join(it.name for it in TaskTable.__table__.columns if is_written(it))


_ROWS = "json_populate_recordset(NULL::queries.tasks, CAST(:rows AS json))"


def _source(searched: bool) -> str:
    """Return the SQL of the rows with their ranks, and a vector where one searches."""
    search = SEARCHED if searched else "NULL::tsvector"
    return (
        f"past AS MATERIALIZED (SELECT {_NAMES}, {search} AS search,"
        f' {RANK} COLLATE "C" AS rank FROM {with_texts(ListTasks.table, _ROWS)} r)'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPastTasks(ListTasks):
    """A list of tasks of another time; the rows come with the statement."""

    table = "past"
    document = "p.document::text"

    def sized(self, filters: Filters) -> None:
        """There is no index of the past."""

    def kept_total(self, columns: Collection[str], where: str) -> None:
        """Nobody has counted the past."""

    def found(self, filters: Filters, keys: Sequence[Key]) -> Found:
        """Return the rows, which have their words with them."""
        some = f"(SELECT * FROM {self.table} WHERE {MATCHES})"
        return Found(rows=some if self.q else self.table)


@dataclass(frozen=True, slots=True)
class Folded:
    """The tasks of a workspace at a sequence; never changed once it is kept."""

    sequence: int = 0
    rows: dict[UUID, TaskRow] = field(default_factory=dict)
    comments: Counter[UUID] = field(default_factory=Counter)
    kept_at: float = field(default_factory=time.monotonic)


class PastTasks:
    """Answers lists of the past for one process."""

    def __init__(self, engine: AsyncEngine, reader: Reader) -> None:
        self._engine = engine
        self._reader = reader
        self._folds: OrderedDict[tuple[UUID, int], Folded] = OrderedDict()

    async def page(self, query: ListTasks) -> Page:
        """Return a page as of the query's instant. Raises Invalid, Malformed."""
        values = {"workspace": query.workspace_id, "until": query.as_of}
        (sequence,) = await self._reader.row(_REACHED, values)
        if sequence > EVENTS_LIMIT:
            meta = {"limit": EVENTS_LIMIT, "events": sequence}
            raise Invalid("too_many_events", source={"parameter": "as_of"}, meta=meta)
        folded = await self._folded(query.workspace_id, sequence)
        rows = await asyncio.to_thread(_json, query.workspace_id, folded)
        past = ListPastTasks(**{it: getattr(query, it) for it in names_of(ListTasks)})
        source = Source(_source(bool(query.q)), {"rows": rows})
        found = await page.fetch(self._reader, past, source)
        return replace(found, shown=Watermark(sequence, found.shown.rebuilds))

    async def _folded(self, workspace_id: UUID, sequence: int) -> Folded:
        """Return the fold at a sequence, going on from the last one that is kept."""
        found = self._nearest(workspace_id, sequence)
        if found.sequence == sequence:
            return found
        async with self._engine.connect() as opened:
            connection = ReadConnection(opened)
            while found.sequence < sequence:
                last = min(sequence, (found.sequence // STEP + 1) * STEP)
                found = await self._onward(connection, workspace_id, found, last)
                self._keep(workspace_id, found)
        return found

    async def _onward(
        self, connection: ReadConnection, workspace_id: UUID, found: Folded, last: int
    ) -> Folded:
        """Return the fold at a later sequence. A reading is bounded in bytes."""
        while found.sequence < last:
            records = await log.read_on(
                connection, workspace_id, found.sequence, last, STEP
            )
            found = await asyncio.to_thread(_applied, found, records)
        return found

    def _nearest(self, workspace_id: UUID, sequence: int) -> Folded:
        ends = time.monotonic() - KEPT_S
        for key in [it for it, one in self._folds.items() if one.kept_at < ends]:
            del self._folds[key]
        own = [
            (space, at)
            for space, at in self._folds
            if space == workspace_id and at <= sequence
        ]
        return self._folds[max(own, key=lambda it: it[1])] if own else Folded()

    def _keep(self, workspace_id: UUID, found: Folded) -> None:
        self._folds[workspace_id, found.sequence] = found
        if len(self._folds) > FOLDS:
            self._folds.popitem(last=False)


def _applied(before: Folded, records: Iterable[EventRecord]) -> Folded:
    """Return the fold after some events. Runs in a thread."""
    rows, comments = dict(before.rows), before.comments.copy()
    sequence = before.sequence
    for record in records:
        sequence = record.sequence
        if record.stream_type != STREAM:
            continue
        id = record.stream_id
        event = codec.read(record)
        rows[id] = project(rows.get(id), event)
        if exchange := exchanges_of(event.event).get("comments"):
            comments[id] += len(exchange.added) - len(exchange.removed)
    return Folded(sequence, rows, comments)


def _json(workspace_id: UUID, folded: Folded) -> str:
    """Return the rows as the statement takes them. Runs in a thread."""
    open: Counter[UUID] = Counter()
    all: Counter[UUID] = Counter()
    for row in folded.rows.values():
        if row.parent_id is not None and not row.deleted:
            all[row.parent_id] += 1
            open[row.parent_id] += row.status in OPEN
    found: list[dict[str, Any]] = []
    for id, row in folded.rows.items():
        columns = fold.columns(workspace_id, STREAM, row)
        counts = {
            "subtasks": {"open": open[id], "all": all[id]},
            "comments": folded.comments[id],
        }
        document = fold.document(STREAM, row)[:-1] + b"," + orjson.dumps(counts)[1:]
        found.append({**columns, "document": document})
    return fold.as_json(found)
