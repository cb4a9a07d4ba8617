"""How Alembic reaches the database: as the owner of the schema, over asyncpg.

A connection may be handed in (tests do); otherwise the settings name it. Two runs at
once wait for each other on an advisory lock of the transaction; how they come by the
locks of tables in use says migrations/locks.py.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection, text

import metacortex.commands.receipts
import metacortex.commands.tables
import metacortex.events.log
import metacortex.operations.tables
import metacortex.queries.activity
import metacortex.queries.registry
import metacortex.queries.tables  # noqa: F401
from metacortex.grants import OWNER
from metacortex.kernel.database import Table, engine
from metacortex.settings import load_settings
from migrations import locks
from migrations.roles import apply_limits, ensure_roles

LOCK = 7_236_101  # any number that nothing else in the database locks


def run(connection: Connection, urls: list[str]) -> None:
    """Bring the schema up to the wanted revision, in one transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    ensure_roles(connection, urls)
    apply_limits(connection)
    database = connection.scalar(text("SELECT quote_ident(current_database())"))
    connection.exec_driver_sql(f"GRANT CREATE ON DATABASE {database} TO {OWNER}")
    connection.exec_driver_sql(f"GRANT CREATE ON SCHEMA public TO {OWNER}")
    connection.exec_driver_sql(f"SET LOCAL ROLE {OWNER}")
    locks.take(connection, locks.wanted(connection, context.script))
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        include_schemas=True,
        transaction_per_migration=False,
    )
    context.run_migrations()


async def online() -> None:
    """Migrate the database that the settings name. Raises UnsafeSettings."""
    settings = load_settings().checked()
    urls = [settings.database_url, settings.projector_url, settings.auditor_url]
    database = engine(
        settings.owner_url,
        pool_size=1,
        pooler=settings.database_pooler,
        name="metacortex-migrate",
    )
    try:
        await locks.patiently(database, lambda it: run(it, urls))
    finally:
        await database.dispose()


given = context.config.attributes.get("connection")
if given is not None:
    run(given, [])
else:
    asyncio.run(online())
