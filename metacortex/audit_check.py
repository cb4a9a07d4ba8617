"""Whether the log in the database is what was appended, read straight from its columns.

A log is read in spans, each in one transaction of its own and in pages of bounded size,
so that several processes can take part. A span checks whatever can be told within it;
`Log` joins neighbours and compares the tree with the head. What lies beyond the head as
it was when the check began is left to the next check.
"""

import asyncio
import multiprocessing
import os
import random
import signal
import time
from collections import deque
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from metacortex.embedded import die_with_parent
from metacortex.events import merkle
from metacortex.events.log import READ_BYTES, within_bytes
from metacortex.events.record import (
    LEAF_ALTERED,
    PAYLOAD_ALTERED,
    leaf,
    payload_hash,
)
from metacortex.kernel.clock import rfc3339

SPAN = 2**15  # events: a perfect subtree, and a third of a second of one core
PAGE = 2_000  # events held in memory at a time, unless `READ_BYTES` are fewer
ALONE = 4 * SPAN  # below so many events, more processes cost more than they save
HEADS = 1_000  # read at a time
AHEAD = 32  # jobs for each process: enough while one looks at a million receipts
REPORT_S = 2.0  # between two lines of progress

Arguments = Mapping[str, Any]
"""What the driver connects with; see `driver_arguments`."""


class Found(NamedTuple):
    """The first event, or the place of one, that is not as it must be."""

    sequence: int
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about one workspace; `found` is None if all is well."""

    workspace_id: UUID
    events: int
    found: Found | None

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.workspace_id}: {self.events} events, as appended"
        return f"{self.workspace_id}: event {self.found.sequence}: {self.found.what}"

    def line(self) -> dict[str, Any]:
        """Return the verdict for programs; the last two are null if all is well."""
        sequence, what = self.found or (None, None)
        return {
            "workspace_id": str(self.workspace_id),
            "events": self.events,
            "sequence": sequence,
            "what": what,
        }


@dataclass(frozen=True, slots=True)
class Span:
    """Events of one workspace, `first` to `last`; `head` is the newest of its log."""

    workspace_id: UUID
    first: int
    last: int
    head: int


@dataclass(slots=True)
class Part:
    """What a span amounts to; its times are those of its first and its last event."""

    span: Span
    events: int = 0
    found: Found | None = None
    of_receipts: Found | None = None
    frontier: list[bytes] = field(default_factory=list)
    began: datetime | None = None
    ended: datetime | None = None

    def note(self, found: Found | None) -> None:
        """Keep what stands earliest in the log."""
        self.found = _earlier(self.found, found)


def _earlier(one: Found | None, other: Found | None) -> Found | None:
    if one is None or other is None:
        return one or other
    return min(one, other, key=lambda found: found.sequence)


@dataclass(frozen=True, slots=True)
class Head:
    """A head row, and the newest sequence of the log in the same snapshot."""

    workspace_id: UUID
    sequence: int
    recorded_at: datetime | None
    frontier: bytes
    newest: int

    def spans(self) -> Iterator[Span]:
        """Return what to read, in order; one span that is empty for an empty log."""
        for first in range(1, max(self.sequence, 1) + 1, SPAN):
            last = min(first + SPAN - 1, self.sequence)
            yield Span(self.workspace_id, first, last, self.sequence)


# Reading, in any process

_COLUMNS = (
    "workspace_id, sequence, event_id, stream_type, stream_id, version, type,"
    " schema_version, recorded_at, actor_type, actor_id, command_id, command_type,"
    " correlation_id, causation_id, data, context, salt, payload_hash, leaf_hash"
)
_PAGE = f"SELECT {_COLUMNS} FROM " + within_bytes(
    f"(SELECT {_COLUMNS} FROM events.log WHERE workspace_id = $1"
    " AND sequence > $2 AND sequence <= $3 ORDER BY sequence LIMIT $4) l",
    "sequence",
    "$5",
)
_ORPHAN = (
    "SELECT min(k.sequence) FROM unnest($2::text[], $3::text[], $4::int[],"
    " $5::bigint[]) AS k(id, type, version, sequence) WHERE coalesce((SELECT l.sequence"
    " FROM events.log l WHERE l.workspace_id = $1 AND l.stream_id = k.id::uuid"
    " AND l.version = k.version - 1 AND l.stream_type = k.type LIMIT 1)"
    " >= k.sequence, true)"
)
_RECEIPT = (
    " FROM (SELECT * FROM events.log WHERE workspace_id = $1 AND sequence <= $2) l"
    " LEFT JOIN commands.receipts r ON r.workspace_id = $1"
    " AND r.command_id = l.command_id"
)
# a minimum, not the first in order: all rows are looked at, and none is the usual case
_MISNAMED = (
    f"SELECT min(l.sequence){_RECEIPT} WHERE NOT coalesce(r.outcome = 'applied'"
    " AND r.type = l.command_type AND r.actor_id = l.actor_id"
    " AND r.actor_type = l.actor_type"
    " AND l.sequence BETWEEN r.first_sequence AND r.last_sequence, false)"
)
_MISNAMED_HOW = (
    "SELECT l.command_id, r.command_id IS NULL,"
    " l.sequence BETWEEN r.first_sequence AND r.last_sequence,"
    f" r.first_sequence, r.last_sequence{_RECEIPT} WHERE l.sequence = $2"
)
_NAMING = (
    " FROM commands.receipts r WHERE workspace_id = $1"
    " AND (outcome = 'applied' OR coalesce(first_sequence, last_sequence) IS NOT NULL)"
)
_ODD = (
    "coalesce(outcome <> 'applied' OR first_sequence > last_sequence, true)"
    " OR last_sequence > (SELECT h.sequence FROM events.heads h"
    " WHERE h.workspace_id = $1)"
)
_NAMED = (
    "SELECT coalesce(sum(last_sequence - first_sequence + 1)"
    " FILTER (WHERE last_sequence <= $2), 0)::bigint,"
    f" coalesce(bool_or({_ODD}), false){_NAMING}"
)
_MISNAMING = (
    "SELECT coalesce(first_sequence, last_sequence, 0), command_id"
    f"{_NAMING} AND (last_sequence <= $2 OR {_ODD}) AND ({_ODD} OR (SELECT count(*)"
    " FROM events.log l WHERE l.workspace_id = $1 AND l.command_id = r.command_id"
    " AND l.sequence BETWEEN r.first_sequence AND r.last_sequence)"
    " < last_sequence - first_sequence + 1) ORDER BY 1 LIMIT 1"
)
_HEAD_COLUMNS = (
    "h.sequence, h.recorded_at, h.frontier, (SELECT max(l.sequence) FROM events.log l"
    " WHERE l.workspace_id = k.id)"
)
_HEADS = (
    f"SELECT k.id, {_HEAD_COLUMNS} FROM unnest($1::text[]::uuid[]) k(id)"
    " LEFT JOIN events.heads h ON h.workspace_id = k.id ORDER BY k.id"
)
# one step of an index for each workspace that has events, with a head or without
_NEXT_IDS = (
    "WITH RECURSIVE w(id) AS ((SELECT workspace_id FROM events.log"
    " WHERE workspace_id > $1 ORDER BY workspace_id LIMIT 1) UNION ALL"
    " SELECT (SELECT l.workspace_id FROM events.log l WHERE l.workspace_id > w.id"
    " ORDER BY l.workspace_id LIMIT 1) FROM w WHERE w.id IS NOT NULL)"
    " SELECT id FROM ((SELECT id FROM w WHERE id IS NOT NULL LIMIT $2) UNION"
    " (SELECT workspace_id FROM events.heads WHERE workspace_id > $1"
    " ORDER BY workspace_id LIMIT $2)) a ORDER BY id LIMIT $2"
)
_COUNTS = "SELECT count(*), coalesce(sum(sequence), 0)::bigint FROM events.heads"
_LATEST = (
    "SELECT workspace_id FROM events.heads WHERE sequence > 0"
    " ORDER BY recorded_at DESC LIMIT $1"
)
_RANDOM = (
    "SELECT workspace_id FROM events.heads WHERE sequence > 0"
    " ORDER BY random() LIMIT $1"
)


@asynccontextmanager
async def connected(arguments: Arguments) -> AsyncIterator[Any]:
    """Give a connection of the driver's own, on which ids are texts."""
    connection = await asyncpg.connect(**arguments)
    try:
        await connection.set_type_codec(
            "uuid", schema="pg_catalog", encoder=str, decoder=str, format="text"
        )
        yield connection
    finally:
        await connection.close()


async def read(connection: Any, span: Span) -> Part:
    """Check what can be told of a span by itself; with the first, all receipts."""
    part = Part(span)
    streams = _Streams(whole=span.first == 1)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        done = span.first - 1
        while done < span.last and part.found is None:
            rows = await connection.fetch(
                _PAGE, span.workspace_id, done, span.last, PAGE, READ_BYTES
            )
            if not rows:
                part.note(_missing(done + 1, span))
                break
            _read_page(part, streams, rows)
            done = rows[-1]["sequence"]
        part.note(await streams.orphan(connection, span.workspace_id))
        if span.first == 1:
            part.of_receipts = await _receipts(connection, span)
    return part


def _missing(sequence: int, span: Span) -> Found:
    return Found(sequence, f"missing, though the head is at {span.head}")


def _read_page(part: Part, streams: "_Streams", rows: Sequence[Any]) -> None:
    leaves: list[bytes] = []
    sequence, before, written = part.span.first + part.events, part.ended, ""
    for row in rows:
        at = row[8]
        if row[1] != sequence:
            part.note(_missing(sequence, part.span))
            break
        if at != before or not written:  # events of a batch share their time
            written = rfc3339(at)
        what = _mismatch(row, written) or streams.wrong(row, sequence)
        if what is None and before is not None and at < before:
            what = BACKWARDS
        if what is not None:
            part.note(Found(sequence, what))
            break
        leaves.append(row[19])
        before = at
        sequence += 1
    part.began, part.ended = part.began or rows[0][8], before
    part.frontier = merkle.advance(part.events, part.frontier, leaves)
    part.events += len(leaves)


BACKWARDS = "recorded before the event in front of it"


def _mismatch(row: Any, recorded_at: str) -> str | None:
    """Say which stored hash of a row differs from what its columns amount to."""
    data, context, salt, payload, hashed = row[15:20]
    if data is None or context is None or salt is None:
        return PAYLOAD_ALTERED
    if payload_hash(salt, data.encode(), context.encode()) != payload:
        return PAYLOAD_ALTERED
    if merkle.leaf_hash(leaf(row, payload, recorded_at)) != hashed:
        return LEAF_ALTERED
    return None


async def _receipts(connection: Any, span: Span) -> Found | None:
    """Compare a whole log with the receipts.

    Each event lies within what the receipt of its command names, and together they
    name as many events as there are: so each names precisely its own.
    """
    id, head = span.workspace_id, span.head
    await connection.execute("SET LOCAL statement_timeout = 0")  # of a long log
    sequence = await connection.fetchval(_MISNAMED, id, head)
    if sequence is not None:
        row = await connection.fetchrow(_MISNAMED_HOW, id, sequence)
        return Found(sequence, _misnamed(*row))
    named, odd = await connection.fetchrow(_NAMED, id, head)
    if named == head and not odd:
        return None
    row = await connection.fetchrow(_MISNAMING, id, head)
    if row is None:
        return Found(head, "receipts name more events than the log has")
    what = f"the receipt of command {row[1]} names events that it has not"
    return Found(row[0], what)


def _misnamed(
    id: str, missing: bool, within: bool | None, first: int | None, last: int | None
) -> str:
    if missing:
        return f"command {id} has no receipt"
    if within is False:
        return f"the receipt of command {id} names {first} to {last}"
    return f"the receipt of command {id} is of something else"


class _Streams:
    """Versions of the streams of a span, each one more than the one before.

    What a stream begins with in a span that is not the first is asked of the database.
    """

    def __init__(self, whole: bool) -> None:
        self._whole = whole
        self._versions: dict[tuple[str, str], int] = {}
        self._begun: list[tuple[str, str, int, int]] = []

    def wrong(self, row: Any, sequence: int) -> str | None:
        type, id, version = row[3:6]
        key = (type, id)
        before = self._versions.get(key, 0)
        self._versions[key] = version
        if version == before + 1:
            return None
        if before or self._whole:
            return f"version {version} of its stream follows version {before}"
        self._begun.append((id, type, version, sequence))
        return None

    async def orphan(self, connection: Any, workspace_id: UUID) -> Found | None:
        """Return the first event whose stream lacks the version before, if any."""
        if not self._begun:
            return None
        columns = [list(column) for column in zip(*self._begun, strict=True)]
        sequence = await connection.fetchval(_ORPHAN, workspace_id, *columns)
        what = "the version before its own is not in front of it"
        return None if sequence is None else Found(sequence, what)


# Joining what was read


class Log:
    """Joins the parts of one workspace's log, which come in order."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.found: Found | None = None
        self.events = 0
        self._of_receipts: Found | None = None
        self._edge: list[bytes] = []
        self._ended: datetime | None = None
        self._spans = 0

    def join(self, part: Part) -> None:
        """Take the next part; what follows the first fault tells nothing."""
        self._of_receipts = self._of_receipts or part.of_receipts
        if self.found is not None:
            return
        if self._ended is not None and part.began is not None:
            if part.began < self._ended:
                self.found = Found(part.span.first, BACKWARDS)
                return
        self.found = part.found
        self.events += part.events
        self._ended = part.ended or self._ended
        if part.events == SPAN:  # a perfect subtree, as one leaf of a tree of spans
            self._edge = merkle.advance(self._spans, self._edge, part.frontier)
        else:
            self._edge = self._edge + part.frontier
        self._spans += 1

    def verdict(self) -> Verdict:
        """Compare the whole with the head."""
        found = _earlier(self.found or self._against_head(), self._of_receipts)
        return Verdict(self.head.workspace_id, self.events, found)

    def _against_head(self) -> Found | None:
        head = self.head
        if head.recorded_at is None:
            return Found(1, "the workspace has no head")
        if head.newest > head.sequence:
            what = f"beyond the head, which is at {head.sequence}"
            return Found(head.sequence + 1, what)
        if head.sequence and self._ended != head.recorded_at:
            return Found(head.sequence, "not recorded when the head says")
        differs = merkle.difference(head.sequence, self._edge, head.frontier)
        return Found(*differs) if differs else None


# The whole of it: which workspaces, by how many processes

Progress = Callable[[int, int, int, float], None]
"""Told workspaces done, workspaces of all, events done, and seconds since the start."""

_Read = Callable[[Sequence[Span]], Awaitable[list[Part]]]


class UnknownWorkspace(LookupError):
    """There is neither a head nor an event of a workspace that was named."""


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
        total, events = await _amount(connection, workspaces)
        if processes is None:
            processes = (os.cpu_count() or 1) if events > ALONE else 1
        heads = _heads(connection, workspaces)
        said = _Said(total, progress)
        ahead = processes * AHEAD if processes > 1 else 1  # one connection, one job
        async with _readers(arguments, connection, processes) as reads:
            async for log in _logs(heads, reads, ahead, said):
                said.workspace()
                yield log.verdict()
        said.end()


async def _amount(connection: Any, workspaces: Sequence[UUID]) -> tuple[int, int]:
    """Return how many workspaces and events there are to check."""
    if not workspaces:
        row = await connection.fetchrow(_COUNTS)
        return row[0], row[1]
    found = [head async for head in _heads(connection, workspaces)]
    for head in found:
        if head.recorded_at is None and not head.newest:
            raise UnknownWorkspace(f"there is no workspace {head.workspace_id}")
    return len(found), sum(head.sequence for head in found)


async def _heads(connection: Any, workspaces: Sequence[UUID]) -> AsyncIterator[Head]:
    """Yield the heads of some workspaces, or of all, also of logs without one."""
    if workspaces:
        ids = [str(id) for id in sorted(set(workspaces))]
        for row in await connection.fetch(_HEADS, ids):
            yield _head(row)
        return
    after = str(UUID(int=0))
    while ids := [row[0] for row in await connection.fetch(_NEXT_IDS, after, HEADS)]:
        for row in await connection.fetch(_HEADS, ids):
            yield _head(row)
        after = ids[-1]


def _head(row: Any) -> Head:
    id, sequence, recorded_at, frontier, newest = row
    return Head(UUID(id), sequence or 0, recorded_at, frontier or b"", newest or 0)


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
        self._began = self._told = time.monotonic()

    def workspace(self) -> None:
        self._workspaces += 1

    def events(self, count: int) -> None:
        self._events += count
        if time.monotonic() - self._told >= REPORT_S:
            self._tell()

    def end(self) -> None:
        self._tell()

    def _tell(self) -> None:
        self._told = time.monotonic()
        since = self._told - self._began
        self._progress(self._workspaces, self._total, self._events, since)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was looked at, and what was found to be wrong."""

    workspaces: int
    events: int
    found: Sequence[Verdict]


async def sample(arguments: Arguments, *, each: int = 5, events: int = PAGE) -> Sample:
    """Check the `each` latest workspaces and as many random ones.

    At most `events` of each: all there are, or the newest half and as many in a row
    from anywhere, which are then not compared with the head and the receipts.
    """
    async with connected(arguments) as connection:
        rows = [
            *await connection.fetch(_LATEST, each),
            *await connection.fetch(_RANDOM, each),
        ]
        ids = {UUID(row[0]) for row in rows}
        verdicts = (
            [
                await _sampled(connection, head, events)
                async for head in _heads(connection, list(ids))
            ]
            if ids
            else []
        )
    wrong = [verdict for verdict in verdicts if verdict.found is not None]
    return Sample(len(verdicts), sum(it.events for it in verdicts), wrong)


async def _sampled(connection: Any, head: Head, events: int) -> Verdict:
    id, newest = head.workspace_id, head.sequence
    if newest <= events:
        log = Log(head)
        log.join(await read(connection, Span(id, 1, newest, newest)))
        return log.verdict()
    half = events // 2
    begin = random.randint(1, newest - events)
    spans = [Span(id, it, it + half - 1, newest) for it in (begin, newest - half + 1)]
    parts = [await read(connection, span) for span in spans]
    found = _earlier(*(part.found for part in parts))
    return Verdict(id, sum(part.events for part in parts), found)


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
