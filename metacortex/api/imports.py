"""Imports: a Markdown check list, taken at once and worked off by a worker."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Header
from pydantic import AwareDatetime, Field
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import parsing
from metacortex.api.dependencies import CurrentCaller, CurrentServices
from metacortex.api.errors import Schema
from metacortex.api.fields import Body, Clean
from metacortex.api.routing import Router
from metacortex.api.services import USERS, note_work
from metacortex.kernel.ids import derived
from metacortex.operations import imports
from metacortex.operations.actors import IMPORT
from metacortex.operations.imports import Asked, Import

PATH = "/imports"
NAME_LIMIT = 255  # characters, as of any project

router = Router(roles=USERS, prefix=PATH, tags=["imports"])


class ImportBody(Body):
    """A Markdown check list: headings become projects, check boxes tasks."""

    content: Annotated[str, Field(min_length=1, strict=True), Clean]
    """The list."""
    project: Annotated[
        str, Field(min_length=1, max_length=NAME_LIMIT, strict=True), Clean
    ] = "Imported"
    """The project of check boxes that stand under no heading."""


class RefusedLine(Schema):
    """A command that was refused, and the line that asked for it."""

    line: int
    code: str
    detail: str


class ImportStatus(Schema):
    """How far an import is: commands done, and commands in all."""

    id: UUID
    status: Literal["queued", "running", "done", "failed"]
    done: int
    total: int
    errors: list[RefusedLine]
    created_at: AwareDatetime
    finished_at: AwareDatetime | None


BODY_EXAMPLE = {"content": "# House\n- [ ] Paint the door\n- [x] Buy paint\n"}
EXAMPLE = {
    "id": "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6d01",
    "status": "done",
    "done": 7,
    "total": 7,
    "errors": [
        {"line": 2, "code": "task_deleted", "detail": "The task is deleted"},
    ],
    "created_at": "2026-11-23T09:00:00Z",
    "finished_at": "2026-11-23T09:00:01Z",
}


@router.post(
    "", operation_id="createImport", summary="Import a check list", status_code=202
)
async def create_import(
    body: ImportBody,
    request: Request,
    response: Response,
    caller: CurrentCaller,
    services: CurrentServices,
    idempotency_key: Annotated[str | None, Header(alias="Idempotency-Key")] = None,
) -> ImportStatus:
    """Take a list; a worker imports it, and `GET /imports/{id}` says how far it is.

    Ids follow from the list, so that what was imported before is not imported again.
    """
    await services.member(request)
    asked = Asked(
        id=derived(
            caller.workspace_id, f"import {parsing.command_id(request, caller)}"
        ),
        workspace_id=caller.workspace_id,
        actor_id=caller.user_id,
        project=body.project,
        content=body.content,
        correlation_id=request.scope["metacortex"]["correlation_id"],
    )
    run_id = await imports.add(services.writes, asked)
    note_work(request, 1, 0 if run_id is None else body.content.count("\n"))
    if run_id is None:
        response.headers["Idempotency-Replayed"] = "true"
    else:
        await services.operator_actions.sent([(run_id, IMPORT)])
    response.headers["Location"] = f"/api/v1{PATH}/{asked.id}"
    found = await imports.find(services.writes, caller.workspace_id, asked.id)
    return _status(found)


@router.get("/{id:uuid}", operation_id="getImport", summary="How far an import is")
async def get_import(
    id: UUID, caller: CurrentCaller, services: CurrentServices
) -> ImportStatus:
    """Return an import of the caller's workspace."""
    return _status(await imports.find(services.writes, caller.workspace_id, id))


def _status(found: Import) -> ImportStatus:
    values: dict[str, Any] = {name: getattr(found, name) for name in Import.__slots__}
    return ImportStatus.model_validate(values)
