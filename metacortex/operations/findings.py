"""What a look finds wrong, of what it was told: each condition's own test."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from metacortex.kernel.driver_errors import cause, meaning, sqlstate
from metacortex.operations.conditions import CONDITIONS, Finding
from metacortex.operations.queries_runs import Row
from metacortex.operations.queries_state import Lag

NAMED = 5  # processes, queues or workspaces that one reason names
_MISSING = ("3F", "42P01", "42703")  # schema, table or column: another release's


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """Room where the database keeps its data."""

    free_bytes: int
    total_bytes: int

    @property
    def free_share(self) -> float:
        return self.free_bytes / self.total_bytes

    def told(self) -> str:
        """Say it in words."""
        free, megabytes = self.free_share, self.free_bytes // 2**20
        return f"{free:.1%} free, {megabytes} MB, where the data is"


def of_disk(disk: DiskSpace | None) -> list[Finding]:
    """Return nothing of a disk elsewhere: only its server knows of it."""
    if disk is None or disk.free_share >= CONDITIONS["disk_low"].threshold:
        return []
    return [Finding("disk_low", disk.told())]


def another_release(found: str, needed: str) -> Finding:
    """Return that the schema is of another release."""
    said = f"The database is at {found}, this release needs {needed}"
    return Finding("schema_mismatch", said)


def is_missing(error: BaseException) -> bool:
    """Return whether a schema, table or column is not there."""
    return (sqlstate(error) or "").startswith(_MISSING)


def of_database(error: Exception, schema: str) -> Finding | None:
    """Return what an error says of the database; None if it is a defect of ours."""
    if is_missing(error):
        return another_release("another schema", schema)
    if isinstance(error, TimeoutError) or meaning(error) is not None:
        said = f"Postgres: {type(cause(error)).__name__}"
        return Finding("database_unreachable", said)
    return None


def of_lag(lag: Lag) -> list[Finding]:
    """Return what is parked, and what lags."""
    found = []
    if lag.parked:
        said = f"{lag.parked} {_plural(lag.parked, 'workspace')} parked"
        found.append(Finding("workspace_parked", said, lag.parked_since))
    limit_s = CONDITIONS["projection_lagging"].threshold
    if lag.oldest_at is not None and lag.oldest_s > limit_s:
        said = (
            f"{lag.behind} {_plural(lag.behind, 'workspace')} behind, the furthest by"
            f" {lag.oldest_s:.0f} s"
        )
        since = lag.oldest_at + timedelta(seconds=limit_s)
        found.append(Finding("projection_lagging", said, since))
    return found


def _plural(count: int, noun: str) -> str:
    return f"{noun} is" if count == 1 else f"{noun}s are"


def of_failures(failed: Row) -> list[Finding]:
    """Return whether failures are open, or jobs fail again and again."""
    if not failed["open"] and not failed["retried"]:
        return []
    said = f"{failed['open']} open, {failed['new_last_hour']} in the last hour"
    if failed["retried"]:
        said += f", {failed['retried']} that failed twice and are tried again"
    return [Finding("failures_open", said, failed["since"])]


def of_processes(
    processes: Sequence[Row], leader: Row | None, now: datetime
) -> list[Finding]:
    """Return who is missing, and who hangs."""
    found = []
    workers = [it for it in processes if it["kind"] == "worker"]
    if not any(it["state"] == "alive" for it in workers):
        last = max((it["seen_at"] for it in workers), default=None)
        said = (
            "None was heard of" if last is None else f"The last one was {last:%H:%M:%S}"
        )
        found.append(Finding("no_worker", said, last))
    if leader is None or leader["expires_at"] < leader["now"]:
        schedulers = [it for it in processes if it["kind"] == "scheduler"]
        last = max((it["seen_at"] for it in schedulers), default=None)
        if leader is not None:
            last = leader["expires_at"]
        holder = "nobody" if leader is None else leader["holder"]
        found.append(Finding("no_scheduler", f"The last leader: {holder}", last))
    if stalled := [it for it in processes if it["state"] == "stalled"]:
        names = [f"{it['kind']} {it['host']}:{it['pid']}" for it in stalled]
        since = min(it["seen_at"] for it in stalled)
        found.append(Finding("worker_stalled", _some(names), since))
    return found


def of_queues(queues: Sequence[Row], now: datetime) -> list[Finding]:
    """Return the queues whose oldest message waits."""
    limit_s = CONDITIONS["queue_growing"].threshold
    old = [it for it in queues if (it["oldest_age_s"] or 0.0) > limit_s]
    if not old:
        return []
    said = [
        f"{it['name']}{' is paused' if it['paused'] else ''}: {it['ready']} ready, the"
        f" oldest for {it['oldest_age_s']:.0f} s"
        for it in old
    ]
    age_s = max(it["oldest_age_s"] for it in old)
    since = now - timedelta(seconds=age_s - limit_s)
    return [Finding("queue_growing", _some(said), since)]


def of_replica(primary: datetime | None, replica: datetime | None) -> list[Finding]:
    """Compare the newest heartbeat on both: a silent primary looks like no lag."""
    if primary is None:
        return []
    behind = None if replica is None else (primary - replica).total_seconds()
    if behind is not None and behind <= CONDITIONS["replica_lagging"].threshold:
        return []
    said = "It has seen no heartbeat" if behind is None else f"{behind:.0f} s behind"
    return [Finding("replica_lagging", said)]


def _some(items: Sequence[str]) -> str:
    more = len(items) - NAMED
    return "; ".join(items[:NAMED]) + (f"; and {more} more" if more > 0 else "")
