"""What every read table has, and how a projection fills one.

A row is a document, kept as the JSON that answers send, with the columns that queries
filter and sort by. Rows are folded from one stream each and can be thrown away.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from operator import attrgetter
from typing import Annotated, Any, TypeVar, cast
from uuid import UUID

from pydantic import Field
from sqlalchemy import BigInteger, Integer, Text
from sqlalchemy.dialects.postgresql import JSON, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.elements import KeyedColumnElement

from metacortex.events.record import Recorded
from metacortex.kernel.database import Table
from metacortex.kernel.decider import birth, changed

R = TypeVar("R")

SCHEMA = "queries"
INSTANT = TIMESTAMP(timezone=True)


class ReadTable(Table):
    """The columns that all read tables of resources share."""

    __abstract__ = True

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(INSTANT)
    updated_at: Mapped[datetime] = mapped_column(INSTANT)
    document: Mapped[Any] = mapped_column(JSON)


T = TypeVar("T")
ColumnOnly = Annotated[T, Field(exclude=True)]
"""A field of a row that fills a column, and that no document shows.

Rows are read back from their documents, so only a birth knows it; see `KEPT`.
"""

KEPT = frozenset(("created_by",))
"""The columns of such fields: what a later event cannot tell stays."""

WORDS = "words"
"""In a column's `info`: the SQL of its `tsvector`, over the row's texts by name.

It stands in a table beside the rows, whose index most changes of a row leave alone: to
move a row in an index of words is most of what its change would cost. The projector
writes the row of words where one of `TEXTS` has changed.
"""

TEXTS = "texts"
"""In the same place: the fields that a row of words is made of."""

OF = "of"
"""In a table's `info`: the table whose rows' words it holds, one row for each."""

SHARED = frozenset(("workspace_id", "id", "created_at", "updated_at", "document"))
"""The columns of `ReadTable`."""


class CheckpointTable(Table):
    """The sequence that a workspace's read tables show, and why they stopped.

    With every rebuild they may show the same sequence in another way.
    """

    __tablename__ = "checkpoints"
    __table_args__ = ({"schema": SCHEMA},)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    rebuilds: Mapped[int] = mapped_column(Integer, server_default="0")
    parked_at: Mapped[datetime | None] = mapped_column(INSTANT)
    error: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """How a stream's parts become rows of a table of their own, each by its own id.

    `project` is pure: an event says all of each part that it touches.
    """

    table: str
    of: str
    """The column that holds the stream's id."""
    project: Callable[[Recorded[Any]], Sequence[Any]]
    columns: Callable[[Any], Mapping[str, Any]]
    document: Callable[[Any], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """How one stream type becomes rows; `project` is pure."""

    stream_type: str
    table: str
    row: type[Any]
    project: Callable[[Any, Recorded[Any]], Any]
    columns: Callable[[Any], Mapping[str, Any]]
    """What a row's columns hold, besides workspace, id and document."""
    summary: Callable[[Any], str]
    """What an event did, in plain words, for the task log."""
    parts: Parts | None = None


_OF_RECORD = {
    "id": "stream_id",
    "version": "version",
    "created_at": "recorded_at",
    "updated_at": "recorded_at",
}


def first_row(
    row: type[R], created: type[Any], **of_record: str
) -> Callable[[Recorded[Any]], R]:
    """Return what makes a row of a creation: its fields by name, and the record's.

    `of_record` says which fields of the record go into further fields of the row.
    """
    names = _OF_RECORD | of_record
    born = birth(row, created, *names)
    values = attrgetter(*names.values())

    def made(event: Recorded[Any]) -> R:
        return born(event.event, *values(event.record))

    return made


def next_row(row: R, event: Recorded[Any]) -> R:
    """Return the row after any later event: its changes by name."""
    record = event.record
    return changed(
        row, event.event, version=record.version, updated_at=record.recorded_at
    )


def by_name(table: type[ReadTable], row: Any, **columns: Any) -> Mapping[str, Any]:
    """Return what the table's own columns hold: what is given, or the row's field."""
    for name in _own_columns(table):
        if name not in columns:
            columns[name] = getattr(row, name)
    return columns


@cache
def _own_columns(table: Hashable) -> Sequence[str]:
    """Return the columns that not all read tables have, and that a row fills."""
    columns = cast(type[ReadTable], table).__table__.columns
    return [it.name for it in columns if is_written(it) and it.name not in SHARED]


def is_written(column: KeyedColumnElement[Any]) -> bool:
    """Tell whether a row says what a column holds; Postgres works out the others."""
    return not column.computed


@lru_cache
def words_of(table: str) -> str | None:
    """Return the table of the words of a table's rows, None if it has none."""
    tables = ReadTable.metadata.tables
    return next((it for it, its in tables.items() if its.info.get(OF) == table), None)


@lru_cache
def texts_of(table: str) -> Sequence[str]:
    """Return the fields that the words of a table's rows are made of."""
    words = words_of(table)
    columns = ReadTable.metadata.tables[words].columns if words else ()
    return next((it.info[TEXTS] for it in columns if TEXTS in it.info), ())


@lru_cache
def word_columns(words: str) -> Mapping[str, str]:
    """Return the columns of a table of words, each with its SQL over a row."""
    columns = ReadTable.metadata.tables[words].columns
    return {it.name: it.info.get(WORDS, it.name) for it in columns}


def with_texts(table: str, source: str) -> str:
    """Return a sub-select of rows of a table's form, and the texts for their words."""
    columns = ReadTable.metadata.tables[table].columns
    more = [it for it in texts_of(table) if it not in columns]
    names = ["r.*", *(f"document ->> '{it}' AS {it}" for it in more)]
    return f"(SELECT {', '.join(names)} FROM {source} r OFFSET 0)"
