"""`metacortex audit …`: the log against its hashes."""

import json
from typing import Annotated, Any
from uuid import UUID

import typer

from metacortex.cli.common import Json, checked_settings
from metacortex.console import fail, run, say
from metacortex.settings import Settings

auditing = typer.Typer(no_args_is_help=True)


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
