"""The drill: every attack on a real server, and what a bystander notices of it.

Run as `python -m tests.drills.abuse` (`make drill-abuse`): prints a table, and fails
where an answer, a wait, the memory or the log is not as promised.
"""

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2

from metacortex.api.app import local_issuer
from metacortex.api.auth import workspace_of
from metacortex.kernel.processes import die_with_parent
from tests.conftest import ROOT
from tests.drills.attacks import ATTACKS, Attack
from tests.drills.target import FULL, Scale, Target
from tests.integration.installation import Installation

MEMORY_MB = 400  # of the API process, at its peak
WAIT_S = 1.0  # of the bystander, on a quiet machine
LANES = 2  # the default
HANG_S = 60  # only there to end a hang
AFTER_S = 0.25  # the bystander's requests count as well that begin soon afterwards


@dataclass(frozen=True)
class Report:
    """What an attack was told, and what the bystander and the server came to."""

    attack: Attack
    answer: str
    took_s: float
    worst_s: float
    requests: int
    failures: int
    peak_mb: float

    @property
    def wrongs(self) -> list[str]:
        """What is not as promised, but for the wait."""
        found = []
        if not self.answer.startswith(self.attack.answer):
            found.append(f"answered {self.answer}, not {self.attack.answer}")
        if self.failures or not self.requests:
            found.append(
                f"{self.failures} of {self.requests} of the bystander's failed"
            )
        if self.peak_mb > MEMORY_MB:
            found.append(f"took {self.peak_mb:.0f} MB")
        return found


@dataclass(frozen=True)
class Drill:
    """All reports, and the lines of the log that no attack may cause."""

    reports: Sequence[Report]
    tracebacks: int

    @property
    def wrongs(self) -> list[str]:
        """What is not as promised, but for the waits."""
        found = [f"{it.attack.name}: {one}" for it in self.reports for one in it.wrongs]
        if self.tracebacks:
            found.append(f"{self.tracebacks} tracebacks in the log")
        return found

    def table(self) -> str:
        """Return the reports as a table."""
        lines = [
            f"{'attack':34} {'took':>7} {'bystander waits':>16} {'peak':>7}  answer"
        ]
        for it in self.reports:
            lines.append(
                f"{it.attack.name:34} {it.took_s:6.1f}s {it.worst_s * 1000:13.0f} ms"
                f" {it.peak_mb:4.0f} MB  {it.answer}"
            )
        return "\n".join(lines)


async def drill(folder: Path, scale: Scale) -> Drill:
    """Start an installation of its own, and attack it."""
    running = await Installation.begin(folder)
    try:
        for part in ("api", "worker"):
            running.start(part)
        await asyncio.to_thread(running.wait_ready)
        return await _attacked(running, scale)
    finally:
        running.end()


async def _attacked(running: Installation, scale: Scale) -> Drill:
    issuer = local_issuer(running.settings)
    token, other = issuer.token("attacker"), issuer.token(_neighbour())
    log = running.folder / "bystander.log"
    command = [sys.executable, "-m", "tests.drills.bystander"]
    with log.open("wb") as output:
        beside = subprocess.Popen(
            [*command, running.base_url + "/api/v1", other],
            cwd=ROOT,
            stdout=output,
            preexec_fn=lambda: die_with_parent(signal.SIGKILL),
        )
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx2.Limits(max_connections=200)
    try:
        async with httpx2.AsyncClient(
            base_url=running.base_url, headers=headers, timeout=60, limits=limits
        ) as http:
            target = Target(http, running.base_url, token, scale)
            async with asyncio.timeout(HANG_S):
                while log.stat().st_size < 100:
                    await asyncio.sleep(0.05)
            reports = [await _report(it, target, running, log) for it in ATTACKS]
    finally:
        beside.kill()
        beside.wait()
    logs = [(running.folder / f"{it}.log").read_text() for it in ("api", "worker")]
    return Drill(reports, sum(it.count("Traceback") for it in logs))


def _neighbour() -> str:
    """Return a user whose workspace shares the lane of the attacker's."""
    lane = hash(workspace_of("user_attacker")) % LANES
    names = (f"bystander{number}" for number in range(100))
    return next(it for it in names if hash(workspace_of(f"user_{it}")) % LANES == lane)


async def _report(
    attack: Attack, target: Target, running: Installation, log: Path
) -> Report:
    pid = running.processes["api"].pid
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # begin a new peak
    began = time.monotonic()
    answer = await attack.run(target)
    ended = time.monotonic()
    await asyncio.sleep(AFTER_S)
    until = ended + AFTER_S
    async with asyncio.timeout(HANG_S):
        while not (waits := _waits(log, began, until)):
            await asyncio.sleep(0.05)  # it had no turn yet: its next request counts
            until = time.monotonic()
    return Report(
        attack=attack,
        answer=answer,
        took_s=ended - began,
        worst_s=max((wait for wait, _ in waits), default=0.0),
        requests=len(waits),
        failures=sum(status >= 400 for _, status in waits),
        peak_mb=_peak_mb(pid),
    )


def _waits(log: Path, began: float, ended: float) -> list[tuple[float, int]]:
    """Return wait and status of the bystander's requests in a span of time."""
    found = []
    for line in log.read_text().splitlines():
        at, until, status, *_ = line.split()
        if float(until) >= began and float(at) <= ended:
            found.append((float(until) - float(at), int(status)))
    return found


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("Linux tells the peak of every process")


def main() -> None:
    """Run the whole drill, and print what it came to."""
    with tempfile.TemporaryDirectory(prefix="mc-") as folder:
        found = asyncio.run(drill(Path(folder), FULL))
    print(found.table())
    slow = [it for it in found.reports if it.worst_s > WAIT_S]
    wrongs = found.wrongs + [f"{it.attack.name}: {it.worst_s:.1f} s" for it in slow]
    for wrong in wrongs:
        print(wrong)
    sys.exit(1 if wrongs else 0)


if __name__ == "__main__":
    main()
