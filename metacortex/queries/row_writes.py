"""Writing folded rows: one statement for all tables, an array per column.

Arrays go to Postgres as binary values of the columns' own types; the same rows as JSON
cost it twice as much (docs/decisions/0021-bulk-projection.md).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, JSON, TIMESTAMP, TextClause, text

from metacortex.kernel.database import DIALECT, DriverConnection
from metacortex.queries import activity
from metacortex.queries.fold import REWORDED, Fold
from metacortex.queries.mending import differs
from metacortex.queries.registry import PROJECTIONS
from metacortex.queries.tables import (
    KEPT,
    ReadTable,
    texts_of,
    word_columns,
    words_of,
)
from metacortex.queries.verify import written_columns

_MOVE = (
    "UPDATE queries.checkpoints c SET sequence = n.s FROM"
    " unnest(CAST(:workspaces AS uuid[]), CAST(:sequences AS bigint[])) AS n(w, s)"
    " WHERE c.workspace_id = n.w"
)


@dataclass(frozen=True, slots=True)
class Write:
    """What writes a fold: a statement with its values."""

    statement: TextClause
    values: Mapping[str, Any]

    async def run(self, direct: DriverConnection) -> None:
        """Write all of it."""
        await direct.write(self.statement, self.values)


def write_of(
    folded: Fold,
    begins: Mapping[UUID, int],
    reached: Mapping[UUID, int],
    mend: bool = False,
) -> Write:
    """Return what writes rows, the task log and the checkpoints.

    `begins` and `reached` are the last sequences before the events and of them. To
    `mend` is to write only what differs.
    """
    rows = {it.table: folded.table_rows(type) for type, it in PROJECTIONS.items()}
    for type, it in PROJECTIONS.items():
        if it.parts is not None:
            rows[it.parts.table] = folded.part_rows(type)
    tables = tuple(table for table, some in rows.items() if some)
    values: dict[str, Any] = {
        "workspaces": list(reached),
        "begins": [begins[it] for it in reached],
        "sequences": list(reached.values()),
    }
    for table in tables:
        for name, column in _columns(table).items():
            values[f"{_bound(table)}_{name}"] = column.array(rows[table])
    return Write(_saving(tables, mend), values)


@dataclass(frozen=True, slots=True)
class _Column:
    """How a column's values are sent: an array of `type`, each cast where it is not."""

    name: str
    type: str
    cast: str = ""
    send: Callable[[Any], Any] | None = None

    def array(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        if self.send is None:
            return [row[self.name] for row in rows]
        return [self.send(row[self.name]) for row in rows]


def _literal(values: Sequence[Any]) -> str:
    """Return an array of ids or numbers as text: arrays of arrays have one length."""
    return f"{{{','.join(map(str, values))}}}"


def _instant(value: datetime | None) -> str | None:
    """Return an instant that people chose as text: the driver has none beyond UTC's
    first and last year, which zones reach.
    """
    return None if value is None else value.isoformat()


@lru_cache
def _columns(table: str) -> Mapping[str, _Column]:
    """Return what is sent of each row, by name."""
    found = {}
    for name in written_columns(table):
        column = ReadTable.metadata.tables[table].columns[name]
        type = column.type
        sql = str(type.compile(dialect=DIALECT))
        if isinstance(type, JSON):
            found[name] = _Column(name, "text", sql, bytes.decode)
        elif isinstance(type, ARRAY):
            found[name] = _Column(name, "text", sql, _literal)
        elif isinstance(type, TIMESTAMP) and type.timezone and column.nullable:
            found[name] = _Column(name, "text", sql, _instant)
        else:
            found[name] = _Column(name, sql)
    if words_of(table):
        more = {it: "text" for it in texts_of(table) if it not in found}
        found |= {it: _Column(it, type) for it, type in more.items()}
        found[REWORDED] = _Column(REWORDED, "boolean")
    return found


@lru_cache
def _saving(tables: tuple[str, ...], mend: bool) -> TextClause:
    parts = [f"{_bound(it)}_rows AS ({_upsert(it, mend)})" for it in tables]
    for table in tables:
        if words := words_of(table):
            its = _upsert_words(table, words, mend)
            parts.append(f"{_bound(words)}_rows AS ({its})")
    parts.append(f"lines AS ({activity.MEND if mend else activity.INSERT})")
    return text(f"WITH {', '.join(parts)} {_MOVE}")


def _bound(table: str) -> str:
    """Return the name under which a table's rows are bound."""
    return table.partition(".")[2]


def _unnest(table: str, columns: Mapping[str, str]) -> str:
    arrays = [
        f"CAST(:{_bound(table)}_{name} AS {type}[])" for name, type in columns.items()
    ]
    return f"unnest({', '.join(arrays)}) AS r({', '.join(columns)})"


def _upsert(table: str, mend: bool) -> str:
    sent = _columns(table)
    values = {
        it: f"CAST({it} AS {sent[it].cast})" if sent[it].cast else it
        for it in written_columns(table)
    }
    return _written(table, values, _unnest(table, _types(table, values)), mend)


def _upsert_words(table: str, words: str, mend: bool) -> str:
    """Return what writes the words of those rows of a table that have new texts."""
    values = word_columns(words)
    needed = {*values, *texts_of(table), REWORDED} & _columns(table).keys()
    rows = f"{_unnest(table, _types(table, needed))} WHERE {REWORDED}"
    return _written(words, values, rows, mend)


def _types(table: str, names: Collection[str]) -> Mapping[str, str]:
    return {it: its.type for it, its in _columns(table).items() if it in names}


def _written(table: str, values: Mapping[str, str], rows: str, mend: bool) -> str:
    """Return what writes rows into a table, given the SQL of each column."""
    named = ", ".join(f"{sql} AS {it}" for it, sql in values.items())
    new = f"SELECT {named} FROM {rows}"
    if mend:
        where = differs(table, "n", list(values), ("workspace_id", "id"), KEPT)
        new = f"SELECT * FROM ({new} OFFSET 0) n WHERE {where}"
    sets = [
        (
            f"{it} = coalesce(excluded.{it}, t.{it})"
            if it in KEPT
            else f"{it} = excluded.{it}"
        )
        for it in values
        if it not in ("workspace_id", "id")
    ]
    return (
        f"INSERT INTO {table} AS t ({', '.join(values)}) {new}"
        f" ON CONFLICT (workspace_id, id) DO UPDATE SET {', '.join(sets)}"
    )
