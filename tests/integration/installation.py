"""A whole installation in processes of its own, which tests may kill.

Only processes that it started itself are ever signalled, by their handles.
"""

import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from metacortex.devtools.embedded import (
    Server,
    StartFailed,
    start_postgres,
    start_redis,
)
from metacortex.kernel.processes import die_with_parent
from metacortex.settings import Settings, load_settings
from tests.conftest import ROOT, Urls, migrated
from tests.untraced import untraced

READY_S = 90.0  # only there to end a hang: a cold start of the API takes 2 s
RESTARTS = 20  # tries while backends of a killed Postgres still hold its memory


@dataclass
class Installation:
    """Postgres, Redis, and the processes api, worker and scheduler."""

    folder: Path
    postgres: Server
    redis: Server
    urls: Urls
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    """Further variables of the processes."""

    @classmethod
    async def begin(cls, folder: Path) -> "Installation":
        """Start the servers and make the schema; the processes come one by one."""
        postgres, redis = start_postgres(folder), start_redis(folder)
        urls = await migrated(postgres.url, "metacortex", redis.url)
        return cls(folder, postgres, redis, urls, _free_port())

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        """What the processes are told, for tokens of the same issuer."""
        return load_settings(
            environment="test", database_url=self.urls.app, data_dir=self.folder
        )

    def start(self, part: str, name: str | None = None, *options: str) -> None:
        """Start `api`, `worker` or `scheduler`; by a name, several of one kind."""
        name = name or part
        command = [sys.executable, "-m", "metacortex", part, *options]
        if part == "api":
            command += ["--port", str(self.port)]
        with (self.folder / f"{name}.log").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**untraced(), **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: die_with_parent(signal.SIGKILL),
            )

    def _environment(self) -> dict[str, str]:
        return {
            "ENVIRONMENT": "test",
            "DATABASE_URL": self.urls.app,
            "DATABASE_PROJECTOR_URL": self.urls.projector,
            "DATABASE_AUDITOR_URL": self.urls.auditor,
            "REDIS_URL": self.urls.redis,
            "METACORTEX_DATA_DIR": str(self.folder),
            **self.extra,
        }

    def wait_ready(self) -> None:
        """Return when the API answers that it can work."""
        until, last = time.monotonic() + READY_S, "nothing"
        while time.monotonic() < until:
            try:
                answer = httpx2.get(f"{self.base_url}/health/ready", timeout=2)
            except httpx2.TransportError as error:
                last = repr(error)
                time.sleep(0.05)
                continue
            if answer.status_code == 200:
                return
            last = answer.text
            time.sleep(0.05)
        logs = sorted(self.folder.glob("api*.log"))
        log = "".join(it.read_text(errors="replace") for it in logs)
        raise AssertionError(f"the API is not ready: {last}\n{log[-4000:]}")

    def kill(self, part: str) -> None:
        """End a process as a crash would: it hears nothing."""
        process = self.processes.pop(part)
        process.kill()
        process.wait()

    def stop(self, part: str) -> int:
        """End a process politely; return its exit status."""
        process = self.processes.pop(part)
        process.terminate()
        return process.wait(20)

    def kill_postgres(self) -> None:
        """End Postgres as a crash would; its backends notice by themselves."""
        self.postgres.process.kill()
        self.postgres.process.wait()
        self.postgres.stop()

    def restart_postgres(self) -> None:
        """Start Postgres on the same data; it recovers from its log."""
        for _ in range(RESTARTS):
            try:
                self.postgres = start_postgres(self.folder)
                return
            except StartFailed:
                time.sleep(0.1)
        raise AssertionError("Postgres did not come back")

    def restart_redis(self) -> None:
        """Start Redis, empty."""
        self.redis = start_redis(self.folder)

    def end(self) -> None:
        """End everything, the processes first."""
        for part in list(self.processes):
            self.stop(part)
        self.redis.stop()
        self.postgres.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
