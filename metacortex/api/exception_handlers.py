"""Exceptions of FastAPI's stack, as answers in the envelope."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from metacortex.api import envelope, parsing
from metacortex.api.errors import HttpError
from metacortex.api.middleware import GONE
from metacortex.api.web import WebApp
from metacortex.kernel.driver_errors import public
from metacortex.kernel.errors import (
    Malformed,
    MetaCortexError,
    NotFound,
    Several,
    TooLarge,
    WrongMethod,
)

Handler = Callable[[Request, Any], Any]


async def on_error(request: Request, error: MetaCortexError) -> Response:
    """Answer an error of ours."""
    return envelope.refuse(request, error)


async def on_invalid(request: Request, error: RequestValidationError) -> Response:
    """Answer what FastAPI could not validate, one error for each place."""
    found = [_invalid(one) for one in error.errors()[: parsing.TOLD + 1]]
    only = found[0] if len(found) == 1 else Several(found)
    return envelope.refuse(request, only)


def _invalid(found: Mapping[str, Any]) -> MetaCortexError:
    """Return the error of one place; `loc` begins with where it stands."""
    where, *path = found["loc"]
    if found["type"] == "json_invalid":
        return Malformed("malformed_json", str(found["ctx"]["error"]))
    inner = {"input": None, **found, "loc": path}
    if where == "body":
        return parsing.field_error(inner)
    if where in ("header", "cookie"):
        return parsing.header_error(str(path[0]), str(found["msg"]))
    return parsing.parameter_error(inner)


async def on_http_exception(request: Request, error: HTTPException) -> Response:
    """Answer an `HTTPException`, of an endpoint or of the router itself."""
    found = _of_router(request, error.status_code)
    if isinstance(found, NotFound) and (page := _page(request)) is not None:
        return page
    headers = dict(error.headers or {})
    detail = error.detail if isinstance(error.detail, str) else ""
    if isinstance(found, WrongMethod):
        headers["Allow"] = ", ".join(_allowed(request))
    if found is None:
        found = HttpError(error.status_code, detail)
    return envelope.refuse(request, found, headers)


def _page(request: Request) -> Response | None:
    """Return the page of the web app where the browser asks for one."""
    web: WebApp | None = getattr(request.app.state, "web", None)
    return None if web is None else web.find(request)


def _of_router(request: Request, status: int) -> MetaCortexError | None:
    """Return the error that the framework means where no endpoint has run."""
    if status == 405:
        return WrongMethod("method_not_allowed")
    if status == 413:
        limit = parsing.body_limit(request)
        return TooLarge("body_too_large", meta={"limit": limit})
    if status == 404 and "route" not in request.scope:
        return NotFound("route_not_found")
    return None


def _allowed(request: Request) -> list[str]:
    """Return the methods that some route takes at the path of a request."""
    routes: list[BaseRoute] = request.app.router.routes
    found = {
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        for route in routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


async def on_exception(request: Request, error: Exception) -> Response:
    """Answer any other exception; the middleware logs it."""
    return envelope.refuse(request, public(error))


async def on_disconnect(request: Request, error: ClientDisconnect) -> Response:
    """Answer a client that is not there any more: for the log."""
    return Response(status_code=GONE)


HANDLERS: Mapping[Any, Handler] = {
    MetaCortexError: on_error,
    ClientDisconnect: on_disconnect,
    RequestValidationError: on_invalid,
    HTTPException: on_http_exception,
    Exception: on_exception,
}
