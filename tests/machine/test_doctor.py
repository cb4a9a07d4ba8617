"""`metacortex doctor` asks every service as its user would, and believes no name."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from metacortex import doctor
from metacortex.settings import Settings
from tests.conftest import Urls, migrated

APP, PROJECTOR, AUDITOR = (
    f"login of metacortex_{name}" for name in ("app", "projector", "auditor")
)
LEADS = (
    "INSERT INTO workers.leases VALUES ('sweep', 'here', now() + interval '1 hour')"
    " ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at"
)

Lines = dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
async def own(postgres_url: str, redis_url: str) -> AsyncIterator[Urls]:
    """A database whose grants these tests may change, led by a scheduler."""
    urls = await migrated(postgres_url, f"mc_{uuid4().hex[:8]}", redis_url)
    await run(urls, LEADS)
    yield urls


async def run(urls: Urls, *statements: str) -> None:
    database = create_async_engine(urls.owner)
    async with database.begin() as connection:
        for sql in statements:
            await connection.execute(text(sql))
    await database.dispose()


async def seen(settings: Settings, urls: Urls, **other: object) -> Lines:
    """Return status and detail by check."""
    named = {
        "database_url": urls.app,
        "database_owner_url": urls.owner,
        "database_projector_url": urls.projector,
        "database_auditor_url": urls.auditor,
    }
    lines = await doctor.doctor(settings.model_copy(update={**named, **other}))
    return {line["check"]: (line["status"], line["detail"]) for line in lines}


async def test_all_is_well(settings: Settings, own: Urls) -> None:
    lines = await seen(settings, own)
    assert {status for status, _ in lines.values()} == {"ok"}
    assert "writes nothing" in lines[AUDITOR][1]
    assert lines["projections"][1] == "nothing lags"


@pytest.mark.parametrize(
    ("damage", "repair", "check", "says"),
    [
        (
            "GRANT INSERT ON events.log TO metacortex_auditor",
            "REVOKE INSERT ON events.log FROM metacortex_auditor",
            AUDITOR,
            "metacortex_auditor may more than it needs: may INSERT on events.log",
        ),
        (
            "REVOKE SELECT ON events.log FROM metacortex_auditor",
            "GRANT SELECT ON events.log TO metacortex_auditor",
            AUDITOR,
            "permission denied for table log: let DATABASE_AUDITOR_URL",
        ),
        (
            "REVOKE INSERT ON queries.tags FROM metacortex_projector",
            "GRANT INSERT ON queries.tags TO metacortex_projector",
            PROJECTOR,
            "metacortex_projector may not INSERT on queries.tags",
        ),
        (
            "ALTER TABLE events.heads DISABLE TRIGGER head_rows_stay",
            "ALTER TABLE events.heads ENABLE ALWAYS TRIGGER head_rows_stay",
            "append-only",
            "triggers are off: head_rows_stay",
        ),
        (
            "UPDATE public.alembic_version SET version_num = '0001'",
            "UPDATE public.alembic_version SET version_num = '0003'",
            "schema",
            "the schema is at 0001",
        ),
        ("DELETE FROM workers.leases", LEADS, "scheduler", "none leads"),
    ],
)
async def test_damage_is_named(
    settings: Settings, own: Urls, damage: str, repair: str, check: str, says: str
) -> None:
    await run(own, damage)
    try:
        status, detail = (await seen(settings, own))[check]
    finally:
        await run(own, repair)
    assert detail.startswith(says)
    assert status == ("warning" if "more than it needs" in says else "failing")


async def test_one_login_for_everything_needs_the_rights_of_all(
    settings: Settings, own: Urls
) -> None:
    alone = {"database_projector_url": None, "database_auditor_url": None}
    lines = await seen(settings, own, **alone)
    status, detail = lines["login of metacortex_app, metacortex_projector"]
    assert status == "failing"
    assert "metacortex_app may not DELETE on queries.activity" in detail
    assert lines[AUDITOR] == ("skipped", "DATABASE_AUDITOR_URL is not set")


async def test_a_superuser_works_and_is_said_to_be_too_much(
    settings: Settings, own: Urls
) -> None:
    lines = await seen(settings, own, database_url=own.owner)
    status, detail = lines[APP]
    assert status == "warning"
    assert "is a superuser; may make roles; may become metacortex_owner" in detail
    lines = await seen(settings, own, database_url=own.owner, environment="production")
    assert lines[APP][0] == "failing"
    assert lines["token keys"][0] == "failing"


async def test_a_login_that_may_not_become_the_owner_cannot_migrate(
    settings: Settings, own: Urls
) -> None:
    lines = await seen(settings, own, database_owner_url=own.app)
    assert lines["login of metacortex_owner"] == (
        "failing",
        "metacortex_app cannot migrate: let DATABASE_OWNER_URL log in as one that "
        "may become metacortex_owner",
    )


async def test_services_that_are_away_are_named_once(settings: Settings) -> None:
    away = "postgresql+asyncpg://metacortex_app@/d?host=/nowhere"
    lines = await seen(
        settings,
        Urls(owner=away, app=away, projector=away, auditor=away, redis=""),
        redis_url="unix:///nowhere/redis.sock",
    )
    assert lines["database"][0] == lines["redis"][0] == "failing"
    assert "check DATABASE_URL" in lines["database"][1]
    assert "check REDIS_URL" in lines["redis"][1]
    assert lines["schema"] == ("skipped", "the database does not answer")
