"""`metacortex up`, and the processes that it starts; and `migrate`."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metacortex.cli.common import default_of, loaded_settings, process_settings
from metacortex.console import anticipated, fail, say
from metacortex.kernel.gc_tuning import tune_gc

if TYPE_CHECKING:
    from alembic.config import Config

ROOT = Path(__file__).parents[2]


def up(
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port of the API.", show_default=default_of("port")
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of all data.", show_default=default_of("data_dir")),
    ] = None,
) -> None:
    """Start everything on this machine, in the foreground."""
    if data_dir is not None:
        os.environ["METACORTEX_DATA_DIR"] = str(data_dir)
    os.environ.setdefault("ENVIRONMENT", "development")
    from metacortex.devtools.supervisor import run_up

    raise typer.Exit(asyncio.run(run_up(loaded_settings(), port=port)))


def api(
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on.", show_default=default_of("host")),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port to listen on.", show_default=default_of("port")
        ),
    ] = None,
) -> None:
    """Serve HTTP."""
    settings = process_settings("api")
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


def worker(
    with_scheduler: Annotated[
        bool,
        typer.Option(
            "--with-scheduler", help="Be a scheduler too: one process less in memory."
        ),
    ] = False,
) -> None:
    """Serve wake-ups: project what is new."""
    settings = process_settings("worker")
    from metacortex.workers import run_worker

    tune_gc()
    asyncio.run(run_worker(settings, schedules=with_scheduler))


def scheduler() -> None:
    """Sweep: project whatever no message told of. One of several leads."""
    settings = process_settings("scheduler")
    from metacortex.workers import run_scheduler

    tune_gc()
    asyncio.run(run_scheduler(settings))


def migrate() -> None:
    """Bring the database's schema up to this release."""
    process_settings("migrate")
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
