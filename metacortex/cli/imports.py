"""`metacortex import …`: from files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from metacortex.api.roles import workspace_of
from metacortex.cli.common import Json, checked_settings
from metacortex.console import Bar, fail, run, say, show
from metacortex.settings import Settings

if TYPE_CHECKING:
    from metacortex.importing.checklist import Checklist
    from metacortex.importing.importer import Report

importing = typer.Typer(no_args_is_help=True)


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
