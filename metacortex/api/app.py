"""The application: what a process serves, put together from the settings."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from metacortex import __version__
from metacortex.api import (
    audit,
    commands,
    comments,
    feeds,
    health,
    imports,
    meta,
    people,
)
from metacortex.api.auth import MAX_LIFETIME_S, Verifier
from metacortex.api.dev import token_router
from metacortex.api.docs import add_docs
from metacortex.api.envelope import JSON
from metacortex.api.exception_handlers import HANDLERS
from metacortex.api.figures import Figures
from metacortex.api.issuer import LocalIssuer
from metacortex.api.keys import JwksKeys, KeySource, StaticKeys
from metacortex.api.lean import add_lean_routes, lean_routes
from metacortex.api.metrics_port import MetricsPort
from metacortex.api.middleware import PREFIX, Middleware, RouteTable
from metacortex.api.openapi import complete, tags
from metacortex.api.ops import actions
from metacortex.api.ops import routes as ops
from metacortex.api.ops.broadcaster import Broadcaster
from metacortex.api.ops.service import Operations
from metacortex.api.parsing import Waits
from metacortex.api.proxies import Proxies
from metacortex.api.rates import QUOTAS, Rates
from metacortex.api.request_log import RequestLog
from metacortex.api.routing import EnvelopeRoute, Router, adopt
from metacortex.api.services import Services, services_of
from metacortex.api.streams import Streams
from metacortex.api.web import WebApp
from metacortex.commands.bus import Bus
from metacortex.commands.lane import Lane
from metacortex.commands.members import Members
from metacortex.kernel.database import READS, Reader, driver_pool, engine
from metacortex.logs import line_writer
from metacortex.operations.actors import QUEUES
from metacortex.operations.heartbeats import Heart, Heartbeat, Process
from metacortex.operations.observer import Observer, Sources
from metacortex.operations.operator_actions import OperatorActions
from metacortex.queries.bus import Queries
from metacortex.settings import Settings
from metacortex.wakeups import WakeUps, make_broker, sender

ORDINARY = (
    meta.router,
    feeds.router,
    audit.router,
    commands.router,
    comments.router,
    people.router,
    imports.router,
    ops.router,
    actions.router,
)
LOCAL_LIFETIME_S = 366 * 24 * 3600  # local tokens may live long; they open nothing real
EXPOSED = (
    "ETag",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-Id",
    "X-Correlation-Id",
    "Metacortex-Sequence",
    "Idempotency-Replayed",
    "Preference-Applied",
)
ALLOWED = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Metacortex-Client",
    "Metacortex-Min-Sequence",
    "Prefer",
    "X-Correlation-Id",
    "X-Request-Id",
)


def make_keys(settings: Settings) -> tuple[KeySource, str, int | None]:
    """Return the keys, the issuer, and the longest lifetime of tokens, if not ours."""
    if settings.token_public_key and settings.token_issuer:
        return StaticKeys(settings.token_public_key), settings.token_issuer, None
    if settings.token_jwks_url and settings.token_issuer:
        return JwksKeys(settings.token_jwks_url), settings.token_issuer, None
    local = local_issuer(settings)
    return StaticKeys(local.jwks()), LOCAL_ISSUER, LOCAL_LIFETIME_S


def development_issuer(settings: Settings) -> LocalIssuer | None:
    """Return the issuer of development tokens where these are what is accepted."""
    external = settings.token_public_key or settings.token_jwks_url
    if settings.is_production or external:
        return None
    return local_issuer(settings)


LOCAL_ISSUER = "http://localhost"


def local_issuer(settings: Settings) -> LocalIssuer:
    """Return the issuer of development tokens."""
    return LocalIssuer(settings.data_dir, LOCAL_ISSUER)


def _verifier(
    settings: Settings, keys: KeySource, issuer: str, life: int | None
) -> Verifier:
    return Verifier(
        issuer=issuer,
        keys=keys,
        authorized_parties=settings.token_authorized_parties,
        allow_missing_party=settings.token_allow_missing_party,
        max_lifetime_s=MAX_LIFETIME_S if life is None else life,
    )


class Application(FastAPI):
    """FastAPI, with a table of lean routes in front of its middleware and router."""

    settings: Settings

    def build_middleware_stack(self) -> ASGIApp:
        """Return added middleware around our own, around FastAPI's stack.

        Added middleware is outermost, or it would not see lean routes.
        """
        added, self.user_middleware = self.user_middleware, []
        try:
            stack: ASGIApp = super().build_middleware_stack()
        finally:
            self.user_middleware = added
        stack = Middleware(
            stack,
            table=RouteTable(lean_routes(self.routes)),
            cors=_cors(self.settings),
            hsts=self.settings.is_production,
            body_limit=self.settings.body_limit_bytes,
            proxies=Proxies(self.settings.trusted_proxies),
            log=RequestLog(
                line_writer(self.settings.log_level, self.settings.log_format)
            ),
        )
        for cls, args, given in reversed(added):
            stack = cls(stack, *args, **given)
        return stack

    def include_router(self, router: APIRouter, **given: Any) -> None:
        """Include a router; its JSON answers are put into the envelope."""
        adopt(router)
        super().include_router(router, **given)

    def openapi(self) -> dict[str, Any]:
        """Return the document, completed with what all operations share."""
        before = self.openapi_schema
        document = super().openapi()
        if document is not before:
            self.openapi_schema = complete(document, self.routes)
        return self.openapi_schema or {}


def create_app(settings: Settings) -> FastAPI:
    """Return the application. Raises UnsafeSettings."""
    settings.checked()
    app = _application(_lifespan(settings))
    app.settings = settings
    app.state.web = WebApp(clerk_host=settings.clerk_host)
    _add_routes(app, settings)
    return app


def document() -> dict[str, Any]:
    """Return the OpenAPI document: no setting changes it."""
    app = _application()
    _add_described_routes(app)
    return app.openapi()


def _application(lifespan: "Lifespan | None" = None) -> Application:
    app = Application(
        title="MetaCortex",
        version=__version__,
        description="Tasks, projects and tags, with their whole history.",
        license_info={"name": "MIT", "identifier": "MIT"},
        contact={"name": "The developers of MetaCortex"},
        lifespan=lifespan,
        servers=[{"url": PREFIX}],
        openapi_tags=tags(),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=dict(HANDLERS),
        telemetry={"metrics": False, "logs": False},  # the middleware has its own
    )
    app.router.route_class = EnvelopeRoute
    return app


def _add_routes(app: FastAPI, settings: Settings) -> None:
    issuer = development_issuer(settings)
    app.state.client = meta.about(
        settings.environment,
        settings.clerk_publishable_key,
        development=issuer is not None,
    )
    app.include_router(health.router)
    app.include_router(_entry(app, settings))
    if settings.serves_docs:
        add_docs(app, development=not settings.is_production)
    if issuer is not None:
        keys, url, life = make_keys(settings)
        verifier = _verifier(settings, keys, url, life)
        app.include_router(token_router(issuer, verifier))
    _add_described_routes(app)


def _add_described_routes(app: FastAPI) -> None:
    """Add what is in the document: ordinary routes first, then the lean ones."""
    for router in ORDINARY:
        app.include_router(router, prefix=PREFIX)
    add_lean_routes(app.router, PREFIX)


def _entry(app: FastAPI, settings: Settings) -> Router:
    """Return the routes of the document, and from the root to the pages for people."""
    router = Router(include_in_schema=False)

    @router.get(PREFIX + "/openapi.json")
    async def openapi(request: Request) -> Response:
        if settings.is_production and not settings.serves_docs:
            services_of(request).caller(request)
        return Response(orjson.dumps(app.openapi()), media_type=JSON)

    web: WebApp = app.state.web

    if web.exists:

        @router.get("/")
        async def page(request: Request) -> Response:
            return web.page(request)

    elif settings.serves_docs:

        @router.get("/")
        async def root() -> Response:
            return RedirectResponse("/docs")

    return router


def _cors(settings: Settings) -> CORSMiddleware:
    """Return the policy; the middleware asks it, and never runs it."""
    any_origin = not settings.is_production and not settings.cors_origins
    return CORSMiddleware(
        Router(),
        allow_origins=["*"] if any_origin else list(settings.cors_origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=ALLOWED,
        expose_headers=EXPOSED,
        max_age=600,
    )


def _operations(
    settings: Settings,
    writes: AsyncEngine,
    reads: AsyncEngine,
    redis: Redis,
    operator_actions: OperatorActions,
) -> Operations:
    primary = driver_pool(writes)
    replica = driver_pool(reads) if settings.database_read_url else None
    observer = Observer(sources(settings, primary, replica, redis))
    return Operations(
        reads=primary,
        engines={"writes": writes, "reads": reads},
        operator_actions=operator_actions,
        observer=observer,
        broadcaster=Broadcaster(primary, observer),
        ask=lambda: asyncio.to_thread(_checks, settings),
    )


def _checks(settings: Settings) -> list[dict[str, Any]]:
    """Run every check, in an event loop of its own: some of them hash for long."""
    from metacortex.doctor import inspect  # which imports this module

    return [it.as_dict() for it in asyncio.run(inspect(settings))]


def sources(
    settings: Settings, primary: Reader, replica: Reader | None, redis: Redis
) -> Sources:
    """Return where an observer of this installation looks."""
    return Sources(
        primary=primary,
        replica=replica,
        redis=redis,
        schema=health.SCHEMA,
        queues=QUEUES,
        disk=settings.local_data,
    )


def make_rates(settings: Settings, redis: Redis) -> Rates | None:
    """Return the rate limits, None where there are none."""
    if not settings.limits_rates:
        return None
    quotas = {it: getattr(settings, f"rate_{it}") for it in QUOTAS}
    return Rates(quotas, redis)


async def _metrics_port(settings: Settings, services: Services) -> MetricsPort | None:
    """Serve the metrics on the address that the settings name. Raises OSError."""
    if settings.metrics_bind is None:
        return None
    port = MetricsPort(settings.metrics_bind, lambda: health.rendered(services))
    await port.start()
    return port


Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def _lifespan(settings: Settings) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        keys, issuer, life = make_keys(settings)
        if isinstance(keys, JwksKeys):
            await keys.start()
        writes = engine(
            settings.database_url,
            pool_size=settings.database_pool_size,
            pooler=settings.database_pooler,
        )
        reads = engine(
            settings.read_url,
            pool_size=settings.database_pool_size,
            pooler=settings.database_pooler,
            session=READS,
        )
        broker = make_broker(settings.redis_url)
        wake_ups = WakeUps(sender(broker))
        lane = Lane(
            Bus(writes),
            lanes=settings.lane_count,
            capacity=settings.lane_capacity,
            batch=settings.lane_batch,
            committed=wake_ups.tell,
        )
        redis = Redis.from_url(
            settings.redis_url, socket_connect_timeout=1, socket_timeout=1
        )
        heartbeat = Heartbeat(Heart(writes, Process(kind="api"), Figures()))
        operator_actions = OperatorActions(writes, broker)
        queries = Queries(reads)
        app.state.services = services = Services(
            verifier=_verifier(settings, keys, issuer, life),
            lane=lane,
            members=Members(writes),
            queries=queries,
            streams=Streams(queries),
            writes=writes,
            operator_actions=operator_actions,
            redis=redis,
            operations=_operations(settings, writes, reads, redis, operator_actions),
            waits=Waits(settings.wait_default_s, settings.wait_limit_s),
            body_limit=settings.body_limit_bytes,
            rates=make_rates(settings, redis),
            production=settings.is_production,
        )
        metrics_port = await _metrics_port(settings, services)
        lane.start()
        if services.rates is not None:
            services.rates.start()
        wake_ups.start()
        heartbeat.start()
        yield
        services.closing = True
        await lane.stop()
        await wake_ups.stop()
        await heartbeat.stop()
        if services.rates is not None:
            await services.rates.stop()
        if metrics_port is not None:
            await metrics_port.stop()
        if isinstance(keys, JwksKeys):
            await keys.stop()
        await asyncio.gather(writes.dispose(), reads.dispose(), redis.aclose())
        broker.close()

    return lifespan
