"""The one ASGI layer of ours: ids, lean routes, errors, headers, CORS, metrics.

Lean routes are answered from a table; everything else goes to FastAPI's own stack
(docs/decisions/0007-http.md). Nothing is buffered. An unexpected error is logged once,
with its traceback, and answered in the envelope without it.
"""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from fastapi.routing import RouteContext, _get_scope_effective_route_context
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metacortex.api import envelope
from metacortex.api.head import HeadRequest, Raw, too_large
from metacortex.api.parsing import header_error, sane
from metacortex.api.proxies import Proxies, parsed
from metacortex.api.rates import Window
from metacortex.api.request_log import RequestLog
from metacortex.api.schemas import REQUEST_ID
from metacortex.api.services import Handler
from metacortex.kernel import tracing
from metacortex.kernel.driver_errors import public, report, worth_another
from metacortex.kernel.errors import Malformed, MetaCortexError, NotFound
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

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "OTHER"  # the label of all other methods, of which anybody can send many

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-site",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
HSTS = "max-age=31536000; includeSubDomains"  # a year, as OWASP ASVS 3.4.1 asks
GONE = 499  # nobody is there to read it: nginx's number for a client that hung up
PRIVATE = b"private, no-cache"  # may be kept, must be asked about
NEVER = b"no-store"
ENDING = frozenset({408, 413, 414, 431})
"""After these answers the connection ends: the rest may be long."""
VARY = b"Authorization, Origin"

SINGLE = (
    b"authorization",
    b"idempotency-key",
    b"if-match",
    b"last-event-id",
    b"metacortex-min-sequence",
)
"""Headers that mean one thing; two of them would mean either."""

PREFIX = "/api/v1"

_ID = re.compile("(?<=/)[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}(?=/|$)")


@dataclass(frozen=True, slots=True)
class LeanEndpoint:
    """A handler, and the path template under which it is counted."""

    template: str
    handler: Handler


class RouteTable:
    """Lean endpoints by method and path template; a template has one id at most.

    What is not found here goes to FastAPI's router, which knows these routes as well.
    """

    def __init__(self, contexts: Iterable[RouteContext]) -> None:
        """Take the routes that are lean."""
        self._plain: dict[tuple[str, str], LeanEndpoint] = {}
        self._with_id: dict[tuple[str, str], LeanEndpoint] = {}
        for context in contexts:
            template = context.path_format or ""
            found = self._with_id if "{" in template else self._plain
            handler: Handler = context.original_route.lean  # type: ignore[attr-defined]
            endpoint = LeanEndpoint(template, handler)
            for method in context.methods or ():
                found[method, template] = endpoint
                if method == "GET":
                    found["HEAD", template] = endpoint

    def find(self, method: str, path: str) -> tuple[LeanEndpoint | None, UUID | None]:
        """Return the endpoint of a request, and the id in its path."""
        if (endpoint := self._plain.get((method, path))) is not None:
            return endpoint, None
        if (match := _ID.search(path)) is None:
            return None, None
        template = f"{path[: match.start()]}{{id}}{path[match.end() :]}"
        if (endpoint := self._with_id.get((method, template))) is None:
            return None, None
        return endpoint, UUID(match[0])


class Middleware:
    """Our layer around the application: lean routes, and FastAPI's stack behind them.

    What every answer carries is added here: ids, security headers, CORS, metrics. An
    exception ends here: logged once, answered, never raised to the server.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        table: RouteTable,
        cors: CORSMiddleware,
        hsts: bool,
        body_limit: int,
        proxies: Proxies,
        log: RequestLog,
    ) -> None:
        """Put `table` in front of `app`; `cors` is asked for its policy only."""
        self._log = log
        self._proxies = proxies
        self._app = app
        self._table = table
        self._cors = cors
        self._fixed = security_headers(hsts)
        self._body_limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request = HeadRequest(scope, receive, send)
        ids = _ids(request.headers)
        scope["metacortex"] = about = {**ids, "body_limit": self._body_limit}
        about["ip"] = self._address(scope, request.headers)
        endpoint, id = self._table.find(scope["method"], scope["path"])
        answer = _Answer(self, request, ids)
        span = None
        if tracing.tracer is not None:
            span = _begin_span(request, ids)
        IN_FLIGHT.inc()
        try:
            early = self._early(request)
            if early is not None:
                await answer.send(early)
            elif endpoint is not None:
                scope["path_params"] = {} if id is None else {"id": id}
                await answer.send(await _respond(request, endpoint.handler))
            else:
                await answer.run(self._app)
        finally:
            IN_FLIGHT.dec()
            template = endpoint.template if endpoint else answer.template
            elapsed = time.perf_counter() - began
            method = scope["method"] if scope["method"] in METHODS else OTHER
            _count(method, template, answer.status, elapsed)
            self._log.answered(about, method, template, answer.status, elapsed)
            if span is not None:
                tracing.end_request(span, method, template, answer.status)

    def _early(self, request: HeadRequest) -> Response | None:
        """Return the answer to a preflight, or to a request that nobody may handle."""
        if (error := too_large(request.scope)) is not None:
            return envelope.refuse(request, error)
        if _is_preflight(request):
            return self._preflight(request)
        for name in request.headers.repeated.intersection(SINGLE):
            error = header_error(name.decode(), "It is given twice")
            return envelope.refuse(request, error)
        raw = request.scope.get("raw_path")
        if raw is not None and b"%2f" in raw.lower() and _is_api(request):
            # an encoded slash is no separator (RFC 3986, section 2.2)
            error = NotFound("route_not_found")
            return envelope.refuse(request, error)
        return None

    def _preflight(self, request: HeadRequest) -> Response:
        """Return what a browser may send from a page of another origin."""
        found = self._cors.preflight_response(request.headers)
        if found.status_code == 200:
            return found
        kept = {k: v for k, v in found.headers.items() if not k.startswith("content-")}
        error = Malformed("invalid_header", bytes(found.body).decode())
        return envelope.refuse(request, error, kept)

    def _address(self, scope: Scope, headers: Headers) -> str | None:
        """Return the client's address; take what a trusted proxy says of it."""
        peer = scope["client"][0] if scope.get("client") else None
        forwarded = headers.get("x-forwarded-for")
        if forwarded is not None or "x-forwarded-proto" in headers:
            if self._proxies.trusts(parsed(peer)):
                proto = headers.get("x-forwarded-proto", "")
                scope["scheme"] = "https" if proto == "https" else scope["scheme"]
        return self._proxies.client(peer, forwarded)

    def decorate(
        self, headers: Raw, status: int, request: HeadRequest, ids: Mapping[str, str]
    ) -> None:
        """Add what every answer carries, where the handler has not set it itself."""
        given = {name for name, _ in headers}
        headers += [it for it in self._fixed if it[0] not in given]
        headers.append((b"x-request-id", ids["request_id"].encode("latin-1")))
        headers.append((b"x-correlation-id", ids["correlation_id"].encode("latin-1")))
        if b"vary" not in given:
            headers.append((b"vary", VARY))
        if b"cache-control" not in given:
            fine = request.method in ("GET", "HEAD") and status < 400
            headers.append((b"cache-control", PRIVATE if fine else NEVER))
        window: Window | None = request.scope["metacortex"].get("window")
        if window is not None:
            headers.append((b"ratelimit-policy", window.quota.policy))
            headers.append((b"ratelimit", window.left()))
        if status in ENDING:
            headers.append((b"connection", b"close"))
        origin = request.headers.get("origin")
        if origin is not None and b"access-control-max-age" not in given:
            headers += self._cors_headers(origin)

    def _cors_headers(self, origin: str) -> Raw:
        """Return the headers that let a page of another origin read the answer."""
        found = _raw(self._cors.simple_headers)
        if not self._cors.allow_all_origins and self._cors.is_allowed_origin(origin):
            allowed = origin.encode("latin-1")
            found.append((b"access-control-allow-origin", allowed))
        return found


class _Answer:
    """Sends the answer to one request, decorated, and knows its status."""

    def __init__(
        self, middleware: Middleware, request: HeadRequest, ids: Mapping[str, str]
    ) -> None:
        self._middleware = middleware
        self._request = request
        self._ids = ids
        self.status = 500
        self.template: str | None = None
        self._started = False

    async def send(self, response: Response) -> None:
        """Send a finished response."""
        request = self._request
        self.status = response.status_code
        self._middleware.decorate(response.raw_headers, self.status, request, self._ids)
        try:
            await response(request.scope, request.receive, request._send)
        except Exception as error:  # a stream that broke off: it cannot be answered
            _log(error, envelope.request_id(request))

    async def run(self, app: ASGIApp) -> None:
        """Let FastAPI's stack answer; whatever it raises is answered here."""
        request = self._request
        token = REQUEST_ID.set(self._ids["request_id"])
        scope = _as_get(request.scope)
        try:
            await app(scope, request.receive, self._forward)
        except Exception as error:
            response = unexpected(error, self._ids["request_id"])
            if not self._started:
                await self.send(response)
        finally:
            REQUEST_ID.reset(token)
            self.template = _template(scope)

    async def _forward(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started, self.status = True, message["status"]
            headers: Raw = list(message.get("headers", ()))
            self._middleware.decorate(headers, self.status, self._request, self._ids)
            message = {**message, "headers": headers}
        await self._request._send(message)


def _begin_span(request: HeadRequest, ids: Mapping[str, str]) -> tracing.RequestSpan:
    headers = request.headers
    names = ("traceparent", "tracestate")
    given = {name: value for name in names if (value := headers.get(name))}
    return tracing.begin_request(request.method, given, ids["correlation_id"])


async def with_second_try(handler: Handler, request: Request) -> Response:
    """Return the handler's answer; a read is tried once more where that may help."""
    try:
        return await handler(request)
    except Exception as error:
        if request.method not in ("GET", "HEAD") or not worth_another(error):
            raise
    return await handler(request)


async def _respond(request: HeadRequest, handler: Handler) -> Response:
    """Return a lean handler's answer, or that of the error that it raised."""
    try:
        return await with_second_try(handler, request)
    except MetaCortexError as error:
        return envelope.refuse(request, error)
    except ClientDisconnect:
        return Response(status_code=GONE)
    except Exception as error:
        return unexpected(error, envelope.request_id(request))


def _as_get(scope: Scope) -> Scope:
    """Return a HEAD request's scope as that of a GET, for routes that know only GET.

    A copy: the server reads the original to leave out the body.
    """
    if scope["method"] != "HEAD":
        return scope
    for route in scope["app"].router.routes:
        if route.matches(scope)[0] is Match.FULL:
            return scope
    return {**scope, "method": "GET"}


def _is_api(request: Request) -> bool:
    path: str = request.scope["path"]
    return path.startswith(PREFIX)


def effective_route(scope: Scope) -> Any:
    """Return the route that serves a request, as the routers around it define it."""
    return _get_scope_effective_route_context(scope) or scope["route"]


def _template(scope: Scope) -> str | None:
    """Return the path template of the route that answered, None if there was none."""
    if "route" in scope:
        found: str | None = getattr(effective_route(scope), "path_format", None)
        return found
    return "mounted" if "endpoint" in scope else None


def security_headers(hsts: bool = False) -> Raw:
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


def _ids(headers: Headers) -> dict[str, str]:
    request_id = sane(headers.get("x-request-id")) or str(new_id())
    return {
        "request_id": request_id,
        "correlation_id": sane(headers.get("x-correlation-id")) or request_id,
    }


def unexpected(error: Exception, request_id: str) -> Response:
    """Log an exception that no handler expected, and return its answer.

    A known error of the database driver is one line, anything else has a traceback.
    """
    _log(error, request_id)
    return envelope.failure(request_id, public(error))


def _log(error: Exception, request_id: str) -> None:
    report(logger, "request_failed", error, request_id=request_id)


_CHILDREN: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}


def _count(method: str, template: str | None, status: int, seconds: float) -> None:
    """Count an answer by its path's template, so that ids do not become labels."""
    if template is None:
        method, template = "ANY", "unknown"
    key = (method, template, status)
    children = _CHILDREN.get(key)
    if children is None:
        labels = key[:2]
        children = REQUESTS.labels(*labels, str(status)), SECONDS.labels(*labels)
        _CHILDREN[key] = children
    children[0].inc()
    children[1].observe(seconds)
