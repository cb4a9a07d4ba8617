"""Projects, read side: the read table, its projection, and the queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from metacortex.events.projects import (
    STREAM,
    ProjectArchived,
    ProjectCreated,
    ProjectDeleted,
    ProjectEdited,
    ProjectEvent,
    ProjectRestored,
    ProjectReverted,
    ProjectUnarchived,
)
from metacortex.events.record import Recorded
from metacortex.queries import counts
from metacortex.queries.page import Filters, ListQuery, Sort, named
from metacortex.queries.tables import (
    SCHEMA,
    Projection,
    ReadTable,
    by_name,
    first_row,
    next_row,
)


class ProjectTable(ReadTable):
    """Projects as lists show them."""

    __tablename__ = "projects"
    __table_args__ = ({"schema": SCHEMA},)

    name: Mapped[str] = mapped_column(Text)
    archived: Mapped[bool]
    deleted: Mapped[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRow:
    """A project as the API shows it; lists add counts of its tasks."""

    id: UUID
    version: int
    name: str
    description: str | None
    colour: str | None
    archived: bool = False
    deleted: bool = False
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProject(ProjectRow):
    """A project in a list, with how many of its tasks are open and completed."""

    open_tasks: int
    completed_tasks: int


_first = first_row(ProjectRow, ProjectCreated)


def project(row: ProjectRow | None, event: Recorded[ProjectEvent]) -> ProjectRow:
    """Return the row after the event."""
    if isinstance(event.event, ProjectCreated):
        return _first(event)
    assert row is not None, "a project's first event is its creation"
    return next_row(row, event)


def columns(row: ProjectRow) -> Mapping[str, Any]:
    """Return what queries filter and sort by."""
    return by_name(ProjectTable, row)


def summary(event: ProjectEvent) -> str:
    """Say what happened in plain words."""
    match event:
        case ProjectCreated():
            return "created the project"
        case ProjectEdited():
            return "edited the project"
        case ProjectArchived():
            return "archived the project"
        case ProjectUnarchived():
            return "took the project out of the archive"
        case ProjectDeleted():
            return "deleted the project"
        case ProjectRestored():
            return "restored the project"
        case ProjectReverted():
            return "took a change back"
        case _:
            assert_never(event)


_COUNTED = f"""(SELECT left(p.document::text, -1)
|| ',"open_tasks":' || coalesce(sum(n) FILTER (WHERE t.status IN
('pending', 'in_progress', 'blocked')), 0)
|| ',"completed_tasks":' || coalesce(sum(n) FILTER (WHERE t.status = 'completed'), 0)
|| '}}' FROM {counts.TABLE} t WHERE t.workspace_id = p.workspace_id
AND t.project_id = p.id AND NOT t.deleted)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListProjects(ListQuery):
    """The projects of a workspace with counts of tasks, by name unless sorted."""

    deleted: bool = False
    archived: bool | None = None
    q: str | None = None

    table = "queries.projects"
    document = _COUNTED
    sorts = {
        "name": Sort("lower(name)", "text"),
        "created_at": Sort("created_at", "timestamptz"),
        "updated_at": Sort("updated_at", "timestamptz"),
    }
    default_sort = ("name",)

    def filters(self) -> Filters:
        """Return the conditions of this list."""
        found = Filters().by_columns(ProjectTable, self)
        if self.q:
            found.join(named(self.q))
        return found


PROJECTION = Projection(
    stream_type=STREAM,
    table="queries.projects",
    row=ProjectRow,
    project=project,
    columns=columns,
    summary=summary,
)
