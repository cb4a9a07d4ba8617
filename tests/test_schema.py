"""The migrations and the declarative tables describe one schema."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

import metacortex.operations.tables  # noqa: F401  # adds them to the metadata
from metacortex.api.health import SCHEMA
from metacortex.kernel.database import Table
from tests.conftest import ROOT, Urls


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection,
        opts={
            "include_schemas": True,
            "include_name": lambda name, kind, parents: kind != "schema"
            or name in ("events", "commands", "queries", "workers"),
        },
    )
    return list(compare_metadata(context, Table.metadata))


async def test_the_tables_are_those_that_the_migrations_make(urls: Urls) -> None:
    database = create_async_engine(urls.owner)
    async with database.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.dispose()


def test_readiness_asks_for_the_newest_revision() -> None:
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(Path(ROOT) / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA]
