"""People, read side: the read table, its projection, and the queries.

Who is a member is known from two sources: `commands.members` notes whoever has called,
`queries.people` holds what they, or an owner, told about them.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

import orjson
from sqlalchemy import Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from metacortex.events.people import (
    STREAM,
    PersonCreated,
    PersonEdited,
    PersonEvent,
    PersonReverted,
    Theme,
    WeekStart,
)
from metacortex.events.record import Recorded
from metacortex.kernel.database import Reader
from metacortex.queries.page import Filters, ListQuery, Sort
from metacortex.queries.tables import (
    SCHEMA,
    Projection,
    ReadTable,
    by_name,
    first_row,
    next_row,
)
from metacortex.queries.watermarks import Watermark


class PersonTable(ReadTable):
    """People who told something about themselves, or were introduced."""

    __tablename__ = "people"
    __table_args__ = (
        Index("ix_people_user", "workspace_id", "user_id"),
        {"schema": SCHEMA},
    )

    user_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    deleted: Mapped[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """A person of a workspace as feeds and batches show them."""

    id: UUID
    version: int
    user_id: str
    name: str | None
    avatar_url: str | None = None
    time_zone: str | None = None
    week_start: WeekStart = "monday"
    theme: Theme = "system"
    joined: bool = False
    deleted: bool = False
    created_at: datetime
    updated_at: datetime


_first = first_row(PersonRow, PersonCreated)


def project(row: PersonRow | None, event: Recorded[PersonEvent]) -> PersonRow:
    """Return the row after the event."""
    if isinstance(event.event, PersonCreated):
        return _first(event)
    assert row is not None, "a person's first event is their creation"
    return next_row(row, event)


def columns(row: PersonRow) -> Mapping[str, Any]:
    """Return what queries filter and sort by."""
    return by_name(PersonTable, row)


def summary(event: PersonEvent) -> str:
    """Say what happened in plain words."""
    match event:
        case PersonCreated():
            return "introduced the person"
        case PersonEdited():
            return "edited the person"
        case PersonReverted():
            return "took a change back"
        case _:
            assert_never(event)


def _member(user_id: str, role: str, joined: str) -> str:
    """Return the SQL of a member's document; `p` is the person, if there is one."""
    return (
        f"json_build_object('id', {user_id}, 'name', p.name, 'avatar_url',"
        f" p.document ->> 'avatar_url', 'role', {role}, 'joined', {joined})"
    )


_MEMBERS = (
    "(SELECT m.workspace_id, m.user_id, p.name,"
    f" {_member('m.user_id', 'coalesce(m.role, $$member$$)', 'true')} AS document"
    " FROM commands.members m LEFT JOIN queries.people p"
    " ON p.workspace_id = m.workspace_id AND p.id = m.id AND NOT p.deleted"
    " UNION ALL SELECT p.workspace_id, p.user_id, p.name,"
    f" {_member('p.user_id', '$$member$$', 'false')}"
    " FROM queries.people p WHERE NOT p.deleted AND NOT EXISTS (SELECT FROM"
    " commands.members m WHERE m.workspace_id = p.workspace_id AND m.id = p.id))"
)
"""Whoever has called, and whoever was introduced and has not: a member until a token
says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMembers(ListQuery):
    """The members of a workspace, by name; the nameless last, by id."""

    table = _MEMBERS
    reads = "p.document"
    key = "user_id"
    key_type = "text"
    sorts = {"name": Sort("lower(coalesce(name, chr(1114109) || user_id))", "text")}
    default_sort = ("name",)

    @property
    def timeless(self) -> bool:
        """Who has called is no matter of the log."""
        return False

    def filters(self) -> Filters:
        """Return the conditions of this list."""
        return Filters()


_ONE = text(
    "SELECT coalesce((SELECT sequence FROM queries.checkpoints"
    " WHERE workspace_id = :workspace), 0), (SELECT document::text FROM queries.people"
    " WHERE workspace_id = :workspace AND id = :id AND NOT deleted)"
)


async def one(
    reader: Reader, workspace_id: UUID, person_id: UUID
) -> tuple[int, dict[str, Any] | None]:
    """Return the sequence shown, and a person if they told anything."""
    row = await reader.row(_ONE, {"workspace": workspace_id, "id": person_id})
    return row[0], None if row[1] is None else orjson.loads(row[1])


ZONES = 10_000  # people whose zone a process remembers, some 3 MB
UTC = "UTC"


class Zones:
    """The time zones of people, remembered while their workspace stands still."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: OrderedDict[tuple[UUID, UUID], tuple[Watermark, str]] = (
            OrderedDict()
        )

    async def find(self, workspace_id: UUID, person_id: UUID, shown: Watermark) -> str:
        """Return somebody's zone as of what is shown; UTC if they named none."""
        key = (workspace_id, person_id)
        known = self._known.get(key)
        if known is not None and known[0] == shown:
            return known[1]
        _, person = await one(self._reader, workspace_id, person_id)
        zone = (person or {}).get("time_zone") or UTC
        self.keep(workspace_id, person_id, shown, zone)
        return zone

    def last(self, workspace_id: UUID, person_id: UUID) -> str:
        """Return the zone that was found last, whatever has happened since."""
        known = self._known.get((workspace_id, person_id))
        return UTC if known is None else known[1]

    def keep(
        self, workspace_id: UUID, person_id: UUID, shown: Watermark, zone: str
    ) -> None:
        """Remember what was found."""
        self._known[workspace_id, person_id] = (shown, zone)
        if len(self._known) > ZONES:
            self._known.popitem(last=False)


PROJECTION = Projection(
    stream_type=STREAM,
    table="queries.people",
    row=PersonRow,
    project=project,
    columns=columns,
    summary=summary,
)
