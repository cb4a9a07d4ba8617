"""`metacortex status` and `metacortex rebuild`: read tables against their logs."""

import json
from typing import Annotated, Any
from uuid import UUID

import typer

from metacortex.cli.common import Json, checked_settings
from metacortex.console import fail, run, say, show
from metacortex.kernel.gc_tuning import tune_gc
from metacortex.settings import Settings

TOLD = 20  # differences of one workspace on the screen; --json has them all


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


def rebuild(
    workspaces: Annotated[
        list[UUID] | None, typer.Argument(help="Their ids; none: all.")
    ] = None,
    verify: Annotated[bool, typer.Option(help="Compare, and change nothing.")] = False,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes that share the workspaces.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Fold read tables again from the log; what brings a parked workspace back."""
    settings = checked_settings()
    found = run(_rebuild(settings, workspaces or [], verify, processes, as_json))
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
    settings: Settings,
    wanted: list[UUID],
    verify: bool,
    processes: int,
    as_json: bool,
) -> list[dict[str, Any]]:
    from metacortex import describe as descriptions
    from metacortex import rebuilding
    from metacortex.queries.projector import Projector

    tune_gc()
    database = descriptions.database(settings, settings.projector_url)
    found = []
    try:
        ids = await descriptions.workspaces(database)
        if unknown := set(wanted) - set(ids):
            fail(f"there is no workspace {min(unknown)}")
        ids = wanted or ids
        parked = await descriptions.parked(database) if verify else {}
        lines = (
            rebuilding.in_turn(Projector(database), ids, verify)
            if processes == 1
            else rebuilding.in_processes(settings, ids, verify, processes)
        )
        async for id, line in lines:
            if id in parked:
                line["parked_at_event"] = parked[id]
            found.append({"workspace_id": str(id), **line})
            if not as_json:
                print(f"{id}: {_outcome(line)}")
            for difference in line.get("differences", ())[:TOLD]:
                say(f"  {difference}")
            say(f"{len(found)} of {len(ids)} workspaces")
    finally:
        await database.dispose()
    return found


def _outcome(line: dict[str, Any]) -> str:
    if "error" in line:
        return f"failed with {line['error']}"
    if "events" in line:
        return f"{line['events']} events"
    outcome = "differs" if line["differences"] else "equal"
    if "parked_at_event" in line:
        return f"{outcome} up to where it is parked, event {line['parked_at_event']}"
    return outcome
