"""What only a superuser can do to the log: change what happened, or add to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from metacortex.events import log, merkle
from metacortex.events.record import EventRecord, leaf_of, payload_hash
from metacortex.kernel.database import ReadConnection

TRIGGERS = {
    "events.log": ("log_rows_stay", "log_stays"),
    "events.heads": ("head_rows_stay", "heads_stay"),
    "commands.receipts": ("receipt_rows_stay", "receipts_stay"),
}


async def forge(url: str, *statements: str, **values: object) -> None:
    """Run statements as the superuser of a URL, with the triggers off meanwhile."""
    async with unguarded(url) as connection:
        for sql in statements:
            await connection.execute(text(sql), values)


@asynccontextmanager
async def unguarded(url: str) -> AsyncIterator[AsyncConnection]:
    """Give a transaction in which no trigger of ours fires, and put them back."""
    database = create_async_engine(url)
    async with database.begin() as connection:
        for table in TRIGGERS:
            await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        yield connection
        await connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        for table, names in TRIGGERS.items():
            for name in names:
                always = f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"
                await connection.execute(text(always))
    await database.dispose()


async def append_after_last(url: str, workspace: UUID, **columns: Any) -> None:
    """Append an event like the last one, of one version more, hashed as it should be.

    Its command has no receipt.
    """
    database = create_async_engine(url)
    async with database.begin() as connection:
        head = await connection.execute(
            text("SELECT sequence, frontier FROM events.heads WHERE workspace_id = :w"),
            {"w": workspace},
        )
        size, frontier = head.one()
        reader = ReadConnection(connection)
        [last] = await log.read_range(reader, workspace, size, size)
        record = hashed(
            last._replace(
                sequence=size + 1,
                version=last.version + 1,
                event_id=uuid4(),
                **columns,
            )
        )
        names = ", ".join(log.COLUMNS)
        marks = ", ".join(
            f"CAST(:{name} AS json)" if name in ("data", "context") else f":{name}"
            for name in log.COLUMNS
        )
        await connection.execute(
            text(f"INSERT INTO events.log ({names}) VALUES ({marks})"), row(record)
        )
        edge = merkle.advance(size, merkle.split(frontier), [record.leaf_hash])
        await connection.execute(
            text(
                "UPDATE events.heads SET sequence = sequence + 1, frontier = :frontier"
                " WHERE workspace_id = :w"
            ),
            {"w": workspace, "frontier": b"".join(edge)},
        )
    await database.dispose()


def hashed(record: EventRecord) -> EventRecord:
    """Return the record with the hashes that its columns amount to."""
    payload = payload_hash(record.salt, record.data, record.context)
    record = record._replace(payload_hash=payload)
    return record._replace(leaf_hash=merkle.leaf_hash(leaf_of(record)))


def row(record: EventRecord) -> dict[str, Any]:
    """Return a record as values of a statement."""
    values = {name: getattr(record, name) for name in log.COLUMNS}
    for name in ("data", "context"):
        values[name] = values[name].decode()
    return values
