"""What an installation is, and how far its read tables lag."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.api.app import create_app
from metacortex.commands import registry as commands
from metacortex.events import codec
from metacortex.kernel.database import autocommit, engine
from metacortex.queries.registry import PROJECTIONS
from metacortex.settings import Settings

_LAG = text(
    "SELECT h.workspace_id, h.sequence AS head, coalesce(c.sequence, 0) AS shown,"
    " h.sequence - coalesce(c.sequence, 0) AS behind, c.parked_at, c.error"
    " FROM events.heads h LEFT JOIN queries.checkpoints c USING (workspace_id)"
    " WHERE h.sequence <> coalesce(c.sequence, 0) OR c.parked_at IS NOT NULL"
    " ORDER BY abs(h.sequence - coalesce(c.sequence, 0)) DESC LIMIT 100"
)
_WORKSPACES = text(
    "SELECT workspace_id FROM events.heads WHERE CAST(:only AS uuid) IS NULL"
    " OR workspace_id = CAST(:only AS uuid) ORDER BY workspace_id"
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
        "routes": _routes(settings),
        "settings": [
            f"{name} = {'(hidden)' if _secret(name) else value!r}"
            for name, value in settings.model_dump().items()
        ],
    }


def _routes(settings: Settings) -> list[str]:
    """Return method and path of every operation in the OpenAPI document."""
    document = create_app(settings).openapi()
    return [
        f"{method.upper():6} /api/v1{path}"
        for path, operations in document["paths"].items()
        for method in operations
    ]


def _secret(name: str) -> bool:
    return name.endswith("_url") and name != "token_jwks_url"


async def workspaces(database: AsyncEngine, only: UUID | None = None) -> list[UUID]:
    """Return the ids of all workspaces; with `only`, that one, if it exists."""
    async with autocommit(database).connect() as connection:
        found = await connection.execute(_WORKSPACES, {"only": only})
        # not the driver's own class, which orjson does not write
        return [UUID(bytes=id.bytes) for id in found.scalars()]


async def status(database: AsyncEngine) -> list[dict[str, Any]]:
    """Return the workspaces whose read tables lag or are parked, worst first.

    Less than nothing behind are tables of a log that has been put back since: an older
    backup, for instance. They need a rebuild.
    """
    async with autocommit(database).connect() as connection:
        return [dict(row) for row in (await connection.execute(_LAG)).mappings()]
