"""Comparing a workspace's read tables with its log, column by column, in chunks.

Two passes, neither of which holds more than a chunk: the task log in the order of
sequences, then the rows in the order of streams, where a row is compared as soon as its
stream has ended. Postgres compares, since it knows what a value becomes in a column.
What it computes itself (a rank, for one) cannot be written, and is left out. Kept
counts are compared with the tasks in the end.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from metacortex.events import codec, log, merkle
from metacortex.events.record import mismatch
from metacortex.kernel.database import ReadConnection
from metacortex.queries import activity, counts, fold
from metacortex.queries.registry import PROJECTIONS
from metacortex.queries.tables import (
    OF,
    ReadTable,
    is_written,
    with_texts,
    word_columns,
    words_of,
)

CHUNK = 5_000  # events held in memory at a time, some 10 MB
MOST = 1_000  # differences that are told; a rebuild mends the rest as well
LOG = "log: "  # how a difference begins that no rebuild mends
_KEPT = text(
    "SELECT sequence AS head, frontier, (SELECT count(*) FROM events.log l"
    " WHERE l.workspace_id = h.workspace_id AND l.sequence <= h.sequence) AS kept"
    " FROM events.heads h WHERE workspace_id = :workspace"
)
MORE = "and more: the comparison stopped here"
PASSES = 3  # over the log: its hashes, the task log, the rows

Progress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """Tell nobody how far it is."""


async def differences(
    connection: ReadConnection,
    workspace_id: UUID,
    shown: int,
    chunk: int = CHUNK,
    progress: Progress = no_progress,
) -> list[str]:
    """Say what differs from a fold up to the sequence shown, at most `MOST` of it.

    The caller holds the workspace's checkpoint, so that nothing moves meanwhile.
    """
    row = (await connection.execute(_KEPT, {"workspace": workspace_id})).one_or_none()
    if row is not None and row.kept < row.head:  # what is left tells nothing for sure
        return [f"{LOG}{row.head - row.kept} of {row.head} events are missing"]
    if row is not None:
        altered = await _altered(
            connection, workspace_id, row.head, row.frontier, chunk
        )
        if altered:
            return altered
    found: list[str] = []
    for passed, comparing in enumerate((_task_log, _rows), 1):
        read = 0
        progress(passed * shown, PASSES * shown)
        async for said in comparing(connection, workspace_id, shown, chunk):
            found += said
            read = min(read + chunk, shown)
            progress(passed * shown + read, PASSES * shown)
            if len(found) >= MOST:
                return [*found[:MOST], MORE]
    return found + await counts.differences(connection, workspace_id, MOST)


async def _altered(
    connection: ReadConnection,
    workspace_id: UUID,
    head: int,
    frontier: bytes,
    chunk: int,
) -> list[str]:
    """Say which events are not what was appended, at most `MOST` of them."""
    found: list[str] = []
    done, edge = 0, list[bytes]()
    while records := await log.read_on(connection, workspace_id, done, head, chunk):
        found += [
            f"{LOG}event {record.sequence}: {what}"
            for record in records
            if (what := mismatch(record))
        ]
        if len(found) >= MOST:
            return [*found[:MOST], MORE]
        edge = merkle.advance(done, edge, [it.leaf_hash for it in records])
        done = records[-1].sequence
    if not found and (differs := merkle.difference(head, edge, frontier)):
        found.append(LOG + differs[1])
    return found


async def _task_log(
    connection: ReadConnection, workspace_id: UUID, shown: int, chunk: int
) -> AsyncIterator[list[str]]:
    """Compare the task log, chunk by chunk of sequences, and what stands beyond."""
    done = 0
    while records := await log.read_on(connection, workspace_id, done, shown, chunk):
        lines = activity.lines(records)
        after, done = done or None, records[-1].sequence
        yield await _compared(
            connection, activity.TABLE, workspace_id, lines, after, done
        )
    yield await _compared(
        connection, activity.TABLE, workspace_id, [], done or None, None
    )


async def _rows(
    connection: ReadConnection, workspace_id: UUID, shown: int, chunk: int
) -> AsyncIterator[list[str]]:
    """Compare the rows of every table, each once its stream has ended."""
    rows: dict[fold.Key, Any] = {}
    parts: dict[fold.Key, dict[UUID, Any]] = {}
    done: UUID | None = None
    place = log.FIRST_PLACE
    while records := await log.read_by_stream(
        connection, workspace_id, shown, place, chunk
    ):
        for record in records:
            key = fold.key(record)
            projection, event = PROJECTIONS[record.stream_type], codec.read(record)
            rows[key] = projection.project(rows.get(key), event)
            if projection.parts is not None:
                found = {part.id: part for part in projection.parts.project(event)}
                parts.setdefault(key, {}).update(found)
        place = log.place(records[-1])
        open_stream = records[-1].stream_id
        ended = {key: row for key, row in rows.items() if key[2] != open_stream}
        if ended:
            upto = max(key[2] for key in ended)
            yield await _all_compared(
                connection, workspace_id, ended, parts, done, upto
            )
            rows = {key: row for key, row in rows.items() if key[2] == open_stream}
            done = upto
    yield await _all_compared(connection, workspace_id, rows, parts, done, None)


async def _all_compared(
    connection: ReadConnection,
    workspace_id: UUID,
    rows: dict[fold.Key, Any],
    parts: dict[fold.Key, dict[UUID, Any]],
    after: UUID | None,
    upto: UUID | None,
) -> list[str]:
    """Compare every table beyond one id and up to another, None for no bound."""
    found: list[str] = []
    for type, projection in PROJECTIONS.items():
        wanted = [
            fold.columns(space, type, row)
            for (space, its, _), row in rows.items()
            if its == type
        ]
        for table in filter(None, (projection.table, words_of(projection.table))):
            found += await _compared(
                connection, table, workspace_id, wanted, after, upto
            )
        if projection.parts is not None:
            its = projection.parts
            wanted = [
                fold.part_columns(its, key[0], part)
                for key in rows
                for part in parts.get(key, {}).values()
            ]
            found += await _compared(
                connection, its.table, workspace_id, wanted, after, upto, its.of
            )
    return found


async def _compared(
    connection: ReadConnection,
    table: str,
    workspace_id: UUID,
    wanted: Sequence[Any],
    after: UUID | int | None,
    upto: UUID | int | None,
    within: str = "",
) -> list[str]:
    """Compare a table beyond one bound and up to another; `within` is their column."""
    values = {
        "workspace": workspace_id,
        "rows": fold.as_json(wanted),
        "after": after,
        "upto": upto,
        "most": MOST,
    }
    return [
        f"{table} {key}: {what}"
        for key, what in await connection.execute(_comparison(table, within), values)
    ]


@lru_cache
def _comparison(table: str, within: str) -> TextClause:
    """Return the statement that names the rows that differ, and in which columns."""
    key = "sequence" if table == activity.TABLE else "id"
    kind = "bigint" if table == activity.TABLE else "uuid"
    bounded = within or key
    made = _made(table)
    cases = ", ".join(
        f"CASE WHEN {_value('w', name)} IS DISTINCT FROM {_value('s', name)}"
        f" THEN '{name}' END"
        for name in made
    )
    of = ReadTable.metadata.tables[table].info.get(OF, table)
    rows = f"json_populate_recordset(NULL::{of}, CAST(:rows AS json))"
    wanted = ", ".join(f"{sql} AS {name}" for name, sql in made.items())
    return text(
        f"SELECT key::text, what FROM (SELECT coalesce(w.{key}, s.{key}) AS key,"
        f" CASE WHEN w.{key} IS NULL THEN 'not in the log'"
        f" WHEN s.{key} IS NULL THEN 'missing' ELSE nullif(concat_ws(', ', {cases}),"
        " '') || ' differs' END AS what"
        f" FROM (SELECT {wanted} FROM {with_texts(of, rows)} r) w"
        f" FULL JOIN (SELECT * FROM {table} WHERE workspace_id = :workspace"
        f" AND (CAST(:after AS {kind}) IS NULL OR {bounded} > CAST(:after AS {kind}))"
        f" AND (CAST(:upto AS {kind}) IS NULL OR {bounded} <= CAST(:upto AS {kind}))) s"
        f" ON s.{key} = w.{key}) c WHERE what IS NOT NULL ORDER BY 1 LIMIT :most"
    )


def _value(side: str, name: str) -> str:
    """Documents are compared as they are sent: the type json has no equality."""
    return f"{side}.{name}::text" if name == "document" else f"{side}.{name}"


def _made(table: str) -> Mapping[str, str]:
    """Return the columns that are compared, each with its SQL over a row."""
    if OF in ReadTable.metadata.tables[table].info:
        return word_columns(table)
    return {it: it for it in written_columns(table)}


def written_columns(table: str) -> list[str]:
    """Return the columns of a table that a projection writes."""
    columns = ReadTable.metadata.tables[table].columns
    return [column.name for column in columns if is_written(column)]
