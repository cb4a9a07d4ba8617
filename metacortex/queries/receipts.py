"""Receipts of commands, newest first: what was done, and whether it can be taken back.

They are written by the bus (`commands/receipts.py`); an applied one shows as soon as
the read tables show its events. An undo names the command that it took back as its
cause, so that a chain of undos tells whether a command is in force.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from metacortex.queries import event_documents
from metacortex.queries.page import COUNT_LIMIT, Filters, ListQuery, Sort
from metacortex.queries.registry import PROJECTIONS

Outcome = Literal["applied", "unchanged", "refused"]

_TITLE = " ".join(
    f"WHEN '{type}' THEN (SELECT coalesce(r.document ->> 'title',"
    f" r.document ->> 'name') FROM {projection.table} r"
    " WHERE r.workspace_id = p.workspace_id AND r.id = p.stream_id)"
    for type, projection in PROJECTIONS.items()
)
_FIRST_STREAM = """(SELECT f.stream_id FROM queries.activity f
WHERE f.workspace_id = p.workspace_id AND f.sequence = p.first_sequence)"""

# every undo in the chain turns the command off, or on again
_UNDONE_BY = f"""(WITH RECURSIVE chain(id, at) AS (
SELECT p.command_id::text, p.last_sequence UNION
SELECT l.command_id::text, l.sequence FROM chain c
JOIN events.log l ON l.workspace_id = p.workspace_id AND l.causation_id = c.id
AND l.stream_id = {_FIRST_STREAM} AND l.sequence > c.at
AND l.sequence <= (SELECT s.sequence FROM queries.checkpoints s
WHERE s.workspace_id = p.workspace_id))
SELECT CASE WHEN count(DISTINCT id) % 2 = 0
THEN (array_agg(id ORDER BY at DESC))[1] END FROM chain)"""

_CHANGED = f"""EXISTS (SELECT FROM events.log l
WHERE l.workspace_id = p.workspace_id
AND l.sequence BETWEEN p.first_sequence AND p.last_sequence
AND {event_documents.CHANGES_SOMETHING})"""

_STREAM = """CASE WHEN p.stream_id IS NOT NULL
THEN json_build_object('type', p.stream_type, 'id', p.stream_id) END"""

_FIELDS = f"""'id', p.command_id, 'type', p.type,
'recorded_at', to_char(p.recorded_at AT TIME ZONE 'UTC',
'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'outcome', p.outcome,
'actor', json_build_object('type', p.actor_type, 'id', p.actor_id),
'stream', {_STREAM}, 'title', CASE p.stream_type {_TITLE} END,
'undoable', p.outcome = 'applied' AND u.undone_by IS NULL AND {_CHANGED},
'undone_by', u.undone_by"""

_MORE = """'version', p.version, 'first_sequence', p.first_sequence,
'last_sequence', p.last_sequence, 'correlation_id', p.correlation_id,
'request_id', p.request_id, 'error', p.error"""


def _document(fields: str) -> str:
    return (
        f"(SELECT json_build_object({fields})::text FROM (SELECT CASE WHEN"
        f" p.outcome = 'applied' THEN {_UNDONE_BY} END AS undone_by) u)"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCommands(ListQuery):
    """Commands of a workspace by their receipts, newest first."""

    type: Sequence[str] = ()
    actor_id: Sequence[str] = ()
    outcome: Sequence[Outcome] = ()
    since: datetime | None = None
    until: datetime | None = None

    table = "commands.receipts"
    reads = "p.*"
    document = _document(_FIELDS)
    count_limit = COUNT_LIMIT
    key = "command_id"
    sorts = {
        "recorded_at": Sort("recorded_at", "timestamptz"),
        "sequence": Sort("coalesce(last_sequence, 0)", "bigint"),
    }
    default_sort = ("-recorded_at", "-sequence")

    @property
    def timeless(self) -> bool:
        """Receipts of what changed nothing are no matter of the log."""
        return False

    def filters(self) -> Filters:
        """Return the conditions of this list."""
        found = Filters().add(
            "(last_sequence IS NULL OR last_sequence <= (SELECT sequence"
            " FROM queries.checkpoints WHERE workspace_id = :workspace))"
        )
        for name in ("type", "actor_id", "outcome"):
            found.among(name, "text", getattr(self, name))
        if self.since:
            found.add("recorded_at >= :since", since=self.since)
        if self.until:
            found.add("recorded_at <= :until", until=self.until)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ListReceipts(ListCommands):
    """The same list for auditors, with all that a receipt holds."""

    document = _document(f"{_FIELDS}, {_MORE}")
