"""Comments of tasks in HTTP, as resources below their task: ordinary endpoints."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import Header, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import envelope, parsing
from metacortex.api.auth import Caller, Role
from metacortex.api.dependencies import CurrentRead
from metacortex.api.envelope import sequence_header
from metacortex.api.fields import Body, Id, Name
from metacortex.api.pages import PageParameters, list_query, send_page
from metacortex.api.routes import command_meta, note_answers, refuse_parameters
from metacortex.api.routing import Router
from metacortex.api.schemas import CommandMeta, Envelope, PageMeta, QueryMeta, resource
from metacortex.api.services import USERS, services_of
from metacortex.commands import receipts
from metacortex.commands.members import person_id
from metacortex.commands.message import Answer, CommandRequest
from metacortex.commands.registry import NAMES
from metacortex.commands.tasks import (
    COMMENT_LIMIT,
    CommentTask,
    DeleteComment,
    EditComment,
)
from metacortex.kernel.ids import derived
from metacortex.queries import comments
from metacortex.queries.comments import CommentRow, ListComments

Text = Annotated[Name, Field(max_length=COMMENT_LIMIT)]
Comment = resource(CommentRow, "Comment")

Key = Annotated[str | None, Header(alias="Idempotency-Key")]
Match = Annotated[str | None, Header(alias="If-Match")]

router = Router(roles=USERS, prefix="/tasks/{id:uuid}/comments", tags=["tasks"])


class AddCommentBody(Body):
    """A new comment; an id is made unless one is given."""

    id: Id | None = None
    """An id chosen by the client; the server makes one without it."""
    text: Text

    examples = {"text": "They call back on Monday"}


class CommentTextBody(Body):
    """What the comment shall say."""

    text: Text

    examples = {"text": "They call back on Tuesday"}


@router.get(
    "",
    operation_id="listComments",
    summary="List the comments of a task",
    response_model=Envelope[list[Comment], PageMeta],  # type: ignore[valid-type]
)
async def list_comments(
    request: Request,
    read: CurrentRead,
    id: UUID,
    given: Annotated[PageParameters, Query()],
) -> Response:
    """A page of comments, the oldest first."""
    raw = request.scope["query_string"].decode("latin-1")
    values = parsing.parameters(PageParameters, raw).model_dump()
    await read.wait()
    workspace_id = read.caller.workspace_id
    await read.services.queries.one("task", workspace_id, id)
    query = list_query(ListComments, workspace_id, {**values, "task_id": id})
    return await send_page(request, read, query)


@router.get(
    "/{comment_id:uuid}",
    operation_id="getComment",
    summary="A comment",
    response_model=Envelope[Comment, QueryMeta],  # type: ignore[valid-type]
)
async def get_comment(
    request: Request, read: CurrentRead, id: UUID, comment_id: UUID
) -> Response:
    """A comment by its id, a deleted one too."""
    refuse_parameters(request)
    await read.wait()
    sequence, found = await read.services.queries.comment(
        read.caller.workspace_id, id, comment_id
    )
    headers = sequence_header(sequence)
    return envelope.answer(request, found, read.meta(sequence), headers=headers)


@router.post(
    "",
    operation_id="addComment",
    summary="Comment on a task",
    status_code=201,
    response_model=Envelope[Comment, CommandMeta],  # type: ignore[valid-type]
    openapi_extra={"x-command-type": "task.comment"},
)
async def add_comment(
    request: Request,
    id: UUID,
    body: AddCommentBody,
    key: Key = None,
    match: Match = None,
) -> Response:
    """Add a comment, and answer with it."""
    caller = await services_of(request).member(request)
    command_id = parsing.command_id(request, caller)
    comment_id = body.id or derived(command_id, "comment")
    command = CommentTask(task_id=id, comment_id=comment_id, body=body.text)
    raw = body.model_dump(mode="json", exclude_unset=True)
    return await _run(request, caller, command_id, command, raw, 201)


@router.patch(
    "/{comment_id:uuid}",
    operation_id="editComment",
    summary="Edit a comment",
    response_model=Envelope[Comment, CommandMeta],  # type: ignore[valid-type]
    openapi_extra={"x-command-type": "task.comment_edit"},
)
async def edit_comment(
    request: Request,
    id: UUID,
    comment_id: UUID,
    body: CommentTextBody,
    key: Key = None,
    match: Match = None,
) -> Response:
    """Change what a comment says, and answer with it."""
    caller = await services_of(request).member(request)
    command = EditComment(
        task_id=id,
        comment_id=comment_id,
        text=body.text,
        as_owner=caller.role is Role.OWNER,
    )
    command_id = parsing.command_id(request, caller)
    raw = {"comment_id": str(comment_id), "text": body.text}
    return await _run(request, caller, command_id, command, raw)


@router.delete(
    "/{comment_id:uuid}",
    operation_id="deleteComment",
    summary="Delete a comment",
    response_model=Envelope[None, CommandMeta],
    openapi_extra={"x-command-type": "task.comment_delete"},
)
async def delete_comment(
    request: Request,
    id: UUID,
    comment_id: UUID,
    key: Key = None,
    match: Match = None,
) -> Response:
    """Take a comment away."""
    caller = await services_of(request).member(request)
    owner = caller.role is Role.OWNER
    command = DeleteComment(task_id=id, comment_id=comment_id, as_owner=owner)
    command_id = parsing.command_id(request, caller)
    raw = {"comment_id": str(comment_id)}
    return await _run(request, caller, command_id, command, raw)


async def _run(
    request: Request,
    caller: Caller,
    command_id: UUID,
    command: CommentTask | EditComment | DeleteComment,
    raw: Mapping[str, Any],
    status: int = 200,
) -> Response:
    """Send a command, and answer with the comment after it, null if it is gone."""
    refuse_parameters(request)
    expected = parsing.expected_version(request)
    name = NAMES[command.__class__]
    mark = receipts.fingerprint(caller.user_id, name, command.task_id, raw, expected)
    done = await services_of(request).lane.send(
        CommandRequest(
            command=command,
            context=parsing.context(request, caller, command_id),
            fingerprint=mark,
            expected_version=expected,
        )
    )
    return await _answered(request, done, command.task_id, command.comment_id, status)


async def _answered(
    request: Request, done: Answer, task_id: UUID, comment_id: UUID, status: int
) -> Response:
    assert done.stored is not None, "a command about a task has one"
    note_answers(request, [done])
    headers = {
        **sequence_header(done.sequence),
        "ETag": f'"{done.stored.version}"',
    }
    if status == 201:
        headers["Location"] = f"/api/v1/tasks/{task_id}/comments/{comment_id}"
    if done.replayed:
        headers["Idempotency-Replayed"] = "true"
    said = [it for it in done.stored.state.comments if it.id == comment_id]
    found = b"null"
    if said:
        row = comments.row(
            said[0],
            task_id,
            done.stored.updated_at,
            deleted=False,
            author_name=await _name(request, done, said[0].author_id),
        )
        found = comments.document(row)
    meta = command_meta(done)
    return envelope.answer(request, found, meta, status=status, headers=headers)


async def _name(request: Request, done: Answer, user_id: str) -> str | None:
    """Return a user's name as lists show it, None if nobody told one."""
    workspace_id = done.receipt.workspace_id
    _, person = await services_of(request).queries.person(
        workspace_id, person_id(workspace_id, user_id)
    )
    return None if person is None else person["name"]
