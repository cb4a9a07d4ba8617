"""`metacortex …`: data on stdout, progress on stderr, errors last and exit 1."""

import asyncio
import gc
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn, TypeVar
from uuid import UUID

import typer
import uvicorn
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from metacortex import checklist as checklists
from metacortex import describe as descriptions
from metacortex import importer, logs
from metacortex.api.app import UnsafeSettings, create_app, local_issuer
from metacortex.api.auth import Role, workspace_of
from metacortex.commands.bus import Bus
from metacortex.commands.members import Members
from metacortex.kernel.database import engine
from metacortex.kernel.errors import MetaCortexError
from metacortex.queries.projector import Projector
from metacortex.settings import Settings, load_settings
from metacortex.supervisor import run_up
from metacortex.wakeups import make_broker, sender
from metacortex.workers import run_scheduler, run_worker

T = TypeVar("T")

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
GC_THRESHOLD = 20_000  # objects; the default of 700 looks through a batch many times
TOKEN_TTL_S = 12 * 3600  # a working day


def fail(message: str) -> NoReturn:
    """Say what is wrong as the last line, and exit 1."""
    err.print(f"error: {message}", style="bold red", highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def run(work: Awaitable[T]) -> T:
    """Run a coroutine; anticipated trouble becomes an error line."""

    async def wait() -> T:
        return await work

    try:
        return asyncio.run(wait())
    except MetaCortexError as error:
        fail(str(error))
    except OSError as error:
        fail(f"the database does not answer ({error}); is `metacortex up` running?")


def show(found: Any, as_json: bool, title: str) -> None:
    """Print a mapping, or a list of them, for programs or for people."""
    if as_json:
        print(json.dumps(found, indent=2, default=str))
        return
    rows = found if isinstance(found, list) else [found]
    table = Table(title=title, title_justify="left")
    for name in rows[0] if rows else ():
        table.add_column(name.replace("_", " "))
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console().print(table)


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="Port of the API.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of all data.")] = None,
) -> None:
    """Start everything on this machine, in the foreground."""
    if data_dir is not None:
        os.environ["METACORTEX_DATA_DIR"] = str(data_dir)
    os.environ.setdefault("ENVIRONMENT", "development")
    raise typer.Exit(asyncio.run(run_up(load_settings(), port=port)))


@app.command()
def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve HTTP."""
    settings = _settings()
    try:
        served = create_app(settings)
    except UnsafeSettings as error:
        fail(f"production refuses to start like this:\n{error}")
    config = uvicorn.Config(
        served,
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
    asyncio.run(run_worker(_settings()))


@app.command()
def scheduler() -> None:
    """Sweep: project whatever no message told of. One of several leads."""
    asyncio.run(run_scheduler(_settings()))


@app.command()
def migrate() -> None:
    """Bring the database's schema up to this release."""
    from alembic import command
    from alembic.config import Config

    _settings()
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
    settings = load_settings()
    if settings.is_production:
        fail("tokens are made in development only: set ENVIRONMENT=development")
    try:
        print(local_issuer(settings).token(user, workspace, role, ttl_s=ttl))
    except ValueError as error:
        fail(str(error))


@app.command()
def status(as_json: Json = False) -> None:
    """Show how far the read tables are behind the log, workspace by workspace."""
    found = run(descriptions.status(load_settings()))
    if found or as_json:
        show(found, as_json, "Workspaces that lag or are parked")
    else:
        Console().print("Nothing lags.")


@app.command()
def rebuild(
    workspace: Annotated[UUID | None, typer.Argument(help="Its id; none: all.")] = None,
    verify: Annotated[bool, typer.Option(help="Compare, and change nothing.")] = False,
) -> None:
    """Fold read tables again from the log; what brings a parked workspace back."""
    settings = load_settings()

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
    database = engine(settings.projector_url, pool_size=2)
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
    report = run(_import_checklist(load_settings(), found, space, actor))
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
    database = engine(settings.database_url, pool_size=2)
    try:
        await Members(database).saw(space, actor)
        with _bar("commands") as progress:
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


class _bar:
    """A bar on a terminal, lines elsewhere; used as a context manager."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar = Progress(
            TextColumn("Importing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(what),
            console=err,
        )
        self._task = self._bar.add_task(what)

    def __enter__(self) -> Callable[[int, int], None]:
        if err.is_terminal:
            self._bar.start()
        return self._progress

    def __exit__(self, *_: object) -> None:
        if err.is_terminal:
            self._bar.stop()

    def _progress(self, done: int, total: int) -> None:
        if err.is_terminal:
            self._bar.update(self._task, completed=done, total=total)
        else:
            print(f"{done} of {total} {self._what}", file=sys.stderr, flush=True)


@app.command()
def describe(as_json: Json = False) -> None:
    """List commands, events, queries and settings; needs no database."""
    found = descriptions.describe(load_settings())
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
    found = asyncio.run(descriptions.doctor(load_settings()))
    show(found, as_json, "Doctor")
    if bad := [line["check"] for line in found if line["status"] != "ok"]:
        fail(f"not in order: {', '.join(bad)}")


def _calm_collector() -> None:
    """Collect garbage less often: its pauses were most of a slow request's time."""
    gc.freeze()  # what start-up made is never garbage: do not look through it again
    gc.set_threshold(GC_THRESHOLD)


def _settings() -> Settings:
    settings = load_settings()
    logs.configure(settings.log_level, settings.log_format)
    return settings


def main() -> None:
    """Run the command line."""
    app()
