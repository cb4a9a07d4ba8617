"""What changed: the change feed, and the stream of server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from metacortex.api import envelope, parsing
from metacortex.api.dependencies import CurrentRead
from metacortex.api.envelope import sequence_header
from metacortex.api.fields import DIGITS, Many, Parameters, UserId, Zone
from metacortex.api.pages import PageParameters, list_query, send_page
from metacortex.api.routes import refuse_parameters
from metacortex.api.routing import Router
from metacortex.api.schemas import Activity, Envelope, PageMeta, QueryMeta, TaskStats
from metacortex.api.services import USERS, Read, Services, read_of
from metacortex.events import log
from metacortex.kernel import clock
from metacortex.kernel.database import ReadConnection, autocommit
from metacortex.kernel.driver_errors import meaning, report
from metacortex.kernel.errors import Gone
from metacortex.queries.activity import ListActivity
from metacortex.queries.registry import PROJECTIONS

logger = structlog.get_logger(__name__)

HEARTBEAT_S = 15.0  # proxies close connections that are silent for a minute
LIFETIME_S = 600.0  # a stream ends then, so that tokens and deploys are not forgotten
CHUNK = 500  # events read at a time
RECONNECT = "event: reconnect\ndata: {}\n\n"
EVENT_STREAM = "text/event-stream"
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
{HEARTBEAT_S:.0f} silent seconds. After {LIFETIME_S:.0f} s, and before the server stops,
`event: reconnect` with empty data ends the stream: connect again with the last id in
`Last-Event-ID`, and nothing is missed."""

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
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    if request.method == "HEAD":  # an empty body of any length would never end
        return Response(media_type=EVENT_STREAM, headers=headers)
    return StreamingResponse(
        _while_reachable(_events(services, caller.workspace_id, after)),
        media_type=EVENT_STREAM,
        headers=headers,
    )


async def _events(
    services: Services, workspace_id: UUID, after: int
) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    ends = loop.time() + LIFETIME_S
    quiet = loop.time()
    yield "retry: 3000\n\n"
    while loop.time() < ends and not services.closing:
        shown = await services.queries.watermarks.wait(workspace_id, after + 1, 1.0)
        while shown.sequence > after:
            rows = await services.queries.thin(workspace_id, after, CHUNK)
            for sequence, type, data in rows:
                yield f"id: {sequence}\nevent: {type}\ndata: {data}\n\n"
                after = sequence
            quiet = loop.time()
            if not rows:
                break
        if loop.time() - quiet >= HEARTBEAT_S:
            yield ": still here\n\n"
            quiet = loop.time()
    yield RECONNECT


async def _while_reachable(events: AsyncIterator[str]) -> AsyncIterator[str]:
    """Pass events on; end with `reconnect` when the database is not reachable."""
    try:
        async for event in events:
            yield event
    except Exception as error:
        if meaning(error) is None:
            raise
        report(logger, "stream_ended", error)
        yield RECONNECT
