"""Operators at the API, and rows for them to see, as workers write them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.api.auth import Role
from metacortex.kernel.ids import new_id
from tests.clients import Client


def operator(client: Client) -> Client:
    """Return an operator of the same installation."""
    return client.like(role=Role.OPERATOR)


async def execute(database: AsyncEngine, sql: str, **values: Any) -> None:
    """Run a statement in a transaction of its own."""
    async with database.begin() as connection:
        await connection.execute(text(sql), values)


async def value(database: AsyncEngine, sql: str, **values: Any) -> Any:
    """Return the one value that a statement gives."""
    async with database.connect() as connection:
        return await connection.scalar(text(sql), values)


async def make_run(database: AsyncEngine, **given: Any) -> UUID:
    """Write a run that succeeded, unless told otherwise; return its id."""
    row: dict[str, Any] = {
        "id": new_id(),
        "actor": f"actor_{uuid4().hex[:8]}",
        "queue": "maintenance",
        "message_id": uuid4(),
        "outcome": "succeeded",
        **given,
    }
    row["arguments"] = orjson.dumps(row.get("arguments", {})).decode()
    names = ", ".join(row)
    values = ", ".join(
        f"CAST(:{name} AS jsonb)" if name == "arguments" else f":{name}" for name in row
    )
    await execute(
        database, f"INSERT INTO workers.runs ({names}) VALUES ({values})", **row
    )
    id: UUID = row["id"]
    return id


def failing(fingerprint: str, **given: Any) -> Mapping[str, Any]:
    """Return what a run that failed for good has."""
    return {
        "outcome": "failed",
        "open": True,
        "error_type": "Broken",
        "error_message": "the bridge is out",
        "traceback": "Traceback: the bridge is out",
        "fingerprint": fingerprint,
        **given,
    }


async def make_group(
    database: AsyncEngine, fingerprint: str, actor: str, sample: UUID
) -> None:
    """Write the group that a failing run belongs to."""
    await execute(
        database,
        "INSERT INTO workers.failures VALUES (:fingerprint, :actor, 'Broken',"
        " 'the bridge is out', now(), now(), 1, :sample)",
        fingerprint=fingerprint,
        actor=actor,
        sample=sample,
    )


async def beat(database: AsyncEngine, seconds: float = 0.0, **given: Any) -> None:
    """Write the heartbeat of a worker, so many seconds ago."""
    row = {"id": new_id(), "kind": "worker", "delay": 0.0, "ago": seconds, **given}
    await execute(
        database,
        "INSERT INTO workers.processes (id, host, pid, kind, version, started_at,"
        " seen_at, rss_bytes, loop_delay_ms) VALUES (:id, 'here', 7, :kind, '1', now(),"
        " now() - make_interval(secs => :ago), 1, :delay)",
        **row,
    )
