"""What an installation is, whether it is in order, and how far it lags."""

import sys
from collections.abc import Awaitable
from typing import Any
from uuid import UUID

import redis.asyncio as redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex import __version__
from metacortex.api.app import routes
from metacortex.api.health import SCHEMA
from metacortex.commands import registry as commands
from metacortex.events import codec
from metacortex.kernel.database import autocommit, engine
from metacortex.queries.registry import PROJECTIONS
from metacortex.settings import Settings

_LAG = text(
    "SELECT h.workspace_id, h.sequence AS head, coalesce(c.sequence, 0) AS shown,"
    " h.sequence - coalesce(c.sequence, 0) AS behind, c.parked_at, c.error"
    " FROM events.heads h LEFT JOIN queries.checkpoints c USING (workspace_id)"
    " WHERE h.sequence > coalesce(c.sequence, 0) OR c.parked_at IS NOT NULL"
    " ORDER BY behind DESC LIMIT 100"
)
_WORKSPACES = text("SELECT workspace_id FROM events.heads ORDER BY workspace_id")


def describe(settings: Settings) -> dict[str, list[str]]:
    """Return the commands, events, read tables, routes and settings in force."""
    return {
        "commands": sorted(commands.COMMANDS),
        "events": [f"{name} v{codec.VERSIONS[name]}" for name in sorted(codec.CLASSES)],
        "read tables": [projection.table for projection in PROJECTIONS.values()],
        "routes": [f"{route.method:6} /api/v1{route.path}" for route in routes()],
        "settings": [
            f"{name} = {'(hidden)' if _secret(name) else value!r}"
            for name, value in settings.model_dump().items()
        ],
    }


def _secret(name: str) -> bool:
    return name.endswith("_url") and name != "token_jwks_url"


async def workspaces(database: AsyncEngine) -> list[UUID]:
    """Return the ids of all workspaces."""
    async with autocommit(database).connect() as connection:
        return list((await connection.execute(_WORKSPACES)).scalars())


async def status(settings: Settings) -> list[dict[str, Any]]:
    """Return the workspaces whose read tables lag or are parked, worst first."""
    database = engine(settings.projector_url, pool_size=1)
    try:
        async with autocommit(database).connect() as connection:
            return [dict(row) for row in (await connection.execute(_LAG)).mappings()]
    finally:
        await database.dispose()


async def doctor(settings: Settings) -> list[dict[str, str]]:
    """Return one line per check, with the remedy where it fails."""
    return [
        _line("python", sys.version_info >= (3, 11), sys.version.split()[0]),
        _line("metacortex", True, __version__),
        *(_line("settings", False, problem) for problem in settings.problems()),
        await _check("database", _version(settings), "check DATABASE_URL"),
        await _check("schema", _schema(settings), "run `metacortex migrate`"),
        await _check("append-only", _triggers(settings), "run `metacortex migrate`"),
        await _check("redis", _redis(settings), "check REDIS_URL; nothing is lost"),
    ]


def _line(check: str, fine: bool, detail: str) -> dict[str, str]:
    return {"check": check, "status": "ok" if fine else "failing", "detail": detail}


async def _check(name: str, work: Awaitable[str], remedy: str) -> dict[str, str]:
    """Run one check; whatever it raises is what the line says."""
    try:
        return _line(name, True, await work)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return _line(name, False, f"{reason}: {remedy}")


class NotInOrder(Exception):
    """A check found something that is not as it must be."""


async def _ask(settings: Settings, sql: str) -> Any:
    database = engine(settings.database_url, pool_size=1)
    try:
        async with autocommit(database).connect() as connection:
            return await connection.scalar(text(sql))
    finally:
        await database.dispose()


async def _version(settings: Settings) -> str:
    number = int(await _ask(settings, "SHOW server_version_num"))
    if number < 150_000:
        raise NotInOrder("PostgreSQL 15 is the oldest that works")
    return f"PostgreSQL {number // 10_000}.{number % 10_000}"


async def _schema(settings: Settings) -> str:
    found = await _ask(settings, "SELECT version_num FROM public.alembic_version")
    if found != SCHEMA:
        raise NotInOrder(f"the schema is at {found}, this release needs {SCHEMA}")
    return f"revision {found}"


async def _triggers(settings: Settings) -> str:
    sql = (
        "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'events.log'::regclass"
        " AND tgenabled = 'A'"
    )
    if await _ask(settings, sql) != 2:
        raise NotInOrder("the log's triggers are not in place")
    return "triggers in place"


async def _redis(settings: Settings) -> str:
    client = redis.Redis.from_url(settings.redis_url, socket_connect_timeout=1)
    try:
        await client.ping()
        return "answers"
    finally:
        await client.aclose()
