"""`metacortex …`: every command, and which settings it takes."""

import asyncio
import gc
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Any
from uuid import UUID

import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console

from metacortex import checklist as checklists
from metacortex import describe as descriptions
from metacortex import doctor as doctors
from metacortex import importer, logs
from metacortex.api.app import create_app, local_issuer
from metacortex.api.auth import Role, workspace_of
from metacortex.commands.bus import Bus
from metacortex.commands.members import Members
from metacortex.console import Bar, err, fail, run, show
from metacortex.queries.projector import Projector
from metacortex.settings import Settings, UnsafeSettings, load_settings, mistakes
from metacortex.supervisor import run_up
from metacortex.wakeups import make_broker, sender
from metacortex.workers import run_scheduler, run_worker

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
GC_THRESHOLD = 20_000  # objects; the default of 700 looks through a batch many times
TOKEN_TTL_S = 12 * 3600  # a working day


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="Port of the API.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of all data.")] = None,
) -> None:
    """Start everything on this machine, in the foreground."""
    if data_dir is not None:
        os.environ["METACORTEX_DATA_DIR"] = str(data_dir)
    os.environ.setdefault("ENVIRONMENT", "development")
    raise typer.Exit(asyncio.run(run_up(_loaded(), port=port)))


@app.command()
def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve HTTP."""
    settings = _process()
    config = uvicorn.Config(
        create_app(settings),
        host=host or settings.host,
        port=port or settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.shutdown_grace_s),
    )
    server = _Server(config)
    _calm_collector()
    server.run()
    if not server.started:
        raise typer.Exit(1)


class _Server(uvicorn.Server):
    """Tells the application before it waits for open streams to end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        machine = getattr(self.config.app.state, "machine", None)  # type: ignore
        if machine is not None:
            machine.closing = True
        super().handle_exit(sig, frame)


@app.command()
def worker() -> None:
    """Serve wake-ups: project what is new."""
    _calm_collector()
    asyncio.run(run_worker(_process()))


@app.command()
def scheduler() -> None:
    """Sweep: project whatever no message told of. One of several leads."""
    asyncio.run(run_scheduler(_process()))


@app.command()
def migrate() -> None:
    """Bring the database's schema up to this release."""
    from alembic import command
    from alembic.config import Config

    _process()
    root = Path(__file__).parent.parent
    config = Config(root / "alembic.ini")
    config.set_main_option("script_location", str(root / "migrations"))
    sys.path.insert(0, str(root))
    command.upgrade(config, "head")
    err.print("The schema is up to date.")


@app.command()
def token(
    user: Annotated[str, typer.Option(help="Whose token: a short name.")],
    workspace: Annotated[
        str | None, typer.Option(help="Which team; none: the person's own space.")
    ] = None,
    role: Annotated[Role | None, typer.Option(help="In that workspace.")] = None,
    ttl: Annotated[int, typer.Option(help="Seconds that it is valid.")] = TOKEN_TTL_S,
) -> None:
    """Print a development token."""
    settings = _loaded()
    if settings.is_production:
        fail("tokens are made in development only: set ENVIRONMENT=development")
    try:
        print(local_issuer(settings).token(user, workspace, role, ttl_s=ttl))
    except ValueError as error:
        fail(str(error))


@app.command()
def status(as_json: Json = False) -> None:
    """Show how far the read tables are behind the log, workspace by workspace."""
    found = run(_status(_settings()))
    if found or as_json:
        show(found, as_json, "Workspaces that lag or are parked")
    else:
        Console().print("Nothing lags.")


async def _status(settings: Settings) -> list[dict[str, Any]]:
    database = descriptions.database(settings, settings.projector_url)
    try:
        return await descriptions.status(database)
    finally:
        await database.dispose()


@app.command()
def rebuild(
    workspace: Annotated[UUID | None, typer.Argument(help="Its id; none: all.")] = None,
    verify: Annotated[bool, typer.Option(help="Compare, and change nothing.")] = False,
) -> None:
    """Fold read tables again from the log; what brings a parked workspace back."""
    settings = _settings()

    async def work(projector: Projector, ids: list[UUID]) -> int:
        bad = 0
        for number, id in enumerate(ids, 1):
            if verify:
                differences = await projector.verify(id)
                bad += bool(differences)
                print(f"{id}: {'differs' if differences else 'equal'}")
                for line in differences[:20]:
                    err.print(f"  {line}")
            else:
                events = await projector.rebuild(id)
                print(f"{id}: {events} events")
            err.print(f"{number} of {len(ids)} workspaces", highlight=False)
        return bad

    if run(_with_projector(settings, workspace, work)):
        fail("read tables differ from the log: run `metacortex rebuild`")


async def _with_projector(
    settings: Settings,
    workspace: UUID | None,
    work: Callable[[Projector, list[UUID]], Awaitable[int]],
) -> int:
    database = descriptions.database(settings, settings.projector_url)
    try:
        ids = [workspace] if workspace else await descriptions.workspaces(database)
        return await work(Projector(database), ids)
    finally:
        await database.dispose()


importing = typer.Typer(no_args_is_help=True)
app.add_typer(importing, name="import", help="Import from files.")


@importing.callback()
def _import() -> None:
    """Import from files."""


@importing.command("checklist")
def import_checklist(
    file: Annotated[Path, typer.Argument(help="A Markdown file with check boxes.")],
    user: Annotated[str, typer.Option(help="In whose name: a short name.")],
    workspace: Annotated[str | None, typer.Option(help="Into which team.")] = None,
    as_json: Json = False,
) -> None:
    """Import a Markdown check list: headings are projects, items are tasks."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {error}")
    actor = f"user_{user}"
    space = workspace_of(f"org_{workspace}" if workspace else actor)
    found = checklists.read(text, namespace=space, default_project=file.stem)
    report = run(_import_checklist(_settings(), found, space, actor))
    refused = report.refused
    show(
        {
            "projects": report.projects,
            "items": report.items,
            "events": report.events,
            "refused": len(refused),
            "sequence": report.sequence,
        },
        as_json,
        f"Imported {file.name}",
    )
    if refused:
        for line in refused[:20]:
            err.print(line, highlight=False)
        fail(f"{len(refused)} commands were refused; all others are in")


async def _import_checklist(
    settings: Settings, found: checklists.Checklist, space: UUID, actor: str
) -> importer.Report:
    database = descriptions.database(settings, settings.database_url)
    try:
        await Members(database).saw(space, actor)
        with Bar("commands") as progress:
            report = await importer.run(
                Bus(database),
                found,
                workspace_id=space,
                actor_id=actor,
                progress=progress,
            )
    finally:
        await database.dispose()
    _wake(settings, space)
    return report


def _wake(settings: Settings, space: UUID) -> None:
    """Tell the workers; if Redis is away, the sweep finds it a second later."""
    try:
        sender(make_broker(settings.redis_url))([str(space)])
    except Exception as error:
        err.print(f"Redis does not answer ({type(error).__name__}): the sweep follows.")


@app.command()
def describe(as_json: Json = False) -> None:
    """List commands, events, queries and settings; needs no database."""
    found = descriptions.describe(_loaded())
    if as_json:
        print(json.dumps(found, indent=2, default=str))
        return
    for name, values in found.items():
        Console().print(f"[bold]{name}[/bold]")
        for value in values:
            Console().print(f"  {value}", highlight=False)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check what this installation needs; each failing line names the remedy."""
    found = asyncio.run(doctors.doctor(_loaded()))
    show(found, as_json, "Doctor")
    if bad := [line["check"] for line in found if line["status"] == "failing"]:
        fail(f"not in order: {', '.join(bad)}")


def _calm_collector() -> None:
    """Collect garbage less often: its pauses were most of a slow request's time."""
    gc.freeze()  # what start-up made is never garbage: do not look through it again
    gc.set_threshold(GC_THRESHOLD)


def _process() -> Settings:
    """Return the settings of a process that stays, and begin to log."""
    settings = _settings()
    logs.configure(settings.log_level, settings.log_format)
    return settings


def _settings() -> Settings:
    """Return settings to work with: production refuses unsafe ones, here for all."""
    try:
        return _loaded().checked()
    except UnsafeSettings as error:
        fail(str(error))


def _loaded() -> Settings:
    """Return the settings as they are, for what only tells of them."""
    try:
        return load_settings()
    except ValidationError as error:
        fail("\n".join(mistakes(error)))


def main() -> None:
    """Run the command line."""
    app()
