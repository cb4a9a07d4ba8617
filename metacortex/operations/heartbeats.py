"""Heartbeats: each process says that it lives, and how late its event loop is."""

import asyncio
import os
import resource
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from uuid import UUID

import orjson
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex import __version__
from metacortex.kernel.database import driver_pool
from metacortex.kernel.driver_errors import report
from metacortex.kernel.ids import new_id

logger = structlog.get_logger(__name__)

Kind = Literal["api", "worker", "scheduler"]

BEAT_S = 2.0
PROBE_S = 0.25  # between two looks at the loop's delay: a stall of a second is seen

_BEAT = text(
    "INSERT INTO workers.processes AS p (id, host, pid, kind, version, started_at,"
    " seen_at, queues, running, rss_bytes, loop_delay_ms, figures) VALUES (:id, :host,"
    " :pid, :kind, :version, now(), now(), :queues, CAST(:running AS jsonb), :rss,"
    " :delay, CAST(:figures AS jsonb)) ON CONFLICT (id) DO UPDATE SET"
    " seen_at = excluded.seen_at, running = excluded.running,"
    " rss_bytes = excluded.rss_bytes, loop_delay_ms = excluded.loop_delay_ms,"
    " figures = excluded.figures, stopped_at = NULL"
)
_BEFORE = text(
    "SELECT id, pid FROM workers.processes WHERE host = :host AND stopped_at IS NULL"
    " AND id <> :id"
)
_STOPPED = text("UPDATE workers.processes SET stopped_at = now() WHERE id = :id")

Figures = Callable[[], Mapping[str, float]]


def no_figures() -> Mapping[str, float]:
    """Return none."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """This process as its row names it."""

    kind: Kind
    queues: Sequence[str] = ()
    id: UUID = field(default_factory=new_id)
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)


class Heart:
    """Writes a process's row, whenever it is told to beat."""

    def __init__(
        self, engine: AsyncEngine, process: Process, figures: Figures = no_figures
    ) -> None:
        self._pool = driver_pool(engine)
        self._process = process
        self._figures = figures
        self._begun = False

    async def beat(self, delay_ms: float, running: Sequence[UUID] = ()) -> None:
        """Say that the process lives, what it runs, and how late its loop was."""
        process = self._process
        values = {
            "id": process.id,
            "host": process.host,
            "pid": process.pid,
            "kind": process.kind,
            "version": __version__,
            "queues": list(process.queues),
            "running": orjson.dumps([str(it) for it in running]).decode(),
            "rss": rss_bytes(),
            "delay": delay_ms,
            "figures": orjson.dumps(dict(self._figures())).decode(),
        }
        if not self._begun:
            await self._bury()
            self._begun = True
        await self._pool.write(_BEAT, values)

    async def _bury(self) -> None:
        """Say of processes of this host that have died that they ended.

        Whoever follows one that was killed knows first. Where two hosts have one name,
        the one that lives says so again with its next beat.
        """
        host, id = self._process.host, self._process.id
        for before, pid in await self._pool.rows(_BEFORE, {"host": host, "id": id}):
            if not _exists(pid):
                await self._pool.write(_STOPPED, {"id": before})

    async def stop(self) -> None:
        """Say that the process ends as it should."""
        await self._pool.write(_STOPPED, {"id": self._process.id})


class Heartbeat:
    """A task in the event loop whose delay it measures."""

    def __init__(self, heart: Heart) -> None:
        self._heart = heart
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to beat; needs a running event loop."""
        self._task = asyncio.create_task(self._run(), name="heartbeat")

    async def stop(self) -> None:
        """Stop beating, and say so if the database answers."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self._heart.stop()
        except Exception as error:
            report(logger, "heartbeat_failed", error)

    async def _run(self) -> None:
        longest = 0.0
        while True:
            try:
                await self._heart.beat(longest)
            except Exception as error:  # the next beat tries again
                report(logger, "heartbeat_failed", error)
            longest = await _longest_delay_ms(BEAT_S)


async def _longest_delay_ms(seconds: float) -> float:
    """Wait, and return by how much the loop was late at most."""
    longest, until = 0.0, time.monotonic() + seconds
    while (now := time.monotonic()) < until:
        await asyncio.sleep(PROBE_S)
        longest = max(longest, time.monotonic() - now - PROBE_S)
    return longest * 1_000


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is somebody else's
    return True


def rss_bytes() -> int:
    """Return the memory that the process holds; where /proc is not, its highest."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * resource.getpagesize()
