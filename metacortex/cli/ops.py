"""`metacortex ops …`: what `/ops` shows, asked of the database itself.

The same queries and the same fields, so that one sees the same where no API runs.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import TypeAdapter
from redis.asyncio import Redis
from rich.console import Console

from metacortex.cli.common import Json, checked_settings
from metacortex.console import fail, run, show
from metacortex.settings import Settings

WATCH_S = 2.0  # heartbeats come as often
LATEST = 20  # rows of a list

ops = typer.Typer(no_args_is_help=True)
Watch = Annotated[
    bool, typer.Option("--watch", help="Again every two seconds; with --json, a line.")
]
Limit = Annotated[int, typer.Option(min=1, max=200, help="Rows at most.")]
Actor = Annotated[str | None, typer.Option(help="Of this job.")]
OpenOnly = Annotated[bool, typer.Option("--open", help="Only what waits for you.")]


@dataclass(frozen=True)
class Asked:
    """What a command works with."""

    reads: Any
    observer: Any


View = Callable[[Asked], Awaitable[Any]]


@ops.callback()
def _ops() -> None:
    """See how the installation does."""


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[Asked]:
    from metacortex import describe
    from metacortex.api.app import sources
    from metacortex.kernel.database import driver_pool
    from metacortex.operations.observer import Observer

    primary = describe.database(settings, settings.database_url)
    replica = None
    if settings.database_read_url is not None:
        replica = describe.database(settings, settings.read_url)
    redis = Redis.from_url(
        settings.redis_url, socket_connect_timeout=1, socket_timeout=1
    )
    reads = driver_pool(primary)
    replicated = None if replica is None else driver_pool(replica)
    try:
        found = sources(settings, reads, replicated, redis)
        yield Asked(reads, Observer(found))
    finally:
        await redis.aclose()
        await primary.dispose()
        if replica is not None:
            await replica.dispose()


def _show(title: str, schema: Any, view: View, as_json: bool, watch: bool) -> None:
    """Print a view once, or again and again until interrupted."""
    settings, adapter = checked_settings(), TypeAdapter(schema)

    async def looking() -> None:
        async with _connected(settings) as asked:
            while True:
                checked = adapter.validate_python(await view(asked))
                found = adapter.dump_python(checked, mode="json")
                _print(found, title, as_json, watch)
                if not watch:
                    return
                await asyncio.sleep(WATCH_S)

    try:
        run(looking())
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _print(found: Any, title: str, as_json: bool, watch: bool) -> None:
    if as_json:
        text = json.dumps(found, indent=None if watch else 2)
        print(text, flush=watch)
        return
    if watch:
        Console().clear()
    if not isinstance(found, list):
        _tell(found)
    elif not found:
        print(f"{title}: none")
    else:
        show(_flat(found), False, title)


def _tell(overview: Mapping[str, Any]) -> None:
    """Print the verdict in words, its reasons, and the numbers, a line for each."""
    print(overview["verdict"])
    for it in overview["reasons"]:
        print(f"  {it['title']}: {it['detail']} (since {it['since']}; {it['link']})")
    for name, value in overview.items():
        if name not in ("verdict", "reasons"):
            print(f"{name:9} {_text(value) or 'not known'}")


def _flat(found: Any) -> Any:
    """Return rows whose fields are texts: objects as `name value`, no tracebacks."""
    return [{name: _text(value) for name, value in it.items()} for it in found]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        hidden = ("traceback", "fingerprint")
        parts = (f"{k} {_text(v)}" for k, v in value.items() if k not in hidden)
        return ", ".join(parts)
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    return "" if value is None else str(value)


@ops.command()
def overview(as_json: Json = False, watch: Watch = False) -> None:
    """Say whether the system is healthy, and why not. Exits 1 if it fails."""
    from metacortex.api.ops import schemas

    verdicts: list[str] = []

    async def view(asked: Asked) -> Any:
        found = (await asked.observer.look()).overview()
        verdicts.append(found["verdict"])
        return found

    _show("Overview", schemas.Overview, view, as_json, watch)
    if verdicts[-1:] == ["failing"]:
        fail("the system is failing, as said")


@ops.command()
def runs(
    actor: Actor = None,
    queue: Annotated[str | None, typer.Option(help="Of this queue.")] = None,
    outcome: Annotated[
        list[str] | None, typer.Option(help="Such as failed; several mean any.")
    ] = None,
    worker: Annotated[
        UUID | None, typer.Option(help="Run by this process, by its id.")
    ] = None,
    correlation: Annotated[
        str | None, typer.Option(help="Of this correlation id.")
    ] = None,
    command: Annotated[UUID | None, typer.Option(help="Of this command id.")] = None,
    fingerprint: Annotated[
        str | None, typer.Option(help="Of this group of failures.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", help="Enqueued then or later, UTC.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", help="Enqueued then or sooner, UTC.")
    ] = None,
    q: Annotated[str | None, typer.Option(help="An id, or words of it.")] = None,
    is_open: OpenOnly = False,
    limit: Limit = LATEST,
    as_json: Json = False,
    watch: Watch = False,
) -> None:
    """List runs, the latest first."""
    from metacortex.api.ops import schemas
    from metacortex.operations import queries_runs

    filters = queries_runs.RunFilters(
        actor=actor,
        queue=queue,
        outcome=tuple(outcome or ()),
        worker=worker,
        correlation_id=correlation,
        command_id=command,
        fingerprint=fingerprint,
        since=since and since.replace(tzinfo=UTC),
        until=until and until.replace(tzinfo=UTC),
        q=q,
        open=True if is_open else None,
    )

    async def view(asked: Asked) -> Any:
        return (await queries_runs.runs(asked.reads, filters, limit=limit)).rows

    _show("Runs", list[schemas.Run], view, as_json, watch)


@ops.command()
def failures(
    actor: Actor = None,
    is_open: OpenOnly = False,
    limit: Limit = LATEST,
    as_json: Json = False,
    watch: Watch = False,
) -> None:
    """List failures by cause, the latest first."""
    from metacortex.api.ops import schemas
    from metacortex.operations import queries_runs

    async def view(asked: Asked) -> Any:
        only = True if is_open else None
        found = await queries_runs.failures(
            asked.reads, open=only, actor=actor, limit=limit
        )
        return found.rows

    _show("Failures", list[schemas.FailureGroup], view, as_json, watch)


@ops.command()
def schedules(as_json: Json = False, watch: Watch = False) -> None:
    """List what runs when."""
    from metacortex.api.ops import schemas
    from metacortex.operations import queries_state

    async def view(asked: Asked) -> Any:
        return await queries_state.schedules(asked.reads)

    _show("Schedules", list[schemas.Schedule], view, as_json, watch)


@ops.command()
def queues(as_json: Json = False, watch: Watch = False) -> None:
    """List what waits."""
    from metacortex.api.ops import schemas

    async def view(asked: Asked) -> Any:
        return await asked.observer.queues()

    _show("Queues", list[schemas.Queue], view, as_json, watch)


@ops.command()
def workers(as_json: Json = False, watch: Watch = False) -> None:
    """List processes: workers, schedulers and APIs."""
    from metacortex.api.ops import schemas
    from metacortex.operations.process_states import processes

    async def view(asked: Asked) -> Any:
        return await processes(asked.reads)

    _show("Processes", list[schemas.Process], view, as_json, watch)


@ops.command()
def projections(
    workspace: Annotated[UUID | None, typer.Option(help="This one only.")] = None,
    behind: Annotated[
        bool, typer.Option("--behind", help="Only those that are behind or parked.")
    ] = False,
    limit: Limit = LATEST,
    as_json: Json = False,
    watch: Watch = False,
) -> None:
    """List how far read tables are behind, the worst first."""
    from metacortex.api.ops import schemas
    from metacortex.operations import queries_state
    from metacortex.operations.actors import REBUILD, VERIFY

    async def view(asked: Asked) -> Any:
        actors = (REBUILD, VERIFY)
        found = await queries_state.projections(
            asked.reads,
            workspace_id=workspace,
            behind=behind,
            actors=actors,
            limit=limit,
        )
        return found.rows

    _show("Projections", list[schemas.ProjectionLag], view, as_json, watch)


@ops.command()
def actions(
    by: Annotated[str | None, typer.Option(help="Of this user, by its id.")] = None,
    action: Annotated[str | None, typer.Option(help="Such as run.retry.")] = None,
    target: Annotated[str | None, typer.Option(help="Of this id or name.")] = None,
    limit: Limit = LATEST,
    as_json: Json = False,
    watch: Watch = False,
) -> None:
    """List who did what, the latest first."""
    from metacortex.api.ops import schemas
    from metacortex.operations import queries_runs

    async def view(asked: Asked) -> Any:
        found = await queries_runs.actions(
            asked.reads, actor_id=by, action=action, target=target, limit=limit
        )
        return found.rows

    _show("Actions", list[schemas.Action], view, as_json, watch)
