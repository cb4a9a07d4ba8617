"""Commands by name: batches, receipts and undo."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import envelope, parsing
from metacortex.api.auth import Caller, Role
from metacortex.api.dependencies import CurrentRead
from metacortex.api.envelope import sequence_header
from metacortex.api.errors import describe, status_of
from metacortex.api.fields import Body, Id, Nothing, Parameters, at_most
from metacortex.api.modules import COMMANDS as ROUTES
from metacortex.api.modules import KEY, VERSION_LIMIT
from metacortex.api.pages import PageParameters, list_query, send_page
from metacortex.api.routes import (
    answered,
    command_meta,
    command_request,
    note_answers,
    parse,
    refuse_parameters,
    resource_of,
)
from metacortex.api.routing import Router
from metacortex.api.schemas import (
    CommandEntry,
    Envelope,
    PageMeta,
    QueryMeta,
    Receipt,
    answer,
)
from metacortex.api.services import USERS, allow, services_of
from metacortex.commands import receipts
from metacortex.commands.message import Answer, CommandRequest, Result, Unit
from metacortex.commands.undo import UNDO, Undo
from metacortex.kernel.clock import rfc3339
from metacortex.kernel.database import ReadConnection, autocommit
from metacortex.kernel.errors import (
    Invalid,
    Malformed,
    MetaCortexError,
    NotFound,
    Several,
)
from metacortex.queries.receipts import ListCommands

BATCH_LIMIT = 100  # commands of one request, as Todoist has it

router = Router(roles=(*USERS, Role.AUDITOR), tags=["commands"])
_of_users = Router(roles=USERS, tags=["commands"])


class BatchItem(Body):
    """One command of a batch; its id is its idempotency key."""

    id: Annotated[str, Field(pattern=KEY, strict=True)]
    """Its idempotency key: a UUID, or any 1 to 255 characters."""
    type: Annotated[str, Field(strict=True)]
    """Such as task.create."""
    target: Id | None = None
    """What it is done to; only what creates takes none."""
    expected_version: (
        Annotated[int, Field(strict=True, ge=0, le=VERSION_LIMIT)] | None
    ) = None
    """The version that the client saw, as If-Match says it."""
    args: dict[str, Any] = {}
    """The body of the command's own route."""


class BatchBody(Body):
    """Commands in order; `all` or none of them, or each on its own."""

    atomicity: Literal["all", "per_item"] = "all"
    commands: Annotated[
        list[BatchItem],
        Field(min_length=1, max_length=BATCH_LIMIT),
        at_most(BATCH_LIMIT),
    ]

    examples = {
        "atomicity": "all",
        "commands": [
            {
                "id": "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a02",
                "type": "task.create",
                "args": {"title": "Pack"},
            }
        ],
    }


class BatchParameters(Parameters):
    """Whether to keep what is decided."""

    dry_run: bool = False
    """Decide and answer as ever, but keep nothing."""


async def batch(request: Request) -> Response:
    """Run a batch of commands in one transaction."""
    services = services_of(request)
    for name in ("Idempotency-Key", "If-Match"):
        if name.lower() in request.headers:
            raise parsing.header_error(name, "Each command says it for itself")
    caller = await services.member(request)
    raw = await parsing.read_json(request, services.body_limit)
    given = parsing.parameters(BatchParameters, request.url.query)
    body = parsing.validated(BatchBody, raw)
    atomic = body.atomicity == "all"
    requests = _requests(request, caller, body, atomic)
    _check_distinct(requests)
    good = [one for one in requests if isinstance(one, CommandRequest)]
    results: list[Result] = []
    if good:
        unit = Unit(requests=good, atomic=atomic, dry=given.dry_run)
        results = await services.lane.submit(unit)
        note_answers(request, results)
    if atomic:
        return _all(request, body, results, given.dry_run)
    found = iter(results)
    merged = [
        next(found) if isinstance(one, CommandRequest) else one for one in requests
    ]
    return _per_item(request, body, merged, given.dry_run)


def _requests(
    request: Request, caller: Caller, body: BatchBody, atomic: bool
) -> list[CommandRequest | MetaCortexError]:
    """Return the commands, or what is wrong with them. Raises Several if atomic."""
    found = []
    bad: list[MetaCortexError] = []
    for index, item in enumerate(body.commands):
        one = _request(request, caller, item, index)
        found.append(one)
        if isinstance(one, MetaCortexError):
            bad += envelope.several(one)
        if atomic and len(bad) > parsing.TOLD:
            break
    if atomic and bad:
        raise Several(bad)
    return found


def _request(
    request: Request, caller: Caller, item: BatchItem, index: int
) -> CommandRequest | MetaCortexError:
    """Return the command of an item, or what is wrong with it."""
    prefix = f"/commands/{index}"
    try:
        route = ROUTES.get(item.type)
        if route is None:
            source = {"pointer": f"{prefix}/type"}
            raise Invalid("unknown_command", source=source)
        if (item.target is None) != (route.path == ""):
            source = {"pointer": f"{prefix}/target"}
            code = "missing_field" if item.target is None else "unknown_field"
            raise Invalid(code, source=source)
        allow(caller, route.roles)
        id = _command_id(item.id, caller, prefix)
        parsed = parse(
            route,
            caller,
            id,
            item.target,
            item.args,
            item.expected_version,
            f"{prefix}/args",
        )
        return command_request(request, caller, parsed)
    except MetaCortexError as error:
        return error


def _command_id(key: str, caller: Caller, prefix: str) -> UUID:
    try:
        return parsing.as_command_id(key, caller)
    except Malformed as error:
        source = {"pointer": f"{prefix}/id"}
        raise Invalid("invalid_field", error.detail, source=source) from None


def _check_distinct(requests: list[CommandRequest | MetaCortexError]) -> None:
    seen: set[Any] = set()
    for index, one in enumerate(requests):
        if isinstance(one, CommandRequest):
            if one.context.command_id in seen:
                source = {"pointer": f"/commands/{index}/id"}
                raise Invalid("invalid_field", "The id stands twice", source=source)
            seen.add(one.context.command_id)


def _all(
    request: Request, body: BatchBody, results: list[Result], dry: bool
) -> Response:
    if isinstance(results[-1], MetaCortexError):
        raise _pointed(results[-1], f"/commands/{len(results) - 1}")
    return _results(request, body, results, dry, 200)


def _pointed(error: MetaCortexError, prefix: str) -> MetaCortexError:
    """Return the error with its source inside the batch."""
    pointer = prefix
    if error.source and "pointer" in error.source:
        pointer = f"{prefix}/args{error.source['pointer']}"
    return type(error)(
        error.code, error.detail, source={"pointer": pointer}, meta=error.meta
    )


def _per_item(
    request: Request, body: BatchBody, results: list[Result], dry: bool
) -> Response:
    return _results(request, body, results, dry, 207)


def _results(
    request: Request, body: BatchBody, results: list[Result], dry: bool, status: int
) -> Response:
    items, told = [], 0
    for index, (item, result) in enumerate(zip(body.commands, results)):
        items.append(_item(item, index, result, max(1, parsing.TOLD - told)))
        told += len(items[-1]["errors"])
    data = orjson.dumps({"results": items})
    sequences = [it.sequence for it in results if isinstance(it, Answer)]
    meta: dict[str, Any] = {"dry_run": dry}
    headers = {}
    if sequences and not dry:
        meta["sequence"] = max(sequences)
        headers["Metacortex-Sequence"] = str(meta["sequence"])
    return envelope.answer(request, data, meta, status=status, headers=headers)


def _item(item: BatchItem, index: int, result: Result, most: int) -> dict[str, Any]:
    """Return what an answer tells of a command; of its errors this many at most."""
    if isinstance(result, MetaCortexError):
        found = envelope.several(result)
        errors = [
            describe(_pointed(one, f"/commands/{index}") if _inner(one) else one)
            for one in found[:most]
        ]
        return {
            "id": item.id,
            "status": status_of(result),
            "data": None,
            "meta": {"more": True} if len(found) > most else {},
            "errors": errors,
        }
    return {
        "id": item.id,
        "status": ROUTES[item.type].status,
        "data": orjson.Fragment(resource_of(result)),
        "meta": command_meta(result),
        "errors": [],
    }


def _inner(error: MetaCortexError) -> bool:
    pointer = (error.source or {}).get("pointer", "")
    return not pointer.startswith("/commands/")


async def undo(request: Request) -> Response:
    """Take a command back."""
    services = services_of(request)
    caller = await services.member(request)
    raw = await parsing.read_json(request, services.body_limit)
    parsing.validated(Nothing, raw)
    refuse_parameters(request)
    target = parsing.path_id(request)
    id = parsing.command_id(request, caller)
    if "if-match" in request.headers:
        raise parsing.header_error("If-Match", "An undo finds later changes itself")
    context = parsing.context(request, caller, id)
    context.causation_id = str(target)  # tells which command is undone
    answer = await services.lane.send(
        CommandRequest(
            command=Undo(command_id=target),
            context=context,
            fingerprint=receipts.fingerprint(caller.user_id, UNDO, target),
        )
    )
    return answered(request, answer, 200, None, resource_of(answer))


class CommandFilters(PageParameters):
    """Whose commands."""

    mine: bool = False
    """true: only those of the caller."""


@_of_users.get(
    "/commands",
    operation_id="listCommands",
    summary="What was done, and what can be undone",
    response_model=Envelope[list[CommandEntry], PageMeta],
)
async def list_commands(
    request: Request, read: CurrentRead, filters: Annotated[CommandFilters, Query()]
) -> Response:
    """The commands that were applied, newest first."""
    given = filters.model_dump()
    mine = (read.caller.user_id,) if given.pop("mine") else ()
    query = list_query(
        ListCommands,
        read.caller.workspace_id,
        {**given, "actor_id": mine, "outcome": ("applied",)},
    )
    return await send_page(request, read, query)


router.include_router(_of_users)


@router.get(
    "/commands/{id:uuid}",
    operation_id="getCommand",
    summary="The outcome of a command",
    response_model=Envelope[Receipt, QueryMeta],
)
async def get_command(read: CurrentRead, response: Response, id: UUID) -> Any:
    """Its receipt: what it was, who sent it, and what it did or why not."""
    services, workspace_id = read.services, read.caller.workspace_id
    sequence = (await read.shown()).sequence
    async with autocommit(services.writes).connect() as connection:
        found = await receipts.find(ReadConnection(connection), workspace_id, id)
    if found is None:
        raise NotFound("not_found")
    response.headers.update(sequence_header(sequence))
    return answer(as_schema(found), read.meta(sequence))


def as_schema(found: receipts.Receipt) -> Mapping[str, Any]:
    """Return a receipt as answers show it."""
    stream = {"type": found.stream_type, "id": found.stream_id}
    return {
        "command_id": found.command_id,
        "type": found.type,
        "outcome": found.outcome,
        "actor": {"type": found.actor_type, "id": found.actor_id},
        "stream": stream if found.stream_id else None,
        "version": found.version,
        "first_sequence": found.first_sequence,
        "last_sequence": found.last_sequence,
        "recorded_at": rfc3339(found.recorded_at),
        "correlation_id": found.correlation_id,
        "request_id": found.request_id,
        "error": found.error,
    }
