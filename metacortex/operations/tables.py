"""The tables of the schema `workers`: what operators see, durable whatever Redis does.

A run is one attempt at a job. Attempts of the same job share `message_id`; one that is
repeated by hand is a new job, with `retry_of` naming the run that it repeats.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from metacortex.kernel.database import Table

SCHEMA = "workers"
INSTANT = TIMESTAMP(timezone=True)

OUTCOMES = (
    "queued",  # waits for its time or for a worker
    "running",
    "succeeded",
    "retrying",  # failed; another attempt follows
    "crashed",  # its process died in the middle
    "failed",  # for good: the last attempt, or one that is not repeated
    "discarded",  # failed, and an operator decided that it stays so
)
IMPORT_STATES = ("queued", "running", "done", "failed")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(map(repr, values))})"


class RunTable(Table):
    """One row per attempt; `id` is of version 7, so that it sorts by `enqueued_at`.

    Times are asked for by ids (`kernel.ids.first_id`), texts by the groups of failures:
    neither has an index here.

    `open`: it failed for good, and nobody has retried or discarded it yet.
    `unique_key`: at most one run that holds it is queued or running.
    """

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint(_one_of("outcome", OUTCOMES), "outcome"),
        Index("ix_runs_actor", "actor", "id"),
        Index("ix_runs_queue", "queue", "id"),
        Index("ix_runs_actor_outcome", "actor", "outcome", "id"),
        Index("ix_runs_queue_outcome", "queue", "outcome", "id"),
        Index("ix_runs_outcome", "outcome", "id"),
        Index("ix_runs_correlation", "correlation_id", "id"),
        Index("ix_runs_message", "message_id", "attempt", unique=True),
        Index("ix_runs_started", "started_at"),
        Index("ix_runs_finished", "finished_at"),
        Index(
            "ix_runs_worker",
            "worker",
            "id",
            postgresql_where=text("worker IS NOT NULL"),
        ),
        Index(
            "ix_runs_command",
            "command_id",
            "id",
            postgresql_where=text("command_id IS NOT NULL"),
        ),
        Index(
            "ix_runs_workspace",
            "workspace_id",
            "id",
            postgresql_where=text("workspace_id IS NOT NULL"),
        ),
        Index(
            "ix_runs_fingerprint",
            "fingerprint",
            "id",
            postgresql_where=text("fingerprint IS NOT NULL"),
        ),
        Index(
            "ix_runs_retry_of",
            "retry_of",
            postgresql_where=text("retry_of IS NOT NULL"),
        ),
        Index("ix_runs_open", "fingerprint", "id", postgresql_where=text("open")),
        Index(
            "ix_runs_words",
            text(
                "to_tsvector('simple'::regconfig, (((((actor || ' '::text) ||"
                " COALESCE(error_type, ''::text)) || ' '::text) ||"
                " COALESCE(error_message, ''::text)) || ' '::text) ||"
                " arguments::text)"  # as Postgres tells it, to be compared
            ),
            postgresql_using="gin",
        ),
        Index(
            "ix_runs_due",
            "due_at",
            postgresql_where=text("outcome = 'queued'"),
        ),
        Index(
            "ix_runs_running",
            "worker",
            postgresql_where=text("outcome = 'running'"),
        ),
        Index(
            "uq_runs_unique_key",
            "unique_key",
            unique=True,
            postgresql_where=text("outcome IN ('queued', 'running')"),
        ),
        {"schema": SCHEMA},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    actor: Mapped[str] = mapped_column(Text)
    queue: Mapped[str] = mapped_column(Text)
    message_id: Mapped[UUID]
    arguments: Mapped[Any] = mapped_column(JSONB)
    workspace_id: Mapped[UUID | None]
    unique_key: Mapped[str | None] = mapped_column(Text)
    schedule: Mapped[str | None] = mapped_column(Text)
    correlation_id: Mapped[str | None] = mapped_column(Text)
    command_id: Mapped[UUID | None]
    retry_of: Mapped[UUID | None]
    enqueued_at: Mapped[datetime] = mapped_column(INSTANT, server_default=text("now()"))
    due_at: Mapped[datetime] = mapped_column(INSTANT, server_default=text("now()"))
    sent_at: Mapped[datetime | None] = mapped_column(INSTANT)
    started_at: Mapped[datetime | None] = mapped_column(INSTANT)
    finished_at: Mapped[datetime | None] = mapped_column(INSTANT)
    duration_ms: Mapped[float | None] = mapped_column(Double)
    attempt: Mapped[int] = mapped_column(Integer, server_default="1")
    max_attempts: Mapped[int] = mapped_column(Integer, server_default="1")
    outcome: Mapped[str] = mapped_column(Text, server_default="queued")
    open: Mapped[bool] = mapped_column(server_default=text("false"))
    worker: Mapped[UUID | None]
    error_type: Mapped[str | None] = mapped_column(Text)
    error_message: Mapped[str | None] = mapped_column(Text)
    fingerprint: Mapped[str | None] = mapped_column(Text)
    traceback: Mapped[str | None] = mapped_column(Text)
    next_attempt_at: Mapped[datetime | None] = mapped_column(INSTANT)
    done: Mapped[int | None] = mapped_column(BigInteger)
    total: Mapped[int | None] = mapped_column(BigInteger)


class FailureTable(Table):
    """Failures grouped by cause; what is open in a group is counted from its runs."""

    __tablename__ = "failures"
    __table_args__ = (
        Index("ix_failures_last", "last_at", "fingerprint"),
        {"schema": SCHEMA},
    )

    fingerprint: Mapped[str] = mapped_column(Text, primary_key=True)
    actor: Mapped[str] = mapped_column(Text)
    error_type: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    first_at: Mapped[datetime] = mapped_column(INSTANT)
    last_at: Mapped[datetime] = mapped_column(INSTANT)
    count: Mapped[int] = mapped_column(BigInteger)
    sample_run_id: Mapped[UUID]


class ProjectMinuteTable(Table):
    """The wake-ups of one minute, all workers and workspaces together.

    `buckets` counts turns by duration, from which the percentiles are computed again
    whenever another worker adds its own.
    """

    __tablename__ = "project_minutes"
    __table_args__ = ({"schema": SCHEMA},)

    minute: Mapped[datetime] = mapped_column(INSTANT, primary_key=True)
    runs: Mapped[int] = mapped_column(BigInteger)
    events: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(BigInteger)
    p50_ms: Mapped[float] = mapped_column(Double)
    p95_ms: Mapped[float] = mapped_column(Double)
    max_ms: Mapped[float] = mapped_column(Double)
    buckets: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class ProcessTable(Table):
    """One row per process since it started; `seen_at` is its last heartbeat.

    `running` are ids of runs. `figures` are numbers of its own, by name: those that
    end in `_total` only grow.
    """

    __tablename__ = "processes"
    __table_args__ = (
        CheckConstraint("kind IN ('api', 'worker', 'scheduler')", "kind"),
        Index("ix_processes_seen", "seen_at"),
        {"schema": SCHEMA},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(Text)
    version: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(INSTANT)
    seen_at: Mapped[datetime] = mapped_column(INSTANT)
    stopped_at: Mapped[datetime | None] = mapped_column(INSTANT)
    queues: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    running: Mapped[Any] = mapped_column(JSONB, server_default="[]")
    rss_bytes: Mapped[int] = mapped_column(BigInteger)
    loop_delay_ms: Mapped[float] = mapped_column(Double)
    figures: Mapped[Any] = mapped_column(JSONB, server_default="{}")


class ScheduleTable(Table):
    """What runs when: by `cron` in `time_zone`, or every `interval_s` seconds."""

    __tablename__ = "schedules"
    __table_args__ = (
        CheckConstraint("num_nonnulls(cron, interval_s) = 1", "times"),
        CheckConstraint("missed IN ('run_once', 'skip')", "missed"),
        {"schema": SCHEMA},
    )

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    cron: Mapped[str | None] = mapped_column(Text)
    interval_s: Mapped[float | None] = mapped_column(Double)
    time_zone: Mapped[str] = mapped_column(Text, server_default="UTC")
    actor: Mapped[str] = mapped_column(Text)
    arguments: Mapped[Any] = mapped_column(JSONB, server_default="{}")
    paused: Mapped[bool] = mapped_column(server_default=text("false"))
    missed: Mapped[str] = mapped_column(Text, server_default="run_once")
    last_run: Mapped[datetime | None] = mapped_column(INSTANT)
    next_at: Mapped[datetime | None] = mapped_column(INSTANT)


class ScheduleRunTable(Table):
    """Which due times were enqueued, each once, and as which run."""

    __tablename__ = "schedule_runs"
    __table_args__ = (
        Index("ix_schedule_runs_run", "run_id"),
        {"schema": SCHEMA},
    )

    name: Mapped[str] = mapped_column(
        ForeignKey("workers.schedules.name", ondelete="CASCADE"), primary_key=True
    )
    due_at: Mapped[datetime] = mapped_column(INSTANT, primary_key=True)
    run_id: Mapped[UUID]


class QueueTable(Table):
    """The queues that somebody has ever paused; others are not."""

    __tablename__ = "queues"
    __table_args__ = ({"schema": SCHEMA},)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    paused: Mapped[bool] = mapped_column(server_default=text("false"))
    changed_at: Mapped[datetime] = mapped_column(INSTANT, server_default=text("now()"))


class SampleTable(Table):
    """A metric's value at an instant; `step` is 10 or 300 seconds."""

    __tablename__ = "samples"
    __table_args__ = (
        CheckConstraint("step IN (10, 300)", "step"),
        {"schema": SCHEMA},
    )

    metric: Mapped[str] = mapped_column(Text, primary_key=True)
    step: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = mapped_column(INSTANT, primary_key=True)
    value: Mapped[float] = mapped_column(Double)


class ActionTable(Table):
    """Who did what to what; rows are only ever added."""

    __tablename__ = "actions"
    __table_args__ = (
        Index("ix_actions_actor", "actor_id", "id"),
        Index("ix_actions_target", "target", "id"),
        {"schema": SCHEMA},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(INSTANT, server_default=text("now()"))
    actor_id: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    target: Mapped[str] = mapped_column(Text)
    ip: Mapped[str | None] = mapped_column(INET)
    result: Mapped[str] = mapped_column(Text)
    run_id: Mapped[UUID | None]


class ImportTable(Table):
    """A list to import: `content` is kept until it is done, `digest` for good.

    `errors` are objects of `line`, `code` and `detail`.
    """

    __tablename__ = "imports"
    __table_args__ = (
        CheckConstraint(_one_of("status", IMPORT_STATES), "status"),
        Index("ix_imports_workspace", "workspace_id", "id"),
        {"schema": SCHEMA},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID]
    actor_id: Mapped[str] = mapped_column(Text)
    project: Mapped[str] = mapped_column(Text)
    content: Mapped[str | None] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="queued")
    done: Mapped[int] = mapped_column(BigInteger, server_default="0")
    total: Mapped[int] = mapped_column(BigInteger, server_default="0")
    errors: Mapped[Any] = mapped_column(JSONB, server_default="[]")
    correlation_id: Mapped[str] = mapped_column(Text)
    run_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(INSTANT, server_default=text("now()"))
    finished_at: Mapped[datetime | None] = mapped_column(INSTANT)


class LeaseTable(Table):
    """Who leads in what, and until when unless it says so again."""

    __tablename__ = "leases"
    __table_args__ = ({"schema": SCHEMA},)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    holder: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(INSTANT)
