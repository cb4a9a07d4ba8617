"""The operators' actions: each takes effect once, and each request is recorded.

A request is a row of `workers.actions`, whatever its outcome: of twenty clicks on one
button one says `retried`, the others `already_retried`.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import Body, Path
from starlette.requests import Request

from metacortex.api.dependencies import CurrentCaller
from metacortex.api.fields import Nothing
from metacortex.api.ops import schemas
from metacortex.api.ops.routes import OPERATORS, CurrentOperations, example
from metacortex.api.routing import Router
from metacortex.api.schemas import Envelope
from metacortex.operations.operator_actions import ActionsOf, Done, Operator

router = Router(roles=OPERATORS, prefix="/ops", tags=["ops"])

Optional = Annotated[Nothing | None, Body()]
RunId = Annotated[UUID, Path(alias="id", description="Which run.")]
Fingerprint = Annotated[
    str,
    Path(
        alias="fingerprint",
        min_length=1,
        max_length=64,
        description="The group's fingerprint.",
    ),
]
Name = Annotated[
    str,
    Path(
        alias="name", min_length=1, max_length=255, description="Its name, as listed."
    ),
]
Workspace = Annotated[
    UUID, Path(alias="workspace_id", description="Whose read tables.")
]
Act = Callable[[ActionsOf, Any], Awaitable[Done]]


def _add(
    path: str,
    target: Any,
    name: str,
    summary: str,
    description: str,
    act: Act,
) -> None:
    """Add the endpoint of an action; `target` is the parameter of its path."""

    async def endpoint(
        request: Request,
        caller: CurrentCaller,
        operations: CurrentOperations,
        target: Any,
        body: Optional = None,
    ) -> Any:
        operator = Operator(caller.user_id, request.scope["metacortex"]["ip"])
        done = await act(operations.operator_actions.by(operator), target)
        return done.row

    endpoint.__annotations__["target"] = target
    router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        operation_id=name,
        summary=summary,
        description=description,
        response_model=Envelope[schemas.Action],
        openapi_extra=example("acted"),
    )


_add(
    "/runs/{id:uuid}/retry",
    RunId,
    "retryRun",
    "Repeat a failed run",
    "Enqueue the job of a failed run again, as a new run that names this one.",
    ActionsOf.retry_run,
)
_add(
    "/runs/{id:uuid}/discard",
    RunId,
    "discardRun",
    "Leave a failed run as it is",
    "Close a failed run without another attempt.",
    ActionsOf.discard_run,
)
_add(
    "/failures/{fingerprint}/retry",
    Fingerprint,
    "retryFailures",
    "Repeat all open runs of a group",
    "Enqueue the jobs of all open runs of a group again; `result` has their number.",
    ActionsOf.retry_failures,
)
_add(
    "/failures/{fingerprint}/discard",
    Fingerprint,
    "discardFailures",
    "Leave all open runs of a group as they are",
    "Close all open runs of a group; `result` has their number.",
    ActionsOf.discard_failures,
)
_add(
    "/schedules/{name}/run",
    Name,
    "startSchedule",
    "Run a schedule now",
    "Run the schedule's job at once, unless a run that was started so is still on.",
    ActionsOf.run_schedule,
)
_add(
    "/schedules/{name}/pause",
    Name,
    "pauseSchedule",
    "Pause a schedule",
    "Run nothing for this schedule until it is resumed.",
    ActionsOf.pause_schedule,
)
_add(
    "/schedules/{name}/resume",
    Name,
    "resumeSchedule",
    "Resume a schedule",
    "Go on at the next time; what fell due meanwhile does not run.",
    ActionsOf.resume_schedule,
)
_add(
    "/queues/{name}/pause",
    Name,
    "pauseQueue",
    "Pause a queue; its messages stay",
    "Let workers take nothing from this queue until it is resumed.",
    ActionsOf.pause_queue,
)
_add(
    "/queues/{name}/resume",
    Name,
    "resumeQueue",
    "Resume a queue",
    "Let workers take from this queue again.",
    ActionsOf.resume_queue,
)
_add(
    "/projections/{workspace_id:uuid}/retry",
    Workspace,
    "retryProjection",
    "Let a parked workspace go on",
    "Apply the event at which the workspace is parked again, and go on from it.",
    ActionsOf.retry_projection,
)
_add(
    "/projections/{workspace_id:uuid}/rebuild",
    Workspace,
    "rebuildProjection",
    "Fold the read tables of a workspace again",
    "Enqueue a rebuild from the first event; readers see the old rows until it ends.",
    ActionsOf.rebuild,
)
_add(
    "/projections/{workspace_id:uuid}/verify",
    Workspace,
    "verifyProjection",
    "Compare the read tables of a workspace with its log",
    "Enqueue a comparison; differences make the run fail, and change no row.",
    ActionsOf.verify,
)
