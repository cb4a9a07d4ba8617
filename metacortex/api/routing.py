"""The two kinds of routes: lean ones for hot paths, and FastAPI's own in the envelope.

A lean route reads and writes bytes itself; its signature only describes it. On all
others FastAPI parses, validates and serializes as usual
(docs/decisions/0007-http.md).
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zlib import crc32

from fastapi import APIRouter, Depends
from fastapi._compat import field_annotation_is_sequence
from fastapi.datastructures import Default, DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_typed_return_annotation
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import Message

from metacortex.api import parsing
from metacortex.api.auth import Role
from metacortex.api.dependencies import requires
from metacortex.api.envelope import JSON, request_id
from metacortex.api.middleware import effective_route, with_second_try
from metacortex.api.schemas import Envelope, enveloped, named_envelope
from metacortex.api.services import Handler, services_of
from metacortex.kernel.errors import Invalid


def describe_signature(handler: Handler, *parameters: inspect.Parameter) -> Handler:
    """Return an endpoint with the parameters that the document shows of a handler."""

    async def endpoint(request: Request) -> Response:
        return await handler(request)

    endpoint.handler = handler  # type: ignore[attr-defined]
    endpoint.__signature__ = inspect.Signature(list(parameters))  # type: ignore
    return endpoint


def parameter(name: str, annotation: Any, default: Any = ...) -> inspect.Parameter:
    """Return a parameter of an endpoint's signature; without a default, required."""
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is ... else default,
        annotation=annotation,
    )


class LeanRoute(APIRoute):
    """A route whose endpoint takes the request and answers with bytes.

    FastAPI reads the signature for the document and nothing else: dependencies and
    `dependency_overrides` have no effect here.
    """

    lean: Handler

    def __init__(self, path: str, endpoint: Handler, **given: Any) -> None:
        """Take the endpoint of `describe_signature`, and the handler in it."""
        self.lean = endpoint.handler  # type: ignore[attr-defined]
        super().__init__(path, endpoint, **given)

    def get_route_handler(self) -> Any:
        """Return the handler itself, in place of one that parses and validates."""
        return self.lean


class EnvelopeRoute(APIRoute):
    """A FastAPI route whose answers stand in the envelope.

    What the endpoint returns becomes `data`, unless it is an `Envelope` or a
    `Response`. Refuses what the contract refuses: unknown and repeated query
    parameters, compressed bodies, other media types, NaN.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        response_model: Any = Default(None),  # noqa: B008  # as FastAPI has it
        **given: Any,
    ) -> None:
        """Wrap the response model, in the answer and in the document."""
        model = _response_model(endpoint, response_model, given)
        super().__init__(path, endpoint, response_model=model, **given)

    def get_route_handler(self) -> Any:
        """Return FastAPI's handler behind our checks of the request."""
        handler, names = super().get_route_handler(), _Names()

        async def handle(request: Request) -> Response:
            route = effective_route(request.scope)
            dependant: Dependant = route.dependant
            if is_protected(dependant):  # before FastAPI parses the body
                services_of(request).caller(request)
            names.check(request, dependant)
            if route.body_field is not None and _takes_json(route.body_field):
                await _read_json(request)
            else:
                _limit_body(request)
            return _tagged(request, await with_second_try(handler, request))

        return handle


def adopt(router: APIRouter) -> None:
    """Make the ordinary routes of a router answer in the envelope."""
    if router.route_class is APIRoute:
        router.route_class = EnvelopeRoute
    for route in router.routes:
        if type(route) is APIRoute:
            _adopt_route(route)
        elif (included := _included(route)) is not None:
            adopt(included)


def _included(route: BaseRoute) -> APIRouter | None:
    found = getattr(route, "original_router", None)
    return found if isinstance(found, APIRouter) else None


def _adopt_route(route: APIRoute) -> None:
    """Turn a plain route into one of ours, in place: other routers hold it, too."""
    model = Default(None) if route.response_model is None else route.response_model
    given = {name: getattr(route, name) for name in _ARGUMENTS}
    ours = EnvelopeRoute(route.path, route.endpoint, response_model=model, **given)
    route.__class__ = EnvelopeRoute
    route.__dict__.update(ours.__dict__)


_ARGUMENTS = tuple(
    name
    for name in inspect.signature(APIRoute.__init__).parameters
    if name not in ("self", "path", "endpoint", "response_model")
)


def _response_model(
    endpoint: Callable[..., Any], model: Any, given: dict[str, Any]
) -> Any:
    """Return the response model in the envelope; None where an answer is no JSON."""
    response_class = given.get("response_class", JSONResponse)
    if isinstance(response_class, DefaultPlaceholder):
        response_class = response_class.value
    if not issubclass(response_class, JSONResponse) or given.get("status_code") == 204:
        return model
    if inspect.isasyncgenfunction(endpoint) or inspect.isgeneratorfunction(endpoint):
        return model
    if isinstance(model, DefaultPlaceholder):
        model = get_typed_return_annotation(endpoint)
        if inspect.isclass(model) and issubclass(model, Response):
            return None
    if model is None or model is inspect.Signature.empty:
        model = Any
    return named_envelope(model) if _is_envelope(model) else enveloped(model)


def _is_envelope(model: Any) -> bool:
    return inspect.isclass(model) and issubclass(model, Envelope)


def is_protected(dependant: Dependant) -> bool:
    """Tell whether a route depends on the caller."""
    return any(
        getattr(one.call, "is_authentication", False) or is_protected(one)
        for one in dependant.dependencies
    )


class _Names:
    """The query parameters that a route takes, worked out at its first request."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[frozenset[str], frozenset[str]]] = {}

    def check(self, request: Request, dependant: Dependant) -> None:
        """Refuse parameters that are unknown, and repeats where one is taken.

        An endpoint that takes the `Request` itself reads what it likes.
        Raises Malformed.
        """
        query = request.scope["query_string"]
        if not query or dependant.request_param_name:
            return
        if id(dependant) not in self._known:
            self._known[id(dependant)] = _query_names(dependant)
        known, multiple = self._known[id(dependant)]
        parsing.check_names(query.decode("latin-1"), known, multiple)


def _query_names(dependant: Dependant) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of the query parameters, and of those that take many values."""
    known: set[str] = set()
    multiple: set[str] = set()
    for field in _query_params(dependant):
        model = field.field_info.annotation
        if inspect.isclass(model) and issubclass(model, BaseModel):
            fields = {f.alias or name: f for name, f in model.model_fields.items()}
            many = {
                n
                for n, f in fields.items()
                if field_annotation_is_sequence(f.annotation)
            }
        else:
            fields = {field.alias: field.field_info}
            many = {field.alias} if field_annotation_is_sequence(model) else set()
        known |= fields.keys()
        multiple |= many
    return frozenset(known), frozenset(multiple)


def _query_params(dependant: Dependant) -> Iterator[Any]:
    """Return the query parameters of a route and of all that it depends on."""
    yield from dependant.query_params
    for one in dependant.dependencies:
        yield from _query_params(one)


def _takes_json(body_field: Any) -> bool:
    media: str = getattr(body_field.field_info, "media_type", JSON)
    return media == JSON


def _limit_body(request: Request) -> None:
    """Refuse to receive more of a form, or of raw bytes, than the limit.

    FastAPI passes on an `HTTPException` from here; anything else would be 400.
    """
    limit, received = parsing.body_limit(request), 0
    receive = request.receive

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413)
        return message

    request._receive = limited


async def _read_json(request: Request) -> None:
    """Parse the body by our rules, and leave it where FastAPI finds it parsed."""
    body = await parsing.read_body(request, parsing.body_limit(request))
    request._body = body
    if body:
        request._json = parsing.parse_json(request, body)
        if request._json is None:  # FastAPI would take it for no body at all
            raise Invalid(
                "invalid_field", "Input should not be null", source={"pointer": ""}
            )


def _tagged(request: Request, response: Response) -> Response:
    """Return the answer with an `ETag` of its content, or 304 if it has not changed."""
    body = getattr(response, "body", None)
    is_query = request.method in ("GET", "HEAD") and response.status_code == 200
    if not is_query or not body or "etag" in response.headers:
        return response
    if response.media_type != JSON:
        return response
    content = bytes(body).replace(request_id(request).encode(), b"")
    tag = f'W/"{crc32(content):x}-{len(content):x}"'
    response.headers["ETag"] = tag
    if not parsing.matches(request, tag):
        return response
    kept = {
        name: value
        for name, value in response.headers.items()
        if name not in ("content-length", "content-type")
    }
    return Response(status_code=304, headers=kept)


class Router(APIRouter):
    """A router of ours: answers in the envelope, absent fields left out."""

    def __init__(self, *, roles: Sequence[Role] | None = None, **given: Any) -> None:
        """Let in the roles; None for everybody, without a token."""
        guards = [] if roles is None else [Depends(requires(*roles))]
        super().__init__(route_class=EnvelopeRoute, dependencies=guards, **given)

    def add_api_route(self, path: str, endpoint: Any, **given: Any) -> None:
        """Add a route whose answers leave out what was not set."""
        if endpoint is not None and not given.get("response_model_exclude_unset"):
            given["response_model_exclude_unset"] = True
        super().add_api_route(path, endpoint, **given)
