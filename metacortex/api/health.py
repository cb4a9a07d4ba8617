"""Health and metrics: whether the process lives, and whether it can do its work."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

import orjson
import redis.asyncio as redis
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Gauge, generate_latest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import envelope
from metacortex.api.machine import machine_of
from metacortex.kernel.database import autocommit

TIMEOUT_S = 2.0  # an answer later than this is no better than none
SCHEMA = "0003"
"""The newest revision in `migrations/`; a test compares them."""
PARKED = Gauge(
    "metacortex_parked_workspaces",
    "Workspaces whose next event cannot be projected; NaN if the database is away",
    registry=REGISTRY,
)


async def live(request: Request) -> Response:
    """Say that the process runs."""
    return envelope.answer(request, b'{"status":"ok"}')


async def ready(request: Request) -> Response:
    """Say whether database, schema and broker are there; only Redis may be away.

    Parked workspaces are said and make nothing unready: all others are served.
    """
    machine = machine_of(request)
    broker: redis.Redis = request.app.state.redis
    checks = await asyncio.gather(
        _checked("database", _select(machine.writes)),
        _checked("schema", _revision(machine.writes)),
        _checked("broker", _ping(broker)),
        _checked("projections", _projections(machine.writes)),
    )
    parts = dict(checks)
    fit = all(parts[name]["status"] == "ok" for name in ("database", "schema"))
    fit = fit and not machine.closing
    degraded = any(part["status"] != "ok" for part in parts.values())
    status = "degraded" if fit and degraded else "ok" if fit else "unavailable"
    data = orjson.dumps({"status": status, "checks": parts})
    return envelope.answer(request, data, status=200 if fit else 503)


async def _checked(name: str, check: Awaitable[str]) -> tuple[str, Mapping[str, Any]]:
    """Run one check; whatever it raises is its answer."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return name, {"status": "ok", "detail": await check}
    except Exception as error:
        return name, {"status": "failing", "detail": type(error).__name__}


async def _select(engine: AsyncEngine) -> str:
    async with autocommit(engine).connect() as connection:
        await connection.execute(text("SELECT 1"))
    return "answers"


class SchemaMismatch(Exception):
    """The database is at another revision than this release needs."""


async def _revision(engine: AsyncEngine) -> str:
    async with autocommit(engine).connect() as connection:
        found = await connection.scalar(
            text("SELECT version_num FROM public.alembic_version")
        )
    if found != SCHEMA:
        raise SchemaMismatch
    return f"revision {found}"


async def _parked(engine: AsyncEngine) -> int:
    async with autocommit(engine).connect() as connection:
        sql = "SELECT count(*) FROM queries.checkpoints WHERE parked_at IS NOT NULL"
        return int(await connection.scalar(text(sql)) or 0)


async def _projections(engine: AsyncEngine) -> str:
    return f"{await _parked(engine)} workspaces parked"


async def _ping(broker: redis.Redis) -> str:
    await broker.ping()
    return "answers"


async def metrics(request: Request) -> Response:
    """Return the process's metrics in Prometheus' text format."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            PARKED.set(await _parked(machine_of(request).writes))
    except Exception:  # whatever it is, /health/ready names it
        PARKED.set(float("nan"))
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
