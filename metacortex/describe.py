"""What an installation is, and how far its read tables lag."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from metacortex.api.app import document
from metacortex.commands import registry as commands
from metacortex.events import codec, log
from metacortex.kernel.database import ReadConnection, autocommit, engine
from metacortex.operations.parked_events import ParkedEvent
from metacortex.queries.registry import PROJECTIONS
from metacortex.settings import Settings

_LAG = text(
    "SELECT h.workspace_id, h.sequence AS head, coalesce(c.sequence, 0) AS shown,"
    " h.sequence - coalesce(c.sequence, 0) AS behind, c.parked_at, c.error"
    " FROM events.heads h LEFT JOIN queries.checkpoints c USING (workspace_id)"
    " WHERE h.sequence <> coalesce(c.sequence, 0) OR c.parked_at IS NOT NULL"
    " ORDER BY c.parked_at IS NULL, abs(h.sequence - coalesce(c.sequence, 0)) DESC"
    " LIMIT 100"
)
_WORKSPACES = text("SELECT workspace_id FROM events.heads ORDER BY workspace_id")
_PARKED = text(
    "SELECT workspace_id, sequence + 1 AS sequence FROM queries.checkpoints"
    " WHERE parked_at IS NOT NULL"
)


def database(settings: Settings, url: str) -> AsyncEngine:
    """Return an engine for a command that ends soon; the caller disposes of it."""
    return engine(
        url, pool_size=2, pooler=settings.database_pooler, name="metacortex-cli"
    )


def describe(settings: Settings) -> dict[str, list[str]]:
    """Return the commands, events, read tables, routes and settings in force."""
    return {
        "commands": sorted(commands.COMMANDS),
        "events": [f"{name} v{codec.VERSIONS[name]}" for name in sorted(codec.CLASSES)],
        "read tables": [projection.table for projection in PROJECTIONS.values()],
        "routes": _routes(),
        "settings": [
            f"{name} = {'(hidden)' if _secret(name) else _masked(value)}"
            for name, value in settings.model_dump().items()
        ],
    }


def _routes() -> list[str]:
    """Return method and path of every operation in the OpenAPI document."""
    return [
        f"{method.upper():6} /api/v1{path}"
        for path, operations in document()["paths"].items()
        for method in operations
    ]


_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]*@")
_PARAMETERS = re.compile(r"([?&](?:\w*(?:password|secret|token|key))=)[^&#'\s]+", re.I)


def _masked(value: Any) -> str:
    """Return a value as Python writes it, without the credentials of URLs in it."""
    return _PARAMETERS.sub(r"\1***", _CREDENTIALS.sub("***@", repr(value)))


def _secret(name: str) -> bool:
    return name.endswith("_url") and name != "token_jwks_url"


async def workspaces(database: AsyncEngine) -> list[UUID]:
    """Return the ids of all workspaces."""
    async with autocommit(database).connect() as connection:
        found = await connection.execute(_WORKSPACES)
        # not the driver's own class, which orjson does not write
        return [UUID(bytes=id.bytes) for id in found.scalars()]


async def parked(database: AsyncEngine) -> dict[UUID, int]:
    """Return the parked workspaces, each with the sequence of the event it waits at."""
    async with autocommit(database).connect() as connection:
        rows = await connection.execute(_PARKED)
        return {UUID(bytes=row.workspace_id.bytes): row.sequence for row in rows}


async def status(database: AsyncEngine) -> list[dict[str, Any]]:
    """Return the workspaces whose read tables lag or are parked: parked, then worst.

    `parked` is null, or says at which event and what to do. Less than nothing behind
    are tables of a log that has been put back since: an older backup, for instance.
    They need a rebuild.
    """
    async with autocommit(database).connect() as connection:
        rows = [dict(row) for row in (await connection.execute(_LAG)).mappings()]
        for row in rows:
            is_parked = row["parked_at"] is not None
            row["parked"] = await _event(connection, row) if is_parked else None
    return rows


async def _event(connection: AsyncConnection, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the log says of the event that a workspace is parked at."""
    sequence, workspace = row["shown"] + 1, row["workspace_id"]
    reader = ReadConnection(connection)
    found = await log.read_range(reader, workspace, sequence, sequence)
    event = ParkedEvent.of(found[0] if found else None)
    return {
        "sequence": sequence,
        "event_type": event.event_type,
        "matches_hashes": event.matches_hashes,
        "remedy": f"{event.remedy}, then `metacortex rebuild {workspace}`",
    }


def parked_line(row: Mapping[str, Any]) -> str:
    """Return what `status` says of a parked workspace, in one line."""
    parked = row["parked"]
    matches = {
        True: "the event matches its hashes",
        False: "THE EVENT DOES NOT MATCH ITS HASHES",
        None: "there is no event",
    }[parked["matches_hashes"]]
    kind = parked["event_type"] or "missing"
    error = (row["error"] or "no error was kept").splitlines()[0]
    where = f"{row['workspace_id']}: parked at event {parked['sequence']} ({kind})"
    return f"{where}: {error}; {matches}; {parked['remedy']}"
