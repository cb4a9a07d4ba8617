"""How many tasks there are, by status, priority and lateness: sums of kept counts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from metacortex.kernel.database import Reader
from metacortex.queries import counts
from metacortex.queries.task_indexes import IS_OPEN
from metacortex.queries.tasks import LATE, PRIORITIES, STATUSES, overdue


def _sum(condition: str) -> str:
    """Return the SQL of how many tasks the kept counts have of some kinds."""
    return f"coalesce(sum(n) FILTER (WHERE {condition}), 0)::bigint"


_BY_STATUS = ", ".join(f"'{it}', {_sum(f'status = $${it}$$')}" for it in STATUSES)
_BY_PRIORITY = ", ".join(
    f"'{name}', {_sum(f'priority = {value}')}" for name, value in PRIORITIES.items()
)
_STATS = text(f"""SELECT (SELECT sequence FROM queries.checkpoints
    WHERE workspace_id = :workspace), (SELECT json_build_object(
    'total', {_sum("true")},
    'open', {_sum(IS_OPEN)},
    'overdue', {LATE},
    'by_status', json_build_object({_BY_STATUS}),
    'by_priority', json_build_object({_BY_PRIORITY}))::text
    FROM {counts.TABLE} WHERE workspace_id = :workspace AND NOT deleted),
    (SELECT document ->> 'time_zone' FROM queries.people
    WHERE workspace_id = :workspace AND id = :person AND NOT deleted)""")


async def stats(
    reader: Reader, workspace_id: UUID, now: datetime, time_zone: str, person_id: UUID
) -> tuple[int, bytes, str]:
    """Return the sequence shown, and counts of the tasks that are not deleted.

    Also the zone that a person names, UTC without.
    """
    values = {"workspace": workspace_id, "person": person_id}
    row = await reader.row(_STATS, {**values, **overdue(now, time_zone)})
    sequence, found, own = row
    return sequence or 0, found.encode(), own or "UTC"
