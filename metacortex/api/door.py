"""The door that every request passes: ids, routes, errors, headers, metrics.

One layer in place of the framework's seven (docs/decisions/0007-http.md). Pure ASGI, so
that nothing is buffered. An error that nobody foresaw is logged once, with its
traceback, and answered in the envelope without any of it; one of the database that is
known (kernel/driver_errors.py) is a line.
"""

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from metacortex.api import envelope
from metacortex.api.reading import header_error, sane
from metacortex.kernel.driver_errors import public, report, worth_another
from metacortex.kernel.errors import (
    MetaCortexError,
    NotFound,
    WrongMethod,
)
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
PRIVATE = b"private, no-cache"  # may be kept, must be asked about
NEVER = b"no-store"
VARY = b"Authorization, Origin"

SINGLE = (
    b"authorization",
    b"idempotency-key",
    b"if-match",
    b"last-event-id",
    b"metacortex-min-sequence",
)
"""Headers that mean one thing; two of them would mean either."""

Raw = list[tuple[bytes, bytes]]
Handler = Callable[[Request], Awaitable[Response]]


class _Headers(Headers):
    """A request's headers, found in one step; lines of one name are one list."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._found: dict[bytes, bytes] = dict(self.raw)
        self.repeated: set[bytes] = set()
        if len(self._found) != len(self.raw):
            for name in self._found:
                values = [value for one, value in self.raw if one == name]
                self._found[name] = b", ".join(values)
                if len(values) > 1:
                    self.repeated.add(name)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a header's value, by its name in lower case."""
        found = self._found.get(key.encode("latin-1"))
        return default if found is None else found.decode("latin-1")


class _Request(Request):
    """A request whose headers are read more than once."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._own = _Headers(scope)

    @property
    def headers(self) -> _Headers:
        """The headers; `get` wants names in lower case."""
        return self._own


@dataclass(frozen=True, slots=True)
class Place:
    """A path that exists: its template, and its handlers by method."""

    template: str
    handlers: Mapping[str, Handler]


class Directory:
    """The paths of the service: one id in each at most, so that they are looked up."""

    _ID = re.compile(
        "(?<=/)[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}(?=/|$)"
    )

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._plain: dict[str, dict[str, Handler]] = {}
        self._with_id: dict[str, dict[str, Handler]] = {}
        for route in routes:
            assert isinstance(route, Route), "nothing is mounted"
            found = self._with_id if route.param_convertors else self._plain
            handlers = found.setdefault(route.path_format, {})
            handlers |= dict.fromkeys(route.methods or (), route.endpoint)

    def find(
        self, path: str, raw: bytes | None = None
    ) -> tuple[Place | None, UUID | None]:
        """Return what stands at a path, and the id in it.

        In the raw path an encoded slash is no separator (RFC 3986, section 2.2).
        """
        if raw is not None and b"%2f" in raw.lower():
            return None, None
        if (handlers := self._plain.get(path)) is not None:
            return Place(path, handlers), None
        if (match := self._ID.search(path)) is None:
            return None, None
        template = f"{path[: match.start()]}{{id}}{path[match.end() :]}"
        if (handlers := self._with_id.get(template)) is None:
            return None, None
        return Place(template, handlers), UUID(match[0])


class Door:
    """Serves the routes; whatever is not HTTP goes to `others`."""

    def __init__(
        self,
        routes: Iterable[BaseRoute],
        others: ASGIApp,
        *,
        cors: CORSMiddleware,
        hsts: bool,
    ) -> None:
        """`cors` is asked for its policy only."""
        self._directory = Directory(routes)
        self._others = others
        self._cors = cors
        self._fixed = fixed(hsts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._others(scope, receive, send)
            return
        began, status = time.perf_counter(), 500
        request = _Request(scope, receive, send)
        about = scope["metacortex"] = _about(request.headers)
        place, id = self._directory.find(scope["path"], scope.get("raw_path"))
        scope["path_params"] = {} if id is None else {"id": id}
        IN_FLIGHT.inc()
        try:
            response = await self._respond(request, place)
            self._decorate(response, request, about)
            status = response.status_code
            await response(scope, receive, send)
        finally:
            IN_FLIGHT.dec()
            _count(scope["method"], place, status, time.perf_counter() - began)

    async def _respond(self, request: _Request, place: Place | None) -> Response:
        """Return the answer, whatever happens."""
        id = envelope.request_id(request)
        try:
            if _is_preflight(request):
                return self._cors.preflight_response(request.headers)
            for name in request.headers.repeated.intersection(SINGLE):
                raise header_error(name.decode(), "It stands twice")
            if place is None:
                raise NotFound("route_not_found")
            handler = place.handlers.get(request.method)
            if handler is None:
                allowed = ", ".join(sorted(place.handlers))
                wrong = WrongMethod("method_not_allowed")
                return envelope.failure(id, wrong, {"Allow": allowed})
            return await _handled(handler, request)
        except MetaCortexError as error:
            return envelope.failure(id, error)
        except Exception as error:
            report(logger, "request_failed", error, request_id=id)
            return envelope.failure(id, public(error))

    def _decorate(
        self, response: Response, request: Request, about: Mapping[str, str]
    ) -> None:
        """Add what every answer carries, where the handler has not said it itself."""
        headers: Raw = response.raw_headers
        given = {name for name, _ in headers}
        headers += [it for it in self._fixed if it[0] not in given]
        headers.append((b"x-request-id", about["request_id"].encode("latin-1")))
        headers.append((b"x-correlation-id", about["correlation_id"].encode("latin-1")))
        if b"vary" not in given:
            headers.append((b"vary", VARY))
        if b"cache-control" not in given:
            fine = request.method in ("GET", "HEAD") and response.status_code < 400
            headers.append((b"cache-control", PRIVATE if fine else NEVER))
        origin = request.headers.get("origin")
        if origin is not None and b"access-control-max-age" not in given:
            headers += self._shared_with(origin)

    def _shared_with(self, origin: str) -> Raw:
        """Return the headers that let a page of another origin read the answer."""
        found = _raw(self._cors.simple_headers)
        if not self._cors.allow_all_origins and self._cors.is_allowed_origin(origin):
            allowed = origin.encode("latin-1")
            found.append((b"access-control-allow-origin", allowed))
        return found


def fixed(hsts: bool = False) -> Raw:
    """Return the security headers of every answer."""
    found = {**SECURITY, "Strict-Transport-Security": HSTS} if hsts else SECURITY
    return _raw(found)


def _raw(headers: Mapping[str, str]) -> Raw:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _is_preflight(request: Request) -> bool:
    return (
        request.method == "OPTIONS"
        and "origin" in request.headers
        and "access-control-request-method" in request.headers
    )


def _about(headers: Headers) -> dict[str, str]:
    request_id = sane(headers.get("x-request-id")) or str(new_id())
    return {
        "request_id": request_id,
        "correlation_id": sane(headers.get("x-correlation-id")) or request_id,
    }


async def _handled(handler: Handler, request: Request) -> Response:
    """Return the handler's answer; what only reads is tried once more if worth it."""
    try:
        return await handler(request)
    except Exception as error:
        if request.method not in ("GET", "HEAD") or not worth_another(error):
            raise
    return await handler(request)


_CHILDREN: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}


def _count(method: str, place: Place | None, status: int, seconds: float) -> None:
    """Count an answer by its path's template, so that ids do not become labels."""
    key = (
        ("ANY", "unknown", status)
        if place is None
        else (method, place.template, status)
    )
    children = _CHILDREN.get(key)
    if children is None:
        labels = key[:2]
        children = REQUESTS.labels(*labels, str(status)), SECONDS.labels(*labels)
        _CHILDREN[key] = children
    children[0].inc()
    children[1].observe(seconds)
