"""What clients are told when the database fails them, raised by a real one."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
import structlog
from sqlalchemy import bindparam, make_url, text
from sqlalchemy.dialects.postgresql import BIGINT
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from metacortex.api.app import create_app, local_issuer
from metacortex.api.streams import RECONNECT
from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.commands.lane import Lane
from metacortex.kernel.database import autocommit, driver_pool, engine
from metacortex.kernel.driver_errors import (
    POOLER_REMEDY,
    Meaning,
    is_unreachable,
    meaning,
    public,
    report,
)
from metacortex.kernel.errors import Unavailable
from metacortex.queries.projector import Projector
from metacortex.settings import Settings
from tests.clients import Client
from tests.conftest import Urls, migrated
from tests.integration import laws
from tests.integration.gate import Gate, Line
from tests.integration.walking import unit

HANG_S = 60  # only there to end a hang
STATES = {
    "08006": Meaning.LOST,
    "22012": None,
    "25P03": Meaning.LOST,
    "40001": Meaning.BUSY,
    "40P01": Meaning.BUSY,
    "53300": Meaning.AWAY,
    "55P03": Meaning.BUSY,
    "57014": Meaning.TIMEOUT,
    "57P01": Meaning.LOST,
    "57P03": Meaning.AWAY,
    "26000": Meaning.POOLED,
    "42P05": Meaning.POOLED,
    "42P01": None,
}
_WAITING = text(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND wait_event_type = 'Lock' AND usename = 'metacortex_app'"
)
_ONE = text("SELECT 1")

Logs = list[MutableMapping[str, Any]]


@pytest.mark.parametrize("state", STATES)
async def test_both_ways_to_the_driver_mean_the_same(
    writes: AsyncEngine, state: str
) -> None:
    statement = text(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")
    with pytest.raises(asyncpg.PostgresError) as of_driver:
        await driver_pool(writes).write(statement, {})
    with pytest.raises(DBAPIError) as of_sqlalchemy:
        async with autocommit(writes).connect() as connection:
            await connection.execute(statement)
    assert meaning(of_driver.value) is meaning(of_sqlalchemy.value) is STATES[state]


async def test_a_value_of_the_wrong_type_is_our_mistake(writes: AsyncEngine) -> None:
    """The driver calls it an InterfaceError, as it does a connection that is closed."""
    statement = text("SELECT CAST(:a AS bigint)").bindparams(
        bindparam("a", None, BIGINT)
    )
    with pytest.raises(DBAPIError) as raised:
        async with writes.connect() as connection:
            await connection.execute(statement, {"a": "x"})
    assert meaning(raised.value) is None


async def test_no_server_and_no_free_connection_are_both_away(urls: Urls) -> None:
    nowhere = engine("postgresql+asyncpg://metacortex_app@/d?host=/nowhere")
    with pytest.raises(OSError) as raised:
        await driver_pool(nowhere).row(_ONE, {})
    assert meaning(raised.value) is Meaning.AWAY
    assert meaning(asyncpg.TargetServerAttributeNotMatched("x")) is Meaning.AWAY


def test_what_a_client_of_asyncpg_says_of_a_broken_connection() -> None:
    closed = asyncpg.InterfaceError("connection is closed")
    failed = asyncpg.InternalClientError("got result for unknown protocol state 3")
    for error in (closed, failed):
        assert meaning(error) is Meaning.LOST
        assert is_unreachable(error)
        assert public(error).code == "database_unavailable"
    assert meaning(ValueError()) is None
    assert public(ValueError()).code == "internal_error"


def test_the_log_names_the_setting_that_a_pooler_wants() -> None:
    logger = structlog.get_logger()
    twice = asyncpg.DuplicatePreparedStatementError("there is one already")
    startup = asyncpg.ProtocolViolationError("unsupported startup parameter: jit")
    with capture_logs() as logs:
        report(logger, "failed", twice)
        report(logger, "failed", startup)
    for line in logs:
        assert line["remedy"] == POOLER_REMEDY
        assert "METACORTEX_DATABASE_POOLER" in line["remedy"]
        assert line["log_level"] == "error"
        assert "exc_info" not in line


@pytest.fixture(scope="module")
async def own(postgres_url: str, redis_url: str) -> Urls:
    """A database of its own."""
    return await migrated(postgres_url, f"mc_{uuid4().hex[:8]}", redis_url)


@asynccontextmanager
async def limited(urls: Urls, setting: str, value: str) -> AsyncIterator[None]:
    """Set a limit of the connections that the application opens meanwhile."""
    name = make_url(urls.app).database
    role = f"ALTER ROLE metacortex_app IN DATABASE {name}"
    await run(urls, f"{role} SET {setting} = '{value}'")
    try:
        yield
    finally:
        await run(urls, f"{role} RESET {setting}")


async def run(urls: Urls, *statements: str) -> None:
    database = engine(urls.owner)
    async with database.begin() as connection:
        for it in statements:
            await connection.execute(text(it))
    await database.dispose()


@asynccontextmanager
async def served(
    urls: Urls, scratch: Path, through: str | None = None
) -> AsyncIterator[Client]:
    """Serve the application over a database; give somebody who has one task there."""
    settings = Settings(
        environment="test",
        database_url=through or urls.app,
        database_projector_url=urls.projector,
        redis_url=urls.redis,
        data_dir=scratch,
    )
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://t") as http:
            client = Client.new(http, local_issuer(settings))
            await client.task()
            database = engine(urls.projector)
            projector = Projector(database)
            await projector.turn(await projector.behind())
            await database.dispose()
            yield client


@pytest.fixture
async def client(own: Urls, scratch: Path) -> AsyncIterator[Client]:
    """Somebody who has one task."""
    async with served(own, scratch) as found:
        yield found


@pytest.fixture
async def hurried(own: Urls, scratch: Path) -> AsyncIterator[Client]:
    """Somebody who has one task, whose requests wait for a lock for 0.3 s."""
    async with limited(own, "lock_timeout", "0.3s"), served(own, scratch) as found:
        yield found


def told(response: httpx2.Response, code: str, logs: Logs) -> None:
    """Assert a 503 that says when to come back, and a line in the log."""
    assert response.status_code == 503, response.text
    assert response.json()["errors"][0]["code"] == code
    assert int(response.headers["Retry-After"]) >= 1
    (line,) = [it for it in logs if it["log_level"] not in ("info", "debug")]
    assert line["log_level"] == "warning"
    assert line["code"] in (code, "database_unavailable")
    assert "exc_info" not in line


@asynccontextmanager
async def locked(urls: Urls, table: str) -> AsyncIterator[None]:
    """Hold a table so that nobody else may even read it."""
    database = engine(urls.owner)
    async with database.begin() as connection:
        await connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        yield
    await database.dispose()


async def waiting(urls: Urls) -> int:
    """Return the process of the application that waits for a lock."""
    database = engine(urls.owner)
    try:
        async with asyncio.timeout(HANG_S), autocommit(database).connect() as opened:
            while (pid := await opened.scalar(_WAITING)) is None:
                await asyncio.sleep(0.01)
        found: int = pid
        return found
    finally:
        await database.dispose()


async def newest(owner: AsyncEngine) -> UUID:
    """Return the workspace of the last event."""
    async with owner.connect() as connection:
        last = "SELECT workspace_id FROM events.log ORDER BY recorded_at DESC LIMIT 1"
        found: UUID = await connection.scalar(text(last))
    return found


def birth() -> tasks.CreateTask:
    return tasks.CreateTask(task_id=uuid4(), title="Another")


def create(client: Client, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key or str(uuid4())}
    return client.send("POST", "/tasks", {"title": "Another"}, headers)


async def test_a_lock_that_others_hold_is_a_busy_workspace(
    hurried: Client, own: Urls
) -> None:
    with capture_logs() as logs:
        async with locked(own, "queries.tasks"):
            told(await hurried.send("GET", "/tasks"), "workspace_busy", logs)
    with capture_logs() as logs:
        async with locked(own, "events.heads"):
            told(await create(hurried), "workspace_busy", logs)
    assert (await hurried.get("/tasks"))["meta"]["total"] == 1
    assert (await create(hurried)).status_code == 201


@pytest.mark.usefixtures("hurried")
async def test_a_busy_workspace_holds_up_others_once(own: Urls) -> None:
    """Its commands fail together: each by itself would wait as long as the first."""
    database, owner = engine(own.app), engine(own.owner)
    busy, free = uuid4(), uuid4()
    for it in (busy, free):
        await Bus(database).execute([unit(it, birth())])
    lane = Lane(Bus(database), lanes=1)
    with capture_logs() as logs:
        async with owner.begin() as holder:
            lock = text("SELECT FROM events.heads WHERE workspace_id = :w FOR UPDATE")
            await holder.execute(lock, {"w": busy})
            sent = [lane.submit(unit(it, birth())) for it in (busy, free) * 5]
            asked = [asyncio.ensure_future(it) for it in sent]
            await asyncio.sleep(0)  # they wait in one batch
            lane.start()
            found = await asyncio.gather(*asked, return_exceptions=True)
    refused = [it.code for it in found[::2] if isinstance(it, Unavailable)]
    assert refused == ["workspace_busy"] * 5
    assert all(isinstance(it, list) for it in found[1::2])
    assert [it["event"] for it in logs].count("command_failed") == 1
    assert [await laws.check(owner, it) for it in (busy, free)] == [1, 6]
    await lane.stop()
    for opened in (database, owner):
        await opened.dispose()


async def test_a_stream_tells_its_client_to_come_back(
    hurried: Client, own: Urls
) -> None:
    with capture_logs() as logs:
        async with locked(own, "queries.checkpoints"):
            last = {"Last-Event-ID": "0"}
            response = await hurried.send("GET", "/events/stream", headers=last)
    assert response.status_code == 200
    assert response.text.endswith(RECONNECT)
    (line,) = [it for it in logs if it["log_level"] in ("warning", "error")]
    assert (line["event"], line["code"]) == ("stream_ended", "workspace_busy")


async def test_a_statement_that_takes_too_long(own: Urls, scratch: Path) -> None:
    patient = limited(own, "lock_timeout", "0")
    brief = limited(own, "statement_timeout", "2s")
    async with patient, brief, served(own, scratch) as client:
        with capture_logs() as logs:
            async with locked(own, "queries.tasks"):
                told(await client.send("GET", "/tasks"), "query_timeout", logs)
        with capture_logs() as logs:
            async with locked(own, "events.log"):
                told(await create(client), "query_timeout", logs)
        assert (await create(client)).status_code == 201


async def test_a_read_that_an_operator_cancels_is_not_tried_again(
    client: Client, own: Urls
) -> None:
    with capture_logs() as logs:
        async with locked(own, "queries.tasks"):
            asked = asyncio.create_task(client.send("GET", "/tasks"))
            await run(own, f"SELECT pg_cancel_backend({await waiting(own)})")
            response = await asked
    told(response, "query_timeout", logs)


async def test_a_read_whose_connection_is_ended_is_tried_once_more(
    client: Client, own: Urls
) -> None:
    with capture_logs() as logs:
        async with locked(own, "queries.tasks"):
            asked = asyncio.create_task(client.send("GET", "/tasks"))
            pid = await waiting(own)
            await run(own, f"SELECT pg_terminate_backend({pid}, 10000)")
        response = await asked
    assert response.status_code == 200
    assert [it for it in logs if it["log_level"] in ("warning", "error")] == []


async def test_a_write_whose_connection_is_ended_happens_once(
    client: Client, own: Urls
) -> None:
    async with locked(own, "events.log"):
        asked = asyncio.create_task(create(client))
        pid = await waiting(own)
        await run(own, f"SELECT pg_terminate_backend({pid}, 10000)")
    assert (await asked).status_code == 201
    owner = engine(own.owner)
    assert await laws.check(owner, await newest(owner)) == 2
    await owner.dispose()


REFUSE = """CREATE FUNCTION queries.refuse() RETURNS boolean LANGUAGE plpgsql
    SECURITY DEFINER AS $$ BEGIN IF nextval('queries.tries') <= {times} THEN
    RAISE SQLSTATE '{state}'; END IF; RETURN true; END $$"""


@asynccontextmanager
async def refusing(urls: Urls, state: str, times: int) -> AsyncIterator[None]:
    """Let so many reads of tasks fail with an error, as conflicts of replicas do."""
    await run(
        urls,
        "CREATE SEQUENCE queries.tries",
        REFUSE.format(state=state, times=times),
        "ALTER TABLE queries.tasks ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY refuse ON queries.tasks USING (queries.refuse())",
    )
    try:
        yield
    finally:
        await run(
            urls,
            "DROP POLICY refuse ON queries.tasks",
            "ALTER TABLE queries.tasks DISABLE ROW LEVEL SECURITY",
            "DROP FUNCTION queries.refuse()",
            "DROP SEQUENCE queries.tries",
        )


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
async def test_a_read_that_met_a_conflict_is_tried_once_more(
    client: Client, own: Urls, state: str
) -> None:
    async with refusing(own, state, times=1):
        assert (await client.get("/tasks"))["meta"]["total"] == 1
    with capture_logs() as logs:
        async with refusing(own, state, times=2):
            response = await client.send("GET", "/tasks?per_page=7")  # not kept yet
    told(response, "workspace_busy", logs)


async def test_a_defect_is_an_error_with_its_traceback(
    client: Client, own: Urls
) -> None:
    with capture_logs() as logs:
        async with refusing(own, "22012", times=1):
            response = await client.send("GET", "/tasks")
    assert response.status_code == 500
    (line,) = [it for it in logs if it["log_level"] == "error"]
    assert line["exc_info"].sqlstate == "22012"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("40001", "workspace_busy"),
        ("40P01", "workspace_busy"),
        ("55P03", "workspace_busy"),
        ("57014", "query_timeout"),
    ],
)
async def test_a_write_that_is_always_refused_has_done_nothing(
    client: Client, own: Urls, state: str, code: str
) -> None:
    owner = engine(own.owner)
    workspace = await newest(owner)
    key = str(uuid4())
    with capture_logs() as logs:
        async with Gate(owner, workspace).refusing(state):
            told(await create(client, key), code, logs)
    await owner.dispose()
    assert (await client.send("GET", f"/commands/{key}")).status_code == 404
    done = await create(client, key)
    assert (done.status_code, done.json()["meta"]["sequence"]) == (201, 2)


async def test_a_command_that_found_no_connection_has_done_nothing(own: Urls) -> None:
    line = Line(own.app)
    line.refuse()
    async with line.open() as url:
        database = engine(url)
        lane = Lane(Bus(database), lanes=1)
        lane.start()
        with pytest.raises(Unavailable, match="database_unavailable"):
            await lane.submit(unit(uuid4(), birth()))
        await lane.stop()
        await database.dispose()


CUTS = (0, 1, 4, 5, 6, 20, 60, 100, 150, 200, 300, 400, 600, 800)
"""Bytes of an answer after which the line is cut: within messages and between."""


async def test_a_read_survives_a_line_that_is_cut_anywhere(
    own: Urls, scratch: Path
) -> None:
    line = Line(own.app)
    async with line.open() as url, served(own, scratch, url) as client:
        with capture_logs() as logs:
            for after in CUTS:
                line.mute(after)
                response = await client.send("GET", f"/tasks?page={after + 1}")
                assert response.status_code in (200, 503), response.text
        assert line.lost >= len(CUTS) // 2
    assert not [it for it in logs if it["log_level"] == "error"], logs


async def test_a_commit_of_which_nobody_hears_again_is_unknown(
    own: Urls, scratch: Path
) -> None:
    """The line goes dead at the commit and stays dead: only the receipt knows."""
    line, owner, key = Line(own.app), engine(own.owner), str(uuid4())
    async with line.open() as url, served(own, scratch, url) as client:
        workspace = await newest(owner)
        with capture_logs() as logs:
            async with Gate(owner, workspace).shut():
                asked = asyncio.create_task(create(client, key))
                await Gate(owner, workspace).reached()
                line.mute()
                line.refuse()
            told(await asked, "outcome_unknown", logs)
        line.refuse(False)
        done = await create(client, key)
        assert done.status_code == 201
        assert done.json()["meta"]["replayed"] is True
        assert done.json()["meta"]["sequence"] == 2
    await owner.dispose()
