"""Fill a workspace with tasks of every kind, through our own lane.

Run as `python -m bench.growth.filling`, a specification as JSON on standard input, what
it did as JSON on standard output.
"""

import asyncio
import datetime as dt
import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import UUID

import uvloop

from bench.ours import BATCH, DESCRIPTION, USER, lane
from metacortex.commands.message import CommandRequest, Context, Unit
from metacortex.commands.projects import CreateProject
from metacortex.commands.receipts import fingerprint
from metacortex.commands.tags import CreateTag
from metacortex.commands.tasks import (
    ArchiveTask,
    BlockTask,
    CompleteTask,
    CreateTask,
    DeleteTask,
    StartTask,
)
from metacortex.events.tasks import Due, Priority
from metacortex.kernel.errors import MetaCortexError
from metacortex.kernel.gc_tuning import tune_gc
from metacortex.kernel.ids import new_id
from metacortex.settings import load_settings

PROJECTS, TAGS = 20, 12
VERBS = ("Call", "Write", "Prepare", "Review", "Order", "Plan", "Fix", "Send")
NOUNS = ("notary", "report", "invoice", "garden", "kitchen", "server", "contract")
COMMON, RARE = "meeting", "zebra"
"""Words of one task in a hundred, and of one in a thousand."""
PRIORITIES: tuple[Priority, ...] = ("medium",) * 7 + ("low", "high", "urgent")
UNDER_WAY = 16  # units; a few batches ahead


def title(number: int) -> str:
    """Return a title; which words it has follows from its number."""
    words = [VERBS[number % 8], "the", NOUNS[number // 8 % 7], str(number)]
    words += [COMMON] if number % 100 == 50 else []
    words += [RARE] if number % 1_000 == 500 else []
    return " ".join(words)


def commands(count: int) -> Iterator[Any]:
    """Return commands that come to so many tasks, a task's own one after another."""
    projects = [new_id() for _ in range(PROJECTS)]
    tags = [new_id() for _ in range(TAGS)]
    for number, id in enumerate(projects):
        yield CreateProject(project_id=id, name=f"Project {number}")
    for number, id in enumerate(tags):
        yield CreateTag(tag_id=id, name=f"tag-{number}")
    today, parent = dt.date.today(), new_id()
    for number in range(count):
        id = new_id()
        below = parent if number % 4 == 3 else None
        parent = id if number % 4 == 0 else parent
        day = today + dt.timedelta(days=number * 7 % 400 - 350)
        yield CreateTask(
            task_id=id,
            title=title(number),
            description=DESCRIPTION if number % 3 == 0 else None,
            priority=PRIORITIES[number // 3 % 10],
            due=Due(date=day) if number % 2 else None,
            project_id=projects[number // 2 % PROJECTS] if number % 5 else None,
            parent_id=below,
            tags=(tags[number // 5 % TAGS],) if number % 3 == 1 else (),
        )
        if number % 10 > 3:
            yield CompleteTask(task_id=id)
        elif number % 10 == 3:
            yield StartTask(task_id=id)
        elif number % 40 == 2:
            yield BlockTask(task_id=id, reason="Waits")
        if number % 20 == 6:
            yield ArchiveTask(task_id=id)
        elif number % 50 == 25:
            yield DeleteTask(task_id=id)


def _request(workspace_id: UUID, command: Any) -> CommandRequest:
    command_id = new_id()
    name = str(command_id)
    context = Context(
        workspace_id=workspace_id,
        actor_id=USER,
        command_id=command_id,
        correlation_id=name,
        request_id=name,
        ip="127.0.0.1",
        user_agent="metacortex-bench",
        session_id="sess_bench",
    )
    identity = fingerprint(USER, type(command).__name__, command_id, {}, None)
    return CommandRequest(command=command, context=context, fingerprint=identity)


async def fill(*, workspace: str, tasks: int) -> dict[str, Any]:
    """Send the commands in batches; return how many, and how many a second."""
    begin, sent = time.perf_counter(), 0
    async with lane(load_settings()) as served:
        gate = asyncio.Semaphore(UNDER_WAY)

        async def unit(requests: list[CommandRequest]) -> None:
            async with gate:
                results = await served.submit(Unit(requests=requests))
            for result in results:
                if isinstance(result, MetaCortexError):
                    raise result

        source = commands(tasks)
        under_way = set[asyncio.Task[None]]()
        while some := list(islice(source, BATCH)):
            sent += len(some)
            requests = [_request(UUID(workspace), command) for command in some]
            under_way.add(asyncio.create_task(unit(requests)))
            if len(under_way) >= UNDER_WAY or sent <= BATCH * 4:
                await asyncio.gather(*under_way)  # projects and parents come first
                under_way.clear()
        await asyncio.gather(*under_way)
    return {"commands": sent, "per_s": sent / (time.perf_counter() - begin)}


def main() -> None:
    tune_gc()
    json.dump(uvloop.run(fill(**json.load(sys.stdin))), sys.stdout)


if __name__ == "__main__":
    main()
