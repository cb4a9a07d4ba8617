"""`metacortex …`: every command, and which settings it takes.

A command imports what it runs, when it runs: `up` starts five of these processes, and
each would otherwise load the libraries of all the others.
"""

import asyncio
import atexit
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from metacortex import __version__
from metacortex.api.auth import Role, workspace_of
from metacortex.cli_ops import ops
from metacortex.console import Bar, anticipated, fail, run, say, show
from metacortex.kernel import tracing
from metacortex.kernel.gc_tuning import tune_gc
from metacortex.settings import (
    SERVICES_FILE,
    Settings,
    UnsafeSettings,
    load_settings,
    mistakes,
    variable,
)

if TYPE_CHECKING:
    from alembic.config import Config

    from metacortex.importing.checklist import Checklist
    from metacortex.importing.importer import Report
    from metacortex.queries.projector import Projector

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ROOT = Path(__file__).parent.parent
TOLD = 20  # differences of one workspace on the screen; --json has them all
TOKEN_TTL_S = 12 * 3600  # a working day


def _default(name: str) -> str:
    """Say where an option that was left out is taken from."""
    return f"{variable(name)}, else {Settings.model_fields[name].default}"


def _version(wanted: bool) -> None:
    if wanted:
        print(f"metacortex {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """MetaCortex: the backend of a life OS. `up` starts everything."""


@app.command()
def up(
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port of the API.", show_default=_default("port")
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of all data.", show_default=_default("data_dir")),
    ] = None,
) -> None:
    """Start everything on this machine, in the foreground."""
    if data_dir is not None:
        os.environ["METACORTEX_DATA_DIR"] = str(data_dir)
    os.environ.setdefault("ENVIRONMENT", "development")
    from metacortex.devtools.supervisor import run_up

    raise typer.Exit(asyncio.run(run_up(_loaded(), port=port)))


@app.command()
def api(
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on.", show_default=_default("host")),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port to listen on.", show_default=_default("port")
        ),
    ] = None,
) -> None:
    """Serve HTTP."""
    settings = _process("api")
    from metacortex.api.server import make_server

    server = make_server(
        settings,
        host=host or settings.host,
        port=port or settings.port,
        grace_s=int(settings.shutdown_grace_s),
    )
    tune_gc()
    try:
        server.run()
    except SystemExit:  # the server's own way to say that it could not listen
        server.started = False
    if not server.started:
        fail("the API could not start; the lines above say why")


@app.command()
def worker() -> None:
    """Serve wake-ups: project what is new."""
    settings = _process("worker")
    from metacortex.workers import run_worker

    tune_gc()
    asyncio.run(run_worker(settings))


@app.command()
def scheduler() -> None:
    """Sweep: project whatever no message told of. One of several leads."""
    settings = _process("scheduler")
    from metacortex.workers import run_scheduler

    tune_gc()
    asyncio.run(run_scheduler(settings))


@app.command()
def migrate() -> None:
    """Bring the database's schema up to this release."""
    _process("migrate")
    from alembic import command
    from alembic.util import CommandError

    sys.path.insert(0, str(ROOT))
    try:
        with anticipated():
            command.upgrade(_alembic(), "head")
    except CommandError as error:  # a database of a later release, for one
        fail(f"the schema cannot be brought up: {error}")
    say("The schema is up to date.")


def _alembic() -> "Config":
    """Return the settings of Alembic."""
    from alembic.config import Config

    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return config


@app.command()
def token(
    user: Annotated[str, typer.Option(help="Whose token: a short name.")],
    workspace: Annotated[
        str | None, typer.Option(help="Which team; none: the person's own space.")
    ] = None,
    role: Annotated[Role | None, typer.Option(help="In that workspace.")] = None,
    ttl: Annotated[int, typer.Option(help="Seconds that it is valid.")] = TOKEN_TTL_S,
    as_json: Json = False,
) -> None:
    """Print a development token."""
    settings = _installed()
    if settings.is_production:
        fail("tokens are made in development only: set ENVIRONMENT=development")
    from metacortex.api.app import local_issuer

    try:
        made = local_issuer(settings).token(user, workspace, role, ttl_s=ttl)
    except ValueError as error:
        fail(str(error))
    except OSError as error:
        fail(f"the issuer's key cannot be kept ({error}): set METACORTEX_DATA_DIR")
    print(json.dumps({"token": made, "expires_in": ttl}) if as_json else made)


@app.command()
def status(as_json: Json = False) -> None:
    """Show how far the read tables are behind the log; exit 1 if any are parked."""
    found = run(_status(checked_settings()))
    parked = [row for row in found if row["parked"]]
    if as_json:
        show(found, as_json, "Workspaces that lag or are parked")
    else:
        _show_lag([row for row in found if not row["parked"]])
    if parked:
        from metacortex.describe import parked_line

        for row in () if as_json else parked:
            print(parked_line(row))
        fail(f"{len(parked)} workspaces are parked: their lists stand still")


def _show_lag(found: list[dict[str, Any]]) -> None:
    if not found:
        print("Nothing lags.")
        return
    names = ("workspace_id", "head", "shown", "behind")
    lines = [{name: row[name] for name in names} for row in found]
    show(lines, False, "Workspaces that lag")


async def _status(settings: Settings) -> list[dict[str, Any]]:
    from metacortex import describe as descriptions

    database = descriptions.database(settings, settings.projector_url)
    try:
        return await descriptions.status(database)
    finally:
        await database.dispose()


@app.command()
def rebuild(
    workspace: Annotated[UUID | None, typer.Argument(help="Its id; none: all.")] = None,
    verify: Annotated[bool, typer.Option(help="Compare, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Fold read tables again from the log; what brings a parked workspace back."""
    found = run(_rebuild(checked_settings(), workspace, verify, as_json))
    if as_json:
        print(json.dumps(found, indent=2))
    if failed := sum("error" in line for line in found):
        fail(f"{failed} of {len(found)} workspaces cannot be folded, as said")
    from metacortex.queries.verify import LOG

    said = [it for line in found for it in line.get("differences", ())]
    if any(it.startswith(LOG) for it in said):
        fail(
            "the log itself is altered: rebuild nothing, run `metacortex audit check`,"
            " and look at its backups"
        )
    if said:
        fail("read tables differ from the log: run `metacortex rebuild`")
    if waiting := sum("parked_at_event" in line for line in found):
        fail(f"{waiting} workspaces are parked: `metacortex status` says why")


async def _rebuild(
    settings: Settings, workspace: UUID | None, verify: bool, as_json: bool
) -> list[dict[str, Any]]:
    """Take one workspace after the other; one that fails holds up no other."""
    from metacortex import describe as descriptions
    from metacortex.queries.projector import Projector

    tune_gc()
    database = descriptions.database(settings, settings.projector_url)
    found = []
    try:
        projector = Projector(database)
        ids = await descriptions.workspaces(database, workspace)
        if workspace is not None and not ids:
            fail(f"there is no workspace {workspace}")
        parked = await descriptions.parked(database) if verify else {}
        for number, id in enumerate(ids, 1):
            line = await _rebuilt(projector, id, verify)
            if id in parked:
                line["parked_at_event"] = parked[id]
            found.append({"workspace_id": str(id), **line})
            if not as_json:
                print(f"{id}: {_outcome(line)}")
            for difference in line.get("differences", ())[:TOLD]:
                say(f"  {difference}")
            say(f"{number} of {len(ids)} workspaces")
    finally:
        await database.dispose()
    return found


async def _rebuilt(projector: "Projector", id: UUID, verify: bool) -> dict[str, Any]:
    from metacortex.kernel.driver_errors import meaning

    try:
        if verify:
            return {"differences": await projector.verify(id)}
        return {"events": await projector.rebuild(id)}
    except Exception as error:
        if meaning(error) is not None or isinstance(error, DBAPIError):
            raise
        return {"error": repr(error)}  # an event that this release cannot fold


def _outcome(line: dict[str, Any]) -> str:
    if "error" in line:
        return f"failed with {line['error']}"
    if "events" in line:
        return f"{line['events']} events"
    outcome = "differs" if line["differences"] else "equal"
    if "parked_at_event" in line:
        return f"{outcome} up to where it is parked, event {line['parked_at_event']}"
    return outcome


auditing = typer.Typer(no_args_is_help=True)
app.add_typer(auditing, name="audit", help="Check the log against its hashes.")


@auditing.callback()
def _audit() -> None:
    """Check the log against its hashes."""


@auditing.command("check")
def audit_check(
    workspaces: Annotated[
        list[UUID] | None, typer.Argument(help="Their ids; none: all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that the log in the database is what was appended to it."""
    found = run(_audit_check(checked_settings(), workspaces or [], as_json))
    if as_json:
        print(json.dumps(found, indent=2))
    if bad := sum(line["what"] is not None for line in found):
        fail(f"{bad} of {len(found)} logs are altered, as said: look at their backups")


async def _audit_check(
    settings: Settings, workspaces: list[UUID], as_json: bool
) -> list[dict[str, Any]]:
    from metacortex import audit_check
    from metacortex.kernel.database import driver_arguments

    arguments = driver_arguments(
        settings.auditor_url, pooler=settings.database_pooler, name="metacortex-audit"
    )
    found = []
    try:
        async for it in audit_check.check(arguments, workspaces, progress=_checked):
            found.append(it.line())
            if not as_json:
                print(it)
    except audit_check.UnknownWorkspace as error:
        fail(str(error))
    return found


def _checked(done: int, total: int, events: int, seconds: float) -> None:
    rate = events / seconds if seconds else 0
    say(f"{done} of {total} workspaces, {events} events, {rate:.0f} events/s")


app.add_typer(ops, name="ops", help="See how the installation does.")

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
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        fail(f"{file} cannot be read: it is no text in UTF-8")
    from metacortex.api.issuer import checked_name
    from metacortex.importing import checklist as checklists

    try:
        actor = f"user_{checked_name(user, 'user')}"
        team = workspace and f"org_{checked_name(workspace, 'workspace')}"
    except ValueError as error:
        fail(str(error))
    space = workspace_of(team or actor)
    found = checklists.read(text, namespace=space, default_project=file.stem)
    if not found.projects:
        fail(f"{file} has no check boxes: a task is a line such as `- [ ] Buy milk`")
    report = run(_import_checklist(checked_settings(), found, space, actor))
    refused = report.refused
    show(
        {
            "projects": report.projects,
            "items": report.items,
            "commands": report.sent,
            "events": report.events,
            "refused": len(refused),
            "sequence": report.sequence,
        },
        as_json,
        f"Imported {file.name}",
    )
    if refused:
        for line in refused[:20]:
            say(str(line))
        fail(f"{len(refused)} commands were refused; all others are in")


async def _import_checklist(
    settings: Settings, found: "Checklist", space: UUID, actor: str
) -> "Report":
    from metacortex import describe as descriptions
    from metacortex.commands.members import Members
    from metacortex.importing import importer

    database = descriptions.database(settings, settings.database_url)
    try:
        await Members(database).saw(space, actor, "owner")
        with Bar("commands") as progress:
            report = await importer.run(
                database,
                found,
                workspace_id=space,
                actor_id=actor,
                progress=progress,
            )
    finally:
        await database.dispose()
    if report.events:
        _wake(settings, space)
    return report


def _wake(settings: Settings, space: UUID) -> None:
    """Tell the workers; if Redis is away, the sweep finds it a second later."""
    from metacortex.wakeups import make_broker, sender

    try:
        sender(make_broker(settings.redis_url))([str(space)])
    except Exception as error:
        say(f"Redis does not answer ({type(error).__name__}): the sweep follows.")


@app.command()
def describe(as_json: Json = False) -> None:
    """List commands, events, queries and settings; needs no database."""
    settings = _loaded()
    from metacortex import describe as descriptions

    found = descriptions.describe(settings)
    if as_json:
        print(json.dumps(found, indent=2, default=str))
        return
    for name, values in found.items():
        print(name)
        for value in values:
            print(f"  {value}")


@app.command()
def openapi(
    errors: Annotated[bool, typer.Option(help="The error codes instead.")] = False,
) -> None:
    """Print the OpenAPI document; needs no settings and no database."""
    if errors:
        from metacortex.api.errors import catalogue

        print(json.dumps(catalogue(), indent=2))
        return
    from metacortex.api.app import document

    print(json.dumps(document(), indent=2))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check what this installation needs; each failing line names the remedy."""
    settings = _installed()
    from metacortex import doctor as doctors

    found = asyncio.run(doctors.doctor(settings))
    show(found, as_json, "Doctor")
    if bad := [line["check"] for line in found if line["status"] == "failing"]:
        fail(f"not in order: {', '.join(bad)}")


def _process(name: str) -> Settings:
    """Return the settings of a process that stays, and begin to log and to trace."""
    from metacortex import logs

    settings = checked_settings()
    logs.configure(settings.log_level, settings.log_format)
    try:
        tracing.configure(settings.otel_endpoint, name)
    except tracing.NotInstalled as error:
        fail(str(error))
    atexit.register(tracing.stop)
    return settings


def checked_settings() -> Settings:
    """Return settings to work with: production refuses unsafe ones, here for all."""
    try:
        return _installed().checked()
    except UnsafeSettings as error:
        fail(str(error))


def _installed() -> Settings:
    """Return the settings of an installation; fail where nothing names any."""
    settings = _loaded()
    file = (settings.data_dir / SERVICES_FILE).absolute()
    named = os.environ.get("DATABASE_URL") or os.environ.get("ENVIRONMENT")
    if not named and not file.exists():
        fail(
            f"no data folder was found ({file} is missing): run `make up` first, or "
            "name its folder in METACORTEX_DATA_DIR; in production set DATABASE_URL"
        )
    return settings


def _loaded() -> Settings:
    """Return the settings as they are, for what only tells of them."""
    try:
        return load_settings()
    except ValidationError as error:
        fail("\n".join(mistakes(error)))
    except OSError as error:  # services.env of another user, for one
        fail(f"the settings cannot be read: {error}")


def main() -> None:
    """Run the command line."""
    app(prog_name="metacortex")
