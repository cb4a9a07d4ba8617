"""Health and metrics: whether the process lives, and whether it can do its work."""

import asyncio
from collections.abc import Awaitable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    disable_created_metrics,
    generate_latest,
)
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api.auth import Role
from metacortex.api.dependencies import CurrentServices
from metacortex.api.ops.metrics import refresh
from metacortex.api.routing import Router
from metacortex.api.schemas import Check, Liveness, Readiness
from metacortex.api.services import Services, allow
from metacortex.kernel.database import autocommit
from metacortex.operations.conditions import CONDITIONS, verdict_of

CHECKS = {
    "database": CONDITIONS["database_unreachable"],
    "schema": CONDITIONS["schema_mismatch"],
    "broker": CONDITIONS["broker_unreachable"],
}
"""What a process is judged by before it gets requests; other checks only inform."""
TIMEOUT_S = CONDITIONS["database_unreachable"].threshold
SCHEMA = "0013"
"""The newest revision in `migrations/`; a test compares them."""

router = Router(tags=["health"])
disable_created_metrics()  # type: ignore[no-untyped-call]  # as it is made


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
    verdict = verdict_of(
        condition.code
        for name, condition in CHECKS.items()
        if checks[name].status != "ok"
    )
    if verdict == "failing" or services.closing:
        response.status_code = 503
        return Readiness(status="unavailable", checks=checks)
    return Readiness(
        status="degraded" if verdict == "degraded" else "ok", checks=checks
    )


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


async def _projections(engine: AsyncEngine) -> str:
    async with autocommit(engine).connect() as connection:
        sql = "SELECT count(*) FROM queries.checkpoints WHERE parked_at IS NOT NULL"
        return f"{await connection.scalar(text(sql))} workspaces parked"


async def _ping(broker: Redis) -> str:
    await broker.ping()
    return "answers"


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request, services: CurrentServices) -> Response:
    """Return metrics of the process and the installation, for Prometheus.

    In production they are for operators: they tell how much everybody does.
    """
    if services.production:
        allow(services.caller(request), (Role.OPERATOR,))
    return Response(await rendered(services), media_type=CONTENT_TYPE_LATEST)


async def rendered(services: Services) -> bytes:
    """Return the metrics as Prometheus reads them."""
    await refresh(services.operations, services.lane)
    return generate_latest(REGISTRY)
