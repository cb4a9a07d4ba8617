"""The operators' endpoints: what they look at (GET), and what they do (POST)."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from metacortex.api.auth import Role
from metacortex.api.dependencies import CurrentCaller, CurrentServices
from metacortex.api.ops import examples, schemas
from metacortex.api.ops.broadcaster import HEARTBEAT_S, LIFETIME_S
from metacortex.api.ops.parameters import (
    ActionParameters,
    CursorPage,
    FailureParameters,
    ProjectionParameters,
    RunParameters,
    SeriesParameters,
)
from metacortex.api.ops.service import Operations
from metacortex.api.routing import Router
from metacortex.api.schemas import Envelope, answer
from metacortex.api.streams import EVENT_STREAM, HEADERS, StreamResponse
from metacortex.kernel import clock
from metacortex.kernel.errors import NotFound
from metacortex.operations import (
    queries_database,
    queries_runs,
    queries_state,
)
from metacortex.operations.actors import REBUILD, VERIFY
from metacortex.operations.process_states import processes
from metacortex.operations.queries_runs import Listed

OPERATORS = (Role.OPERATOR,)
STREAM = f"""Server-sent events, until the client closes the connection.

`overview` comes every second, `data` as of `GET /ops/overview`. As they happen come
`run` (a run that was enqueued, begun or ended), `failure` (one that failed: its
fingerprint) and `action` (as of `GET /ops/actions`). A comment comes after
{HEARTBEAT_S:.0f} silent seconds. After {LIFETIME_S:.0f} s, when its token is no longer
accepted, and before the server stops,
`event: reconnect` ends the stream: connect again. Nothing is sent twice, and nothing
again: lists tell what was missed."""

router = Router(roles=OPERATORS, prefix="/ops", tags=["ops"])


async def get_operations(services: CurrentServices) -> Operations:
    """Return the operators' services of this process."""
    return services.operations


CurrentOperations = Annotated[Operations, Depends(get_operations)]


def _paged(listed: Listed) -> Any:
    return answer(listed.rows, {"next_cursor": listed.next_cursor})


def _page(given: CursorPage) -> dict[str, Any]:
    return {"limit": given.per_page, "cursor": given.cursor}


def example(name: str) -> dict[str, Any]:
    """Return what the OpenAPI document shows of an answer."""
    return {"x-example": examples.EXAMPLES[name]}


@router.get(
    "/overview",
    operation_id="getOverview",
    summary="Whether the system is healthy, and why not",
    response_model=Envelope[schemas.Overview],
    openapi_extra=example("getOverview"),
)
async def get_overview(operations: CurrentOperations) -> Any:
    """Return the verdict with its reasons, and the numbers that it rests on."""
    return (await operations.observer.look()).overview()


@router.get(
    "/series",
    operation_id="getSeries",
    summary="The points of a chart",
    response_model=Envelope[schemas.Series],
    openapi_extra=example("getSeries"),
)
async def get_series(
    operations: CurrentOperations, given: Annotated[SeriesParameters, Query()]
) -> Any:
    """Return the samples of a metric; a step with no sample has no point."""
    since, until, step = given.span(clock.now())
    points = await queries_state.series(
        operations.reads, given.metric, since, until, step
    )
    unit = queries_state.UNITS[given.metric]
    return {"metric": given.metric, "unit": unit, "step_s": step, "points": points}


@router.get(
    "/runs",
    operation_id="listRuns",
    summary="Runs, the latest first",
    response_model=Envelope[list[schemas.Run], schemas.CursorMeta],
    openapi_extra=example("listRuns"),
)
async def list_runs(
    operations: CurrentOperations, given: Annotated[RunParameters, Query()]
) -> Any:
    """Return the runs that match all conditions, a page at a time."""
    return _paged(
        await queries_runs.runs(operations.reads, given.filters(), **_page(given))
    )


@router.get(
    "/runs/{id:uuid}",
    operation_id="getRun",
    summary="One run, its attempts, and what belongs to it",
    response_model=Envelope[schemas.RunStory],
    openapi_extra=example("getRun"),
)
async def get_run(operations: CurrentOperations, id: UUID) -> Any:
    """Return a run with its error, its attempts, and the runs and events around it."""
    found = await queries_runs.story(operations.reads, id)
    if found is None:
        raise NotFound("not_found")
    return found


@router.get(
    "/failures",
    operation_id="listFailures",
    summary="Failures by cause, the latest first",
    response_model=Envelope[list[schemas.FailureGroup], schemas.CursorMeta],
    openapi_extra=example("listFailures"),
)
async def list_failures(
    operations: CurrentOperations, given: Annotated[FailureParameters, Query()]
) -> Any:
    """Return failed runs grouped by what went wrong, a page at a time."""
    return _paged(
        await queries_runs.failures(
            operations.reads, open=given.open, actor=given.actor, **_page(given)
        )
    )


@router.get(
    "/schedules",
    operation_id="listSchedules",
    summary="What runs when",
    response_model=Envelope[list[schemas.Schedule]],
    openapi_extra=example("listSchedules"),
)
async def list_schedules(operations: CurrentOperations) -> Any:
    """Return every schedule with its last and its next run."""
    return await queries_state.schedules(operations.reads)


@router.get(
    "/queues",
    operation_id="listQueues",
    summary="What waits",
    response_model=Envelope[list[schemas.Queue]],
    openapi_extra=example("listQueues"),
)
async def list_queues(operations: CurrentOperations) -> Any:
    """Return every queue, with what is ready, delayed and dead in it."""
    return await operations.observer.queues()


@router.get(
    "/workers",
    operation_id="listWorkers",
    summary="Processes: workers, schedulers and APIs",
    response_model=Envelope[list[schemas.Process]],
    openapi_extra=example("listWorkers"),
)
async def list_workers(operations: CurrentOperations) -> Any:
    """Return the processes of the last day with their last heartbeats."""
    return await processes(operations.reads)


@router.get(
    "/projections",
    operation_id="listProjections",
    summary="How far read tables are behind, the worst first",
    response_model=Envelope[list[schemas.ProjectionLag], schemas.CursorMeta],
    openapi_extra=example("listProjections"),
)
async def list_projections(
    operations: CurrentOperations, given: Annotated[ProjectionParameters, Query()]
) -> Any:
    """Return workspaces with the distance of their read tables from the log."""
    return _paged(
        await queries_state.projections(
            operations.reads,
            workspace_id=given.workspace_id,
            behind=given.behind,
            actors=(REBUILD, VERIFY),
            **_page(given),
        )
    )


@router.get(
    "/checks",
    operation_id="listChecks",
    summary="What `metacortex doctor` finds",
    response_model=Envelope[list[schemas.OpsCheck]],
    openapi_extra=example("listChecks"),
)
async def list_checks(operations: CurrentOperations) -> Any:
    """Return the checks' findings, which are at most ten seconds old."""
    return await operations.checks()


@router.get(
    "/database",
    operation_id="getDatabase",
    summary="Sizes, connections and slow statements of Postgres",
    response_model=Envelope[schemas.Database],
    openapi_extra=example("getDatabase"),
)
async def get_database(operations: CurrentOperations) -> Any:
    """Return sizes of tables, connections by state, and the slowest statements."""
    return await queries_database.database(operations.reads)


@router.get(
    "/actions",
    operation_id="listActions",
    summary="Who did what, the latest first",
    response_model=Envelope[list[schemas.Action], schemas.CursorMeta],
    openapi_extra=example("listActions"),
)
async def list_actions(
    operations: CurrentOperations, given: Annotated[ActionParameters, Query()]
) -> Any:
    """Return what operators did, from where, and what it came to."""
    return _paged(
        await queries_runs.actions(
            operations.reads,
            actor_id=given.actor_id,
            action=given.action,
            target=given.target,
            **_page(given),
        )
    )


@router.get(
    "/stream",
    operation_id="streamOperations",
    summary="The overview every second, and what happens",
    description=STREAM,
    response_class=StreamingResponse,
    responses={200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}}},
    openapi_extra=example("streamOperations"),
)
async def stream_operations(
    request: Request,
    services: CurrentServices,
    caller: CurrentCaller,
    operations: CurrentOperations,
) -> Response:
    if request.method == "HEAD":  # an empty body of any length would never end
        return Response(media_type=EVENT_STREAM, headers=HEADERS)
    streams = services.streams
    stream = streams.open(caller)
    events = operations.broadcaster.listen(lambda: services.closing or stream.is_over)
    return StreamResponse(streams, stream, events)
