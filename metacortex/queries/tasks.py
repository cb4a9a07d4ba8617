"""Tasks, read side: the read table, its projection, and the queries.

Deadlines stand in two columns: `due_at`, an instant, where the task names a zone, and
`due_local`, a wall time, where it floats. Whether a floating task is overdue depends on
the zone of whoever asks, so lists take `time_zone`.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Index, SmallInteger, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import Computed

from metacortex.events.record import Recorded
from metacortex.events.tasks import (
    STREAM,
    Due,
    Priority,
    Status,
    TaskArchived,
    TaskBlocked,
    TaskCancelled,
    TaskCommentDeleted,
    TaskCommented,
    TaskCommentEdited,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskEdited,
    TaskEvent,
    TaskMoved,
    TaskReopened,
    TaskRestored,
    TaskRetagged,
    TaskReverted,
    TaskStarted,
    TaskUnarchived,
    TaskUnblocked,
)
from metacortex.kernel.database import Reader
from metacortex.kernel.rank import effective_sql
from metacortex.queries import comments, words
from metacortex.queries.page import Filters, ListQuery, Sort
from metacortex.queries.tables import (
    INSTANT,
    SCHEMA,
    TEXTS,
    WORDS,
    ColumnOnly,
    Projection,
    ReadTable,
    by_name,
    first_row,
    next_row,
)

PRIORITIES: Mapping[Priority, int] = {"low": 0, "medium": 1, "high": 2, "urgent": 3}


_DESCRIPTION = "coalesce(description, '')"
RANK = effective_sql("document ->> 'rank'")
SEARCHED = f"setweight({words.vector('title')}, 'A') || {words.vector(_DESCRIPTION)}"


class TaskTable(ReadTable):
    """Tasks as lists show them."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_created", "workspace_id", "created_at", "id"),
        Index("ix_tasks_project", "workspace_id", "project_id"),
        Index(
            "ix_tasks_parent",
            "workspace_id",
            "parent_id",
            "rank",
            "id",
            postgresql_where=text("parent_id IS NOT NULL"),
        ),
        Index(
            "ix_tasks_section",
            "workspace_id",
            "section_id",
            "rank",
            "id",
            postgresql_where=text("section_id IS NOT NULL"),
        ),
        Index(
            "ix_tasks_top",
            "workspace_id",
            "rank",
            "id",
            postgresql_where=text("parent_id IS NULL"),
        ),
        {"schema": SCHEMA},
    )

    title: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(SmallInteger)
    due_date: Mapped[dt.date | None]
    due_at: Mapped[datetime | None] = mapped_column(INSTANT)
    due_local: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=False))
    project_id: Mapped[UUID | None]
    section_id: Mapped[UUID | None]
    parent_id: Mapped[UUID | None]
    tags: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    assignee_id: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[str | None] = mapped_column(Text)
    archived: Mapped[bool]
    deleted: Mapped[bool]
    rank: Mapped[str] = mapped_column(
        Text(collation="C"), Computed(RANK, persisted=True)
    )
    search: Mapped[Any | None] = mapped_column(
        TSVECTOR, info={WORDS: SEARCHED, TEXTS: ("title", "description")}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A task as the API shows it."""

    id: UUID
    version: int
    title: str
    description: str | None
    status: Status = "pending"
    priority: Priority
    due: Due | None
    project_id: UUID | None
    section_id: UUID | None = None
    parent_id: UUID | None
    tags: tuple[UUID, ...]
    assignee_id: str | None
    blocked_reason: str | None = None
    completed_at: datetime | None = None
    rank: str | None = None
    deleted_section_id: UUID | None = None
    archived: bool = False
    deleted: bool = False
    deleted_with: UUID | None = None
    created_at: datetime
    updated_at: datetime
    created_by: ColumnOnly[str | None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtasks:
    """How many subtasks there are right below a task, deleted ones not counted."""

    open: int
    all: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTask(TaskRow):
    """A task in a list, with how much hangs on it."""

    subtasks: Subtasks
    comments: int


_first = first_row(TaskRow, TaskCreated)


def project(row: TaskRow | None, event: Recorded[TaskEvent]) -> TaskRow:
    """Return the row after the event."""
    if isinstance(event.event, TaskCreated):
        return replace(_first(event), created_by=event.record.actor_id)
    assert row is not None, "a task's first event is its creation"
    return next_row(row, event)


def deadline(due: Due) -> tuple[datetime | None, datetime | None]:
    """Return the first moment when it is late: as an instant, or as a wall time.

    A day is over when the next one begins. A wall time that a clock change skips
    counts by the offset before the change, so it is late an hour later by the wall.
    Without a zone it is compared with the reader's clock, whatever that was set to.
    """
    if due.time is None:
        day = due.date + dt.timedelta(days=1) if due.date < dt.date.max else due.date
        local = datetime.combine(day, dt.time())
    else:
        local = datetime.combine(due.date, due.time)
    if due.time_zone is None:
        return None, local
    return local.replace(tzinfo=ZoneInfo(due.time_zone)), None


def columns(row: TaskRow) -> Mapping[str, Any]:
    """Return what queries filter and sort by."""
    due_at, due_local = (None, None) if row.due is None else deadline(row.due)
    return by_name(
        TaskTable,
        row,
        priority=PRIORITIES[row.priority],
        due_date=None if row.due is None else row.due.date,
        due_at=due_at,
        due_local=due_local,
    )


def summary(event: TaskEvent) -> str:
    """Say what happened in plain words."""
    match event:
        case TaskCreated():
            return "created the task"
        case TaskEdited():
            return "edited the task"
        case TaskStarted():
            return "started the task"
        case TaskBlocked():
            return "blocked the task"
        case TaskUnblocked():
            return "unblocked the task"
        case TaskCompleted():
            return "completed the task"
        case TaskReopened():
            return "reopened the task"
        case TaskCancelled():
            return "cancelled the task"
        case TaskMoved():
            return "moved the task"
        case TaskRetagged():
            return "lost or got a tag when the tag itself changed"
        case TaskArchived():
            return "archived the task"
        case TaskUnarchived():
            return "took the task out of the archive"
        case TaskDeleted():
            return "deleted the task"
        case TaskRestored():
            return "restored the task"
        case TaskCommented():
            return "commented on the task"
        case TaskCommentEdited():
            return "edited a comment on the task"
        case TaskCommentDeleted():
            return "deleted a comment on the task"
        case TaskReverted():
            return "took a change back"
        case _:
            assert_never(event)


OPEN = ("pending", "in_progress", "blocked")

_DUE = "due_date + coalesce((document -> 'due' ->> 'time')::time, '23:59:59.999999')"
"""The wall time, in whatever zone; a day without one comes after those with one."""

_OVERDUE = "status = ANY (:open) AND (due_at <= :now OR due_local <= :now_local)"


def overdue(now: datetime, time_zone: str) -> dict[str, Any]:
    """Return what the overdue condition compares with, for somebody in a zone."""
    local = now.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)
    return {"open": list(OPEN), "now": now, "now_local": local, "zone": time_zone}


_SUBTASKS = """(SELECT '{"open":' || count(*) FILTER (WHERE t.status IN
('pending', 'in_progress', 'blocked')) || ',"all":' || count(*) || '}'
FROM queries.tasks t WHERE t.workspace_id = p.workspace_id
AND t.parent_id = p.id AND NOT t.deleted)"""
_COMMENTS = """(SELECT count(*) FROM queries.comments c
WHERE c.workspace_id = p.workspace_id AND c.task_id = p.id AND NOT c.deleted)"""
_COUNTED = (
    f"left(p.document::text, -1) || ',\"subtasks\":' || {_SUBTASKS}"
    f" || ',\"comments\":' || {_COMMENTS} || '}}'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTasks(ListQuery):
    """The tasks of a workspace, newest first unless sorted or searched otherwise."""

    deleted: bool = False
    archived: bool | None = None
    status: Sequence[Status] = ()
    priority: Sequence[Priority] = ()
    project_id: Sequence[UUID | Literal["none"]] = ()
    section_id: Sequence[UUID | Literal["none"]] = ()
    parent_id: Sequence[UUID | Literal["none"]] = ()
    assignee_id: Sequence[str] = ()
    created_by: Sequence[str] = ()
    tag: Sequence[UUID] = ()
    tag_mode: Literal["any", "all"] = "any"
    due_from: dt.date | None = None
    due_to: dt.date | None = None
    overdue: bool | None = None
    time_zone: str = "UTC"
    q: str | None = None
    updated_since: datetime | None = None
    as_of: datetime | None = None
    now: datetime

    table = "queries.tasks"
    document = _COUNTED
    sorts = {
        "due": Sort(_DUE, "timestamp", "infinity"),
        "priority": Sort("priority", "smallint"),
        "title": Sort("lower(title)", "text"),
        "created_at": Sort("created_at", "timestamptz"),
        "updated_at": Sort("updated_at", "timestamptz"),
        "rank": Sort("rank", "text"),
        "relevance": Sort(
            "ts_rank_cd(search, to_tsquery('simple', :q))::float8", "float8"
        ),
    }

    sorted_within = {"rank": "parent_id"}
    default_sort = ("-created_at",)

    def sorted_by(self) -> Sequence[str]:
        """Return the sort keys in force: best match first where one searches."""
        return self.sort or (("-relevance",) if self.q else self.default_sort)

    @property
    def timeless(self) -> bool:
        """Whether the answer depends on the sequence alone, not on the clock."""
        return self.overdue is None and self.as_of is None

    def filters(self) -> Filters:
        """Return the conditions of this list."""
        ranks = [PRIORITIES[priority] for priority in self.priority]
        found = Filters().by_columns(TaskTable, self, priority=ranks)
        if self.tag:
            operator = "@>" if self.tag_mode == "all" else "&&"
            found.add(f"tags {operator} CAST(:tag AS uuid[])", tag=list(self.tag))
        if self.due_from:
            found.add("due_date >= :due_from", due_from=self.due_from)
        if self.due_to:
            found.add("due_date <= :due_to", due_to=self.due_to)
        if self.updated_since:
            found.add("updated_at >= :updated_since", updated_since=self.updated_since)
        if self.overdue is not None:
            wanted = f"({_OVERDUE})" if self.overdue else f"({_OVERDUE}) IS NOT TRUE"
            found.add(wanted, **overdue(self.now, self.time_zone))
        if self.q:
            found.add("search @@ to_tsquery('simple', :q)", q=words.query(self.q))
        return found


_STATS = text(f"""SELECT (SELECT sequence FROM queries.checkpoints
    WHERE workspace_id = :workspace), (SELECT json_build_object(
    'total', count(*),
    'open', count(*) FILTER (WHERE status = ANY (:open)),
    'overdue', count(*) FILTER (WHERE {_OVERDUE}),
    'by_status', json_build_object(
    'pending', count(*) FILTER (WHERE status = 'pending'),
    'in_progress', count(*) FILTER (WHERE status = 'in_progress'),
    'blocked', count(*) FILTER (WHERE status = 'blocked'),
    'completed', count(*) FILTER (WHERE status = 'completed'),
    'cancelled', count(*) FILTER (WHERE status = 'cancelled')),
    'by_priority', json_build_object(
    'low', count(*) FILTER (WHERE priority = 0),
    'medium', count(*) FILTER (WHERE priority = 1),
    'high', count(*) FILTER (WHERE priority = 2),
    'urgent', count(*) FILTER (WHERE priority = 3)))::text
    FROM queries.tasks WHERE workspace_id = :workspace AND NOT deleted),
    (SELECT document ->> 'time_zone' FROM queries.people
    WHERE workspace_id = :workspace AND id = :person AND NOT deleted)""")


async def stats(
    reader: Reader, workspace_id: UUID, now: datetime, time_zone: str, person_id: UUID
) -> tuple[int, bytes, str]:
    """Return the sequence shown, and counts of the tasks that are not deleted.

    Also the zone that a person names, UTC without.
    """
    values = {"workspace": workspace_id, "person": person_id}
    row = await reader.row(_STATS, {**values, **overdue(now, time_zone)})
    sequence, found, own = row
    return sequence or 0, found.encode(), own or "UTC"


PROJECTION = Projection(
    stream_type=STREAM,
    table="queries.tasks",
    row=TaskRow,
    project=project,
    columns=columns,
    summary=summary,
    parts=comments.PARTS,
)
