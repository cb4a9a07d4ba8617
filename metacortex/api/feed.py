"""What changed: the change feed, and the stream of server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import structlog
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from metacortex.api import envelope, reading
from metacortex.api.bodies import DIGITS, Parameters, Zone
from metacortex.api.machine import Machine, allow, machine_of
from metacortex.api.routes import USERS, refuse_parameters, stale
from metacortex.kernel import clock
from metacortex.kernel.driver_errors import meaning, report

logger = structlog.get_logger(__name__)

HEARTBEAT_S = 15.0  # proxies close connections that are silent for a minute
LIFETIME_S = 600.0  # a stream ends then, so that tokens and deploys are not forgotten
CHUNK = 500  # events read at a time
RECONNECT = "event: reconnect\ndata: {}\n\n"
EVENT_STREAM = "text/event-stream"
CHANGES = 200
CHANGES_LIMIT = 1_000


class ChangeParameters(Parameters):
    """From where on, and how many events at a time."""

    since: Annotated[int, Field(ge=0, le=reading.SEQUENCE_LIMIT), DIGITS] = 0
    """The next_since of the answer before; 0 for all that there is."""
    limit: Annotated[int, Field(ge=1, le=CHANGES_LIMIT), DIGITS] = CHANGES
    """Events to look at; what changed twice comes once."""


async def changes(request: Request) -> Response:
    """Return the resources that changed after a sequence, each as it is now."""
    machine = machine_of(request)
    caller = allow(machine.caller(request), USERS)
    given = reading.parameters(ChangeParameters, request.url.query)
    fresh = reading.freshness(request, machine.waits)
    if fresh.sequence:
        await machine.queries.shown(caller.workspace_id, fresh)
    found = await machine.queries.changes(caller.workspace_id, given.since, given.limit)
    meta = {
        "sequence": found.sequence,
        "next_since": found.next_since,
        "more": found.more,
    }
    stale(meta, fresh, found.sequence)
    headers = {"Metacortex-Sequence": str(found.sequence)}
    return envelope.listing(request, found.documents, meta, headers)


class StatsParameters(Parameters):
    """Whose day it is."""

    time_zone: Zone = "UTC"
    """Whose day it is for what is due without a time zone."""


async def task_stats(request: Request) -> Response:
    """Return counts of tasks by status, priority and lateness."""
    machine = machine_of(request)
    caller = allow(machine.caller(request), USERS)
    given = reading.parameters(StatsParameters, request.url.query)
    fresh = reading.freshness(request, machine.waits)
    if fresh.sequence:
        await machine.queries.shown(caller.workspace_id, fresh)
    sequence, found = await machine.queries.task_stats(
        caller.workspace_id, clock.now(), given.time_zone
    )
    meta: dict[str, object] = {"sequence": sequence}
    stale(meta, fresh, sequence)
    headers = {"Metacortex-Sequence": str(sequence)}
    return envelope.answer(request, found, meta, headers=headers)


async def stream(request: Request) -> Response:
    """Stream events as they become visible; resumes after `Last-Event-ID`."""
    machine = machine_of(request)
    caller = allow(machine.caller(request), USERS)
    refuse_parameters(request)
    last = request.headers.get("last-event-id")
    if last is None:
        after = (await machine.queries.watermarks.shown(caller.workspace_id)).sequence
    else:
        found = reading.whole(last)
        if found is None:
            raise reading.header_error("Last-Event-ID", "a whole number from 0")
        after = found
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    if request.method == "HEAD":  # an empty body of any length would never end
        return Response(media_type=EVENT_STREAM, headers=headers)
    return StreamingResponse(
        _while_reachable(_events(machine, caller.workspace_id, after)),
        media_type=EVENT_STREAM,
        headers=headers,
    )


async def _events(
    machine: Machine, workspace_id: UUID, after: int
) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    ends = loop.time() + LIFETIME_S
    quiet = loop.time()
    yield "retry: 3000\n\n"
    while loop.time() < ends and not machine.closing:
        shown = await machine.queries.watermarks.wait(workspace_id, after + 1, 1.0)
        while shown.sequence > after:
            rows = await machine.queries.thin(workspace_id, after, CHUNK)
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
    """Pass events on; let the client come back later when the database is away."""
    try:
        async for event in events:
            yield event
    except Exception as error:
        if meaning(error) is None:
            raise
        report(logger, "stream_ended", error)
        yield RECONNECT
