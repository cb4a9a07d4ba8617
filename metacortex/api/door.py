"""What surrounds every request: ids, security headers, metrics, and the last resort.

Pure ASGI, so that nothing is buffered. An error that nobody foresaw is logged once,
with its traceback, and answered in the envelope without any of it.
"""

import time
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

import structlog
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metacortex.api import envelope
from metacortex.api.reading import sane
from metacortex.kernel.database import is_unreachable
from metacortex.kernel.errors import MetaCortexError, Unavailable
from metacortex.kernel.ids import new_id

logger = structlog.get_logger(__name__)

REQUESTS = Counter(
    "metacortex_http_requests_total",
    "Requests answered",
    ("method", "route", "status"),
    registry=REGISTRY,
)
SECONDS = Histogram(
    "metacortex_http_request_seconds",
    "Seconds from the first byte of a request to the last of its answer",
    ("method", "route"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=REGISTRY,
)
IN_FLIGHT = Gauge(
    "metacortex_http_requests_in_flight", "Requests being answered", registry=REGISTRY
)

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-site",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
HSTS = "max-age=31536000; includeSubDomains"  # a year, as OWASP ASVS 3.4.1 asks
PRIVATE = "private, no-cache"  # may be kept, must be asked about
NEVER = "no-store"


class Around:
    """The outermost layer but CORS."""

    def __init__(self, app: ASGIApp, *, hsts: bool) -> None:
        self._app = app
        self._fixed = dict(SECURITY)
        if hsts:
            self._fixed["Strict-Transport-Security"] = HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        about = _about(Headers(scope=scope))
        scope["metacortex"] = about
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._decorate(message, scope, about)
            await send(message)

        IN_FLIGHT.inc()
        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if status:
                raise
            failure = _unforeseen(error, about["request_id"])
            await failure(scope, receive, sending)
        finally:
            IN_FLIGHT.dec()
            _count(scope, status, time.perf_counter() - began)

    def _decorate(
        self, message: MutableMapping[str, Any], scope: Scope, about: dict[str, str]
    ) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in self._fixed.items():
            if name not in headers:
                headers[name] = value
        headers["X-Request-Id"] = about["request_id"]
        headers["X-Correlation-Id"] = about["correlation_id"]
        headers.add_vary_header("Authorization")
        if "cache-control" not in headers:
            fine = scope["method"] == "GET" and message["status"] in (200, 304)
            headers["Cache-Control"] = PRIVATE if fine else NEVER


def _about(headers: Headers) -> dict[str, str]:
    request_id = sane(headers.get("x-request-id")) or str(new_id())
    return {
        "request_id": request_id,
        "correlation_id": sane(headers.get("x-correlation-id")) or request_id,
    }


def _unforeseen(error: Exception, request_id: str) -> Any:
    if is_unreachable(error):
        logger.warning("database_unavailable", request_id=request_id, error=repr(error))
        return envelope.failure(request_id, Unavailable("database_unavailable"))
    logger.error("request_failed", request_id=request_id, exc_info=error)
    return envelope.failure(request_id, MetaCortexError("internal_error"))


def _count(scope: Scope, status: int, seconds: float) -> None:
    route = _route(scope)
    method = scope["method"] if route != "unknown" else "ANY"
    REQUESTS.labels(method, route, str(status)).inc()
    SECONDS.labels(method, route).observe(seconds)


def _route(scope: Scope) -> str:
    """Return the path's template, so that ids do not become labels."""
    if "endpoint" not in scope:
        return "unknown"
    return _templates(scope["app"]).get(scope["endpoint"], "unknown")


@lru_cache(maxsize=4)  # a process has one application, its tests a few
def _templates(app: Any) -> dict[Any, str]:
    return {route.endpoint: route.path_format for route in app.routes}
