"""Whose disk is judged: that of a database on this machine, and no other's."""

from pathlib import Path

import pytest

from metacortex import doctor
from metacortex.devtools.embedded import start_postgres
from metacortex.settings import Settings, load_settings


def settings(url: str, folder: Path) -> Settings:
    return load_settings(environment="test", database_url=url, data_dir=folder)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A database of `up`, started and stopped again: its disk may be why."""
    folder = tmp_path_factory.mktemp("d")
    server = start_postgres(folder)
    server.stop()
    return folder, server.url


def test_of_the_database_of_up_it_is_known(started: tuple[Path, str]) -> None:
    folder, url = started
    assert settings(url, folder).local_data == folder / "postgres"
    line = doctor._disk(settings(url, folder))
    assert line.status in ("ok", "failing") and "free" in line.detail


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://app:x@db.example.com/metacortex",
        "postgresql+asyncpg://app:x@localhost/metacortex",  # a tunnel, or a pooler
        "postgresql+asyncpg://app:x@127.0.0.1:6432/metacortex",
        "postgresql+asyncpg://app@/metacortex?host=/var/run/postgresql",
    ],
)
def test_of_any_other_it_is_unknown(started: tuple[Path, str], url: str) -> None:
    """Though the folder is there, with a database of `up` that nobody uses."""
    assert settings(url, started[0]).local_data is None
    assert doctor._disk(settings(url, started[0])).status == "skipped"
