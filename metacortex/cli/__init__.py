"""`metacortex …`: every command, and which settings it takes.

A command imports what it runs, when it runs: `up` starts five of these processes, and
each would otherwise load the libraries of all the others.
"""

from typing import Annotated

import typer

from metacortex import __version__
from metacortex.cli import about, processes, read_tables
from metacortex.cli.audit import auditing
from metacortex.cli.imports import importing
from metacortex.cli.ops import ops

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


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


for command in (
    *(processes.up, processes.api, processes.worker, processes.scheduler),
    *(processes.migrate, about.token, read_tables.status, read_tables.rebuild),
    *(about.describe, about.openapi, about.doctor),
):
    app.command()(command)

app.add_typer(auditing, name="audit", help="Check the log against its hashes.")
app.add_typer(ops, name="ops", help="See how the installation does.")
app.add_typer(importing, name="import", help="Import from files.")


def main() -> None:
    """Run the command line."""
    app(prog_name="metacortex")
