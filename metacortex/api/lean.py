"""The lean routes, declared on FastAPI's router from the tables of the modules.

Their signatures describe body, parameters and headers for the document alone.
"""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Header, Path, Query
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute

from metacortex.api import commands, feeds
from metacortex.api.fields import Parameters
from metacortex.api.modules import (
    MODULES,
    BatchRequest,
    BatchResults,
    Changed,
    Resource,
)
from metacortex.api.pages import ListRoute, PageParameters, list_handler
from metacortex.api.routes import (
    CommandRoute,
    ModuleRoutes,
    PastParameters,
    command_handler,
    get_handler,
    history_handler,
)
from metacortex.api.routing import LeanRoute, describe_signature, parameter
from metacortex.api.schemas import (
    Activity,
    BatchMeta,
    ChangesMeta,
    CommandMeta,
    PageMeta,
    QueryMeta,
    enveloped,
)
from metacortex.api.services import Handler
from metacortex.commands.registry import COMMANDS

BATCH_DESCRIPTION = """In one transaction, in order; a later command may refer to what
an earlier one creates. `all`: one refusal undoes everything, and its `source` names the
command. `per_item`: each has its own outcome, and the answer is 207."""
COMMAND_HEADERS = ("Idempotency-Key", "If-Match")
READ_HEADERS = ("Metacortex-Min-Sequence", "Prefer", "If-None-Match")


def add_lean_routes(router: APIRouter, prefix: str) -> None:
    """Add all lean routes below a prefix."""
    for module in MODULES:
        base = f"{prefix}/{module.plural}"
        for command in module.commands:
            path = prefix + command.at if command.at else base + command.path
            _add_command(router, path, module, command)
        if module.listing is not None:
            _add_queries(router, base, module, module.listing)
    _add_command_routes(router, prefix)
    _add_feeds(router, prefix)


def lean_routes(routes: Sequence[BaseRoute]) -> Iterator[RouteContext]:
    """Return the lean ones among all routes of an application."""
    for context in iter_route_contexts(routes):
        if isinstance(context.original_route, LeanRoute):
            yield context


def _add(
    router: APIRouter,
    method: str,
    path: str,
    handler: Handler,
    operation_id: str,
    summary: str,
    *,
    parameters: Iterable[inspect.Parameter] = (),
    headers: Iterable[str] = (),
    **given: Any,
) -> None:
    found = [*parameters, *map(_header, headers)]
    if "{id" in path:
        found.insert(0, parameter("id", Annotated[UUID, Path()]))
    router.add_api_route(
        path,
        describe_signature(handler, *found),
        methods=[method],
        name=operation_id,
        operation_id=operation_id,
        summary=summary,
        route_class_override=LeanRoute,
        **given,
    )


def many(item: Any) -> Any:
    """Return the type of a list of something that is only known at run time."""
    return list[item]


def _header(name: str) -> inspect.Parameter:
    annotation = Annotated[str | None, Header(alias=name)]
    return parameter(name.lower().replace("-", "_"), annotation, None)


def _query(model: type[Parameters]) -> inspect.Parameter:
    return parameter("query", Annotated[model, Query()])


def _body(model: Any) -> inspect.Parameter:
    """Return the body; it may be absent where no field is required."""
    if any(field.is_required() for field in model.model_fields.values()):
        return parameter("body", Annotated[model, Body()])
    return parameter("body", Annotated[model | None, Body()], None)


def _add_command(
    router: APIRouter, path: str, module: ModuleRoutes, command: CommandRoute
) -> None:
    verb = command.name.partition(".")[2]
    has_body = command.method != "DELETE"
    _add(
        router,
        command.method,
        path.replace("{id}", "{id:uuid}"),
        command_handler(command, module.plural if module.listing else None),
        f"{verb}{module.noun}",
        command.summary,
        description=inspect.getdoc(COMMANDS[command.name]),
        parameters=[_body(command.body)] if has_body else [],
        headers=COMMAND_HEADERS,
        tags=[module.plural],
        status_code=command.status,
        response_model=enveloped(command.answers or module.schema, CommandMeta),
        openapi_extra={"x-command-type": command.name},
    )


def _add_queries(
    router: APIRouter, base: str, module: ModuleRoutes, listing: ListRoute
) -> None:
    type = module.stream_type
    _add(
        router,
        "GET",
        base,
        list_handler(listing),
        f"list{module.plural.capitalize()}",
        listing.summary,
        description="A page of those that pass all filters, with the exact total.",
        parameters=[_query(listing.parameters)],
        headers=READ_HEADERS,
        tags=[module.plural],
        response_model=enveloped(many(module.listed), PageMeta),
    )
    _add(
        router,
        "GET",
        base + "/{id:uuid}",
        get_handler(module),
        f"get{module.noun}",
        f"Get a {type}",
        parameters=[_query(PastParameters)],
        headers=READ_HEADERS,
        tags=[module.plural],
        description="As it is, as it was at an instant, or at a version.",
        response_model=enveloped(module.schema, QueryMeta),
    )
    _add(
        router,
        "GET",
        base + "/{id:uuid}/history",
        history_handler(module),
        f"get{module.noun}History",
        f"Who changed this {type}, when, from what to what",
        description="Its task log, newest entry first.",
        parameters=[_query(PageParameters)],
        headers=READ_HEADERS,
        tags=[module.plural],
        response_model=enveloped(list[Activity], PageMeta),
    )


def _add_command_routes(router: APIRouter, prefix: str) -> None:
    results = enveloped(BatchResults, BatchMeta)
    _add(
        router,
        "POST",
        prefix + "/commands",
        commands.batch,
        "runCommands",
        "Run up to 100 commands in order",
        description=BATCH_DESCRIPTION,
        parameters=[_body(BatchRequest), _query(commands.BatchParameters)],
        tags=["commands"],
        response_model=results,
        responses={207: {"model": results, "description": "Each on its own"}},
    )
    _add(
        router,
        "POST",
        prefix + "/commands/{id:uuid}/undo",
        commands.undo,
        "undoCommand",
        "Undo a command",
        description=inspect.getdoc(COMMANDS["command.undo"]),
        headers=COMMAND_HEADERS[:1],
        tags=["commands"],
        response_model=enveloped(Resource, CommandMeta),
    )


def _add_feeds(router: APIRouter, prefix: str) -> None:
    _add(
        router,
        "GET",
        prefix + "/changes",
        feeds.changes,
        "listChanges",
        "What changed after a sequence",
        description="Each resource that changed, once, as it is now. Repeat with"
        " `next_since` while there is `more`.",
        parameters=[_query(feeds.ChangeParameters)],
        headers=READ_HEADERS,
        tags=["feeds"],
        response_model=enveloped(list[Changed], ChangesMeta),
    )
    _add(
        router,
        "GET",
        prefix + "/events/stream",
        feeds.stream,
        "streamEvents",
        "Events as they become visible",
        headers=["Last-Event-ID"],
        tags=["feeds"],
        description=feeds.STREAM_DESCRIPTION,
    )
