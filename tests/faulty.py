"""MetaCortex with jobs that fail: what the walks through the web app start.

`python -m tests.faulty up|api|worker|…` does what `metacortex` does, with two jobs
more, each on a schedule that is run by hand. `python -m tests.faulty poison USER…`
appends an event of a later release to workspaces. A file `mended-raise_error` in the
data folder mends that job, `mended-task.edited` the workspaces, as that release would.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from metacortex.api.auth import workspace_of
from metacortex.cli import main
from metacortex.devtools.supervisor import run_up
from metacortex.events import codec
from metacortex.operations import actors, schedules
from metacortex.operations.actor_functions import ActorFunctions
from metacortex.operations.actors import MAINTENANCE, REBUILD, Actor
from metacortex.operations.jobs import Job, Work
from metacortex.operations.schedules import Entry
from metacortex.queries import refold
from metacortex.settings import load_settings
from tests.integration.forging import append_after_last

COMMAND = (sys.executable, "-m", "tests.faulty")
RAISES, KILLS = "raise_error", "kill_process"
NEVER = "0 0 29 2 *"
CHUNK, CHUNK_S = 100, 0.6  # a rebuild that one can watch: told of every second
EDITED = "task.edited"


def mended(what: str) -> bool:
    return Path(os.environ["METACORTEX_DATA_DIR"], f"mended-{what}").exists()


class PaymentRefused(Exception):
    """What `raise_error` fails with."""


async def raise_error(job: Job) -> None:
    if not mended(RAISES):
        raise PaymentRefused("the card of the account has expired")


async def kill_process(job: Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def slowly(rebuild: Work) -> Work:
    """Return the rebuild, with a pause after each part of it."""

    async def rebuilding(job: Job) -> None:
        def progress(done: int, total: int) -> None:
            job.progress(done, total)
            time.sleep(CHUNK_S if total > CHUNK else 0)

        await rebuild(Job(job.run, progress))

    return rebuilding


class Releases(dict[str, int]):
    """The versions of events that are known: one more once all is mended."""

    def get(self, name: str, default: Any = None) -> Any:
        later = name == EDITED and mended(EDITED)
        return super().get(name, default) + later if later else super().get(name)


def declare() -> None:
    """Add the jobs, their schedules and the later release to this process."""
    assert isinstance(actors.ACTORS, dict)
    for name, attempts in ((RAISES, 1), (KILLS, 2)):
        actors.ACTORS[name] = Actor(
            name=name,
            queue=MAINTENANCE,
            does="Fails.",
            arguments={},
            max_attempts=attempts,
            time_limit_s=60.0,
            wait_s=0.1,
        )
    usual_work, usual_entries = ActorFunctions.work, schedules.entries

    def work(self: ActorFunctions) -> Mapping[str, Work]:
        usual = usual_work(self)
        more = {RAISES: raise_error, KILLS: kill_process}
        return {**usual, **more, REBUILD: slowly(usual[REBUILD])}

    ActorFunctions.work = work  # type: ignore[method-assign]

    def entries(sweep_interval_s: float) -> Sequence[Entry]:
        more = [Entry(name=it, actor=it, cron=NEVER) for it in (RAISES, KILLS)]
        return (*usual_entries(sweep_interval_s), *more)

    schedules.entries = entries  # before `metacortex.workers` takes it from there
    refold.CHUNK = CHUNK
    codec.VERSIONS = Releases(codec.VERSIONS)
    codec.UPCASTERS[EDITED] = (lambda data: data,)


async def poison(users: list[str]) -> list[UUID]:
    """Append an event of a later release to each user's workspace; return their ids."""
    owner = load_settings().database_owner_url
    assert owner is not None
    ids = [workspace_of(f"user_{it}") for it in users]
    for id in ids:
        await append_after_last(
            owner,
            id,
            type=EDITED,
            schema_version=2,
            command_type="task.edit",
            data=orjson.dumps({"title": {"from": "Clean", "to": "Of tomorrow"}}),
        )
    return ids


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["poison", *users]:
            print(*asyncio.run(poison(users)), sep="\n")
        case ["up", "--port", port]:
            found = load_settings()
            sys.exit(asyncio.run(run_up(found, port=int(port), command=COMMAND)))
        case _:
            declare()
            main()
