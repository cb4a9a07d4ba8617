"""Who may do what, by the database's own word and by trying it."""

from collections import defaultdict
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.kernel.database import sqlstate
from metacortex.queries.projector import Projector
from tests.conftest import Urls
from tests.machine.walking import unit

DENIED = "42501"  # insufficient_privilege
READ_ONLY = "25006"  # read_only_sql_transaction
APPEND_ONLY = "23001"  # restrict_violation, raised by the triggers

KEPT = ("events.log", "commands.receipts")
CHANGES = {
    "events.log": "UPDATE events.log SET type = 'x' WHERE workspace_id = :w",
    "events.heads": "UPDATE events.heads SET sequence = 0 WHERE workspace_id = :w",
    "commands.tasks": "UPDATE commands.tasks SET title = '' WHERE workspace_id = :w",
    "queries.tasks": "UPDATE queries.tasks SET title = '' WHERE workspace_id = :w",
}


@pytest.fixture
async def used(writes: AsyncEngine, projector: Projector, workspace: UUID) -> UUID:
    """A workspace with a row in every table that matters here."""
    make = tasks.CreateTask(task_id=uuid4(), title="Kept")
    await Bus(writes).execute([unit(workspace, make)])
    await projector.turn([workspace])
    return workspace


async def refusal(url: str, *statements: str, workspace: UUID) -> str | None:
    """Return the SQLSTATE with which the last of some statements is refused."""
    database = create_async_engine(url)
    try:
        async with database.begin() as connection:
            for sql in statements[:-1]:
                await connection.execute(text(sql))
            await connection.execute(text(statements[-1]), {"w": workspace})
            await connection.rollback()
    except DBAPIError as error:
        return sqlstate(error)
    finally:
        await database.dispose()
    return None


@pytest.mark.parametrize(
    "sql",
    [
        CHANGES["events.log"],
        *(f"DELETE FROM {table} WHERE workspace_id = :w" for table in KEPT),
        "DELETE FROM events.heads WHERE workspace_id = :w",
    ],
)
async def test_not_even_a_superuser_changes_what_happened(
    urls: Urls, used: UUID, sql: str
) -> None:
    assert await refusal(urls.owner, sql, workspace=used) == APPEND_ONLY
    as_replica = "SET LOCAL session_replication_role = replica"
    assert await refusal(urls.owner, as_replica, sql, workspace=used) == APPEND_ONLY
    as_owner = "SET LOCAL ROLE metacortex_owner"
    assert await refusal(urls.owner, as_owner, sql, workspace=used) == APPEND_ONLY
    assert await refusal(urls.app, sql, workspace=used) in (DENIED, APPEND_ONLY)


@pytest.mark.parametrize("table", [*KEPT, "events.heads"])
async def test_nobody_truncates_the_log(urls: Urls, used: UUID, table: str) -> None:
    sql = f"TRUNCATE {table}"
    for url, state in ((urls.owner, APPEND_ONLY), (urls.app, DENIED)):
        assert await refusal(url, sql, workspace=used) == state


async def test_each_role_writes_its_own_side_only(urls: Urls, used: UUID) -> None:
    assert await _refused(urls.app, used) == {
        "events.log": DENIED,
        "events.heads": None,
        "commands.tasks": None,
        "queries.tasks": DENIED,
    }
    assert await _refused(urls.projector, used) == {
        "events.log": DENIED,
        "events.heads": DENIED,
        "commands.tasks": DENIED,
        "queries.tasks": None,
    }
    assert set((await _refused(urls.auditor, used)).values()) <= {DENIED, READ_ONLY}


async def _refused(url: str, workspace: UUID) -> dict[str, str | None]:
    return {
        table: await refusal(url, sql, workspace=workspace)
        for table, sql in CHANGES.items()
    }


async def test_the_auditor_reads_the_log_and_no_private_table(
    urls: Urls, used: UUID
) -> None:
    def read(table: str) -> str:
        return f"SELECT 1 FROM {table} WHERE workspace_id = :w"

    for table in ("events.log", "commands.receipts", "queries.activity"):
        assert await refusal(urls.auditor, read(table), workspace=used) is None
    for table in ("commands.tasks", "queries.tasks", "commands.members"):
        assert await refusal(urls.auditor, read(table), workspace=used) == DENIED


READ, ADD, KEEP_UP = {"SELECT"}, {"SELECT", "INSERT"}, {"SELECT", "INSERT", "UPDATE"}
ALL = KEEP_UP | {"DELETE"}

RULES: dict[str, dict[str, set[str]]] = {
    "metacortex_app": {
        "events.log": ADD,
        "events.heads": KEEP_UP,
        "commands.*": KEEP_UP,
        "queries.*": READ,
    },
    "metacortex_projector": {"events.*": READ, "queries.*": ALL, "workers.*": ALL},
    "metacortex_auditor": {
        "events.*": READ,
        "commands.receipts": READ,
        "queries.activity": READ,
        "queries.checkpoints": READ,
    },
    "PUBLIC": {},
}
"""By role and table, what is granted; a table's own line goes before its schema's."""


async def test_grants_are_those_of_the_table(urls: Urls) -> None:
    found = defaultdict[tuple[str, str], set[str]](set)
    tables: set[str] = set()
    database = create_async_engine(urls.owner)
    async with database.connect() as connection:
        for (table,) in await connection.execute(text(_TABLES)):
            tables.add(table)
        for role, table, privilege in await connection.execute(text(_GRANTS)):
            found[role, table].add(privilege)
    await database.dispose()
    assert "events.log" in tables
    for role, rules in RULES.items():
        for table in tables:
            schema = table.partition(".")[0]
            wanted = rules.get(table, rules.get(f"{schema}.*", set()))
            assert found[role, table] == wanted, f"{role} on {table}"


_TABLES = """SELECT schemaname || '.' || tablename FROM pg_tables
WHERE schemaname IN ('events', 'commands', 'queries', 'workers')"""
_GRANTS = """SELECT grantee, table_schema || '.' || table_name, privilege_type
FROM information_schema.role_table_grants"""
