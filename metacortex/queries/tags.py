"""Tags, read side: the read table, its projection, and the queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from metacortex.events.record import Recorded
from metacortex.events.tags import (
    STREAM,
    TagCreated,
    TagDeleted,
    TagEvent,
    TagMerged,
    TagRecoloured,
    TagRenamed,
    TagReverted,
)
from metacortex.queries.page import Filters, ListQuery, Sort, named
from metacortex.queries.tables import (
    SCHEMA,
    Projection,
    ReadTable,
    by_name,
    first_row,
    next_row,
)


class TagTable(ReadTable):
    """Tags as lists show them."""

    __tablename__ = "tags"
    __table_args__ = ({"schema": SCHEMA},)

    name: Mapped[str] = mapped_column(Text)
    deleted: Mapped[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRow:
    """A tag as the API shows it."""

    id: UUID
    version: int
    name: str
    colour: str | None
    deleted: bool = False
    merged_into: UUID | None = None
    created_at: datetime
    updated_at: datetime


_first = first_row(TagRow, TagCreated)


def project(row: TagRow | None, event: Recorded[TagEvent]) -> TagRow:
    """Return the row after the event."""
    if isinstance(event.event, TagCreated):
        return _first(event)
    assert row is not None, "a tag's first event is its creation"
    return next_row(row, event)


def columns(row: TagRow) -> Mapping[str, Any]:
    """Return what queries filter and sort by."""
    return by_name(TagTable, row)


def summary(event: TagEvent) -> str:
    """Say what happened in plain words."""
    match event:
        case TagCreated():
            return "created the tag"
        case TagRenamed():
            return "renamed the tag"
        case TagRecoloured():
            return "recoloured the tag"
        case TagDeleted():
            return "deleted the tag"
        case TagMerged():
            return "merged the tag into another"
        case TagReverted():
            return "took a change back"
        case _:
            assert_never(event)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTags(ListQuery):
    """The tags of a workspace, by name unless sorted otherwise."""

    q: str | None = None
    deleted: bool = False

    table = "queries.tags"
    sorts = {
        "name": Sort("lower(name)", "text"),
        "created_at": Sort("created_at", "timestamptz"),
        "updated_at": Sort("updated_at", "timestamptz"),
    }
    default_sort = ("name",)

    def filters(self) -> Filters:
        """Return the conditions of this list."""
        found = Filters().by_columns(TagTable, self)
        if self.q:
            found.join(named(self.q))
        return found


PROJECTION = Projection(
    stream_type=STREAM,
    table="queries.tags",
    row=TagRow,
    project=project,
    columns=columns,
    summary=summary,
)
