"""Deletes what is past its time, in steps that hold nobody up."""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import driver_pool

STEP = 5_000  # rows of one statement: a fraction of a second

RULES: Mapping[str, str] = {
    "workers.runs": "NOT open AND outcome NOT IN ('queued', 'running') AND"
    " finished_at < now() - CASE WHEN outcome IN ('failed', 'crashed')"
    " THEN interval '30 days' ELSE interval '7 days' END"
    " OR open AND finished_at < now() - interval '90 days'",
    "workers.failures": "last_at < now() - interval '90 days'",
    "workers.project_minutes": "minute < now() - interval '30 days'",
    "workers.processes": "seen_at < now() - interval '1 day'",
    "workers.schedule_runs": "due_at < now() - interval '30 days'",
    "workers.imports": "finished_at < now() - interval '30 days'",
}
"""By table, which rows go. What operators did is never deleted."""


async def delete_old(engine: AsyncEngine) -> int:
    """Delete by the rules; return how many rows went."""
    direct, gone = driver_pool(engine), 0
    for table, rule in RULES.items():
        statement = text(
            f"DELETE FROM {table} WHERE ctid = ANY (ARRAY("
            f"SELECT ctid FROM {table} WHERE {rule} LIMIT {STEP}))"
        )
        while deleted := await direct.write(statement, {}):
            gone += deleted
    return gone
