"""What every read table has, and how a projection fills one.

A row is a document, kept as the JSON that answers send, with the columns that queries
filter and sort by. Rows are folded from one stream each and can be thrown away.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Text
from sqlalchemy.dialects.postgresql import JSON, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from metacortex.events.record import EventRecord, Recorded
from metacortex.kernel.database import Table

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


def born(record: EventRecord) -> dict[str, Any]:
    """Return the fields of a row that its stream's first record gives."""
    return {
        "id": record.stream_id,
        "version": record.version,
        "created_at": record.recorded_at,
        "updated_at": record.recorded_at,
    }
