"""What the operators' endpoints answer: ids, codes and error texts, no users' data."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime

from metacortex.api.errors import Schema
from metacortex.api.schemas import Meta

RunOutcome = Literal[
    "queued",
    "running",
    "succeeded",
    "retrying",
    "crashed",
    "failed",
    "discarded",
]
Metric = Literal[
    "commands", "events", "lag_s", "failures", "queue_depth", "request_p99_ms"
]


class CursorMeta(Meta):
    """Where to go on; `next_cursor` is null at the end."""

    next_cursor: str | None


class OpsReason(Schema):
    """A condition that holds; `link` leads to its paragraph of the runbook.

    `severity` is what it makes of the verdict.
    """

    code: str
    title: str
    severity: Literal["degraded", "failing"]
    detail: str
    since: AwareDatetime
    link: str


class OpsNow(Schema):
    """Rates over the last 10 s; null where nothing was measured."""

    commands_per_s: float | None
    events_per_s: float | None
    requests_per_s: float | None
    p99_ms: float | None


class OpsLag(Schema):
    """Workspaces behind, seconds of the one that is furthest, and parked ones."""

    behind: int
    oldest_s: float
    parked: int


class OpsFailures(Schema):
    """Runs that failed and that nobody has dealt with."""

    open: int
    new_last_hour: int


class OpsWorkers(Schema):
    """Processes by state: workers, schedulers and APIs."""

    alive: int
    stalled: int


class OpsDepths(Schema):
    """Messages of all queues; null while the broker does not answer."""

    ready: int | None
    delayed: int | None
    dead: int | None


class OpsStorage(Schema):
    """How much the database holds."""

    database_bytes: int
    log_events: int


class Overview(Schema):
    """The verdict, why, and the numbers behind it.

    What only the database knows is null while it does not answer.
    """

    verdict: Literal["healthy", "degraded", "failing"]
    reasons: list[OpsReason]
    now: OpsNow
    lag: OpsLag | None
    failures: OpsFailures | None
    workers: OpsWorkers | None
    queues: OpsDepths
    storage: OpsStorage | None


class Point(Schema):
    """One point of a chart; null where nothing was measured."""

    at: AwareDatetime
    value: float | None


class Series(Schema):
    """The points of a metric, oldest first."""

    metric: Metric
    unit: str
    step_s: int
    points: list[Point]


class RunError(Schema):
    """Why a run failed; `fingerprint` groups what failed alike."""

    type: str
    message: str
    fingerprint: str
    traceback: str | None


class Progress(Schema):
    """How far a run is."""

    done: int
    total: int


class Run(Schema):
    """One attempt at a job; null where something is not known, or not yet.

    `open`: it failed for good, and nobody has retried or discarded it. Attempts of one
    job share `message_id`.
    """

    id: UUID
    actor: str
    queue: str
    message_id: UUID
    arguments: Any
    workspace_id: UUID | None
    enqueued_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    duration_ms: float | None
    attempt: int
    max_attempts: int
    outcome: RunOutcome
    open: bool
    worker: UUID | None
    progress: Progress | None
    correlation_id: str | None
    command_id: UUID | None
    error: RunError | None
    retry_of: UUID | None
    next_attempt_at: AwareDatetime | None


class CommandTrace(Schema):
    """A command of the correlation: what it was and what became of it."""

    workspace_id: UUID
    command_id: UUID
    type: str
    outcome: Literal["applied", "unchanged", "refused"]
    error_code: str | None
    recorded_at: AwareDatetime
    first_sequence: int | None
    last_sequence: int | None


class EventTrace(Schema):
    """An event of the correlation: its type and place in the log, not its content."""

    workspace_id: UUID
    sequence: int
    type: str
    event_id: UUID
    command_id: UUID
    recorded_at: AwareDatetime


class ProjectionTrace(Schema):
    """How far the read tables of a workspace are that the run concerns."""

    workspace_id: UUID
    head: int
    checkpoint: int
    behind: int
    shows_events: bool
    parked_at: AwareDatetime | None


class RunStory(Run):
    """A run with its attempts, and what else belongs to its correlation."""

    attempts: list[Run]
    commands: list[CommandTrace]
    events: list[EventTrace]
    projections: list[ProjectionTrace]
    related: list[Run]
    actions: list["Action"]


class FailureGroup(Schema):
    """Runs that failed alike: same actor, exception, and frame of ours."""

    fingerprint: str
    actor: str
    error_type: str
    message: str
    first_at: AwareDatetime
    last_at: AwareDatetime
    count: int
    open: int
    sample_run_id: UUID


class Schedule(Schema):
    """An entry of the schedule; `cron` is null for one that has an interval."""

    name: str
    cron: str | None
    interval_s: float | None
    time_zone: str
    actor: str
    paused: bool
    last_run: AwareDatetime | None
    next_at: AwareDatetime | None
    missed: Literal["run_once", "skip"]


class Queue(Schema):
    """A queue; depths and age are null while the broker does not answer."""

    name: str
    paused: bool
    ready: int | None
    delayed: int | None
    running: int
    dead: int | None
    oldest_age_s: float | None
    per_minute: float


class RunningRun(Schema):
    """What a process is at."""

    run_id: UUID
    actor: str
    started_at: AwareDatetime


class Process(Schema):
    """A process: an API, a worker or a scheduler."""

    id: UUID
    host: str
    pid: int
    kind: Literal["api", "worker", "scheduler"]
    version: str
    started_at: AwareDatetime
    seen_at: AwareDatetime
    queues: list[str]
    running: list[RunningRun]
    rss_bytes: int
    loop_delay_ms: float
    state: Literal["alive", "stalled", "gone"]


class ParkedAt(Schema):
    """Where and why a projection stopped, and what has to be done first.

    `event_type` and `matches_hashes` are null if the log lacks the event; the latter is
    false if it was altered after it was written.
    """

    sequence: int
    event_type: str | None
    matches_hashes: bool | None
    error: str
    remedy: str
    since: AwareDatetime


class Rebuilding(Schema):
    """How far a rebuild or a comparison is."""

    done: int
    total: int
    eta_s: float | None


class ProjectionLag(Schema):
    """How far the read tables of a workspace are behind its log."""

    workspace_id: UUID
    head: int
    checkpoint: int
    behind: int
    lag_s: float
    parked: ParkedAt | None
    rebuilds: int
    rebuilding: Rebuilding | None


class OpsCheck(Schema):
    """One check of `metacortex doctor`; `remedy` is null where there is none."""

    check: str
    status: Literal["ok", "warning", "failing", "skipped"]
    detail: str
    remedy: str | None


class Action(Schema):
    """What an operator did; `target` names what it was done to."""

    id: UUID
    at: AwareDatetime
    actor_id: str
    action: str
    target: str
    ip: str | None
    result: str
    run_id: UUID | None


class TableSize(Schema):
    """A table with its indexes; rows are estimated by Postgres."""

    table: str
    bytes: int
    index_bytes: int
    rows: int
    dead_rows: int
    vacuumed_at: AwareDatetime | None


class Connections(Schema):
    """Connections of a login in a state; `unknown` where this login may not know."""

    login: str
    state: str
    count: int


class SlowStatement(Schema):
    """A statement as `pg_stat_statements` keeps it: without its values."""

    statement: str
    calls: int
    mean_ms: float
    total_ms: float


class Database(Schema):
    """Sizes and load; `slow_statements` is null without `pg_stat_statements`."""

    version: str
    bytes: int
    max_connections: int
    connections: list[Connections]
    tables: list[TableSize]
    slow_statements: list[SlowStatement] | None


RunStory.model_rebuild()
