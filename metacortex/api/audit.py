"""What auditors ask: the event records themselves."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import envelope
from metacortex.api.auth import Role
from metacortex.api.dependencies import CurrentRead
from metacortex.api.envelope import sequence_header
from metacortex.api.fields import Id, Instant, Many
from metacortex.api.pages import PageParameters, list_query, send_page
from metacortex.api.routing import Router
from metacortex.api.schemas import (
    AuditCommand,
    AuditEvent,
    Envelope,
    PageMeta,
    QueryMeta,
)
from metacortex.kernel.errors import NotFound
from metacortex.queries.activity import ListRecords
from metacortex.queries.receipts import ListReceipts, Outcome

AUDITORS = (Role.OWNER, Role.AUDITOR)
router = Router(roles=AUDITORS, prefix="/audit", tags=["audit"])

Text = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]


class RecordFilters(PageParameters):
    """Which events; a repeated parameter means any of its values."""

    type: Many[Text] = ()
    """Such as task.created."""
    actor_id: Many[Text] = ()
    """Who did it."""
    stream_type: Many[Text] = ()
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


@router.get(
    "/events",
    operation_id="listAuditEvents",
    summary="The event records",
    response_model=Envelope[list[AuditEvent], PageMeta],
)
async def list_events(
    request: Request, read: CurrentRead, filters: Annotated[RecordFilters, Query()]
) -> Response:
    """The log itself, newest event first, with all that was hashed."""
    given = filters.model_dump()
    given["since"], given["until"] = given.pop("from_"), given.pop("to")
    query = list_query(ListRecords, read.caller.workspace_id, given)
    return await send_page(request, read, query)


class ReceiptFilters(PageParameters):
    """Which commands; a repeated parameter means any of its values."""

    type: Many[Text] = ()
    """Such as task.create."""
    actor_id: Many[Text] = ()
    """Who sent it."""
    outcome: Many[Outcome] = ()
    """What became of it."""
    from_: Annotated[Instant | None, Field(alias="from")] = None
    """Decided at this instant or later."""
    to: Instant | None = None
    """Decided at this instant or sooner."""


@router.get(
    "/commands",
    operation_id="listAuditCommands",
    summary="The receipts of all commands, refused ones too",
    response_model=Envelope[list[AuditCommand], PageMeta],
)
async def list_receipts(
    request: Request, read: CurrentRead, filters: Annotated[ReceiptFilters, Query()]
) -> Response:
    """Newest first, with all that a receipt holds."""
    given = filters.model_dump()
    given["since"], given["until"] = given.pop("from_"), given.pop("to")
    query = list_query(ListReceipts, read.caller.workspace_id, given)
    return await send_page(request, read, query)


@router.get(
    "/events/{id:uuid}",
    operation_id="getAuditEvent",
    summary="One event record",
    response_model=Envelope[AuditEvent, QueryMeta],
)
async def get_event(request: Request, read: CurrentRead, id: UUID) -> Response:
    """An event by its id, with all that was hashed."""
    workspace_id = read.caller.workspace_id
    query = ListRecords(workspace_id=workspace_id, event_id=id)
    shown = await read.shown()
    page = await read.services.queries.page(query, (workspace_id, "event", id), shown)
    if not page.total:
        raise NotFound("not_found")
    sequence = page.shown.sequence
    headers = sequence_header(sequence)
    return envelope.answer(
        request, page.documents, read.meta(sequence), headers=headers
    )
