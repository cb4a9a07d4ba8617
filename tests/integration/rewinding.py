"""Takes the log of a workspace back, as a fail-over or a restored backup does."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands.tables import STATES

TRIGGERS = {
    "events.heads": ("head_rows_stay", "heads_stay"),
    "events.log": ("log_rows_stay", "log_stays"),
    "commands.receipts": ("receipt_rows_stay", "receipts_stay"),
}
TABLES = (*TRIGGERS, *(table.name for table in STATES.values()))


@dataclass(frozen=True)
class Backup:
    """All that the write side held of a workspace at one moment, as JSON by table."""

    workspace_id: UUID
    rows: Mapping[str, str]

    @classmethod
    async def take(cls, owner: AsyncEngine, workspace_id: UUID) -> "Backup":
        """Read every table of the write side in one snapshot."""
        columns = ", ".join(
            f"(SELECT coalesce(json_agg(t), '[]')::text FROM {table} t"
            " WHERE workspace_id = :w)"
            for table in TABLES
        )
        async with owner.connect() as connection:
            found = await connection.execute(
                text(f"SELECT {columns}"), {"w": workspace_id}
            )
            return cls(workspace_id, dict(zip(TABLES, found.one(), strict=True)))

    async def restore(self, owner: AsyncEngine) -> None:
        """Make the tables what they were; the triggers are off until the commit."""
        async with owner.begin() as connection:
            for table in TRIGGERS:
                await connection.execute(
                    text(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                )
            for table, rows in self.rows.items():
                await connection.execute(
                    text(f"DELETE FROM {table} WHERE workspace_id = :w"),
                    {"w": self.workspace_id},
                )
                await connection.execute(
                    text(
                        f"INSERT INTO {table} SELECT * FROM json_populate_recordset"
                        f"(NULL::{table}, CAST(:rows AS json))"
                    ),
                    {"rows": rows},
                )
            for table, names in TRIGGERS.items():
                for name in names:
                    await connection.execute(
                        text(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
                    )
