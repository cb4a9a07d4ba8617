"""The application: what a process serves, put together from the settings."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import redis.asyncio as aioredis
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from metacortex import __version__
from metacortex.api import audit, batch, docs, envelope, feed, health, meta
from metacortex.api.auth import MAX_LIFETIME_S, Verifier
from metacortex.api.middleware import Door, Handler
from metacortex.api.issuer import LocalIssuer
from metacortex.api.keys import JwksKeys, KeySource, StaticKeys
from metacortex.api.services import Services
from metacortex.api.modules import MODULES
from metacortex.api.openapi import document
from metacortex.api.parsing import Waits
from metacortex.api.routes import (
    Module,
    command_handler,
    history_handler,
    listing_handler,
    one_handler,
    refuse_parameters,
)
from metacortex.commands.bus import Bus
from metacortex.commands.lane import Lane
from metacortex.commands.members import Members
from metacortex.kernel.database import engine
from metacortex.queries.bus import Queries
from metacortex.settings import Settings
from metacortex.wakeups import WakeUps, make_broker, sender

PREFIX = "/api/v1"
LOCAL_LIFETIME_S = 366 * 24 * 3600  # local tokens may live long; they open nothing real
EXPOSED = (
    "ETag",
    "Location",
    "Retry-After",
    "X-Request-Id",
    "X-Correlation-Id",
    "Metacortex-Sequence",
    "Idempotency-Replayed",
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


@dataclass(frozen=True, slots=True)
class Route:
    """A path of the API with its handler."""

    method: str
    path: str
    handler: Handler
    name: str


def routes() -> Sequence[Route]:
    """Return every route below the prefix, the busiest first: they are tried in turn.

    A literal path comes before a pattern that fits it too.
    """
    found = [Route("GET", "/tasks/stats", feed.task_stats, "taskStats")]
    for module in MODULES:
        found += _module_routes(module)
    return [*found, *_other_routes()]


def _other_routes() -> Sequence[Route]:
    return [
        Route("POST", "/commands", batch.batch, "runCommands"),
        Route("GET", "/commands/{id}", batch.receipt, "getCommand"),
        Route("POST", "/commands/{id}/undo", batch.undo, "undoCommand"),
        Route("GET", "/changes", feed.changes, "listChanges"),
        Route("GET", "/events/stream", feed.stream, "streamEvents"),
        Route("GET", "/audit/events", audit.events, "listAuditEvents"),
        Route("GET", "/audit/events/{id}", audit.event, "getAuditEvent"),
        Route("GET", "/meta/errors", meta.errors, "listErrors"),
        Route("GET", "/meta/state-machines", meta.state_machines, "listStateMachines"),
    ]


def _module_routes(module: Module) -> Sequence[Route]:
    base, noun = f"/{module.plural}", module.stream_type.capitalize()
    nouns = module.plural.capitalize()
    return [
        Route("GET", base, listing_handler(module.listing), f"list{nouns}"),
        *(
            Route(
                command.method,
                base + command.path,
                command_handler(command, module.plural),
                f"{command.name.partition('.')[2]}{noun}",
            )
            for command in module.commands
        ),
        Route("GET", f"{base}/{{id}}", one_handler(module), f"get{noun}"),
        Route(
            "GET",
            f"{base}/{{id}}/history",
            history_handler(module),
            f"get{noun}History",
        ),
    ]


def make_keys(settings: Settings) -> tuple[KeySource, str, int | None]:
    """Return the keys, the issuer, and the longest lifetime of tokens, if not ours."""
    if settings.token_public_key and settings.token_issuer:
        return StaticKeys(settings.token_public_key), settings.token_issuer, None
    if settings.token_jwks_url and settings.token_issuer:
        return JwksKeys(settings.token_jwks_url), settings.token_issuer, None
    local = local_issuer(settings)
    return StaticKeys(local.jwks()), LOCAL_ISSUER, LOCAL_LIFETIME_S


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
    """The framework's application behind a door of our own, in place of its layers."""

    settings: Settings

    def build_middleware_stack(self) -> ASGIApp:
        """Return what every request passes."""
        return Door(
            self.routes,
            self.router,
            cors=_cors(self.router, self.settings),
            hsts=self.settings.is_production,
        )


def create_app(settings: Settings) -> FastAPI:
    """Return the application. Raises UnsafeSettings."""
    settings.checked()
    app = Application(
        title="MetaCortex",
        version=__version__,
        lifespan=_lifespan(settings),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"metrics": False, "logs": False},  # the door has its own
    )
    app.settings = settings
    for route in routes():
        app.add_route(
            PREFIX + route.path.replace("{id}", "{id:uuid}"),
            route.handler,
            methods=[route.method],
            name=route.name,
        )
    _add_rest(app, settings)
    return app


def _add_rest(app: FastAPI, settings: Settings) -> None:
    """Add what stands outside the API proper."""
    found = {
        "/health/live": health.live,
        "/health/ready": health.ready,
        "/metrics": health.metrics,
    }
    if settings.serves_docs:
        found["/docs"] = docs.page
        found["/docs/style.css"] = docs.style
    found[PREFIX + "/openapi.json"] = _openapi
    for path, handler in found.items():
        app.add_route(path, handler, methods=["GET"])


def _cors(app: ASGIApp, settings: Settings) -> CORSMiddleware:
    open_door = not settings.is_production and not settings.cors_origins
    return CORSMiddleware(
        app,
        allow_origins=["*"] if open_door else list(settings.cors_origins),
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=ALLOWED,
        expose_headers=EXPOSED,
        max_age=600,
    )


async def _openapi(request: Request) -> Response:
    refuse_parameters(request)
    return Response(document(), media_type=envelope.JSON)


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
        app.state.redis = aioredis.Redis.from_url(
            settings.redis_url, socket_connect_timeout=1, socket_timeout=1
        )
        app.state.services = services = Services(
            verifier=_verifier(settings, keys, issuer, life),
            lane=lane,
            members=Members(writes),
            queries=Queries(reads),
            writes=writes,
            waits=Waits(settings.wait_default_s, settings.wait_limit_s),
            body_limit=settings.body_limit_bytes,
        )
        lane.start()
        wake_ups.start()
        yield
        services.closing = True
        await lane.stop()
        await wake_ups.stop()
        if isinstance(keys, JwksKeys):
            await keys.stop()
        await asyncio.gather(
            writes.dispose(), reads.dispose(), app.state.redis.aclose()
        )
        broker.close()

    return lifespan
