"""Our side of the benchmarks: every call into the product stands in this file.

The rule: what is measured is what runs in production, with its default settings: the
lane and the bus, the projector, and the processes `api`, `worker` and `scheduler`. Only
the log level is raised to warnings, as on the peer's side.

Run as `python -m bench.ours`, one of `TASKS` as JSON on standard input, its result as
JSON on standard output: the parts that are measured without HTTP.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any
from uuid import UUID

import jwt
import uvloop
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.host import ROOT, Host, Service, call
from metacortex import describe, rebuilding
from metacortex.api.auth import workspace_of
from metacortex.api.issuer import LocalIssuer
from metacortex.commands.bus import Bus
from metacortex.commands.lane import Lane
from metacortex.commands.message import CommandRequest, Context, Unit
from metacortex.commands.receipts import fingerprint
from metacortex.commands.tasks import CreateTask, EditTask
from metacortex.devtools.supervisor.up import PROCESSES
from metacortex.embedded import with_parts
from metacortex.events.tasks import Priority
from metacortex.kernel.database import engine
from metacortex.kernel.errors import MetaCortexError
from metacortex.kernel.gc_tuning import tune_gc
from metacortex.kernel.ids import new_id
from metacortex.queries.projector import Projector
from metacortex.settings import Settings, load_settings

STATE_TABLE = "commands.tasks"
EVENT_TABLE = "events.log"
ISSUER = "http://localhost:8000"
TOKEN_TTL_S = 840  # longer than a whole run, shorter than production's limit of 900
WARM_UP_S = 0.5
BATCH = 100  # commands of one unit while seeding: the most that the API takes
EDITS: tuple[Priority, ...] = ("low", "high", "medium")
USER = "user_bench"
DESCRIPTION = "Agree on the date, book the room and send the agenda to everybody."

Asked = tuple[CreateTask | EditTask, dict[str, Any]]
"""A command, and the body that says it over HTTP."""


# Around the processes -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tokens:
    """Session tokens of our local issuer; both sides verify the same ones."""

    tokens: list[str]
    public_key: str


def tokens(folder: Path, users: Sequence[str]) -> Tokens:
    issuer = LocalIssuer(folder, ISSUER)
    key = jwt.PyJWK(issuer.jwks()["keys"][0], algorithm="RS256").key
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    made = [issuer.token(user, ttl_s=TOKEN_TTL_S) for user in users]
    return Tokens(made, pem.decode())


def environment(host: Host, database: str) -> dict[str, str]:
    """Return what a process of ours is told: one installation per database."""
    url = host.url(database).render_as_string(hide_password=False)
    return {
        "ENVIRONMENT": "test",
        "DATABASE_URL": with_parts(url, user="metacortex_app"),
        "DATABASE_OWNER_URL": url,
        "DATABASE_PROJECTOR_URL": with_parts(url, user="metacortex_projector"),
        "DATABASE_AUDITOR_URL": with_parts(url, user="metacortex_auditor"),
        "METACORTEX_DATA_DIR": str(host.folder / database),
        "METACORTEX_LOG_LEVEL": "warning",
    }


def create(host: Host, database: str) -> dict[str, str]:
    """Make a migrated database; return the environment for it."""
    host.create_database(database)
    env = environment(host, database)
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env=env,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return env


def start(host: Host, process: str, env: dict[str, str], port: int) -> Service:
    """Start what `metacortex up` does: `api`, which is waited for, or `worker`."""
    told = {
        **env,
        "REDIS_URL": host.redis_url,
        "METACORTEX_PORT": str(port),
        "METACORTEX_TOKEN_ISSUER": ISSUER,
        "METACORTEX_TOKEN_AUTHORIZED_PARTIES": ISSUER,
        "METACORTEX_TOKEN_PUBLIC_KEY": tokens(host.folder, []).public_key,
    }
    service = host.service(process, ["-m", "metacortex", *PROCESSES[process]], told)
    if process == "api":
        service.wait_ready(f"http://127.0.0.1:{port}/health/live")
    return service


def workspaces_of(users: Sequence[str]) -> list[str]:
    return [str(workspace_of(f"user_{user}")) for user in users]


def task(env: dict[str, str], **spec: object) -> dict[str, Any]:
    """Run one of `TASKS` in a process of its own."""
    return call("bench.ours", spec, env)


# Inside the process ---------------------------------------------------------------


def commands(name: int) -> Iterator[Asked]:
    """One creation, then three edits, each of two fields; without end."""
    turn = 0
    while True:
        task_id = new_id()
        body: dict[str, Any] = {
            "title": f"Prepare meeting {turn} of caller {name}",
            "description": DESCRIPTION,
            "priority": "high",
        }
        yield CreateTask(task_id=task_id, **body), body
        for number, priority in enumerate(EDITS):
            body = {"title": f"Meeting moved, edit {number}", "priority": priority}
            yield EditTask(task_id=task_id, **body), body
        turn += 1


def request(workspace_id: UUID, asked: Asked) -> CommandRequest:
    """Say what the API says: who, from where, with which client."""
    command, body = asked
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
    kind, target = type(command).__name__, command.task_id
    identity = fingerprint(USER, kind, target, body, None)
    return CommandRequest(command=command, context=context, fingerprint=identity)


@asynccontextmanager
async def lane(settings: Settings) -> AsyncIterator[Lane]:
    """The write side as the API puts it together, without anybody to wake up."""
    writing = engine(settings.database_url, pool_size=settings.database_pool_size)
    served = Lane(
        Bus(writing),
        lanes=settings.lane_count,
        capacity=settings.lane_capacity,
        batch=settings.lane_batch,
    )
    served.start()
    yield served
    await served.stop()
    await writing.dispose()


async def write(*, callers: int, workspaces: int, seconds: float) -> dict[str, Any]:
    """Let each caller await its command before the next; return rate and latencies."""
    spaces = [UUID(int=number + 1) for number in range(workspaces)]
    async with lane(load_settings()) as served:
        begin = time.perf_counter() + WARM_UP_S
        end = begin + seconds
        latencies: list[float] = []

        async def caller(name: int) -> None:
            workspace_id = spaces[name % workspaces]
            for command in commands(name):
                asked = time.perf_counter()
                if asked >= end:
                    return
                await served.send(request(workspace_id, command))
                answered = time.perf_counter()
                if begin <= answered < end:
                    latencies.append((answered - asked) * 1000)

        await asyncio.gather(*map(caller, range(callers)))
    hundredths = quantiles(latencies, n=100)
    rate = len(latencies) / seconds
    return {"per_s": rate, "p50_ms": hundredths[49], "p99_ms": hundredths[98]}


async def seed(*, workspaces: list[str], each: int, edits: bool) -> dict[str, Any]:
    """Send `each` commands to every workspace, without edits all of them creations."""
    async with lane(load_settings()) as served:
        gate = asyncio.Semaphore(8)  # units under way: a few batches ahead

        async def unit(workspace_id: UUID, part: Sequence[Asked]) -> None:
            requests = [request(workspace_id, command) for command in part]
            async with gate:
                results = await served.submit(Unit(requests=requests))
            for result in results:
                if isinstance(result, MetaCortexError):
                    raise result

        for name, workspace in enumerate(workspaces):
            stream = (
                c for c in commands(name) if edits or isinstance(c[0], CreateTask)
            )
            parts = [
                [next(stream) for _ in range(min(BATCH, each - done))]
                for done in range(0, each, BATCH)
            ]
            for part in parts if edits else ():  # an edit must find its task
                await unit(UUID(workspace), part)
            if not edits:
                await asyncio.gather(*(unit(UUID(workspace), part) for part in parts))
    return {"events": each * len(workspaces)}


async def project() -> dict[str, Any]:
    """Let one projector catch up with all workspaces; return its rate."""
    settings = load_settings()
    writing = engine(settings.projector_url, pool_size=settings.database_pool_size)
    projector = Projector(
        writing, batch=settings.projector_batch, turn_s=settings.projector_turn_s
    )
    events, begin = 0, time.perf_counter()
    behind = await projector.behind()
    while behind:
        turn = await projector.turn(behind)
        events += turn.events
        behind = list(turn.behind) or await projector.behind()
    elapsed = time.perf_counter() - begin
    await writing.dispose()
    return {"events": events, "per_s": events / elapsed}


async def rebuild(*, processes: int) -> dict[str, Any]:
    """Fold all workspaces again, as `metacortex rebuild` does; return the rate."""
    settings = load_settings()
    database = describe.database(settings, settings.projector_url)
    ids = await describe.workspaces(database)
    begin = time.perf_counter()
    lines = (
        rebuilding.in_turn(Projector(database), ids, False)
        if processes == 1
        else rebuilding.in_processes(settings, ids, False, processes)
    )
    events = sum([line["events"] async for _, line in lines])
    elapsed = time.perf_counter() - begin
    await database.dispose()
    return {"events": events, "per_s": events / elapsed}


TASKS: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
    "write": write,
    "seed": seed,
    "project": project,
    "rebuild": rebuild,
}


def main() -> None:
    spec = json.load(sys.stdin)
    chosen = TASKS[spec.pop("task")]

    tune_gc()  # as the processes do

    async def run() -> dict[str, Any]:
        return await chosen(**spec)

    json.dump(uvloop.run(run()), sys.stdout)


if __name__ == "__main__":
    main()
