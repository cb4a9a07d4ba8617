"""Lean routes of the modules, as tables: commands to the lane, queries to the reads.

A module lists what it offers in one `ModuleRoutes`; the handlers here serve all of
them. They stay lean: one parse, one validation, answers as bytes
(docs/decisions/0007-http.md).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import envelope, parsing
from metacortex.api.auth import Caller, Role
from metacortex.api.envelope import sequence_header
from metacortex.api.errors import Schema
from metacortex.api.fields import DIGITS, Body, Instant, Parameters
from metacortex.api.pages import ListRoute, PageParameters, list_query, page_handler
from metacortex.api.schemas import resource
from metacortex.api.services import (
    USERS,
    Handler,
    Read,
    allow,
    note_work,
    read_of,
    services_of,
)
from metacortex.commands import receipts
from metacortex.commands.message import Answer, CommandRequest, Result
from metacortex.commands.registry import COMMANDS
from metacortex.commands.repository import Stored
from metacortex.kernel.errors import Malformed
from metacortex.kernel.ids import derived, new_id
from metacortex.queries import fold
from metacortex.queries.activity import ListActivity
from metacortex.queries.page import ListQuery
from metacortex.queries.registry import PROJECTIONS
from metacortex.queries.tables import KEPT


@dataclass(frozen=True, slots=True)
class ExampleStep:
    """A command that an example needs done before, on itself or on another resource."""

    command: str
    target: UUID | None = None


@dataclass(frozen=True, slots=True)
class CommandRoute:
    """One command's route; `name` is that on disk, `path` stands below the module's.

    `errors` are the codes that its rules may answer with, besides the general ones;
    `example_after` is what the example in the document needs done before. `at` is a
    path in place of the module's. `target` tells what a command without an id in its
    path is about, where that is no new id. `view` makes `data` of the row afterwards
    where it is not the row itself; `answers` is its schema.
    """

    name: str
    method: str
    path: str
    body: type[Body]
    summary: str
    status: int = 200
    errors: Sequence[str] = ()
    lean: bool = True
    """Whether it has a route of its own here; if not, batches know it."""
    example_after: Sequence[ExampleStep] = ()
    at: str | None = None
    roles: Sequence[Role] = USERS
    target: Callable[[Caller, Body], UUID] | None = None
    view: Callable[[Caller, Any], Any] | None = None
    answers: type[Schema] | None = None


@dataclass(frozen=True, kw_only=True)
class ModuleRoutes:
    """All routes of a module; `description` stands above them in the document.

    Without a `listing` it has no queries here: no list, no single resource by id.
    """

    stream_type: str
    plural: str
    row: type[Any]
    description: str
    commands: Sequence[CommandRoute]
    listing: ListRoute | None = None

    @property
    def noun(self) -> str:
        """The name of its resource in the document, such as Task."""
        return self.stream_type.capitalize()

    @cached_property
    def schema(self) -> type[Schema]:
        """The schema of a single resource."""
        return resource(self.row, self.noun)

    @cached_property
    def listed(self) -> type[Schema]:
        """The schema of a row in the list, which may tell more."""
        if self.listing is None or self.listing.row is self.row:
            return self.schema
        return resource(self.listing.row, self.listing.row.__name__)


@lru_cache
def _named(command: str) -> tuple[str, frozenset[str]]:
    """Return the field that a command's target goes to, and the names of all."""
    names = [item.name for item in fields(COMMANDS[command])]
    return names[0], frozenset(names)


def build(
    route: CommandRoute,
    target: UUID,
    body: Body,
    command_id: UUID,
    *,
    as_owner: bool = False,
) -> Any:
    """Return the command that a body means for a target."""
    cls = COMMANDS[route.name]
    subject, names = _named(route.name)
    given = body.arguments()
    given.pop("id", None)
    given[subject] = target
    if "comment_id" in names:
        given.setdefault("comment_id", derived(command_id, "comment"))
    if "as_owner" in names:
        given["as_owner"] = as_owner
    return cls(**given)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command as it came; the fingerprint tells it from others of the same key."""

    route: CommandRoute
    target: UUID
    body: Body
    command_id: UUID
    fingerprint: bytes
    expected: int | None


def parse(
    route: CommandRoute,
    caller: Caller,
    command_id: UUID,
    target: UUID | None,
    raw: Any,
    expected: int | None,
    prefix: str = "",
) -> Parsed:
    """Validate a body for a command. Raises Several."""
    body = parsing.validated(route.body, raw, prefix)
    own = getattr(body, "id", None)
    mark = receipts.fingerprint(caller.user_id, route.name, target, raw, expected)
    id = target or own or _target(route, caller, body)
    return Parsed(route, id, body, command_id, mark, expected)


def _target(route: CommandRoute, caller: Caller, body: Body) -> UUID:
    return new_id() if route.target is None else route.target(caller, body)


def command_request(request: Request, caller: Caller, parsed: Parsed) -> CommandRequest:
    """Return what goes into the lane."""
    return CommandRequest(
        command=build(
            parsed.route,
            parsed.target,
            parsed.body,
            parsed.command_id,
            as_owner=caller.role is Role.OWNER,
        ),
        context=parsing.context(request, caller, parsed.command_id),
        fingerprint=parsed.fingerprint,
        expected_version=parsed.expected,
    )


def command_handler(route: CommandRoute, plural: str | None) -> Handler:
    """Return the handler of a command's route.

    `plural` is where what it makes can be found by id, None for nowhere.
    """

    async def handle(request: Request) -> Response:
        services = services_of(request)
        caller = allow(await services.member(request), route.roles)
        raw = await parsing.read_json(request, services.body_limit)
        refuse_parameters(request)
        target = parsing.path_id(request) if "id" in request.path_params else None
        id = parsing.command_id(request, caller)
        expected = parsing.expected_version(request)
        parsed = parse(route, caller, id, target, raw, expected)
        answer = await services.lane.send(command_request(request, caller, parsed))
        data = viewed(route, caller, answer)
        return answered(request, answer, route.status, plural, data)

    return handle


def viewed(route: CommandRoute, caller: Caller, answer: Answer) -> bytes:
    """Return what a command's own route answers as `data`."""
    if route.view is None:
        return resource_of(answer)
    stored, type = answer.stored, answer.receipt.stream_type
    row = None if stored is None or type is None else shown(type, stored)
    return orjson.dumps(route.view(caller, row))


def refuse_parameters(request: Request) -> None:
    """Refuse query parameters where there are none. Raises Malformed."""
    if not request.scope["query_string"]:
        return
    for name in request.query_params:
        raise Malformed("unknown_parameter", source={"parameter": name})


def answered(
    request: Request, answer: Answer, status: int, plural: str | None, data: bytes
) -> Response:
    """Return a command's answer: the resource after it, and what was appended."""
    note_answers(request, [answer])
    headers = sequence_header(answer.sequence)
    if answer.stored is not None:
        headers["ETag"] = f'"{answer.stored.version}"'
        if status == 201 and plural is not None:
            headers["Location"] = f"/api/v1/{plural}/{answer.stored.id}"
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    return envelope.answer(
        request,
        data,
        command_meta(answer),
        status=status,
        headers=headers,
    )


def note_answers(request: Request, results: Sequence[Result]) -> None:
    """Note what a request's commands came to; a repeat appends nothing."""
    done = [it for it in results if isinstance(it, Answer) and not it.replayed]
    note_work(request, len(results), sum(len(it.events) for it in done))


def command_meta(answer: Answer) -> dict[str, Any]:
    """Return what an answer tells of its command."""
    events = [
        {"id": e.id, "type": e.type, "version": e.version, "sequence": e.sequence}
        for e in answer.events
    ]
    return {
        "command_id": answer.receipt.command_id,
        "sequence": answer.sequence,
        "version": answer.stored.version if answer.stored else None,
        "events": events,
        "replayed": answer.replayed,
    }


def resource_of(answer: Answer) -> bytes:
    """Return the resource after a command, exactly as a query will show it."""
    stored, type = answer.stored, answer.receipt.stream_type
    if stored is None or type is None:
        return b"null"
    return fold.document(type, shown(type, stored))


def shown(stream_type: str, stored: Stored) -> Any:
    """Return the row that a state amounts to."""
    row, names = _shown_fields(stream_type)
    state = stored.state
    values = {name: getattr(state, name) for name in names}
    values["id"], values["version"] = stored.id, stored.version
    values["created_at"], values["updated_at"] = stored.created_at, stored.updated_at
    return row(**values)


@lru_cache
def _shown_fields(stream_type: str) -> tuple[type[Any], tuple[str, ...]]:
    row = PROJECTIONS[stream_type].row
    meta = {"id", "version", "created_at", "updated_at", *KEPT}
    return row, tuple(it.name for it in fields(row) if it.name not in meta)


class PastParameters(Parameters):
    """The resource as it was: at an instant, or at a version."""

    as_of: Instant | None = None
    """As it was at this instant. Not with a version."""
    version: Annotated[int, Field(ge=1, le=2**31 - 1), DIGITS] | None = None
    """As it was at this version."""


def get_handler(module: ModuleRoutes) -> Handler:
    """Return the handler of a single resource, present or past."""

    async def handle(request: Request) -> Response:
        read = read_of(request)
        where = (module.stream_type, read.caller.workspace_id, parsing.path_id(request))
        past = _past(request)
        shown = (await read.shown()).sequence if read.fresh.sequence else 0
        if past:
            sequence, found = await read.services.queries.past(*where, **past)
        else:
            sequence, found = await read.services.queries.one(*where)
            shown = sequence
        version = orjson.loads(found)["version"]
        headers = {"ETag": f'"{version}"', **sequence_header(sequence)}
        meta = {**read.meta(shown), "sequence": sequence}
        return envelope.answer(request, found, meta, headers=headers)

    return handle


def _past(request: Request) -> Mapping[str, Any]:
    """Return which past is asked for, if any. Raises Malformed."""
    if not request.scope["query_string"]:
        return {}
    given = parsing.parameters(PastParameters, request.url.query)
    if given.as_of is not None and given.version is not None:
        raise Malformed(
            "invalid_parameter",
            "as_of and version exclude each other",
            source={"parameter": "version"},
        )
    return given.model_dump(exclude_none=True)


def history_handler(module: ModuleRoutes) -> Handler:
    """Return the handler of a resource's task log, newest first."""

    async def make(read: Read, query: str, request: Request) -> ListQuery:
        given = parsing.parameters(PageParameters, query).model_dump()
        given["stream_id"] = parsing.path_id(request)
        given["stream_type"] = (module.stream_type,)
        return list_query(ListActivity, read.caller.workspace_id, given)

    return page_handler(make, (*USERS, Role.AUDITOR), must_exist=True)
