"""`metacortex doctor` asks every service as its user would, and believes no name."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from metacortex import doctor
from metacortex.api.health import SCHEMA
from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.kernel.database import engine
from metacortex.settings import Settings
from tests.conftest import Urls, migrated
from tests.http.operators import beat
from tests.integration.forging import forge
from tests.integration.walking import ACTOR, unit

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
        for sql in "\n".join(statements).splitlines():
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
    app = engine(own.app)
    await beat(app)
    await app.dispose()
    lines = await seen(settings, own)
    assert lines["verdict"] == ("ok", "healthy")
    assert {status for status, _ in lines.values()} == {"ok"}
    assert "writes nothing" in lines[AUDITOR][1]
    assert lines["projections"][1] == "nothing lags"


async def test_the_verdict_is_told_with_its_paragraph(
    settings: Settings, own: Urls
) -> None:
    status, said = (await seen(settings, own, redis_url="redis://127.0.0.1:1"))[
        "verdict"
    ]
    assert status == "warning"
    assert "Redis does not answer: " in said
    assert "/ops/runbook#redis-is-down" in said


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
            "triggers are off or altered: head_rows_stay",
        ),
        (
            "ALTER TRIGGER head_rows_stay ON events.heads RENAME TO gone\n"
            "CREATE TRIGGER head_rows_stay BEFORE DELETE ON events.heads FOR EACH ROW"
            " WHEN (false) EXECUTE FUNCTION events.refuse()\n"
            "ALTER TABLE events.heads ENABLE ALWAYS TRIGGER head_rows_stay",
            "DROP TRIGGER head_rows_stay ON events.heads\n"
            "ALTER TRIGGER gone ON events.heads RENAME TO head_rows_stay",
            "append-only",
            "triggers are off or altered: head_rows_stay",
        ),
        (
            "ALTER FUNCTION events.refuse() RENAME TO refuses\nCREATE FUNCTION"
            " events.refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NULL; END'",
            "DROP FUNCTION events.refuse()\n"
            "ALTER FUNCTION events.refuses() RENAME TO refuse",
            "append-only",
            "triggers are off or altered: action_rows_stay, actions_stay",
        ),
        (
            "UPDATE pg_proc SET prosrc = prosrc || ' ' WHERE proname = 'refuse'",
            "UPDATE pg_proc SET prosrc = rtrim(prosrc) || ' '"
            " WHERE proname = 'refuse'",
            "append-only",
            "the function events.refuse() is not ours",
        ),
        (
            "GRANT CREATE ON SCHEMA events TO metacortex_app",
            "REVOKE CREATE ON SCHEMA events FROM metacortex_app",
            "grants",
            "metacortex_app has CREATE on schema events: REVOKE CREATE",
        ),
        (
            "GRANT USAGE ON SCHEMA commands TO metacortex_projector",
            "REVOKE USAGE ON SCHEMA commands FROM metacortex_projector",
            "grants",
            "metacortex_projector has USAGE on schema commands",
        ),
        (
            "ALTER SCHEMA workers OWNER TO metacortex_projector",
            "ALTER SCHEMA workers OWNER TO metacortex_owner\n"
            "GRANT USAGE ON SCHEMA workers TO metacortex_projector",
            "grants",
            "schema workers belongs to metacortex_projector: ALTER SCHEMA",
        ),
        (
            "GRANT SELECT ON events.log TO metacortex_app WITH GRANT OPTION",
            "REVOKE GRANT OPTION FOR SELECT ON events.log FROM metacortex_app",
            "grants",
            "metacortex_app may pass SELECT on events.log on: REVOKE GRANT OPTION",
        ),
        (
            "ALTER FUNCTION events.refuse() OWNER TO metacortex_app",
            "ALTER FUNCTION events.refuse() OWNER TO metacortex_owner",
            "grants",
            "events.refuse() belongs to metacortex_app: ALTER FUNCTION",
        ),
        (
            "INSERT INTO events.heads VALUES (gen_random_uuid(), 0, 0, now(), '')\n"
            "INSERT INTO queries.checkpoints (workspace_id, sequence)"
            " SELECT workspace_id, 5 FROM events.heads WHERE sequence = 0",
            "DELETE FROM queries.checkpoints WHERE sequence = 5",
            "projections",
            "1 workspaces show more than their log holds",
        ),
        (
            "UPDATE public.alembic_version SET version_num = '0001'",
            f"UPDATE public.alembic_version SET version_num = '{SCHEMA}'",
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


async def test_an_altered_event_is_named(
    settings: Settings, own: Urls, workspace: UUID
) -> None:
    database = engine(own.app)
    births = [tasks.CreateTask(task_id=uuid4(), title="Clean") for _ in range(3)]
    await Bus(database).execute([unit(workspace, *births)])
    await database.dispose()
    assert (await seen(settings, own))["log"] == (
        "ok",
        "3 events of 1 workspaces, a sample, are as appended",
    )
    forgery = "UPDATE events.log SET actor_id = {} WHERE sequence = 2"
    await forge(own.owner, forgery.format("'user_forger'"))
    status, detail = (await seen(settings, own))["log"]
    await forge(own.owner, forgery.format(f"'{ACTOR}'"))
    assert status == "failing"
    assert detail.startswith(
        f"{workspace}: event 2: the leaf hash does not match the columns: "
        "`metacortex audit check`"
    )
    await forge(own.owner, "DELETE FROM events.log")
    await forge(own.owner, "DELETE FROM events.heads")


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
