"""Health and metrics: whether the process lives, and whether it can do its work."""

import asyncio
from collections.abc import Awaitable

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Gauge, generate_latest
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.responses import Response

from metacortex.api.dependencies import CurrentServices
from metacortex.api.routing import Router
from metacortex.api.schemas import Check, Liveness, Readiness
from metacortex.kernel.database import autocommit

TIMEOUT_S = 2.0  # an answer later than this is no better than none
SCHEMA = "0007"
"""The newest revision in `migrations/`; a test compares them."""
PARKED = Gauge(
    "metacortex_parked_workspaces",
    "Workspaces whose next event cannot be projected; NaN if the database is away",
    registry=REGISTRY,
)


router = Router(tags=["health"])


@router.get("/health/live", include_in_schema=False)
async def live() -> Liveness:
    return Liveness(status="ok")


@router.get("/health/ready", include_in_schema=False)
async def ready(services: CurrentServices, response: Response) -> Readiness:
    """503 without the database or at another schema; the broker may be away.

    Parked workspaces are counted and make nothing unready: all others are served.
    """
    checks = dict(
        await asyncio.gather(
            _checked("database", _select(services.writes)),
            _checked("schema", _revision(services.writes)),
            _checked("broker", _ping(services.redis)),
            _checked("projections", _projections(services.writes)),
        )
    )
    fit = all(checks[name].status == "ok" for name in ("database", "schema"))
    fit = fit and not services.closing
    if not fit:
        response.status_code = 503
        return Readiness(status="unavailable", checks=checks)
    degraded = any(check.status != "ok" for check in checks.values())
    return Readiness(status="degraded" if degraded else "ok", checks=checks)


async def _checked(name: str, check: Awaitable[str]) -> tuple[str, Check]:
    """Run one check; whatever it raises is its answer."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return name, Check(status="ok", detail=await check)
    except Exception as error:
        return name, Check(status="failing", detail=type(error).__name__)


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


async def _ping(broker: Redis) -> str:
    await broker.ping()
    return "answers"


@router.get("/metrics", include_in_schema=False)
async def metrics(services: CurrentServices) -> Response:
    """Return the process's metrics in Prometheus' text format."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            PARKED.set(await _parked(services.writes))
    except Exception:  # whatever it is, /health/ready names it
        PARKED.set(float("nan"))
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
