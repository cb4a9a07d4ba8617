"""Receipts: the outcome of every command, never deleted.

A receipt is stored in the transaction of the command's events, so that a repeat of the
command is recognised exactly if the first one took effect
(docs/decisions/0005-receipts.md).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSON, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from metacortex.events.log import GUARD_PASSED
from metacortex.events.record import canonical
from metacortex.kernel.database import ReadConnection, Table

SCHEMA = "commands"

Outcome = Literal["applied", "unchanged", "refused"]


class ReceiptTable(Table):
    """One row per command id of a workspace."""

    __tablename__ = "receipts"
    __table_args__ = (
        Index(  # the order of the list of commands
            "ix_receipts_recorded",
            "workspace_id",
            "recorded_at",
            text("coalesce(last_sequence, 0)"),
            "command_id",
        ),
        Index(  # of the few that did not apply
            "ix_receipts_outcome",
            "workspace_id",
            "outcome",
            "recorded_at",
            postgresql_where=text("outcome <> 'applied'"),
        ),
        {"schema": SCHEMA},
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    command_id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    actor_type: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(Text)
    error: Mapped[Any | None] = mapped_column(JSON)
    stream_type: Mapped[str | None] = mapped_column(Text)
    stream_id: Mapped[UUID | None]
    version: Mapped[int | None] = mapped_column(Integer)
    first_sequence: Mapped[int | None] = mapped_column(BigInteger)
    last_sequence: Mapped[int | None] = mapped_column(BigInteger)
    recorded_at: Mapped[datetime] = mapped_column(TIMESTAMP(timezone=True))
    correlation_id: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)


@dataclass(slots=True, kw_only=True)
class Receipt:
    """The outcome of a command; the sequences are null if no event was appended."""

    workspace_id: UUID
    command_id: UUID
    type: str
    fingerprint: bytes
    actor_type: str
    actor_id: str
    outcome: Outcome
    error: dict[str, Any] | None
    stream_type: str | None
    stream_id: UUID | None
    version: int | None
    first_sequence: int | None
    last_sequence: int | None
    recorded_at: datetime
    correlation_id: str
    request_id: str | None


COLUMNS = tuple(ReceiptTable.__table__.columns.keys())
_NAMES = ", ".join(COLUMNS)
_SET = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[2:])
_JSON_FIELDS = ", ".join(
    (
        f"'{name}', encode(receipt.{name}, 'hex')"
        if name == "fingerprint"
        else f"'{name}', receipt.{name}"
    )
    for name in COLUMNS
)

NEW_RECEIPTS = """
new_receipts AS MATERIALIZED (
    SELECT *
    FROM json_populate_recordset(NULL::commands.receipts, CAST(:receipts AS json))
)"""
"""CTE: the receipts to save, from the JSON array `:receipts`."""

COMMANDS_UNKNOWN = """
NOT EXISTS (
    SELECT
    FROM new_receipts
    CROSS JOIN LATERAL (
        SELECT
        FROM commands.receipts stored
        WHERE stored.workspace_id = new_receipts.workspace_id
          AND stored.command_id = new_receipts.command_id
        LIMIT 1
    ) earlier
)"""
"""Condition: none of the commands of `new_receipts` has a receipt already."""

SAVE_RECEIPTS = f"""
INSERT INTO commands.receipts AS stored ({_NAMES})
SELECT {_NAMES}
FROM new_receipts
WHERE {GUARD_PASSED}
ON CONFLICT (workspace_id, command_id) DO UPDATE
SET {_SET}
WHERE stored.outcome = 'refused'"""
"""Inserts `new_receipts`. Only the receipt of a refused command is ever replaced."""

FIND_RECEIPTS = f"""
SELECT json_agg(json_build_object({_JSON_FIELDS}))::text
FROM unnest(CAST(:receipt_workspaces AS uuid[]), CAST(:receipt_ids AS uuid[]))
  AS command (workspace_id, id)
CROSS JOIN LATERAL (
    SELECT *
    FROM commands.receipts stored
    WHERE stored.workspace_id = command.workspace_id
      AND stored.command_id = command.id
    LIMIT 1
) receipt"""
"""Selects the receipts of some commands as one JSON array, for `parse`."""

_ADAPTER = TypeAdapter(Receipt)
_MANY = TypeAdapter(list[dict[str, Any]])

_FIND_ONE = text(
    f"SELECT {_NAMES} FROM commands.receipts"
    " WHERE workspace_id = :workspace AND command_id = :command"
)

_EXECUTED = text(
    "SELECT command_id FROM commands.receipts WHERE workspace_id = :workspace"
    " AND command_id = ANY (CAST(:commands AS uuid[])) AND outcome <> 'refused'"
)


def parse(found: str | None) -> list[Receipt]:
    """Return the receipts that `FIND_RECEIPTS` gave as JSON."""
    if found is None:
        return []
    rows = _MANY.validate_json(found)
    for row in rows:
        row["fingerprint"] = bytes.fromhex(row["fingerprint"])
    return [_ADAPTER.validate_python(row) for row in rows]


def fingerprint(*parts: Any) -> bytes:
    """Return a hash of the parts of a request; equal parts have equal hashes."""
    return hashlib.sha256(canonical(parts)).digest()


async def find(
    connection: ReadConnection, workspace_id: UUID, command_id: UUID
) -> Receipt | None:
    """Return the receipt of a command, None if there is none."""
    values = {"workspace": workspace_id, "command": command_id}
    row = (await connection.execute(_FIND_ONE, values)).mappings().one_or_none()
    if row is None:
        return None
    found = {name: _standard(value) for name, value in row.items()}
    return _ADAPTER.validate_python(found)


async def executed(
    connection: ReadConnection, workspace_id: UUID, command_ids: Sequence[UUID]
) -> set[UUID]:
    """Return those that have a receipt and were not refused: a repeat does nothing."""
    values = {"workspace": workspace_id, "commands": list(command_ids)}
    rows = await connection.execute(_EXECUTED, values)
    return {UUID(bytes=id.bytes) for id in rows.scalars()}


def _standard(value: Any) -> Any:
    """Replace the driver's subclass of UUID, which orjson does not serialise."""
    return UUID(bytes=value.bytes) if isinstance(value, UUID) else value
