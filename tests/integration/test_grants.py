"""Who may do what, by the database's own word and by trying it."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from metacortex import grants
from metacortex.embedded import with_parts
from metacortex.kernel.database import ReadConnection
from metacortex.kernel.driver_errors import sqlstate
from tests.conftest import Urls

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


# The matrix of metacortex/grants.py, against what the migrations made


async def as_owner(urls: Urls, *statements: str) -> list[str]:
    """Return what differs from the matrix after statements that are then undone."""
    database = create_async_engine(urls.owner)
    try:
        async with database.connect() as connection:
            await connection.execute(text("SET LOCAL ROLE metacortex_owner"))
            for sql in statements:
                await connection.execute(text(sql))
            return await grants.differences(ReadConnection(connection))
    finally:
        await database.dispose()


async def test_grants_are_those_of_the_matrix(urls: Urls) -> None:
    assert await as_owner(urls) == [], "grant it in a migration, or change the matrix"


@pytest.mark.parametrize("login", ["app", "projector", "auditor"])
async def test_each_login_may_what_the_matrix_says(urls: Urls, login: str) -> None:
    database = create_async_engine(getattr(urls, login))
    async with database.connect() as connection:
        name, above = await grants.standing(ReadConnection(connection))
        may = await grants.powers(ReadConnection(connection))
    await database.dispose()
    assert (name, above) == (f"metacortex_{login}", [])
    assert "events.log" in may
    assert may == grants.reach([name], may)


@pytest.mark.parametrize("schema", ["events", "commands", "queries", "workers"])
async def test_a_table_to_come_is_granted_as_its_schema_says(
    urls: Urls, schema: str
) -> None:
    assert await as_owner(urls, f"CREATE TABLE {schema}.notes (id uuid)") == []


@pytest.mark.parametrize(
    ("sql", "remedy"),
    [
        (
            "REVOKE INSERT ON commands.tags FROM metacortex_app",
            "metacortex_app lacks INSERT on commands.tags:"
            " GRANT INSERT ON commands.tags TO metacortex_app",
        ),
        (
            "GRANT UPDATE (type), DELETE ON events.log TO metacortex_app",
            "metacortex_app has DELETE, UPDATE on events.log:"
            " REVOKE DELETE, UPDATE ON events.log FROM metacortex_app, or",
        ),
        (
            "GRANT SELECT ON queries.tasks TO metacortex_auditor",
            "metacortex_auditor has SELECT on queries.tasks: REVOKE",
        ),
        ("GRANT SELECT ON events.log TO PUBLIC", "PUBLIC has SELECT on events.log"),
        (
            "RESET ROLE; ALTER TABLE events.log OWNER TO postgres",
            "events.log belongs to postgres: ALTER TABLE events.log OWNER TO",
        ),
        (
            "CREATE SCHEMA notes; CREATE TABLE notes.notes (id uuid)",
            "notes.notes has no line in MATRIX of metacortex/grants.py",
        ),
    ],
)
async def test_a_grant_that_differs_is_named_with_its_remedy(
    urls: Urls, sql: str, remedy: str
) -> None:
    [said] = await as_owner(urls, *sql.split("; "))
    assert said.startswith(remedy)


# The database around the tables


async def test_nobody_else_connects(urls: Urls) -> None:
    outsider = f"outsider_{uuid4().hex[:8]}"
    database = create_async_engine(urls.owner)
    async with database.begin() as connection:
        await connection.execute(text(f"CREATE ROLE {outsider} LOGIN"))
    try:
        url = with_parts(urls.owner, user=outsider)
        assert await refusal(url, "SELECT :w", workspace=uuid4()) == DENIED
    finally:
        async with database.begin() as connection:
            await connection.execute(text(f"DROP ROLE {outsider}"))
        await database.dispose()


@pytest.mark.parametrize("login", ["app", "projector", "auditor"])
async def test_no_login_makes_tables_that_hide_ours(urls: Urls, login: str) -> None:
    url, nobody = getattr(urls, login), uuid4()
    temporary = "CREATE TEMPORARY TABLE log (id uuid)"
    assert await refusal(url, temporary, workspace=nobody) in (DENIED, READ_ONLY)
    database = create_async_engine(url)
    async with database.connect() as connection:
        path = await connection.scalar(text("SHOW search_path"))
    await database.dispose()
    assert path == "pg_catalog, pg_temp"


async def test_a_database_that_is_open_to_all_is_named(urls: Urls) -> None:
    said = await as_owner(
        urls,
        "RESET ROLE",
        f"GRANT TEMPORARY ON DATABASE {make_url(urls.owner).database} TO PUBLIC",
        "ALTER ROLE metacortex_app RESET search_path",
    )
    assert [it.partition(":")[0] for it in said] == [
        "PUBLIC has TEMPORARY on the database",
        "the search path of metacortex_app is not fixed",
    ]
