"""Parts that are kept running: child processes and embedded servers.

A part that ends without being asked starts again, after a pause that doubles: one crash
costs half a second, and a part that cannot start does not eat the machine.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from metacortex.devtools.embedded import EmbeddedError, Server
from metacortex.kernel.processes import die_with_parent

LINE_LIMIT = 65_536  # bytes; a longer line is cut in two rather than kept in memory
DRAIN_S = 1.0  # for the last lines of a part that has ended
POLL_S = 0.1

Say = Callable[[str], None]
Lines = Callable[[str, str], None]


@dataclass(frozen=True)
class Backoff:
    """Seconds between an end and the next start, doubling up to a limit."""

    first_s: float = 0.5
    limit_s: float = 30.0
    healthy_s: float = 60.0  # who ran this long begins at the first pause again


class Running(Protocol):
    """A part while it runs."""

    async def wait(self) -> int:
        """Return the exit code, negative for a signal, once the part has ended."""

    async def stop(self, grace_s: float) -> None:
        """End the part: gently, and after the grace period by force."""

    def kill(self) -> None:
        """End the part by force, now."""


class Child:
    """A child process whose output is passed on line by line."""

    def __init__(
        self, process: asyncio.subprocess.Process, name: str, lines: Lines
    ) -> None:
        self._process = process
        self._reader = asyncio.create_task(self._read(name, lines))

    @classmethod
    async def start(
        cls, name: str, command: Sequence[str], environ: Mapping[str, str], lines: Lines
    ) -> Self:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the terminal reaches only us
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),
        )
        return cls(process, name, lines)

    async def wait(self) -> int:
        code = await self._process.wait()
        self._signal(signal.SIGKILL)  # what it has left behind
        await asyncio.wait({self._reader}, timeout=DRAIN_S)
        self._reader.cancel()
        return code

    async def stop(self, grace_s: float) -> None:
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                await self.wait()
        except TimeoutError:
            self.kill()
            await self.wait()

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        """Signal the child and whatever it forked; its group bears its id."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return  # all of them have ended

    async def _read(self, name: str, lines: Lines) -> None:
        stream = self._process.stdout
        assert stream is not None
        rest = b""
        while chunk := await stream.read(LINE_LIMIT):
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) >= LINE_LIMIT:
                whole, rest = [*whole, rest], b""
            for line in whole:
                lines(name, line.decode(errors="replace"))
        if rest:
            lines(name, rest.decode(errors="replace"))


class Embedded:
    """An embedded server as a part."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @classmethod
    async def start(cls, launch: Callable[[Path], Server], data_dir: Path) -> Self:
        """Launch in this thread, with which the server ends; wait in another."""
        server = launch(data_dir)
        try:
            await asyncio.to_thread(server.wait_ready)
        except BaseException:
            server.stop()
            raise
        return cls(server)

    @property
    def url(self) -> str:
        return self._server.url

    async def wait(self) -> int:
        while (code := self._server.process.poll()) is None:
            await asyncio.sleep(POLL_S)
        self._server.stop()  # gives the folder free
        return code

    async def stop(self, grace_s: float) -> None:
        await asyncio.to_thread(self._server.stop)

    def kill(self) -> None:
        self._server.process.kill()


class Restarter:
    """Keeps one part running until it is told to stop."""

    def __init__(
        self,
        name: str,
        running: Running,
        begin: Callable[[], Awaitable[Running]],
        say: Say,
        backoff: Backoff,
    ) -> None:
        self._name = name
        self._begin = begin
        self._say = say
        self._backoff = backoff
        self._running: Running | None = running
        self._task = asyncio.create_task(self._keep(running))

    async def stop(self, grace_s: float) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
        if self._running is not None:
            await self._running.stop(grace_s)

    def kill(self) -> None:
        if self._running is not None:
            self._running.kill()

    async def _keep(self, running: Running | None) -> None:
        pause_s = self._backoff.first_s
        while True:
            if running is not None:
                began = time.monotonic()
                code = await running.wait()
                if time.monotonic() - began >= self._backoff.healthy_s:
                    pause_s = self._backoff.first_s
                self._say(
                    f"{self._name} ended with {_meaning(code)}; "
                    f"it starts again in {pause_s:g} s"
                )
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, self._backoff.limit_s)
            running = self._running = await self._begin_again()
            if running is not None:
                self._say(f"{self._name} runs again")

    async def _begin_again(self) -> Running | None:
        try:
            return await self._begin()
        except (EmbeddedError, OSError) as error:
            self._say(f"{self._name} did not start: {error}")
            return None


def _meaning(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
