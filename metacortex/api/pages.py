"""Pages of lists: their parameters, and the answer that carries one."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID
from zlib import crc32

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import envelope, parsing
from metacortex.api.auth import Role
from metacortex.api.envelope import sequence_header
from metacortex.api.fields import DIGITS, Clean, Parameters
from metacortex.api.services import USERS, Handler, Read, read_of
from metacortex.kernel import clock
from metacortex.kernel.errors import Malformed, NotFound
from metacortex.queries.page import PAGE_LIMIT, PER_PAGE, PER_PAGE_LIMIT, ListQuery
from metacortex.queries.people import UTC

CURSOR_LIMIT = 4_000
Search = Annotated[str, Clean, Field(min_length=1, max_length=500)]
MakeQuery = Callable[[Read, str, Request], Awaitable[ListQuery]]


class PageParameters(Parameters):
    """Which page."""

    page: Annotated[int, Field(ge=1, le=PAGE_LIMIT), DIGITS] | None = None
    """Which page, counted from 1; the first without it. Not with a cursor."""
    per_page: Annotated[int, Field(ge=1, le=PER_PAGE_LIMIT), DIGITS] = PER_PAGE
    """Rows of a page."""
    cursor: Annotated[str, Field(min_length=1, max_length=CURSOR_LIMIT)] | None = None
    """The next_cursor of the page before; rows that come or go shift nothing."""


class ListParameters(PageParameters):
    """Which page, and in what order."""

    sort: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Keys with commas between, the most significant first; -key is descending."""


@dataclass(frozen=True, slots=True)
class ListRoute:
    """One list's route: the query, its parameters, and the row it shows.

    `example` has values of what the row tells besides the resource itself.
    """

    query: type[ListQuery]
    parameters: type[Parameters]
    row: type[Any]
    summary: str
    needs_now: bool = False
    example: Mapping[str, Any] = field(default_factory=dict)


def list_query(
    cls: type[ListQuery], workspace_id: UUID, given: Mapping[str, Any]
) -> ListQuery:
    """Return the query of checked parameters. Raises Malformed."""
    values = dict(given)
    sort = values.pop("sort", None)
    known = [name for name in cls.sorts if name != "relevance" or values.get("q")]
    values["sort"] = _sort(known, sort) if sort else ()
    _check_siblings(cls, values)
    if values.get("page") is not None and values.get("cursor") is not None:
        raise Malformed(
            "invalid_parameter",
            "page and cursor exclude each other",
            source={"parameter": "cursor"},
        )
    return cls(workspace_id=workspace_id, **values)


def _check_siblings(cls: type[ListQuery], values: Mapping[str, Any]) -> None:
    """Refuse to sort by the order of siblings what may be no siblings."""
    for key, filter in cls.sorted_within.items():
        asked = {name.removeprefix("-") for name in values["sort"]}
        if key in asked and len(values.get(filter) or ()) != 1:
            raise Malformed(
                "invalid_parameter",
                f"To sort by {key} takes one {filter}, or none",
                source={"parameter": "sort"},
            )


def _sort(known: Sequence[str], sort: str) -> tuple[str, ...]:
    names = tuple(sort.split(","))
    if len({name.removeprefix("-") for name in names}) < len(names):
        raise Malformed(
            "invalid_parameter",
            "One sorts by each key once",
            source={"parameter": "sort"},
        )
    for name in names:
        if name.removeprefix("-") not in known:
            raise Malformed(
                "invalid_parameter",
                f"One may sort by {', '.join(known)}, with - for descending",
                source={"parameter": "sort"},
            )
    return names


def page_handler(
    make: MakeQuery, roles: Sequence[Role], *, must_exist: bool = False
) -> Handler:
    """Return a lean handler that answers a page of whatever query `make` returns.

    `must_exist`: an empty list means that what it is about does not exist, 404.
    """

    async def handle(request: Request) -> Response:
        read = read_of(request, roles)
        raw = request.scope["query_string"].decode("latin-1")
        key = (read.caller.workspace_id, request.scope["path"], raw)
        query = read.services.parsed_query(key)
        if query is None or not query.timeless:
            query = await make(read, raw, request)
            read.services.remember_query(key, query)
        return await send_page(request, read, query, must_exist=must_exist)

    return handle


async def send_page(
    request: Request, read: Read, query: ListQuery, *, must_exist: bool = False
) -> Response:
    """Return a page of a list, or 304. Raises Lagging, Malformed, NotFound."""
    raw = request.scope["query_string"].decode("latin-1")
    key = (read.caller.workspace_id, request.scope["path"], raw)
    seen = await read.shown()
    tag = f'W/"{seen.sequence}-{seen.rebuilds}-{crc32(repr(key).encode()):x}"'
    if query.timeless and parsing.matches(request, tag):
        headers = {"ETag": tag, **sequence_header(seen.sequence)}
        return Response(status_code=304, headers=headers)
    page = await read.services.queries.page(query, key, seen)
    if must_exist and not page.total:
        raise NotFound("not_found")
    seen_now = max(seen.sequence, page.shown.sequence)  # a page may be of the past
    meta = {
        **read.meta(seen_now),
        "sequence": page.shown.sequence,
        "page": query.page or (None if query.cursor else 1),
        "per_page": query.per_page,
        "total": page.total,
        "next_cursor": page.next_cursor,
    }
    headers = sequence_header(page.shown.sequence)
    tagged = query.timeless and page.shown == seen
    if tagged:
        headers["ETag"] = tag
    return envelope.listing(request, page.documents, meta, headers, tagged)


def list_handler(route: ListRoute) -> Handler:
    """Return the handler of a list's route."""

    async def make(read: Read, query: str, request: Request) -> ListQuery:
        given = parsing.parameters(route.parameters, query).model_dump()
        if route.needs_now:
            given["now"] = given.get("as_of") or clock.now()
            given["time_zone"] = await _zone(read, given)
        return list_query(route.query, read.caller.workspace_id, given)

    return page_handler(make, USERS)


async def _zone(read: Read, given: Mapping[str, Any]) -> str:
    """Return the zone that a list is asked for; the caller's own, where it matters.

    It is part of the query, as if the client had named it.
    """
    if given["time_zone"] is not None:
        return str(given["time_zone"])
    return UTC if given["overdue"] is None else await read.time_zone()
