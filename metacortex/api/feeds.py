"""What changed: the change feed, and the stream of server-sent events."""

from enum import Enum
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import envelope, parsing
from metacortex.api.dependencies import CurrentRead
from metacortex.api.envelope import sequence_header
from metacortex.api.fields import DIGITS, Many, Parameters, UserId, Zone
from metacortex.api.pages import PageParameters, list_query, send_page
from metacortex.api.routes import refuse_parameters
from metacortex.api.routing import Router
from metacortex.api.schemas import Activity, Envelope, PageMeta, QueryMeta, TaskStats
from metacortex.api.services import USERS, Read, read_of
from metacortex.api.streams import (
    EVENT_STREAM,
    HEADERS,
    HEARTBEAT_S,
    LIFETIME_S,
    USER_STREAMS,
    StreamResponse,
)
from metacortex.events import log
from metacortex.kernel import clock
from metacortex.kernel.database import ReadConnection, autocommit
from metacortex.kernel.errors import Gone
from metacortex.queries.activity import ListActivity
from metacortex.queries.registry import PROJECTIONS

CHANGES = 200
CHANGES_LIMIT = 1_000

STATS_EXAMPLE = {
    "total": 12,
    "open": 9,
    "overdue": 1,
    "by_status": {
        "pending": 6,
        "in_progress": 2,
        "blocked": 1,
        "completed": 2,
        "cancelled": 1,
    },
    "by_priority": {"low": 2, "medium": 7, "high": 2, "urgent": 1},
}

STREAM_DESCRIPTION = f"""Server-sent events, until the client closes the connection.

Each event of the log comes as `id: <sequence>`, `event: <type>` (such as
`task.completed`) and `data: <StreamedEvent as JSON>`. A comment comes after
{HEARTBEAT_S:.0f} silent seconds. After {LIFETIME_S:.0f} s, when the token is no longer
accepted, and before the server stops, `event: reconnect` with empty data ends the
stream: connect again with the last id in `Last-Event-ID`, and nothing is missed. A user
may have {USER_STREAMS} streams open."""

router = Router(roles=USERS, tags=["feeds"])

_TYPES = {it: it for it in PROJECTIONS}
StreamType: Any = Enum("StreamType", _TYPES, type=str)  # type: ignore[misc]
"""What an event happened to."""


class ChangeParameters(Parameters):
    """From where on, and how many events at a time."""

    since: Annotated[int, Field(ge=0, le=parsing.SEQUENCE_LIMIT), DIGITS] = 0
    """The next_since of the answer before; 0 for all that there is."""
    limit: Annotated[int, Field(ge=1, le=CHANGES_LIMIT), DIGITS] = CHANGES
    """Events to look at; what changed twice comes once."""


async def changes(request: Request) -> Response:
    """Answer with the resources that changed after a sequence, as they are now."""
    read = read_of(request)
    given = parsing.parameters(ChangeParameters, request.url.query)
    await read.wait()
    found = await read.services.queries.changes(
        read.caller.workspace_id, given.since, given.limit
    )
    await _check_since(read, given.since, found.sequence)
    meta = read.meta(found.sequence, next_since=found.next_since, more=found.more)
    headers = sequence_header(found.sequence)
    return envelope.listing(request, found.documents, meta, headers)


async def _check_since(read: Read, since: int, shown: int = 0) -> None:
    """Refuse a sequence beyond the head: the log was restored, or failed over.

    The head is that of the primary, since a replica may lag. Raises Gone.
    """
    if since <= shown:
        return
    async with autocommit(read.services.writes).connect() as connection:
        reader = ReadConnection(connection)
        head = await log.head_sequence(reader, read.caller.workspace_id)
    if since > head:
        raise Gone("resync_required", meta={"since": since, "head": head})


class ActivityFilters(PageParameters):
    """Which events; a repeated parameter means any of its values."""

    stream_type: Many[StreamType] = ()
    """Of tasks, projects, tags or people."""
    actor_id: Many[UserId] = ()
    """Done by this user."""


@router.get(
    "/activity",
    operation_id="listActivity",
    summary="What happened in the workspace",
    response_model=Envelope[list[Activity], PageMeta],
)
async def list_activity(
    request: Request, read: CurrentRead, filters: Annotated[ActivityFilters, Query()]
) -> Response:
    """The task log of everything, newest first."""
    query = list_query(ListActivity, read.caller.workspace_id, filters.model_dump())
    return await send_page(request, read, query)


class StatsParameters(Parameters):
    """Whose day it is."""

    time_zone: Zone | None = None
    """IANA time zone of deadlines that name none; without it your own, else UTC."""


@router.get(
    "/tasks/stats",
    operation_id="taskStats",
    summary="Count tasks",
    tags=["tasks"],
    response_model=Envelope[TaskStats, QueryMeta],
)
async def task_stats(
    request: Request, read: CurrentRead, given: Annotated[StatsParameters, Query()]
) -> Response:
    """Tasks that are not deleted, by status, priority and lateness."""
    await read.wait()
    sequence, found = await read.services.queries.task_stats(
        read.caller.workspace_id, clock.now(), given.time_zone, read.person_id
    )
    headers = sequence_header(sequence)
    return envelope.answer(request, found, read.meta(sequence), headers=headers)


async def stream(request: Request) -> Response:
    """Stream events as they become visible; resumes after `Last-Event-ID`."""
    services, caller = (read := read_of(request)).services, read.caller
    refuse_parameters(request)
    last = request.headers.get("last-event-id")
    if last is None:
        after = (await services.queries.watermarks.shown(caller.workspace_id)).sequence
    else:
        found = parsing.whole(last)
        if found is None:
            raise parsing.header_error("Last-Event-ID", "a whole number from 0")
        after = found
        await _check_since(read, after)
    if request.method == "HEAD":  # an empty body of any length would never end
        return Response(media_type=EVENT_STREAM, headers=HEADERS)
    streams = services.streams
    stream = streams.open(caller)
    events = streams.events(stream, after, lambda: services.closing)
    return StreamResponse(streams, stream, events)
