"""What both sides stand on: one Postgres, one Redis, child processes, and a clock.

The rule: everything started here is stopped here; data lives in a temporary folder that
goes with it. Each side has its own database of the one server. Before each run the
server writes a checkpoint, so that no side pays for the pages of the other.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Engine, create_engine, make_url

from metacortex.embedded import (
    Server,
    find_postgres,
    start_postgres,
    start_redis,
)
from metacortex.kernel.processes import die_with_parent

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 120.0  # imports take 1; the rest is a busy machine
STOP_TIMEOUT_S = 15.0  # longer than the grace period of a service
LOG_TAIL = 4000  # characters: a traceback
CHILD_TIMEOUT_S = 1_800.0  # the longest step, seeding 1,000,000 tasks, takes 600

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Scale:
    """How long and how much: `--quick` says whether it works, not how fast it is."""

    rounds: int
    seconds: int
    users: int  # of 1,000 tasks each, for the lists
    events: int  # for the projector


FULL = Scale(rounds=3, seconds=3, users=100, events=50_000)
QUICK = Scale(rounds=1, seconds=1, users=5, events=5_000)


class Service:
    """A server process of either side."""

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env={**os.environ, **env},
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=partial(die_with_parent, signal.SIGTERM),
            )

    def wait_ready(self, url: str) -> None:
        """Return when `url` answers with success; raises TimeoutError."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _answers(url):
            if self._process.poll() is not None or time.monotonic() > deadline:
                end = self._log.read_text()[-LOG_TAIL:]
                raise TimeoutError(f"{self.name} is not ready at {url}:\n{end}")
            time.sleep(0.05)

    @property
    def memory_mb(self) -> float:
        """Resident memory in MB, as the kernel counts it."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1000  # the file says kB

    @property
    def cpu_ticks(self) -> int:
        """CPU time so far, of the process itself and the system for it."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def get_json(port: int, path: str, token: str) -> Any:
    """Return what a GET answers. Raises HTTPError outside 2xx."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return json.load(answer)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def call(
    module: str, spec: Mapping[str, object], env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a module as a child process, JSON in and out; its errors pass through.

    Raises CalledProcessError and TimeoutExpired.
    """
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(spec),
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        timeout=CHILD_TIMEOUT_S,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@dataclass
class Host:
    """The servers of one run of the benchmarks."""

    scale: Scale
    folder: Path
    postgres: Server
    stack: ExitStack
    _services: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], Value]) -> Value:
        """Make something at its first use and keep it for the measures that follow."""
        if name not in self._services:
            say(f"starting {name}")
            self._services[name] = make()
        value: Value = self._services[name]
        return value

    def service(
        self, name: str, command: Sequence[str], env: Mapping[str, str]
    ) -> Service:
        """Start a process that ends with the run."""
        service = Service(name, command, env, self.folder / f"{name}.log")
        self.stack.callback(service.stop)
        return service

    @property
    def redis_url(self) -> str:
        def start() -> Server:
            redis = start_redis(self.folder)
            self.stack.callback(redis.stop)
            return redis

        return self.once("redis", start).url

    @property
    def binaries(self) -> Path:
        """The folder of the running server's programs, pgbench among them."""
        return find_postgres(self.folder / "postgres")

    @property
    def socket_folder(self) -> str:
        return str(make_url(self.postgres.url).query["host"])

    def url(self, database: str) -> URL:
        """Return the superuser's URL of a database, for asyncpg."""
        return make_url(self.postgres.url).set(database=database)

    def engine(self, database: str) -> Engine:
        """Return a synchronous superuser's engine, for what surrounds a measure."""
        url = self.url(database).set(drivername="postgresql+psycopg")
        return create_engine(url, isolation_level="AUTOCOMMIT")

    def sql(self, statement: str, database: str = "postgres") -> None:
        """Run one statement as the superuser."""
        engine = self.engine(database)
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def create_database(self, name: str) -> None:
        self.sql(f'CREATE DATABASE "{name}"')

    def value(self, statement: str, database: str = "postgres") -> Any:
        """Return the one value that a statement gives the superuser."""
        engine = self.engine(database)
        with engine.connect() as connection:
            value = connection.exec_driver_sql(statement).scalar_one()
        engine.dispose()
        return value

    def version(self) -> str:
        return f"PostgreSQL {self.value('SHOW server_version')}"

    def alternate(self, what: str, *sides: Callable[[], Value]) -> list[list[Value]]:
        """Run the sides in turn, round after round; return each side's values."""
        values: list[list[Value]] = [[] for _ in sides]
        for number in range(self.scale.rounds):
            for side, results in zip(sides, values, strict=True):
                self.sql("CHECKPOINT")
                results.append(side())
            latest = " | ".join(str(results[-1]) for results in values)
            say(f"{what} {number + 1}/{self.scale.rounds}: {latest}")
        return values


@contextmanager
def host(scale: Scale) -> Iterator[Host]:
    """Start Postgres in a temporary folder; at the end stop and remove everything."""
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="metacortex-bench-"))
        )
        postgres = start_postgres(folder)
        stack.callback(postgres.stop)
        yield Host(scale, folder, postgres, stack)


def say(message: str) -> None:
    """Tell progress, on standard error."""
    print(f"[{time.strftime('%H:%M:%S')}] {message}", file=sys.stderr, flush=True)
