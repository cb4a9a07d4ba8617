"""The operators' actions: each takes effect once, and each request is recorded.

A request is a row of `workers.actions`, whatever its outcome: of twenty clicks on one
button one says `retried`, the others `already_retried`.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import Body, Path
from sqlalchemy import text
from starlette.requests import Request

from metacortex.api.auth import Caller
from metacortex.api.dependencies import CurrentCaller
from metacortex.api.fields import Nothing
from metacortex.api.ops import schemas
from metacortex.api.ops.routes import OPERATORS, CurrentOperations, example
from metacortex.api.ops.service import Operations
from metacortex.api.routing import Router
from metacortex.api.schemas import Envelope
from metacortex.kernel.database import driver_pool
from metacortex.kernel.ids import new_id
from metacortex.operations.operator_actions import ActionResult, OperatorActions

logger = structlog.get_logger(__name__)

router = Router(roles=OPERATORS, prefix="/ops", tags=["ops"])

Optional = Annotated[Nothing | None, Body()]
Fingerprint = Annotated[
    str, Path(min_length=1, max_length=64, description="The group's fingerprint.")
]
Name = Annotated[
    str, Path(min_length=1, max_length=255, description="Its name, as listed.")
]
Workspace = Annotated[UUID, Path(description="Whose read tables.")]

_NOTE = text(
    "INSERT INTO workers.actions (id, actor_id, action, target, ip, result, run_id)"
    " VALUES (:id, :actor_id, :action, :target, CAST(CAST(:ip AS text) AS inet),"
    " :result, :run_id) RETURNING id, at, actor_id, action, target, host(ip) AS ip,"
    " result, run_id"
)


async def act(
    request: Request,
    caller: Caller,
    operations: Operations,
    action: str,
    target: object,
    doing: Awaitable[ActionResult],
) -> Any:
    """Do it, write down that it was asked for, and return the row."""
    done = await doing
    result = done.result if done.count < 2 else f"{done.result} {done.count}"
    noted = {
        "id": new_id(),
        "actor_id": caller.user_id,
        "action": action,
        "target": str(target),
        "ip": request.scope["metacortex"]["ip"],
        "result": result,
        "run_id": done.run_id,
    }
    try:
        row = await driver_pool(operations.engines["writes"]).row(_NOTE, noted)
    except Exception:  # it is done: then at least the log says by whom
        logger.error("action_not_written", **{k: str(v) for k, v in noted.items()})
        raise
    return dict(row)


def _add(
    path: str,
    name: str,
    summary: str,
    description: str,
    endpoint: Callable[..., Awaitable[Any]],
) -> None:
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


def _of_run(
    verb: str, method: Callable[[OperatorActions, UUID], Awaitable[ActionResult]]
) -> Callable[..., Awaitable[Any]]:
    async def endpoint(
        request: Request,
        caller: CurrentCaller,
        operations: CurrentOperations,
        id: UUID,
        body: Optional = None,
    ) -> Any:
        doing = method(operations.operator_actions, id)
        return await act(request, caller, operations, f"run.{verb}", id, doing)

    return endpoint


def _of_failures(
    verb: str, method: Callable[[OperatorActions, str], Awaitable[ActionResult]]
) -> Callable[..., Awaitable[Any]]:
    async def endpoint(
        request: Request,
        caller: CurrentCaller,
        operations: CurrentOperations,
        fingerprint: Fingerprint,
        body: Optional = None,
    ) -> Any:
        doing = method(operations.operator_actions, fingerprint)
        action = f"failures.{verb}"
        return await act(request, caller, operations, action, fingerprint, doing)

    return endpoint


def _of_name(
    action: str, method: Callable[[OperatorActions, str], Awaitable[ActionResult]]
) -> Callable[..., Awaitable[Any]]:
    async def endpoint(
        request: Request,
        caller: CurrentCaller,
        operations: CurrentOperations,
        name: Name,
        body: Optional = None,
    ) -> Any:
        doing = method(operations.operator_actions, name)
        return await act(request, caller, operations, action, name, doing)

    return endpoint


def _of_workspace(
    verb: str, method: Callable[[OperatorActions, UUID], Awaitable[ActionResult]]
) -> Callable[..., Awaitable[Any]]:
    async def endpoint(
        request: Request,
        caller: CurrentCaller,
        operations: CurrentOperations,
        workspace_id: Workspace,
        body: Optional = None,
    ) -> Any:
        doing = method(operations.operator_actions, workspace_id)
        action = f"projection.{verb}"
        return await act(request, caller, operations, action, workspace_id, doing)

    return endpoint


_add(
    "/runs/{id:uuid}/retry",
    "retryRun",
    "Repeat a failed run",
    "Enqueue the job of a failed run again, as a new run that names this one.",
    _of_run("retry", OperatorActions.retry_run),
)
_add(
    "/runs/{id:uuid}/discard",
    "discardRun",
    "Leave a failed run as it is",
    "Close a failed run without another attempt.",
    _of_run("discard", OperatorActions.discard_run),
)
_add(
    "/failures/{fingerprint}/retry",
    "retryFailures",
    "Repeat all open runs of a group",
    "Enqueue the jobs of all open runs of a group again; `result` has their number.",
    _of_failures("retry", OperatorActions.retry_failures),
)
_add(
    "/failures/{fingerprint}/discard",
    "discardFailures",
    "Leave all open runs of a group as they are",
    "Close all open runs of a group; `result` has their number.",
    _of_failures("discard", OperatorActions.discard_failures),
)
_add(
    "/schedules/{name}/run",
    "startSchedule",
    "Run a schedule now",
    "Run the schedule's job at once, unless a run that was started so is still on.",
    _of_name("schedule.run", OperatorActions.run_schedule),
)
_add(
    "/schedules/{name}/pause",
    "pauseSchedule",
    "Pause a schedule",
    "Run nothing for this schedule until it is resumed.",
    _of_name("schedule.pause", OperatorActions.pause_schedule),
)
_add(
    "/schedules/{name}/resume",
    "resumeSchedule",
    "Resume a schedule",
    "Go on at the next time; what fell due meanwhile does not run.",
    _of_name("schedule.resume", OperatorActions.resume_schedule),
)
_add(
    "/queues/{name}/pause",
    "pauseQueue",
    "Pause a queue; its messages stay",
    "Let workers take nothing from this queue until it is resumed.",
    _of_name("queue.pause", OperatorActions.pause_queue),
)
_add(
    "/queues/{name}/resume",
    "resumeQueue",
    "Resume a queue",
    "Let workers take from this queue again.",
    _of_name("queue.resume", OperatorActions.resume_queue),
)
_add(
    "/projections/{workspace_id:uuid}/retry",
    "retryProjection",
    "Let a parked workspace go on",
    "Apply the event at which the workspace is parked again, and go on from it.",
    _of_workspace("retry", OperatorActions.retry_projection),
)
_add(
    "/projections/{workspace_id:uuid}/rebuild",
    "rebuildProjection",
    "Fold the read tables of a workspace again",
    "Enqueue a rebuild from the first event; readers see the old rows until it ends.",
    _of_workspace("rebuild", OperatorActions.rebuild),
)
_add(
    "/projections/{workspace_id:uuid}/verify",
    "verifyProjection",
    "Compare the read tables of a workspace with its log",
    "Enqueue a comparison; differences make the run fail, and change no row.",
    _of_workspace("verify", OperatorActions.verify),
)
