"""The operators' pages over a million runs: milliseconds a query, median and p95.

    python -m bench.measures.operations [--runs 1000000] [--explain]

It starts a Postgres of its own, fills it (a run each second, 2 % failed, 0.1 % open,
200,000 actions, 2,000 groups, 5,000 workspaces), and asks as the API does, one question
after the other.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from metacortex.embedded import create_database, start_postgres, with_parts
from metacortex.kernel import clock
from metacortex.kernel.database import driver_pool, engine
from metacortex.operations import queries_database as about_database
from metacortex.operations import queries_runs as about_runs
from metacortex.operations import queries_state as about_state
from metacortex.operations.actors import QUEUES
from metacortex.operations.queries_runs import RunFilters

ROOT = Path(__file__).parents[2]
ROUNDS = 40
ID = "lpad(to_hex(({ms})::bigint), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0')"
"""The first half of a UUID version 7 of milliseconds, for a row number n."""

SEED = (
    f"""
    INSERT INTO workers.runs (id, actor, queue, message_id, arguments, workspace_id,
        correlation_id, command_id, enqueued_at, due_at, started_at, finished_at,
        duration_ms, outcome, open, worker, error_type, error_message, fingerprint,
        traceback)
    SELECT ({ID.format(ms="extract(epoch FROM at) * 1000")} || '8'
            || lpad(to_hex(n), 15, '0'))::uuid,
        (ARRAY['rebuild_workspace', 'verify_workspace', 'import_checklist',
            'delete_old'])[1 + n % 4],
        CASE WHEN n % 4 = 2 THEN 'imports' ELSE 'maintenance' END,
        md5('m' || n)::uuid, jsonb_build_object('workspace_id', md5('w' || n % 5000)),
        md5('w' || n % 5000)::uuid, md5('c' || n % 300000), md5('k' || n)::uuid,
        at, at, at, at + interval '1 second', 1000,
        CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'succeeded' END, n % 1000 = 0,
        md5('p' || n % 40)::uuid,
        CASE WHEN n % 50 = 0 THEN 'Broken' END,
        CASE WHEN n % 50 = 0 THEN 'bridge ' || n || ' is out' END,
        CASE WHEN n % 50 = 0 THEN left(md5('f' || n / 50 % 2000), 16) END,
        CASE WHEN n % 50 = 0 THEN repeat('at frame of ours, line 7 ', 80) END
    FROM (SELECT n, now() - make_interval(secs => :runs - n) AS at
        FROM generate_series(1, :runs) n) made
    """,
    """
    INSERT INTO workers.failures SELECT fingerprint, min(actor), 'Broken',
        min(error_message), min(finished_at), max(finished_at), count(*),
        (array_agg(id))[1] FROM workers.runs WHERE fingerprint IS NOT NULL GROUP BY 1
    """,
    """
    INSERT INTO workers.actions SELECT id, enqueued_at, 'user_' || duration_ms,
        'run.retry', id::text AS target, NULL, 'retried', NULL FROM workers.runs
        ORDER BY runs.id LIMIT 200000
    """,
    """
    INSERT INTO workers.samples SELECT m, 10, now() - make_interval(secs => 10 * n), n
    FROM generate_series(0, 8640) n, unnest(ARRAY['events', 'lag_s', 'failures']) m
    """,
    """
    INSERT INTO events.heads SELECT md5('w' || n)::uuid, 100, 100, now(), ''
    FROM generate_series(0, 4999) n
    """,
    """
    INSERT INTO queries.checkpoints (workspace_id, sequence)
    SELECT md5('w' || n)::uuid, 100 - n % 2 FROM generate_series(0, 4999) n
    """,
)

Ask = Callable[[], Awaitable[object]]


def migrate(connection: Connection) -> None:
    """Bring the database up to the newest schema."""
    config = Config(ROOT / "alembic.ini")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def fill(owner: str, runs: int) -> None:
    """Make the schema and the rows."""
    database = create_async_engine(owner)
    async with database.begin() as connection:
        await connection.run_sync(migrate)
    for sql in SEED:
        began = time.monotonic()
        async with database.begin() as connection:
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
            given = {"runs": runs} if ":runs" in sql else {}
            await connection.execute(text(sql), given)
        print(
            f"{' '.join(sql.split())[:40]} … {time.monotonic() - began:.1f} s",
            flush=True,
        )
    async with database.connect() as connection:
        plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text("VACUUM ANALYZE"))
    await database.dispose()


async def asked(reads: Any) -> Mapping[str, Ask]:
    """Return what the pages ask, by page and filter."""
    row = await reads.row(
        text(
            "SELECT id, worker, correlation_id, command_id, fingerprint, workspace_id"
            " FROM workers.runs WHERE open ORDER BY id LIMIT 1"
        ),
        {},
    )
    now, day = clock.now(), timedelta(days=1)

    def runs(**given: Any) -> Ask:
        return lambda: about_runs.runs(reads, RunFilters(**given))

    async def deep() -> object:
        first = await about_runs.runs(reads, RunFilters(actor="delete_old"), limit=200)
        return await about_runs.runs(
            reads, RunFilters(actor="delete_old"), limit=200, cursor=first.next_cursor
        )

    return {
        "runs": runs(),
        "runs?actor": runs(actor="verify_workspace"),
        "runs?actor (of none)": runs(actor="nobody"),
        "runs?queue": runs(queue="imports"),
        "runs?outcome=failed": runs(outcome=("failed",)),
        "runs?outcome=failed,crashed": runs(outcome=("failed", "crashed")),
        "runs?outcome=crashed (of none)": runs(outcome=("crashed",)),
        "runs?actor&outcome": runs(actor="rebuild_workspace", outcome=("failed",)),
        "runs?worker": runs(worker=UUID(bytes=row[1].bytes)),
        "runs?correlation_id": runs(correlation_id=row[2]),
        "runs?command_id": runs(command_id=UUID(bytes=row[3].bytes)),
        "runs?fingerprint": runs(fingerprint=row[4]),
        "runs?open": runs(open=True),
        "runs?from&to": runs(since=now - 5 * day, until=now - 4 * day),
        "runs?from&to&outcome": runs(
            since=now - 5 * day, until=now - 4 * day, outcome=("failed",)
        ),
        "runs?q (an id)": runs(q=str(row[5])),
        "runs?q (a rare word)": runs(q="bridge 500000"),
        "runs?q (a word of 2 %)": runs(q="bridge"),
        "runs?q (a word of a quarter)": runs(q="verify_workspace"),
        "runs?q (the beginning of one)": runs(q="brid"),
        "runs?q (of none)": runs(q="tunnel"),
        "runs, the next page": deep,
        "runs/{id}": lambda: about_runs.story(reads, UUID(bytes=row[0].bytes)),
        "failures": lambda: about_runs.failures(reads),
        "failures?open": lambda: about_runs.failures(reads, open=True),
        "actions": lambda: about_runs.actions(reads),
        "actions?target": lambda: about_runs.actions(reads, target=str(row[0])),
        "queues": lambda: about_state.queues(reads, QUEUES),
        "projections": lambda: about_state.projections(reads),
        "series": lambda: about_state.series(reads, "events", now - day, now, 240),
        "workers": lambda: about_state.processes(reads, 86_400.0),
        "overview: lag": lambda: about_state.lag(reads),
        "overview: failures": lambda: about_state.failed(reads, now),
        "overview: sizes": lambda: about_state.sizes(reads),
        "stream: changes": lambda: about_runs.changed_since(
            reads, clock.now() - timedelta(seconds=6)
        ),
        "database": lambda: about_database.database(reads),
    }


async def measure(url: str) -> None:
    """Print each page's median and 95th percentile."""
    database = engine(url)
    print(f"{'':34} {'median':>8} {'p95':>8}  ms")
    for name, ask in (await asked(driver_pool(database))).items():
        await ask()
        took = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await ask()
            took.append((time.perf_counter() - began) * 1_000)
        p95 = statistics.quantiles(took, n=20)[-1]
        print(f"{name:34} {statistics.median(took):8.1f} {p95:8.1f}", flush=True)
    await database.dispose()


class Explained:
    """Reads that print the plan of each statement."""

    def __init__(self, reads: Any) -> None:
        self._reads = reads

    async def rows(self, statement: Any, values: Any) -> Any:
        """Explain, then read."""
        asked = text(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {statement.text}")
        for line in await self._reads.rows(asked, values):
            print(f"    {line[0]}")
        return await self._reads.rows(statement, values)

    async def row(self, statement: Any, values: Any) -> Any:
        """Explain, then read one."""
        found = await self.rows(statement, values)
        return found[0] if found else None


async def explain(url: str) -> None:
    """Print the plans."""
    database = engine(url)
    for name, ask in (await asked(Explained(driver_pool(database)))).items():
        print(name)
        await ask()
    await database.dispose()


async def main() -> None:
    """Fill, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--explain", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mc-") as folder:
        server = start_postgres(Path(folder))
        try:
            owner = await create_database(server.url, "operations")
            await fill(owner, given.runs)
            app = with_parts(owner, user="metacortex_app")
            await measure(app)
            if given.explain:
                await explain(app)
        finally:
            server.stop()


if __name__ == "__main__":
    asyncio.run(main())
