"""Plans of the write side: those for empty tables are not kept as the tables grow."""

from collections.abc import Sequence
from itertools import chain
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.commands.message import Unit
from metacortex.commands.session import SessionCache
from metacortex.kernel.database import PLANNED_ROWS, engine
from tests.conftest import migrated
from tests.integration.walking import unit

GENERIC = 6  # executions of a statement, until Postgres keeps one plan for all values
BATCH = 100
STATEMENTS = text(
    "SELECT name, cardinality(parameter_types) FROM pg_prepared_statements"
    " WHERE statement LIKE '%FROM commands.receipts stored%'"
    " AND cardinality(parameter_types) > 0"  # not this one
)


def creates(workspace: UUID, number: int) -> Unit:
    """Return a unit that creates so many tasks."""
    made = (tasks.CreateTask(task_id=uuid4(), title="Pack") for _ in range(number))
    return unit(workspace, *made)


async def plans(database: AsyncEngine) -> Sequence[str]:
    """Return the plans of statements that look up receipts, on the one connection."""
    async with database.connect() as connection:
        found = []
        for name, parameters in await connection.execute(STATEMENTS):
            values = ", ".join(["NULL"] * parameters)
            explained = f'EXPLAIN EXECUTE "{name}"({values})'
            rows = await connection.exec_driver_sql(explained)
            found.append("\n".join(rows.scalars()))
    return found


async def optimistic(bus: Bus, unit: Unit) -> None:
    """Run a unit without locks, as the lane does."""
    assert await bus.commit(await bus.prepare([unit], SessionCache()))


async def locked(bus: Bus, unit: Unit) -> None:
    """Run a unit under locks, as the lane does after a conflict."""
    await bus.execute([unit])


async def test_receipts_are_looked_up_by_their_key(
    postgres_url: str, redis_url: str
) -> None:
    urls = await migrated(postgres_url, f"mc_{uuid4().hex[:8]}", redis_url)
    databases = [engine(urls.app, pool_size=1) for _ in range(2)]
    ways = (optimistic, locked)
    buses = [(run, Bus(it)) for run, it in zip(ways, databases, strict=True)]
    workspace = uuid4()
    for number in [1] * GENERIC + [BATCH] * (2 * PLANNED_ROWS // BATCH):
        for run, bus in buses:
            await run(bus, creates(workspace, number))
    found = [await plans(it) for it in databases]
    for database in databases:
        await database.dispose()
    assert all(found)
    for plan in chain(*found):
        assert "using pk_receipts on receipts stored" in plan, plan
