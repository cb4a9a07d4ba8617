"""Comments, read side: rows that are parts of the streams of tasks, and their list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped

from metacortex.events.record import Recorded
from metacortex.events.tasks import Comment
from metacortex.kernel.database import Reader
from metacortex.kernel.decider import exchanges_of
from metacortex.kernel.errors import NotFound
from metacortex.queries.page import Filters, ListQuery, Sort
from metacortex.queries.tables import SCHEMA, Parts, ReadTable, by_name


class CommentTable(ReadTable):
    """Comments as lists show them."""

    __tablename__ = "comments"
    __table_args__ = (
        Index("ix_comments_task", "workspace_id", "task_id", "created_at", "id"),
        {"schema": SCHEMA},
    )

    task_id: Mapped[UUID]
    deleted: Mapped[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who said something."""

    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentRow:
    """What somebody said about a task."""

    id: UUID
    task_id: UUID
    author: Author
    text: str
    created_at: datetime
    edited_at: datetime | None = None
    updated_at: datetime
    deleted: bool = False


def project(event: Recorded[Any]) -> Sequence[CommentRow]:
    """Return the comments that an event touches, as they are after it."""
    exchange = exchanges_of(event.event).get("comments")
    if exchange is None:
        return ()
    task_id, at = event.record.stream_id, event.record.recorded_at
    added = {it.id: row(it, task_id, at, deleted=False) for it in exchange.added}
    removed = {it.id: row(it, task_id, at, deleted=True) for it in exchange.removed}
    return list({**removed, **added}.values())


def row(
    comment: Comment,
    task_id: UUID,
    updated_at: datetime,
    *,
    deleted: bool,
    author_name: str | None = None,
) -> CommentRow:
    """Return the row of a comment; no table stores the name."""
    return CommentRow(
        id=comment.id,
        task_id=task_id,
        author=Author(id=comment.author_id, name=author_name),
        text=comment.text,
        created_at=comment.created_at,
        edited_at=comment.edited_at,
        updated_at=updated_at,
        deleted=deleted,
    )


_ADAPTER = TypeAdapter(CommentRow)


def document(row: CommentRow) -> bytes:
    """Return a row as the JSON that answers send."""
    return _ADAPTER.dump_json(row)


def columns(row: CommentRow) -> Mapping[str, Any]:
    """Return what queries filter and sort by."""
    return by_name(CommentTable, row)


_NAMED = """(p.document::jsonb || jsonb_build_object('author', jsonb_build_object(
'id', p.document -> 'author' -> 'id', 'name', (SELECT q.name FROM queries.people q
WHERE q.workspace_id = p.workspace_id AND NOT q.deleted
AND q.user_id = p.document -> 'author' ->> 'id'))))::text"""
"""The document of a comment with its author's present name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListComments(ListQuery):
    """The comments of a task, the oldest first."""

    task_id: UUID
    deleted: bool = False

    table = "queries.comments"
    document = _NAMED
    sorts = {"created_at": Sort("created_at", "timestamptz")}
    default_sort = ("created_at",)

    def filters(self) -> Filters:
        """Return the conditions of this list."""
        return Filters().by_columns(CommentTable, self)


_ONE = text(
    "SELECT coalesce((SELECT sequence FROM queries.checkpoints"
    f" WHERE workspace_id = :workspace), 0), (SELECT {_NAMED} FROM"
    " queries.comments p WHERE workspace_id = :workspace AND id = :id"
    " AND task_id = :task_id)"
)


async def one(
    reader: Reader, workspace_id: UUID, task_id: UUID, id: UUID
) -> tuple[int, bytes]:
    """Return the sequence shown, and a comment of a task. Raises NotFound."""
    values = {"workspace": workspace_id, "task_id": task_id, "id": id}
    sequence, found = await reader.row(_ONE, values)
    if found is None:
        raise NotFound("not_found")
    return sequence, found.encode()


PARTS = Parts(
    table="queries.comments",
    of="task_id",
    project=project,
    columns=columns,
    document=document,
)
