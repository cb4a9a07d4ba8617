"""What auditors ask: the event records themselves."""

from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import envelope, reading
from metacortex.api.auth import Caller, Role
from metacortex.api.bodies import Id, Instant
from metacortex.api.machine import allow, machine_of
from metacortex.api.routes import (
    PageParameters,
    list_query,
    pages,
    refuse_parameters,
    stale,
)
from metacortex.kernel.errors import NotFound
from metacortex.queries.activity import ListRecords
from metacortex.queries.page import ListQuery

AUDITORS = (Role.OWNER, Role.AUDITOR)

Text = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]


class RecordFilters(PageParameters):
    """Which events; a repeated parameter means any of its values."""

    type: tuple[Text, ...] = ()
    """Such as task.created."""
    actor_id: tuple[Text, ...] = ()
    """Who did it."""
    stream_type: tuple[Text, ...] = ()
    """task, project or tag."""
    stream_id: Id | None = None
    """What it was done to."""
    command_id: Id | None = None
    """The command that did it."""
    correlation_id: Text | None = None
    """What the request belonged to."""
    request_id: Text | None = None
    """The request that did it."""
    from_: Annotated[Instant | None, Field(alias="from")] = None
    """Recorded at this instant or later."""
    to: Instant | None = None
    """Recorded at this instant or sooner."""


def _query(caller: Caller, query: str, request: Request) -> ListQuery:
    given = reading.parameters(RecordFilters, query).model_dump()
    given["since"], given["until"] = given.pop("from_"), given.pop("to")
    return list_query(ListRecords, caller.workspace_id, given)


events = pages(_query, AUDITORS)


async def event(request: Request) -> Response:
    """Return one event record by its id."""
    machine = machine_of(request)
    caller = allow(machine.caller(request), AUDITORS)
    refuse_parameters(request)
    id = reading.path_id(request)
    query = ListRecords(workspace_id=caller.workspace_id, event_id=id)
    fresh = reading.freshness(request, machine.waits)
    seen = await machine.queries.shown(caller.workspace_id, fresh)
    page = await machine.queries.page(query, (caller.workspace_id, "event", id), seen)
    if not page.total:
        raise NotFound("not_found")
    headers = {"Metacortex-Sequence": str(page.shown.sequence)}
    meta: dict[str, object] = {"sequence": page.shown.sequence}
    stale(meta, fresh, page.shown.sequence)
    return envelope.answer(request, page.documents, meta, headers=headers)
