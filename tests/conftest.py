"""One Postgres and one Redis for each worker of the run, with the migrated schema.

Servers come from TEST_DATABASE_URL (a superuser) and TEST_REDIS_URL if set, else they
are embedded, in a folder of their own. A fresh workspace per test takes the place of
cleaning up.
"""

import asyncio
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from os import environ
from pathlib import Path
from types import FrameType
from uuid import UUID, uuid4

import greenlet  # type: ignore[import-untyped]
import httpx2
import hypothesis
import pytest
import structlog
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from metacortex import logs
from metacortex.api.app import create_app, local_issuer
from metacortex.commands.bus import Bus
from metacortex.commands.lane import Lane
from metacortex.embedded import (
    create_database,
    start_postgres,
    start_redis,
    with_parts,
)
from metacortex.kernel import database
from metacortex.kernel.database import autocommit, engine
from metacortex.queries.bus import Queries
from metacortex.queries.projector import Projector
from metacortex.settings import Settings
from metacortex.wakeups import make_broker
from metacortex.workers import Worker
from tests.clients import Client
from tests.shared import SHARED

ROOT = Path(__file__).parent.parent

# no test fails because a machine is slow
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")

FIRST = (
    "tests/integration/test_faults.py",  # many processes; beside it, files of one
    "tests/integration/test_verdict.py",
    "tests/integration/test_operations.py",
    "tests/commands/test_laws.py",
    "tests/integration/test_migrating.py",
    "tests/test_checklist.py",
    "tests/api/test_auth.py",
    "tests/http/test_schemathesis.py",
    "tests/devtools/test_supervisor.py",
    "tests/docs/test_readme.py",
    "tests/integration/test_importer.py",
    "tests/integration/test_projector.py",
    "tests/http/test_bad_input.py",
)
"""The files that take longest, in the order in which they begin."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: a worker of the run that is free takes the next.

    Files stay whole (`--dist loadfile`), since many share servers of their own.
    """
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    file = item.nodeid.partition("::")[0]
    return FIRST.index(file) if file in FIRST else len(FIRST)


_greenlets: list[greenlet.greenlet] = []


def _keep_greenlet(frame: FrameType, event: str, arg: object) -> None:
    """Keep the greenlet of a thread that begins, which is all that this looks for."""
    sys.setprofile(None)
    _greenlets.append(greenlet.getcurrent())


def pytest_configure() -> None:
    """Let no greenlet go when its thread ends.

    Coverage notes each in a dictionary of weak references. CPython 3.11 forgets one in
    a call that it makes between two instructions; if a second thread ends meanwhile,
    and lines are counted, the main thread stands still in there for ever.
    """
    greenlet._greenlet.enable_optional_cleanup(False)  # it would look for who keeps one
    threading.setprofile(_keep_greenlet)


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> Iterator[None]:
    """Leave out every frame's variables, which the default draws for seconds.

    Commands that run in this process leave it so: loggers keep what they first had.
    """
    renderer = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[structlog.stdlib.add_log_level, renderer])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "configure", lambda level, format: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """Wait longer for a connection than the product does: a machine may stall."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "POOL_TIMEOUT_S", 30.0)
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """Where the public test vectors and real input are."""
    assert SHARED.is_dir(), "set METACORTEX_SHARED to the folder of test data"
    return SHARED


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder for servers and keys, short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="mc-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_url(scratch: Path) -> Iterator[str]:
    """A superuser's URL of a running Postgres."""
    if given := environ.get("TEST_DATABASE_URL"):
        yield given
        return
    server = start_postgres(scratch)
    asyncio.run(_leave_disk_alone(server.url))
    yield server.url
    server.stop()


async def _leave_disk_alone(postgres_url: str) -> None:
    """Wait for no disk: what a machine that loses power keeps is not tested here."""
    made = autocommit(create_async_engine(postgres_url))
    async with made.connect() as connection:
        await connection.execute(text("ALTER SYSTEM SET fsync = off"))
        await connection.execute(text("SELECT pg_reload_conf()"))
    await made.dispose()


@pytest.fixture(scope="session")
def redis_url(scratch: Path) -> Iterator[str]:
    """The URL of a running Redis."""
    if given := environ.get("TEST_REDIS_URL"):
        yield given
        return
    server = start_redis(scratch)
    yield server.url
    server.stop()


@dataclass(frozen=True)
class Urls:
    """A migrated database, as each of the roles, and Redis."""

    owner: str
    app: str
    projector: str
    auditor: str
    redis: str


def migrate(connection: Connection) -> None:
    """Bring a database up to the newest schema."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrated(postgres_url: str, name: str, redis_url: str) -> Urls:
    """Create and migrate a database of a name; return its URLs."""
    owner = await create_database(postgres_url, name)
    database = create_async_engine(owner)
    async with database.begin() as connection:
        await connection.run_sync(migrate)
    await database.dispose()
    return Urls(owner=owner, redis=redis_url, **roles_of(owner))


def roles_of(owner: str) -> dict[str, str]:
    """Return the URLs of a database as each of the roles that log in."""
    return {
        role: with_parts(owner, user=f"metacortex_{role}")
        for role in ("app", "projector", "auditor")
    }


@pytest.fixture(scope="session")
async def urls(postgres_url: str, redis_url: str) -> Urls:
    """The database that tests share, each in workspaces of its own."""
    return await migrated(postgres_url, f"mc_{uuid4().hex[:8]}", redis_url)


@pytest.fixture(scope="session")
async def writes(urls: Urls) -> AsyncIterator[AsyncEngine]:
    """The database as commands see it."""
    database = engine(urls.app)
    yield database
    await database.dispose()


@pytest.fixture(scope="session")
async def projector(urls: Urls) -> AsyncIterator[Projector]:
    """A projector over the shared database."""
    database = engine(urls.projector)
    yield Projector(database)
    await database.dispose()


@pytest.fixture(scope="session")
async def lane(writes: AsyncEngine) -> AsyncIterator[Lane]:
    """A lane over the shared database that wakes nobody."""
    served = Lane(Bus(writes))
    served.start()
    yield served
    await served.stop()


@pytest.fixture(scope="session")
async def queries(writes: AsyncEngine) -> Queries:
    """The read side of the shared database."""
    return Queries(writes)


@pytest.fixture
def workspace() -> UUID:
    """A workspace that nobody has touched."""
    return uuid4()


@pytest.fixture(scope="session")
def settings(urls: Urls, scratch: Path) -> Settings:
    """Settings of a test installation: local issuer, open doors."""
    return Settings(
        environment="test",
        database_url=urls.app,
        database_owner_url=urls.owner,
        database_projector_url=urls.projector,
        database_auditor_url=urls.auditor,
        redis_url=urls.redis,
        data_dir=scratch,
    )


@pytest.fixture(scope="session")
async def worker(settings: Settings, projector: Projector) -> AsyncIterator[Worker]:
    """A worker that serves wake-ups, as its own process would."""
    broker = make_broker(settings.redis_url)
    served = Worker(broker, projector, threads=2)
    served.start()
    yield served
    await served.stop(5)
    broker.close()


@pytest.fixture(scope="session")
async def app(settings: Settings, worker: Worker) -> AsyncIterator[FastAPI]:
    """The application, started, with a worker behind it."""
    served = create_app(settings)
    async with served.router.lifespan_context(served):
        yield served


@pytest.fixture(scope="session")
async def http(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP to the application, without a token."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://test"
    ) as client:
        yield client


@pytest.fixture
def client(http: httpx2.AsyncClient, settings: Settings) -> Client:
    """A person with a workspace of their own that nobody has touched."""
    return Client.new(http, local_issuer(settings))
