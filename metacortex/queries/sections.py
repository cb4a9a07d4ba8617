"""Sections of projects, read side: the read table, its projection, and the queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import Computed

from metacortex.events.record import Recorded
from metacortex.events.sections import (
    STREAM,
    SectionCreated,
    SectionDeleted,
    SectionEdited,
    SectionEvent,
    SectionMoved,
    SectionRestored,
    SectionReverted,
)
from metacortex.kernel.rank import effective_sql
from metacortex.queries.page import Filters, ListQuery, Sort
from metacortex.queries.tables import (
    SCHEMA,
    Projection,
    ReadTable,
    by_name,
    first_row,
    next_row,
)

RANK = effective_sql("document ->> 'rank'")


class SectionTable(ReadTable):
    """Sections as lists show them."""

    __tablename__ = "sections"
    __table_args__ = (
        Index("ix_sections_project", "workspace_id", "project_id", "rank", "id"),
        {"schema": SCHEMA},
    )

    name: Mapped[str] = mapped_column(Text)
    project_id: Mapped[UUID]
    rank: Mapped[str] = mapped_column(
        Text(collation="C"), Computed(RANK, persisted=True)
    )
    deleted: Mapped[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionRow:
    """A section of a project as the API shows it."""

    id: UUID
    version: int
    name: str
    project_id: UUID
    rank: str | None = None
    deleted: bool = False
    created_at: datetime
    updated_at: datetime


_first = first_row(SectionRow, SectionCreated)


def project(row: SectionRow | None, event: Recorded[SectionEvent]) -> SectionRow:
    """Return the row after the event."""
    if isinstance(event.event, SectionCreated):
        return _first(event)
    assert row is not None, "a section's first event is its creation"
    return next_row(row, event)


def columns(row: SectionRow) -> Mapping[str, Any]:
    """Return what queries filter and sort by."""
    return by_name(SectionTable, row)


def summary(event: SectionEvent) -> str:
    """Say what happened in plain words."""
    match event:
        case SectionCreated():
            return "created the section"
        case SectionEdited():
            return "renamed the section"
        case SectionMoved():
            return "moved the section"
        case SectionDeleted():
            return "deleted the section"
        case SectionRestored():
            return "restored the section"
        case SectionReverted():
            return "took a change back"
        case _:
            assert_never(event)


_OF_LIVE_PROJECTS = (
    "project_id NOT IN (SELECT id FROM queries.projects"
    " WHERE workspace_id = :workspace AND deleted)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSections(ListQuery):
    """The sections of projects that are not deleted, in their order unless sorted."""

    project_id: Sequence[UUID] = ()
    deleted: bool = False

    table = "queries.sections"
    sorts = {
        "rank": Sort("rank", "text"),
        "name": Sort("lower(name)", "text"),
        "created_at": Sort("created_at", "timestamptz"),
        "updated_at": Sort("updated_at", "timestamptz"),
    }
    default_sort = ("rank",)

    def filters(self) -> Filters:
        """Return the conditions of this list."""
        return Filters().by_columns(SectionTable, self).add(_OF_LIVE_PROJECTS)


PROJECTION = Projection(
    stream_type=STREAM,
    table="queries.sections",
    row=SectionRow,
    project=project,
    columns=columns,
    summary=summary,
)
