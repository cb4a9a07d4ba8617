"""What operators ask about runs, groups of failures, and actions.

Every list goes along an index and stops at its page, so that a million runs cost no
more than a thousand; `python -m bench.measures.operations` measures it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import TextClause, text

from metacortex.kernel.database import Reader
from metacortex.kernel.ids import first_id
from metacortex.operations import cursors

PER_PAGE = 50
RELATED = 100  # of a run's correlation; more than one reads
EVENTS = 500
SKEW = timedelta(seconds=5)  # between an id and its `enqueued_at`, from two clocks
NO_EARLIER = datetime(1971, 1, 1, tzinfo=UTC)  # no id of version 7 is of before 1970
NO_LATER = datetime(9999, 1, 1, tzinfo=UTC)  # room for the skew

Row = dict[str, Any]

ACTION = "id, at, actor_id, action, target, host(ip) AS ip, result, run_id"
"""The columns of an action."""

_RUN = (
    "r.id, r.actor, r.queue, r.message_id, r.arguments::text AS arguments,"
    " r.enqueued_at, r.started_at, r.finished_at, r.duration_ms, r.attempt,"
    " r.max_attempts, r.outcome, r.worker, r.correlation_id, r.command_id,"
    " r.workspace_id, r.error_type, r.error_message, r.fingerprint, r.traceback,"
    " r.retry_of, r.next_attempt_at, r.done, r.total, r.open"
)

WORDS = (
    "to_tsvector('simple', r.actor || ' ' || coalesce(r.error_type, '') || ' '"
    " || coalesce(r.error_message, '') || ' ' || (r.arguments)::text)"
)
"""What `q` looks through; `ix_runs_words` is of the same expression."""

_FOUND = (
    f"{WORDS} @@ (nullif(plainto_tsquery('simple', :q)::text, '') || ':*')::tsquery"
)
"""Every word occurs, the last of them at least as the beginning of one."""

_NAMED = (
    "(r.id = :id OR r.message_id = :id OR r.command_id = :id OR r.worker = :id"
    " OR r.workspace_id = :id OR r.retry_of = :id OR r.correlation_id = :q)"
)
"""An id is one of those that a run has, whichever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilters:
    """Which runs; None is no condition."""

    actor: str | None = None
    queue: str | None = None
    outcome: Sequence[str] = ()
    worker: UUID | None = None
    correlation_id: str | None = None
    command_id: UUID | None = None
    fingerprint: str | None = None
    open: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A page, and the cursor of the next."""

    rows: Sequence[Row]
    next_cursor: str | None


async def runs(
    reads: Reader,
    filters: RunFilters,
    *,
    limit: int = PER_PAGE,
    cursor: str | None = None,
) -> Listed:
    """Return runs, the latest first. Raises Malformed for a cursor of other filters."""
    given = asdict(filters)
    after = cursors.decode(cursor, given, (UUID,))
    where, values = _conditions(filters)
    if after is not None:
        where.append("r.id < :after")
        values["after"] = after[0]
    found = await reads.rows(
        _list(" AND ".join(where) or "true"), {**values, "limit": limit + 1}
    )
    return _page([_run(row) for row in found], limit, given, ("id",))


def _list(where: str) -> TextClause:
    return text(
        f"SELECT {_RUN} FROM workers.runs r WHERE {where} ORDER BY r.id DESC LIMIT"
        " :limit"
    )


def _conditions(filters: RunFilters) -> tuple[list[str], dict[str, Any]]:
    where: list[str] = []
    values: dict[str, Any] = {}
    plain = ("actor", "queue", "worker", "correlation_id", "command_id", "fingerprint")
    for name in plain:
        if (value := getattr(filters, name)) is not None:
            where.append(f"r.{name} = :{name}")
            values[name] = value
    if len(filters.outcome) == 1:  # as one value, for the order of the index
        where.append("r.outcome = :outcome")
        values["outcome"] = filters.outcome[0]
    elif filters.outcome:
        where.append("r.outcome = ANY (CAST(:outcome AS text[]))")
        values["outcome"] = list(filters.outcome)
    if filters.open is not None:
        where.append("r.open" if filters.open else "NOT r.open")
    _add_times(filters, where, values)
    if filters.q is not None:
        id = _as_id(filters.q)
        where.append(_FOUND if id is None else _NAMED)
        values |= {"q": filters.q} if id is None else {"q": filters.q, "id": id}
    return where, values


def _add_times(filters: RunFilters, where: list[str], values: dict[str, Any]) -> None:
    """Add bounds of `enqueued_at`, and those of the ids that follow from them."""
    if filters.since is not None:
        where.append("r.enqueued_at >= :since AND r.id >= :since_id")
        values["since"] = filters.since
        values["since_id"] = first_id(_bounded(filters.since) - SKEW)
    if filters.until is not None:
        where.append("r.enqueued_at <= :until AND r.id < :until_id")
        values["until"] = filters.until
        values["until_id"] = first_id(_bounded(filters.until) + SKEW)


def _bounded(instant: datetime) -> datetime:
    """Return the instant that ids can be of which is nearest."""
    return min(max(instant, NO_EARLIER), NO_LATER)


def _as_id(q: str) -> UUID | None:
    try:
        return UUID(q) if len(q) == 36 else None
    except ValueError:
        return None


def _run(row: Any) -> Row:
    """Return a run as the contract has it."""
    found = dict(row)
    error = {name: found.pop(name) for name in ("fingerprint", "traceback")}
    type, message = found.pop("error_type"), found.pop("error_message")
    found["arguments"] = orjson.loads(found["arguments"])
    done, total = found.pop("done"), found.pop("total")
    found["progress"] = None if total is None else {"done": done or 0, "total": total}
    found["error"] = (
        None if type is None else {"type": type, "message": message or "", **error}
    )
    return found


def _page(
    rows: Sequence[Row], limit: int, filters: Mapping[str, Any], key: Sequence[str]
) -> Listed:
    if len(rows) <= limit:
        return Listed(rows, None)
    last = rows[limit - 1]
    return Listed(
        rows[:limit], cursors.encode(filters, [_keyed(last[name]) for name in key])
    )


def _keyed(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


_ONE = text(f"SELECT {_RUN} FROM workers.runs r WHERE r.id = :id")
_ATTEMPTS = text(
    f"SELECT {_RUN} FROM workers.runs r WHERE r.message_id = :message_id"
    " ORDER BY r.attempt"
)
_RELATED = text(
    f"SELECT {_RUN} FROM workers.runs r WHERE r.message_id <> :message_id"
    " AND (r.correlation_id = :correlation_id OR r.id = :retry_of"
    f" OR r.retry_of = :id) ORDER BY r.id LIMIT {RELATED}"
)
_RECEIPTS = text(
    "SELECT workspace_id, command_id, type, outcome, error ->> 'code' AS error_code,"
    " recorded_at, first_sequence, last_sequence FROM commands.receipts"
    " WHERE workspace_id = :workspace_id"
    " AND command_id = ANY (CAST(:command_ids AS uuid[]))"
    f" ORDER BY recorded_at, first_sequence LIMIT {RELATED}"
)
_EVENTS = text(
    "SELECT workspace_id, sequence, type, event_id, command_id, recorded_at"
    " FROM events.log WHERE workspace_id = :workspace_id"
    f" AND sequence BETWEEN :first AND :last ORDER BY sequence LIMIT {EVENTS}"
)
_CORRELATED = text(
    "SELECT workspace_id, sequence, type, event_id, command_id, recorded_at"
    " FROM queries.activity WHERE workspace_id = :workspace_id"
    f" AND correlation_id = :correlation_id ORDER BY sequence LIMIT {EVENTS}"
)
"""From the read table, which has an index for it: what is not projected is missing."""
_WATERMARK = text(
    "SELECT h.workspace_id, h.sequence AS head, coalesce(c.sequence, 0) AS checkpoint,"
    " h.sequence - coalesce(c.sequence, 0) AS behind, c.parked_at"
    " FROM events.heads h LEFT JOIN queries.checkpoints c USING (workspace_id)"
    " WHERE h.workspace_id = :workspace_id"
)
_ACTIONS_ON = text(
    f"SELECT {ACTION} FROM workers.actions"
    " WHERE target = ANY (CAST(:targets AS text[]))"
    " ORDER BY id LIMIT 100"
)


async def story(reads: Reader, id: UUID) -> Row | None:
    """Return a run with its attempts and all that belongs to its correlation."""
    row = await reads.row(_ONE, {"id": id})
    if row is None:
        return None
    run = _run(row)
    names = ("id", "message_id", "correlation_id", "retry_of")
    about = {name: run[name] for name in names}
    attempts = await reads.rows(_ATTEMPTS, {"message_id": run["message_id"]})
    related = await reads.rows(_RELATED, about)
    run["attempts"] = [_run(it) for it in attempts]
    targets = [str(it["id"]) for it in run["attempts"]]
    run["related"] = [_run(it) for it in related]
    run["actions"] = [
        dict(it) for it in await reads.rows(_ACTIONS_ON, {"targets": targets})
    ]
    return {**run, **await _of_workspace(reads, run)}


async def _of_workspace(reads: Reader, run: Row) -> Row:
    """Return commands, their events and the watermark of the run's workspace.

    Either that command which led to the run, or those of the run's correlation that
    appended events: an import gives its own to all that it sends.
    """
    own = {"workspace_id": run["workspace_id"]}
    if run["workspace_id"] is None:
        return {"commands": [], "events": [], "projections": []}
    if run["command_id"] is None:
        about = {**own, "correlation_id": run["correlation_id"]}
        events = [dict(it) for it in await reads.rows(_CORRELATED, about)]
        commands = await _receipts(reads, own, {it["command_id"] for it in events})
    else:
        commands = await _receipts(reads, own, {run["command_id"]})
        events = []
        for it in commands:
            if it["first_sequence"] is not None:
                between = {"first": it["first_sequence"], "last": it["last_sequence"]}
                events += map(dict, await reads.rows(_EVENTS, {**own, **between}))
    marks = [dict(it) for it in await reads.rows(_WATERMARK, own)]
    known = [it["sequence"] for it in events] if run["command_id"] else []
    for mark in marks:
        mark["shows_events"] = mark["checkpoint"] >= max(known, default=mark["head"])
    return {"commands": commands, "events": events, "projections": marks}


async def _receipts(reads: Reader, own: Row, commands: Collection[UUID]) -> list[Row]:
    values = {**own, "command_ids": list(commands)}
    return [dict(it) for it in await reads.rows(_RECEIPTS, values)]


_GROUP = (
    "f.fingerprint, f.actor, f.error_type, f.message, f.first_at, f.last_at, f.count,"
    " f.sample_run_id, (SELECT count(*) FROM workers.runs r WHERE r.open"
    " AND r.fingerprint = f.fingerprint) AS open"
)
_IS_OPEN = (
    "EXISTS (SELECT FROM workers.runs r WHERE r.open"
    " AND r.fingerprint = f.fingerprint)"
)


async def failures(
    reads: Reader,
    *,
    open: bool | None = None,
    actor: str | None = None,
    limit: int = PER_PAGE,
    cursor: str | None = None,
) -> Listed:
    """Return groups of failures, the latest first. Raises Malformed."""
    given = {"open": open, "actor": actor}
    after = cursors.decode(cursor, given, (datetime, str))
    where: list[str] = []
    values: dict[str, Any] = {"limit": limit + 1}
    if open is not None:
        where.append(_IS_OPEN if open else f"NOT {_IS_OPEN}")
    if actor is not None:
        where.append("f.actor = :actor")
        values["actor"] = actor
    if after is not None:
        where.append("(f.last_at, f.fingerprint) < (:last_at, :fingerprint)")
        values |= {"last_at": after[0], "fingerprint": after[1]}
    statement = text(
        f"SELECT {_GROUP} FROM workers.failures f"
        f" WHERE {' AND '.join(where) or 'true'}"
        " ORDER BY f.last_at DESC, f.fingerprint DESC LIMIT :limit"
    )
    rows = [dict(it) for it in await reads.rows(statement, values)]
    return _page(rows, limit, given, ("last_at", "fingerprint"))


async def actions(
    reads: Reader,
    *,
    actor_id: str | None = None,
    action: str | None = None,
    target: str | None = None,
    limit: int = PER_PAGE,
    cursor: str | None = None,
) -> Listed:
    """Return what operators did, the latest first. Raises Malformed."""
    given = {"actor_id": actor_id, "action": action, "target": target}
    after = cursors.decode(cursor, given, (UUID,))
    asked = {name: value for name, value in given.items() if value is not None}
    where = [f"{name} = :{name}" for name in asked]
    values: dict[str, Any] = {**asked, "limit": limit + 1}
    if after is not None:
        where.append("id < :after")
        values["after"] = after[0]
    statement = text(
        f"SELECT {ACTION} FROM workers.actions WHERE {' AND '.join(where) or 'true'}"
        " ORDER BY id DESC LIMIT :limit"
    )
    rows = [dict(it) for it in await reads.rows(statement, values)]
    return _page(rows, limit, given, ("id",))


_NEWS = text(
    "SELECT id, actor, queue, outcome, attempt, fingerprint, error_type, worker,"
    " workspace_id, greatest(enqueued_at, started_at, finished_at) AS at"
    " FROM workers.runs WHERE id = ANY (ARRAY("
    "SELECT id FROM workers.runs WHERE started_at > :since"
    " UNION SELECT id FROM workers.runs WHERE finished_at > :since"
    " UNION SELECT id FROM workers.runs WHERE id > :since_id)) ORDER BY id LIMIT 500"
)
_NEW_ACTIONS = text(
    f"SELECT {ACTION} FROM workers.actions WHERE id > :after ORDER BY id LIMIT 500"
)


async def changed_since(reads: Reader, since: datetime) -> list[Row]:
    """Return in short the runs that were enqueued, begun or ended since."""
    values = {"since": since, "since_id": first_id(since)}
    return [dict(it) for it in await reads.rows(_NEWS, values)]


async def actions_after(reads: Reader, after: UUID) -> list[Row]:
    """Return the actions after one, oldest first."""
    return [dict(it) for it in await reads.rows(_NEW_ACTIONS, {"after": after})]
