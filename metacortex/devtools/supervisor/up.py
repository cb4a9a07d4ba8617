"""Bring everything up in order, keep it up, and take it down in the opposite order.

Postgres, Redis, migrations, API, worker with scheduler. What the environment names
(DATABASE_URL, REDIS_URL) is used; the rest is started from the data folder, whose
services.env tells every other command of this installation where things are.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from metacortex.devtools.embedded import (
    EmbeddedError,
    Server,
    create_database,
    hold,
    launch_postgres,
    launch_redis,
    with_parts,
)
from metacortex.devtools.supervisor.parts import (
    Backoff,
    Child,
    Embedded,
    Restarter,
    Running,
)
from metacortex.devtools.supervisor.screen import Screen
from metacortex.devtools.supervisor.services import addresses, probe, write_services
from metacortex.kernel.processes import die_with_parent
from metacortex.settings import SERVICES_FILE, Settings

COMMAND = (sys.executable, "-m", "metacortex")
DATABASE_NAMES = (
    "DATABASE_URL",
    "DATABASE_READ_URL",
    "DATABASE_OWNER_URL",
    "DATABASE_PROJECTOR_URL",
    "DATABASE_AUDITOR_URL",
)
READY = "200"
PROCESSES = {"api": ("api",), "worker": ("worker", "--with-scheduler")}
"""The arguments of each; a scheduler of its own would take 90 MB more."""
DATABASE = "metacortex"
READY_TIMEOUT_S = 60.0  # a cold start on a slow disk; the usual one takes two
PROBE_PAUSE_S = 0.1
SPARE_S = 2.0  # beyond the grace period that the children grant themselves
ECHO_S = 0.3  # a child that is just being forked hears Ctrl-C as well, and passes it on
LEAST_GRACE_S = 1.0  # for the last part, when the others used the time up

R = TypeVar("R", bound=Running)


class UpError(Exception):
    """Why not everything is up; the message says what to do."""


@dataclass(frozen=True)
class Plan:
    """What one run is told."""

    settings: Settings
    port: int
    environ: Mapping[str, str]
    command: Sequence[str]
    backoff: Backoff
    ready_timeout_s: float

    @property
    def data_dir(self) -> Path:
        return self.settings.data_dir.absolute()

    @property
    def host(self) -> str:
        """Where the API answers us: listening everywhere includes this machine."""
        host = self.settings.host
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)

    @property
    def children_environ(self) -> dict[str, str]:
        return {
            **self.environ,
            "METACORTEX_DATA_DIR": str(self.data_dir),
            "METACORTEX_HOST": self.settings.host,
            "METACORTEX_PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
        }


async def run_up(
    settings: Settings,
    *,
    port: int | None = None,
    environ: Mapping[str, str] | None = None,
    command: Sequence[str] = COMMAND,
    backoff: Backoff | None = None,
    ready_timeout_s: float = READY_TIMEOUT_S,
) -> int:
    """Run everything until Ctrl-C or SIGTERM; return the exit code.

    It is 0, or that of the signal (130, 143) if not everything was up yet. A second
    Ctrl-C kills. `command` goes before `migrate`, `api`,
    `worker --with-scheduler` and `token --user dev`. Call it from the main thread.
    """
    plan = Plan(
        settings=settings,
        port=settings.port if port is None else port,
        environ=os.environ if environ is None else environ,
        command=command,
        backoff=backoff or Backoff(),
        ready_timeout_s=ready_timeout_s,
    )
    screen = Screen()
    try:
        _refuse_production(plan.environ)
        lock = hold(plan.data_dir / "up.lock")
        try:
            _refuse_taken_port(plan)
            return await Up(plan, screen).run()
        finally:
            lock.release()
    except (EmbeddedError, UpError) as error:
        screen.say(f"error: {error}")
        return 1


def _refuse_production(environ: Mapping[str, str]) -> None:
    if environ.get("ENVIRONMENT") == "production":
        raise UpError(
            "`up` is for development, and ENVIRONMENT says production: run "
            "`migrate`, `api`, `worker` and `scheduler` there."
        )


def _refuse_taken_port(plan: Plan) -> None:
    host = plan.settings.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, plan.port), family=family).close()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UpError(
            f"Port {plan.port} on {host} cannot be used ({reason}): "
            "choose another with --port."
        ) from None


class Up:
    """One run: its parts in the order of their start."""

    def __init__(self, plan: Plan, screen: Screen) -> None:
        self._plan = plan
        self._screen = screen
        self._restarters: list[Restarter] = []
        self._asked_to_stop = asyncio.Event()
        self._asked_by = signal.SIGINT
        self._asked_at = 0.0
        self._is_up = False

    async def run(self) -> int:
        """Return the exit code. Raises EmbeddedError and UpError."""
        with self._signals():
            starting = asyncio.create_task(self._start())
            asked = asyncio.create_task(self._asked_to_stop.wait())
            try:
                await asyncio.wait(
                    {starting, asked}, return_when=asyncio.FIRST_COMPLETED
                )
                if starting.done():
                    starting.result()
                    await asked
            finally:
                await _cancel(starting, asked)
                await self._stop()
        return 0 if self._is_up else 128 + self._asked_by

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self._ask_to_stop, number)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _ask_to_stop(self, number: signal.Signals) -> None:
        if not self._asked_to_stop.is_set():
            self._screen.say("Stopping; once more kills.")
            self._asked_to_stop.set()
            self._asked_by = number
            self._asked_at = time.monotonic()
            return
        if time.monotonic() - self._asked_at < ECHO_S:
            return
        for restarter in self._restarters:
            restarter.kill()

    async def _start(self) -> None:
        began = time.monotonic()
        urls = await self._start_services()
        write_services(self._plan.data_dir / SERVICES_FILE, urls)
        with self._screen.step("The schema is up to date"):
            await self._migrate()
        with self._screen.step("The API is ready"):
            for name, arguments in PROCESSES.items():
                await self._keep(name, partial(self._child, name, *arguments))
            await self._until_ready()
        rows = {**self._rows(), **addresses(urls)}
        self._screen.result(rows, await self._token(), self._exports())
        self._is_up = True
        self._screen.say(f"Everything is up after {time.monotonic() - began:.1f} s.")

    async def _start_services(self) -> dict[str, str]:
        environ = self._plan.environ
        urls = {"ENVIRONMENT": environ.get("ENVIRONMENT") or "development"}
        urls["METACORTEX_LOG_FORMAT"] = "console"
        if environ.get("DATABASE_URL"):
            urls |= {name: environ[name] for name in DATABASE_NAMES if name in environ}
        else:
            with self._screen.step("Postgres is up"):
                urls |= await prepare(await self._serve("postgres", launch_postgres))
        if environ.get("REDIS_URL"):
            urls["REDIS_URL"] = environ["REDIS_URL"]
        else:
            with self._screen.step("Redis is up"):
                urls["REDIS_URL"] = await self._serve("redis", launch_redis)
        return urls

    async def _serve(self, name: str, launch: Callable[[Path], Server]) -> str:
        server = partial(Embedded.start, launch, self._plan.data_dir)
        return (await self._keep(name, server)).url

    async def _keep(self, name: str, begin: Callable[[], Awaitable[R]]) -> R:
        running = await begin()
        restarter = Restarter(
            name, running, begin, self._screen.say, self._plan.backoff
        )
        self._restarters.append(restarter)
        return running

    async def _child(self, name: str, *arguments: str) -> Child:
        return await Child.start(
            name,
            [*self._plan.command, *arguments],
            self._plan.children_environ,
            self._screen.line,
        )

    async def _migrate(self) -> None:
        child = await self._child("migrate", "migrate")
        try:
            code = await child.wait()
        except asyncio.CancelledError:
            await child.stop(LEAST_GRACE_S)
            raise
        if code != 0:
            raise UpError(f"The migration ended with exit code {code}; see above.")

    async def _until_ready(self) -> None:
        deadline = time.monotonic() + self._plan.ready_timeout_s
        while (answer := await probe(self._plan.host, self._plan.port)) != READY:
            if time.monotonic() > deadline:
                raise UpError(
                    f"The API was not ready within {self._plan.ready_timeout_s:g} s: "
                    f"/health/ready says {answer or 'nothing'}."
                )
            await asyncio.sleep(PROBE_PAUSE_S)

    @property
    def _base(self) -> str:
        host = self._plan.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._plan.port}"

    def _exports(self) -> dict[str, str]:
        """Return what another shell must know where defaults do not say it."""
        found = {}
        if self._plan.port != Settings.model_fields["port"].default:
            found["API"] = f"{self._base}/api/v1"
        if (
            self._plan.data_dir
            != Path(Settings.model_fields["data_dir"].default).absolute()
        ):
            found["METACORTEX_DATA_DIR"] = str(self._plan.data_dir)
        return found

    def _rows(self) -> dict[str, str]:
        base = self._base
        return {
            "App": f"{base}/",
            "API": f"{base}/api/v1",
            "Docs": f"{base}/docs",
            "Health": f"{base}/health/ready",
            "Metrics": f"{base}/metrics",
            "Data": str(self._plan.data_dir),
        }

    async def _token(self) -> str | None:
        process = await asyncio.create_subprocess_exec(
            *self._plan.command,
            *("token", "--user", "dev"),
            env=self._plan.children_environ,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),
        )
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            self._screen.say("There is no token, because `token --user dev` failed.")
            return None
        return output.decode().strip()

    async def _stop(self) -> None:
        """End the parts, last started first; all of them share one grace period."""
        grace_s = self._plan.settings.shutdown_grace_s + SPARE_S
        deadline = time.monotonic() + grace_s
        for restarter in reversed(self._restarters):
            await restarter.stop(max(deadline - time.monotonic(), LEAST_GRACE_S))
        early = self._asked_to_stop.is_set() and not self._is_up
        self._screen.say("Stopped before everything was up." if early else "Stopped.")


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def prepare(superuser_url: str) -> dict[str, str]:
    """Make the database where missing; return the URL of each role.

    The migrations make the roles.
    """
    owner = await create_database(superuser_url, DATABASE)
    return {
        "DATABASE_URL": with_parts(owner, user="metacortex_app"),
        "DATABASE_OWNER_URL": owner,
        "DATABASE_PROJECTOR_URL": with_parts(owner, user="metacortex_projector"),
        "DATABASE_AUDITOR_URL": with_parts(owner, user="metacortex_auditor"),
    }
