"""What operators ask about the present: lag, processes, queues, schedules, charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from sqlalchemy import text

from metacortex.kernel.database import Reader
from metacortex.kernel.ids import first_id
from metacortex.operations import cursors
from metacortex.operations.parked_events import ParkedEvent, parked_events
from metacortex.operations.queries_runs import PER_PAGE, Listed, Row

FINE_S, COARSE_S = 10, 300  # seconds between samples, as they are kept
FINE_FOR = timedelta(hours=24)  # how long the fine ones are kept
POINTS = 10_000  # of one answer: a day of fine ones, and some
LATE = 1_000  # late workspaces whose oldest event is looked up; the sweep's limit
FAILED_WITHIN = timedelta(hours=24)  # between the beginning and the end of a job
TWICE = 2  # attempts that failed: the first time may be bad luck

UNITS: Mapping[str, str] = {
    "commands": "per second",
    "events": "per second",
    "lag_s": "seconds",
    "failures": "per second",
    "queue_depth": "messages",
    "request_p99_ms": "milliseconds",
}
"""What samples are of, by metric."""

RATES = ("commands", "events", "failures")

_LAG = text(f"""
    WITH late AS MATERIALIZED (
        SELECT h.workspace_id, coalesce(c.sequence, 0) AS shown, c.parked_at
        FROM events.heads h LEFT JOIN queries.checkpoints c USING (workspace_id)
        WHERE h.sequence > coalesce(c.sequence, 0) OR c.parked_at IS NOT NULL),
    next AS (
        SELECT min(l.recorded_at) AS at
        FROM (SELECT * FROM late WHERE parked_at IS NULL LIMIT {LATE}) w
        JOIN events.log l
        ON l.workspace_id = w.workspace_id AND l.sequence = w.shown + 1)
    SELECT count(*) FILTER (WHERE parked_at IS NULL) AS behind,
        count(parked_at) AS parked, min(parked_at) AS parked_since,
        (SELECT at FROM next) AS oldest_at, now() AS now FROM late
    """)

_FAILED = text("""
    SELECT (SELECT count(*) FROM workers.runs WHERE open) AS open,
        (SELECT min(finished_at) FROM workers.runs WHERE open) AS since,
        (SELECT count(*) FROM workers.runs WHERE outcome IN ('failed', 'crashed')
            AND id >= :id AND finished_at > now() - interval '1 hour') AS new_last_hour,
        (SELECT count(*) FROM workers.runs WHERE outcome IN ('queued', 'running')
            AND attempt > :twice) AS retried
    """)

_SIZES = text("""
    SELECT pg_database_size(current_database()) AS database_bytes,
        coalesce((SELECT sum(sequence) FROM events.heads), 0)::bigint AS log_events
    """)

_PROCESSES = text("""
    SELECT p.id, host, pid, kind, version, started_at, seen_at, stopped_at, queues,
        rss_bytes, loop_delay_ms, figures::text AS figures, now() AS now,
        coalesce((SELECT json_agg(json_build_object('run_id', r.id, 'actor', r.actor,
            'started_at', r.started_at) ORDER BY r.id) FROM workers.runs r
            WHERE r.worker = p.id AND r.outcome = 'running'), '[]')::text AS running
    FROM workers.processes p
    WHERE seen_at > now() - make_interval(secs => :within) ORDER BY kind, p.id
    """)

_LEADER = text("""
    SELECT holder, expires_at, now() AS now FROM workers.leases WHERE name = :name
    """)

_SCHEDULES = text("""
    SELECT name, cron, interval_s, time_zone, actor, paused, last_run, next_at, missed
    FROM workers.schedules ORDER BY name
    """)

_QUEUES = text("""
    WITH waiting AS (
        SELECT queue, count(*) FILTER (WHERE due_at <= now()) AS ready,
            count(*) FILTER (WHERE due_at > now()) AS delayed,
            min(due_at) FILTER (WHERE due_at <= now()) AS oldest
        FROM workers.runs WHERE outcome = 'queued' GROUP BY queue),
    busy AS (
        SELECT queue, count(*) AS running
        FROM workers.runs WHERE outcome = 'running' GROUP BY queue),
    lost AS (
        SELECT queue, count(*) AS dead FROM workers.runs WHERE open GROUP BY queue),
    done AS (
        SELECT queue, count(*) AS per_minute FROM workers.runs
        WHERE finished_at > now() - interval '1 minute' GROUP BY queue)
    SELECT name, coalesce(q.paused, false) AS paused, coalesce(ready, 0) AS ready,
        coalesce(delayed, 0) AS delayed, coalesce(running, 0) AS running,
        coalesce(dead, 0) AS dead,
        extract(epoch FROM now() - oldest)::float8 AS oldest_age_s,
        coalesce(per_minute, 0)::float8 AS per_minute
    FROM (SELECT name FROM workers.queues UNION SELECT queue FROM waiting
        UNION SELECT queue FROM busy UNION SELECT queue FROM lost
        UNION SELECT queue FROM done
        UNION SELECT unnest(CAST(:known AS text[]))) n(name)
    LEFT JOIN workers.queues q USING (name)
    LEFT JOIN waiting w ON w.queue = name LEFT JOIN busy b ON b.queue = name
    LEFT JOIN lost l ON l.queue = name LEFT JOIN done d ON d.queue = name
    ORDER BY name
    """)

_WAKE_UPS = text("""
    SELECT coalesce(sum(runs), 0)::float8 FROM workers.project_minutes
    WHERE minute = date_trunc('minute', now() - interval '1 minute')
    """)

_PROJECTIONS = """
    WITH lags AS (
        SELECT h.workspace_id, h.sequence AS head,
            coalesce(c.sequence, 0) AS checkpoint,
            abs(h.sequence - coalesce(c.sequence, 0)) AS distance,
            (c.parked_at IS NOT NULL)::int AS is_parked, c.parked_at, c.error,
            coalesce(c.rebuilds, 0) AS rebuilds
        FROM events.heads h LEFT JOIN queries.checkpoints c USING (workspace_id)),
    page AS (
        SELECT * FROM lags WHERE {where}
        ORDER BY is_parked DESC, distance DESC, workspace_id DESC LIMIT :limit)
    SELECT p.*, head - checkpoint AS behind,
        coalesce(extract(epoch FROM now() - (SELECT l.recorded_at FROM events.log l
            WHERE l.workspace_id = p.workspace_id AND l.sequence = p.checkpoint + 1)),
            0)::float8 AS lag_s,
        r.done, r.total, extract(epoch FROM now() - r.started_at)::float8 AS busy_s
    FROM page p LEFT JOIN LATERAL (
        SELECT done, total, started_at FROM workers.runs r
        WHERE r.workspace_id = p.workspace_id AND r.outcome = 'running'
        AND r.actor = ANY (CAST(:actors AS text[])) ORDER BY r.id DESC LIMIT 1) r
        ON true
    ORDER BY is_parked DESC, distance DESC, p.workspace_id DESC
    """

_SERIES = text("""
    SELECT b AS at, s.value FROM generate_series(
        date_bin(make_interval(secs => :step), CAST(:since AS timestamptz), 'epoch'),
        CAST(:until AS timestamptz), make_interval(secs => :step)) b
    LEFT JOIN (
        SELECT date_bin(make_interval(secs => :step), at, 'epoch') AS bin,
            CASE WHEN :mean THEN avg(value) ELSE max(value) END AS value
        FROM workers.samples WHERE metric = :metric AND step = :kept
        AND at >= date_bin(make_interval(secs => :step), CAST(:since AS timestamptz),
            'epoch')
        AND at <= :until GROUP BY 1) s ON s.bin = b
    ORDER BY b
    """)

_LAST_SAMPLES = text("""
    SELECT DISTINCT ON (metric) metric, value FROM workers.samples
    WHERE step = 10 AND at > now() - interval '30 seconds'
    AND metric = ANY (CAST(:metrics AS text[])) ORDER BY metric, at DESC
    """)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far read tables are behind; `oldest_at` is of the first event not shown."""

    behind: int
    parked: int
    parked_since: datetime | None
    oldest_at: datetime | None
    now: datetime

    @property
    def oldest_s(self) -> float:
        """Seconds since the oldest event that is not shown, 0.0 if all are."""
        if self.oldest_at is None:
            return 0.0
        return max(0.0, (self.now - self.oldest_at).total_seconds())


async def lag(reads: Reader) -> Lag:
    """Return how far the read tables of all workspaces are behind."""
    return Lag(**dict(await reads.row(_LAG, {})))


async def failed(reads: Reader, now: datetime) -> Row:
    """Return open failures, since when, those of the last hour, and jobs that fail on.

    Some jobs are tried for minutes before they are open: that is too late to tell.
    """
    values = {"id": first_id(now - FAILED_WITHIN), "twice": TWICE}
    return dict(await reads.row(_FAILED, values))


async def sizes(reads: Reader) -> Row:
    """Return what the database holds, in bytes and in events."""
    return dict(await reads.row(_SIZES, {}))


async def processes(reads: Reader, within_s: float) -> list[Row]:
    """Return the processes that were heard of within so many seconds."""
    found = []
    for row in await reads.rows(_PROCESSES, {"within": within_s}):
        process = dict(row)
        for name in ("figures", "running"):
            process[name] = orjson.loads(process[name])
        found.append(process)
    return found


async def leader(reads: Reader, name: str) -> Row | None:
    """Return who holds a lease, until when, and what time it is there."""
    row = await reads.row(_LEADER, {"name": name})
    return None if row is None else dict(row)


async def schedules(reads: Reader) -> list[Row]:
    """Return all entries of the schedule, by name."""
    return [dict(it) for it in await reads.rows(_SCHEDULES, {})]


async def queues(reads: Reader, known: Sequence[str]) -> list[Row]:
    """Return every queue as Postgres knows it; `known` ones even if never used."""
    return [dict(it) for it in await reads.rows(_QUEUES, {"known": list(known)})]


async def wake_ups_per_minute(reads: Reader) -> float:
    """Return how many wake-ups were served in the last whole minute."""
    (found,) = await reads.row(_WAKE_UPS, {})
    return float(found)


async def projections(
    reads: Reader,
    *,
    workspace_id: UUID | None = None,
    behind: bool = False,
    actors: Sequence[str] = (),
    limit: int = PER_PAGE,
    cursor: str | None = None,
) -> Listed:
    """Return how far each workspace is, parked ones first, then the furthest behind.

    `actors` are the jobs whose progress is shown. Raises Malformed.
    """
    given = {"workspace_id": workspace_id, "behind": behind}
    after = cursors.decode(cursor, given, (int, int, UUID))
    where, values = ["true"], {"limit": limit + 1, "actors": list(actors)}
    if workspace_id is not None:
        where.append("workspace_id = :workspace_id")
        values["workspace_id"] = workspace_id
    if behind:
        where.append("(distance > 0 OR is_parked = 1)")
    if after is not None:
        where.append("(is_parked, distance, workspace_id) < (:p, :d, :w)")
        values |= dict(zip("pdw", after, strict=True))
    statement = text(_PROJECTIONS.format(where=" AND ".join(where)))
    found = [dict(it) for it in await reads.rows(statement, values)]
    next_cursor = None
    if len(found) > limit:
        last = found[limit - 1]
        key = (last["is_parked"], last["distance"], last["workspace_id"])
        next_cursor = cursors.encode(given, key)
    page = found[:limit]
    stopped = [(it["workspace_id"], it["checkpoint"]) for it in page if it["is_parked"]]
    events = await parked_events(reads, stopped)
    rows = [_projection(it, events.get(it["workspace_id"])) for it in page]
    return Listed(rows, next_cursor)


def _projection(row: Row, event: ParkedEvent | None) -> Row:
    parked = rebuilding = None
    if event is not None:
        parked = {
            "sequence": row["checkpoint"] + 1,
            "event_type": event.event_type,
            "matches_hashes": event.matches_hashes,
            "error": row["error"] or "",
            "remedy": event.remedy,
            "since": row["parked_at"],
        }
    if row["busy_s"] is not None:
        done, total = row["done"] or 0, row["total"] or row["head"]
        left = max(0, total - done)
        eta_s = round(row["busy_s"] * left / done, 1) if done else None
        rebuilding = {"done": done, "total": total, "eta_s": eta_s}
    names = ("workspace_id", "head", "checkpoint", "behind", "lag_s", "rebuilds")
    kept = {name: row[name] for name in names}
    return {**kept, "parked": parked, "rebuilding": rebuilding}


async def series(
    reads: Reader, metric: str, since: datetime, until: datetime, step_s: int
) -> list[Row]:
    """Return a point for each step: the mean of rates, else the greatest value.

    What is older than fine samples are kept comes from the coarse ones.
    """
    fine = step_s < COARSE_S or since > until - FINE_FOR and step_s % COARSE_S
    values = {
        "metric": metric,
        "since": since,
        "until": until,
        "step": step_s,
        "kept": FINE_S if fine else COARSE_S,
        "mean": metric in RATES,
    }
    return [dict(it) for it in await reads.rows(_SERIES, values)]


async def last_samples(reads: Reader, metrics: Sequence[str]) -> dict[str, float]:
    """Return the newest value of each metric, if it is not older than 30 s."""
    rows = await reads.rows(_LAST_SAMPLES, {"metrics": list(metrics)})
    return {metric: value for metric, value in rows}
