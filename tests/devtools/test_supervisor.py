"""`metacortex up`: everything starts in order, stays up, and ends on Ctrl-C.

The commands are stand-ins (fake.py); Postgres and Redis are real where they matter.
"""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values

from metacortex.devtools.supervisor.services import write_services
from metacortex.devtools.supervisor.up import ECHO_S, PROCESSES
from tests.devtools.processes import alive, eventually

ROOT = Path(__file__).parents[2]
NO_SERVICES = {"DATABASE_URL": "postgresql://u@h/d", "REDIS_URL": "redis://h"}
UP = "Everything is up"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Program:
    """A running `up`, and what it has said so far."""

    def __init__(
        self, folder: Path, start_new_session: bool = False, **environ: str
    ) -> None:
        self.folder = folder
        self.port = int(environ.get("METACORTEX_PORT", free_port()))
        inherited = {k: v for k, v in os.environ.items() if "_URL" not in k}
        own = {"METACORTEX_DATA_DIR": str(folder), "METACORTEX_PORT": str(self.port)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.devtools.program"],
            cwd=ROOT,
            env={**inherited, **own, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=start_new_session,
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line

    def until_said(self, what: str) -> None:
        eventually(lambda: what in self.output or self.process.poll() is not None)
        assert what in self.output

    def until_up(self) -> None:
        """Wait until all is said to be up, and each part is ready to be ended."""
        self.until_said(UP)
        for part in PROCESSES:
            self.until_said(f"{part} says hello")

    def history(self) -> list[str]:
        file = self.folder / "history"
        return file.read_text().splitlines() if file.exists() else []

    def pids(self, name: str) -> list[int]:
        found = (re.fullmatch(rf"{name} (\d+)", line) for line in self.history())
        return [int(match[1]) for match in found if match]

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        code = self.process.wait(20)
        self.close()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


Start = Callable[..., Program]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Start]:
    programs = []

    def start(start_new_session: bool = False, **environ: str) -> Program:
        program = Program(tmp_path, start_new_session, **environ)
        programs.append(program)
        return program

    yield start
    for program in programs:
        program.close()


def test_everything_starts_and_ctrl_c_ends_it_in_order(up: Start) -> None:
    program = up()
    program.until_up()
    assert [line.split()[0] for line in program.history()][0] == "migrate"
    servers = [
        int((program.folder / name).read_text().split()[0])
        for name in ("postgres/postmaster.pid",)
    ]
    assert all(map(alive, servers))
    assert program.end() == 0
    assert program.history()[-2:] == ["worker stopped", "api stopped"]
    parts = [pid for part in PROCESSES for pid in program.pids(part)]
    assert not any(map(alive, [*servers, *parts]))
    assert not (program.folder / "postgres/postmaster.pid").exists()


def test_a_second_run_continues_on_the_same_data(up: Start) -> None:
    first = up()
    first.until_up()
    first.end()
    second = up()
    second.until_up()
    assert second.end() == 0


def test_it_says_where_everything_is(up: Start) -> None:
    program = up(**NO_SERVICES)
    program.until_up()
    base = f"http://127.0.0.1:{program.port}"
    for path in ("/api/v1", "/docs", "/health/ready", "/metrics"):
        assert base + path in program.output
    assert re.search(r"Postgres +│ h:5432, database d ", program.output)
    assert re.search(r"Redis +│ h:6379 ", program.output)
    assert "\na.b.c\n" in program.output
    assert f"  export API={base}/api/v1\n" in program.output
    assert f"  export METACORTEX_DATA_DIR={program.folder}\n" in program.output
    assert "Ctrl-C stops everything" in program.output
    assert re.search(r"^worker +\| worker says hello$", program.output, re.MULTILINE)


def test_other_commands_find_the_services(up: Start) -> None:
    program = up()
    program.until_up()
    file = program.folder / "services.env"
    values = dotenv_values(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert values["ENVIRONMENT"] == "development"
    assert values["REDIS_URL"] == f"unix://{program.folder}/run/redis.sock?db=0"
    for name, user in {
        "DATABASE_URL": "metacortex_app",
        "DATABASE_PROJECTOR_URL": "metacortex_projector",
        "DATABASE_AUDITOR_URL": "metacortex_auditor",
        "DATABASE_OWNER_URL": "postgres",
    }.items():
        assert str(values[name]).startswith(f"postgresql+asyncpg://{user}@/metacortex?")


def test_services_that_the_environment_names_are_used(up: Start) -> None:
    program = up(**NO_SERVICES)
    program.until_up()
    assert dotenv_values(program.folder / "services.env") == {
        "ENVIRONMENT": "development",
        "METACORTEX_LOG_FORMAT": "console",
        **NO_SERVICES,
    }
    assert not (program.folder / "postgres").exists()
    assert not (program.folder / "redis").exists()


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    odd = {"A": 'it\'s $HOME \\ # "x"'}
    write_services(tmp_path / "services.env", odd)
    assert dotenv_values(tmp_path / "services.env") == odd


@pytest.mark.parametrize("part", PROCESSES)
def test_a_part_that_dies_starts_again_and_that_is_said(up: Start, part: str) -> None:
    program = up(**NO_SERVICES)
    program.until_up()
    os.kill(program.pids(part)[0], signal.SIGKILL)
    program.until_said(f"{part} ended with SIGKILL; it starts again in 0.1 s")
    program.until_said(f"{part} runs again")
    eventually(lambda: len(program.pids(part)) == 2)
    eventually(lambda: program.output.count(f"{part} says hello") == 2)
    os.kill(program.pids(part)[1], signal.SIGTERM)
    program.until_said(f"{part} ended with exit code 0; it starts again in 0.2 s")
    eventually(lambda: len(program.pids(part)) == 3)
    assert program.end() == 0


def test_postgres_and_redis_start_again_too(up: Start) -> None:
    program = up()
    program.until_up()
    pid_file = program.folder / "postgres/postmaster.pid"
    first = int(pid_file.read_text().split()[0])
    os.kill(first, signal.SIGKILL)
    program.until_said("postgres ended with SIGKILL")
    eventually(lambda: pid_file.exists() and str(first) not in pid_file.read_text())
    program.until_said("postgres runs again")
    assert "ready" in pid_file.read_text()
    assert program.end() == 0


def test_sigterm_is_ctrl_c(up: Start) -> None:
    program = up(**NO_SERVICES)
    program.until_up()
    assert program.end(signal.SIGTERM) == 0
    assert "api stopped" in program.history()


def test_a_part_that_ignores_the_end_is_killed_after_the_grace_period(
    up: Start,
) -> None:
    program = up(**NO_SERVICES, FAKE_STUBBORN="worker", FAKE_GRACE_S="0")
    program.until_up()
    assert program.end() == 0
    assert program.history()[-1] == "api stopped"
    assert not alive(program.pids("worker")[0])


def test_a_second_ctrl_c_kills(up: Start) -> None:
    program = up(**NO_SERVICES, FAKE_STUBBORN="worker", FAKE_GRACE_S="60")
    program.until_up()
    program.process.send_signal(signal.SIGINT)
    program.until_said("once more kills")
    time.sleep(ECHO_S)
    assert program.end() == 0
    assert not alive(program.pids("worker")[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_end_before_everything_is_up_is_no_success(
    up: Start, number: signal.Signals
) -> None:
    program = up(FAKE_MIGRATE_S="60")
    program.until_said("Redis is up")
    eventually(lambda: bool(program.pids("migrate")))
    assert program.end(number) == 128 + number
    assert program.output.splitlines()[-2:] == [
        "Stopping; once more kills.",
        "Stopped before everything was up.",
    ]
    assert not alive(program.pids("migrate")[0])
    assert not program.pids("api")


def test_ctrl_c_at_the_terminal_does_not_break_a_cluster_in_the_making(
    up: Start,
) -> None:
    """The terminal signals the whole group, which a cluster's maker is not in."""
    program = up(start_new_session=True)
    eventually((program.folder / "postgres.new").exists)
    os.killpg(program.process.pid, signal.SIGINT)
    assert program.process.wait(20) == 130
    program.close()
    assert program.output.splitlines()[-1] == "Stopped before everything was up."
    assert "error" not in program.output


def test_nothing_outlives_a_killed_supervisor(up: Start) -> None:
    program = up()
    program.until_up()
    postgres = int((program.folder / "postgres/postmaster.pid").read_text().split()[0])
    parts = [pid for part in PROCESSES for pid in program.pids(part)]
    program.process.kill()
    eventually(lambda: not any(map(alive, [postgres, *parts])))


def test_a_second_up_on_the_same_folder_is_refused(up: Start) -> None:
    first = up(**NO_SERVICES)
    first.until_up()
    second = up(**NO_SERVICES)
    assert second.process.wait(20) == 1
    second.until_said(f"in use by process {first.process.pid}")
    assert first.process.poll() is None


def test_a_taken_port_is_named(up: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = up(**NO_SERVICES, METACORTEX_PORT=str(port))
        assert program.process.wait(20) == 1
        program.until_said(
            f"Port {port} on 127.0.0.1 cannot be used (Address already in use): "
            "choose another with --port."
        )


def test_a_folder_that_cannot_hold_data_is_named(up: Start, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    program = up(**NO_SERVICES, METACORTEX_DATA_DIR=str(file / "data"))
    assert program.process.wait(20) == 1
    program.until_said(f"error: {file}/data cannot hold data (Not a directory)")


def test_a_failed_migration_ends_the_start(up: Start) -> None:
    program = up(FAKE_MIGRATE_CODE="3")
    assert program.process.wait(20) == 1
    program.until_said("The migration ended with exit code 3")
    assert not program.pids("api")
    assert not (program.folder / "postgres/postmaster.pid").exists()


def test_production_is_not_started_this_way(up: Start) -> None:
    program = up(**NO_SERVICES, ENVIRONMENT="production")
    assert program.process.wait(20) == 1
    program.until_said("`up` is for development")
