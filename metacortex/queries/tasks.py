"""Tasks, read side: the read table, its projection, and the queries.

Deadlines stand in two columns: `due_at`, an instant, where the task names a zone, and
`due_local`, a wall time, where it floats. Whether a floating task is overdue depends on
the zone of whoever asks, so lists take `time_zone`.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, assert_never, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import SmallInteger, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
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
from metacortex.kernel.rank import effective_sql
from metacortex.queries import comments, counts, first_tasks, task_words, words
from metacortex.queries.cursors import Key
from metacortex.queries.page import Filters, ListQuery, Sort
from metacortex.queries.statements import Found
from metacortex.queries.tables import (
    INSTANT,
    SCHEMA,
    ColumnOnly,
    Projection,
    ReadTable,
    by_name,
    first_row,
    next_row,
)
from metacortex.queries.task_indexes import (
    DUE,
    DUE_LAST,
    INDEXES,
    IS_OPEN,
    URGENCY,
)

PRIORITIES: Mapping[Priority, int] = {"low": 0, "medium": 1, "high": 2, "urgent": 3}


RANK = effective_sql("document ->> 'rank'")


class TaskTable(ReadTable):
    """Tasks as lists show them."""

    __tablename__ = "tasks"
    __table_args__ = (*INDEXES, {"schema": SCHEMA})

    title: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(SmallInteger)
    due_key: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=False))
    """The deadline's wall time, in whatever zone; of a day its last moment."""
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


_first = first_row(TaskRow, TaskCreated, created_by="actor_id")


def project(row: TaskRow | None, event: Recorded[TaskEvent]) -> TaskRow:
    """Return the row after the event."""
    if isinstance(event.event, TaskCreated):
        return _first(event)
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


def _due_key(due: Due) -> datetime:
    """Return what deadlines are sorted by: a day comes after all times on it."""
    return datetime.combine(due.date, due.time or dt.time.max)


def columns(row: TaskRow) -> Mapping[str, Any]:
    """Return what queries filter and sort by."""
    due_at, due_local = (None, None) if row.due is None else deadline(row.due)
    return by_name(
        TaskTable,
        row,
        priority=PRIORITIES[row.priority],
        due_key=None if row.due is None else _due_key(row.due),
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


STATUSES = get_args(Status)
_OVERDUE = f"{IS_OPEN} AND (due_at <= :now OR due_local <= :now_local)"
_LIVE_OPEN = f"workspace_id = :workspace AND NOT deleted AND {IS_OPEN}"
LATE = f"""((SELECT count(*) FROM queries.tasks WHERE {_LIVE_OPEN}
AND due_at <= :now) + (SELECT count(*) FROM queries.tasks WHERE {_LIVE_OPEN}
AND due_local <= :now_local))"""
"""How many tasks are overdue: a deadline is either an instant or a wall time."""


def overdue(now: datetime, time_zone: str) -> dict[str, Any]:
    """Return what the overdue condition compares with, for somebody in a zone."""
    local = now.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)
    return {"now": now, "now_local": local, "zone": time_zone}


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
        "due": Sort(DUE, "timestamp", descending=DUE_LAST),
        "priority": Sort(URGENCY, "smallint", flipped=True, then="due"),
        "title": Sort("lower(title)", "text"),
        "created_at": Sort("created_at", "timestamptz"),
        "updated_at": Sort("updated_at", "timestamptz"),
        "rank": Sort("rank", "text"),
        "relevance": Sort(task_words.RELEVANCE, "float8"),
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

    def sized(self, filters: Filters) -> str | None:
        """Return how many tasks are searched; or have the tag, and are there."""
        if self.q:
            return counts.total("workspace_id = :workspace")
        name = first_tasks.looked_for(filters, self.sorted_by())
        return first_tasks.sizes(name) if name else None

    @property
    def first(self) -> int:
        """How many tasks of a list are looked at before what an index finds."""
        sort = self.sorted_by()
        if self.q:
            by_creation = sort[0].endswith("created_at")
            return task_words.first(sum(self.sizes) if by_creation else 0)
        return first_tasks.first(self.sizes, sort, (self.page or 1) * self.per_page + 1)

    def kept_total(self, columns: Collection[str], where: str) -> str | None:
        """Return a sum of kept counts, or what is late by its own indexes."""
        if counts.KNOWN.issuperset(columns):
            return counts.total(where)
        facets = counts.FACETS.keys() & columns
        or_none = "none" in (*self.created_by, *self.assignee_id)
        if len(facets) == 1 and not or_none and {*columns} - facets <= counts.TOLD:
            (facet,) = facets
            return counts.facet_total(
                facet, where.replace(first_tasks.TAGGED, counts.OF_TAG)
            )
        if columns == {"deleted", "overdue"} and not self.deleted:
            return f"SELECT {LATE}"
        if columns == {"deleted", "not overdue"} and not self.deleted:
            live = "workspace_id = :workspace AND NOT deleted"
            return f"SELECT ({counts.total(live)}) - {LATE}"
        return None

    def found(self, filters: Filters, keys: Sequence[Key]) -> Found:
        """Return the tasks, or what a search looks through."""
        if not self.q:
            name = first_tasks.looked_for(filters, self.sorted_by())
            return first_tasks.found(name) if name else Found(rows=self.table)
        known = filters.columns is not None and filters.columns <= task_words.KNOWN
        sorted_by = {sql for sql, _, _ in keys}
        return task_words.found(
            tasks=sum(self.sizes),
            alone=known and sorted_by <= task_words.SORTED,
            whole=self.count != "none" or task_words.RELEVANCE in sorted_by,
        )

    def filters(self) -> Filters:
        """Return the conditions of this list."""
        found = Filters().by_columns(TaskTable, self, priority=())
        ranks = [-PRIORITIES[priority] for priority in self.priority]
        found.among("priority", "smallint", ranks, URGENCY)
        if self.tag:
            tag = list(self.tag)
            if len(tag) == 1:
                found.compare("tag", first_tasks.TAGGED, tag=tag)
            else:
                every = "tags @> CAST(:tag AS uuid[])"
                found.add(
                    every if self.tag_mode == "all" else first_tasks.TAGGED, tag=tag
                )
            found.inverted = True
        if self.due_from:
            dated = f"{DUE} >= CAST(:due_from AS date) AND {DUE} < 'infinity'"
            found.add(dated, due_from=self.due_from)
        if self.due_to:
            found.add(f"{DUE} < CAST(:due_to AS date) + 1", due_to=self.due_to)
        if self.due_from or self.due_to:
            found.ranged = (DUE, DUE_LAST)
        if self.updated_since:
            since = self.updated_since
            found.compare("updated_since", first_tasks.CHANGED, updated_since=since)
        if self.overdue is not None:
            name = "overdue" if self.overdue else "not overdue"
            wanted = f"({_OVERDUE})" if self.overdue else f"({_OVERDUE}) IS NOT TRUE"
            found.compare(name, wanted, **overdue(self.now, self.time_zone))
        if self.q:
            found.elsewhere("q", q=words.query(self.q))
        return found


PROJECTION = Projection(
    stream_type=STREAM,
    table="queries.tasks",
    row=TaskRow,
    project=project,
    columns=columns,
    summary=summary,
    parts=comments.PARTS,
)
