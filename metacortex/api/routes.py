"""The two kinds of routes, as tables: commands to the lane, queries to the read side.

A module says what it offers in one `Module`; the handlers here serve all of them. They
stay lean: one parse, one validation, answers as bytes (docs/decisions/0007-http.md).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID
from zlib import crc32

import orjson
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import envelope, reading
from metacortex.api.auth import Caller, Role
from metacortex.api.bodies import DIGITS, Body, Clean, Instant, Parameters
from metacortex.api.door import Handler
from metacortex.api.machine import allow, machine_of
from metacortex.commands import receipts
from metacortex.commands.message import Answer, CommandRequest
from metacortex.commands.registry import COMMANDS
from metacortex.commands.repository import Stored
from metacortex.kernel import clock
from metacortex.kernel.errors import Malformed, NotFound
from metacortex.kernel.ids import derived, new_id
from metacortex.queries import fold
from metacortex.queries.activity import ListActivity
from metacortex.queries.page import PAGE_LIMIT, PER_PAGE, PER_PAGE_LIMIT, ListQuery
from metacortex.queries.registry import PROJECTIONS

USERS = (Role.OWNER, Role.MEMBER)
Search = Annotated[str, Clean, Field(min_length=1, max_length=500)]


class PageParameters(Parameters):
    """Which page."""

    page: Annotated[int, Field(ge=1, le=PAGE_LIMIT), DIGITS] | None = None
    """Which page, counted from 1; the first without it. Not with a cursor."""
    per_page: Annotated[int, Field(ge=1, le=PER_PAGE_LIMIT), DIGITS] = PER_PAGE
    """Rows of a page."""
    cursor: Annotated[str, Field(min_length=1, max_length=8_000)] | None = None
    """The next_cursor of the page before; rows that come or go shift nothing."""


class ListParameters(PageParameters):
    """Which page, and in what order."""

    sort: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Keys with commas between, the first above all; -key is descending."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command's route; `name` is that on disk, below the module's path."""

    name: str
    method: str
    path: str
    body: type[Body]
    summary: str
    status: int = 200


@dataclass(frozen=True, slots=True)
class Listing:
    """One list's route: the query, its parameters, and the row it shows."""

    query: type[ListQuery]
    parameters: type[BaseModel]
    row: type[Any]
    summary: str
    needs_now: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """Everything that a module says in HTTP."""

    stream_type: str
    plural: str
    row: type[Any]
    commands: Sequence[Command]
    listing: Listing


@lru_cache
def _named(command: str) -> tuple[str, frozenset[str]]:
    """Return the field that a command's target goes to, and the names of all."""
    names = [item.name for item in fields(COMMANDS[command])]
    return names[0], frozenset(names)


def build(spec: Command, target: UUID, body: Body, command_id: UUID) -> Any:
    """Return the command that a body means for a target."""
    cls = COMMANDS[spec.name]
    subject, names = _named(spec.name)
    given = body.arguments()
    given.pop("id", None)
    given[subject] = target
    if "comment_id" in names:
        given["comment_id"] = derived(command_id, "comment")
    return cls(**given)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command as it came: where to, with what, and how it is told from others."""

    spec: Command
    target: UUID
    body: Body
    command_id: UUID
    fingerprint: bytes
    expected: int | None


def parse(
    spec: Command,
    caller: Caller,
    command_id: UUID,
    target: UUID | None,
    raw: Any,
    expected: int | None,
    prefix: str = "",
) -> Parsed:
    """Validate a body for a command. Raises Several."""
    body = reading.validated(spec.body, raw, prefix)
    own = getattr(body, "id", None)
    mark = receipts.fingerprint(caller.user_id, spec.name, target, raw, expected)
    id = target or own or new_id()
    return Parsed(spec, id, body, command_id, mark, expected)


def order(request: Request, caller: Caller, parsed: Parsed) -> CommandRequest:
    """Return what goes into the lane."""
    return CommandRequest(
        command=build(parsed.spec, parsed.target, parsed.body, parsed.command_id),
        context=reading.context(request, caller, parsed.command_id),
        fingerprint=parsed.fingerprint,
        expected_version=parsed.expected,
    )


def command_handler(spec: Command, plural: str) -> Handler:
    """Return the handler of a command's route."""

    async def handle(request: Request) -> Response:
        machine = machine_of(request)
        caller = await machine.member(request)
        raw = await reading.read_json(request, machine.body_limit)
        refuse_parameters(request)
        target = reading.path_id(request) if "id" in request.path_params else None
        id = reading.command_id(request, caller)
        expected = reading.expected_version(request)
        parsed = parse(spec, caller, id, target, raw, expected)
        answer = await machine.lane.send(order(request, caller, parsed))
        return answered(request, answer, spec.status, plural)

    return handle


def refuse_parameters(request: Request) -> None:
    """Refuse query parameters where there are none. Raises Malformed."""
    if not request.scope["query_string"]:
        return
    for name in request.query_params:
        raise Malformed("unknown_parameter", source={"parameter": name})


def answered(request: Request, answer: Answer, status: int, plural: str) -> Response:
    """Return a command's answer: the resource after it, and what was appended."""
    headers = {"Metacortex-Sequence": str(answer.sequence)}
    if answer.stored is not None:
        headers["ETag"] = f'"{answer.stored.version}"'
        if status == 201:
            headers["Location"] = f"/api/v1/{plural}/{answer.stored.id}"
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    return envelope.answer(
        request,
        resource(answer),
        command_meta(answer),
        status=status,
        headers=headers,
    )


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


def resource(answer: Answer) -> bytes:
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
    meta = ("id", "version", "created_at", "updated_at")
    return row, tuple(it.name for it in fields(row) if it.name not in meta)


def listing_handler(listing: Listing) -> Handler:
    """Return the handler of a list's route."""

    def make(caller: Caller, query: str, request: Request) -> ListQuery:
        given = reading.parameters(listing.parameters, query).model_dump()
        if listing.needs_now:
            given["now"] = clock.now()
        return list_query(listing.query, caller.workspace_id, given)

    return pages(make, USERS)


def list_query(
    cls: type[ListQuery], workspace_id: UUID, given: Mapping[str, Any]
) -> ListQuery:
    """Return the query of checked parameters. Raises Malformed."""
    values = dict(given)
    sort = values.pop("sort", None)
    known = [name for name in cls.sorts if name != "relevance" or values.get("q")]
    values["sort"] = _sort(known, sort) if sort else ()
    if values.get("page") is not None and values.get("cursor") is not None:
        raise Malformed(
            "invalid_parameter",
            "page and cursor exclude each other",
            source={"parameter": "cursor"},
        )
    return cls(workspace_id=workspace_id, **values)


def _sort(known: Sequence[str], sort: str) -> tuple[str, ...]:
    names = tuple(sort.split(","))
    for name in names:
        if name.removeprefix("-") not in known:
            raise Malformed(
                "invalid_parameter",
                f"One may sort by {', '.join(known)}, with - for descending",
                source={"parameter": "sort"},
            )
    return names


def pages(
    make: Callable[[Caller, str, Request], ListQuery],
    roles: Sequence[Role],
    *,
    of_something: bool = False,
) -> Handler:
    """Return a handler that answers a page of whatever query `make` returns.

    A list `of_something` is that of one resource: if it is empty, there is no such.
    """

    async def handle(request: Request) -> Response:
        machine = machine_of(request)
        caller = allow(machine.caller(request), roles)
        raw = request.scope["query_string"].decode("latin-1")
        path = request.scope["path"]
        fresh = reading.freshness(request, machine.waits)
        key = (caller.workspace_id, path, raw)
        query = machine.kept_query(key)
        if query is None or not query.timeless:
            query = make(caller, raw, request)
            machine.keep_query(key, query)
        seen = await machine.queries.shown(caller.workspace_id, fresh)
        tag = f'W/"{seen.sequence}-{seen.rebuilds}-{crc32(repr(key).encode()):x}"'
        if query.timeless and reading.matches(request, tag):
            headers = {"ETag": tag, "Metacortex-Sequence": str(seen.sequence)}
            return Response(status_code=304, headers=headers)
        page = await machine.queries.page(query, key, seen)
        if of_something and not page.total:
            raise NotFound("not_found")
        meta: dict[str, Any] = {
            "page": query.page or (None if query.cursor else 1),
            "per_page": query.per_page,
            "total": page.total,
            "next_cursor": page.next_cursor,
            "sequence": page.shown.sequence,
        }
        headers = {"Metacortex-Sequence": str(page.shown.sequence)}
        if query.timeless and page.shown == seen:
            headers["ETag"] = tag
        stale(meta, fresh, page.shown.sequence)
        tagged = "ETag" in headers
        return envelope.listing(request, page.documents, meta, headers, tagged)

    return handle


def stale(meta: dict[str, Any], fresh: Any, sequence: int) -> None:
    """Say so where a lenient client gets less than it asked for."""
    if sequence < fresh.sequence:
        meta["stale"] = True


class OneParameters(Parameters):
    """The resource as it was: at an instant, or at a version."""

    as_of: Instant | None = None
    """As it was at this instant. Not with a version."""
    version: Annotated[int, Field(ge=1, le=2**31 - 1), DIGITS] | None = None
    """As it was at this version."""


def one_handler(module: Module) -> Handler:
    """Return the handler of a single resource, present or past."""

    async def handle(request: Request) -> Response:
        machine = machine_of(request)
        caller = allow(machine.caller(request), USERS)
        id = reading.path_id(request)
        given = reading.parameters(OneParameters, request.url.query)
        if given.as_of is not None and given.version is not None:
            raise Malformed(
                "invalid_parameter",
                "as_of and version exclude each other",
                source={"parameter": "version"},
            )
        fresh = reading.freshness(request, machine.waits)
        where = (module.stream_type, caller.workspace_id, id)
        meta: dict[str, Any] = {}
        seen = 0
        if fresh.sequence:
            seen = (await machine.queries.shown(caller.workspace_id, fresh)).sequence
        if given.as_of is not None or given.version is not None:
            sequence, found = await machine.queries.past(
                *where, version=given.version, as_of=given.as_of
            )
            stale(meta, fresh, seen)
        else:
            sequence, found = await machine.queries.one(*where)
            stale(meta, fresh, sequence)
        version = orjson.loads(found)["version"]
        headers = {"ETag": f'"{version}"', "Metacortex-Sequence": str(sequence)}
        return envelope.answer(
            request, found, {"sequence": sequence, **meta}, headers=headers
        )

    return handle


def history_handler(module: Module) -> Handler:
    """Return the handler of a resource's task log, newest first."""

    def make(caller: Caller, query: str, request: Request) -> ListQuery:
        given = reading.parameters(PageParameters, query).model_dump()
        given["stream_id"] = reading.path_id(request)
        given["stream_type"] = (module.stream_type,)
        return list_query(ListActivity, caller.workspace_id, given)

    return pages(make, (*USERS, Role.AUDITOR), of_something=True)
