"""What an operator types about a running installation, on both kinds of output."""

import asyncio
import json
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner, Result

from metacortex.cli import app
from metacortex.commands.bus import Bus
from metacortex.queries.projector import Projector
from metacortex.settings import Settings
from tests.conftest import Urls
from tests.factories import CreateTaskFactory
from tests.integration.forging import forge
from tests.integration.test_projector import poison, run
from tests.integration.walking import unit


async def call(settings: Settings, *arguments: str) -> Result:
    """Run a command in a thread: it has an event loop of its own."""
    environ = {
        "ENVIRONMENT": "test",
        "DATABASE_URL": settings.database_url,
        "DATABASE_PROJECTOR_URL": settings.projector_url,
        "REDIS_URL": settings.redis_url,
        "METACORTEX_DATA_DIR": str(settings.data_dir),
    }
    runner = CliRunner()
    return await asyncio.to_thread(runner.invoke, app, arguments, env=environ)


async def test_a_rebuild_says_how_many_events(settings: Settings, used: UUID) -> None:
    said = await call(settings, "rebuild", str(used))
    assert said.stdout == f"{used}: 1 events\n"
    assert said.stderr == "1 of 1 workspaces\n"
    said = await call(settings, "rebuild", str(used), "--json")
    assert json.loads(said.stdout) == [{"workspace_id": str(used), "events": 1}]


async def test_some_processes_share_the_workspaces(
    settings: Settings, writes: AsyncEngine
) -> None:
    spaces = [uuid4() for _ in range(3)]
    for number, space in enumerate(spaces, 1):
        births = [CreateTaskFactory() for _ in range(number)]
        await Bus(writes).execute([unit(space, *births)])
    named = [str(it) for it in spaces]
    said = await call(settings, "rebuild", *named, "--processes", "2", "--json")
    assert said.exit_code == 0, said.stderr
    lines = {it["workspace_id"]: it["events"] for it in json.loads(said.stdout)}
    assert lines == dict(zip(named, (1, 2, 3), strict=True))
    said = await call(settings, "rebuild", *named, "--verify")
    assert said.stdout.splitlines() == [f"{it}: equal" for it in named]


async def test_a_comparison_says_what_differs(
    settings: Settings, urls: Urls, used: UUID
) -> None:
    said = await call(settings, "rebuild", str(used), "--verify")
    assert (said.exit_code, said.stdout) == (0, f"{used}: equal\n")
    sql = "DELETE FROM queries.activity WHERE workspace_id = :w"
    await run(urls.projector, sql, w=used)
    said = await call(settings, "rebuild", str(used), "--verify")
    assert (said.exit_code, said.stdout) == (1, f"{used}: differs\n")
    assert said.stderr.splitlines() == [
        "  queries.activity 1: missing",
        "1 of 1 workspaces",
        "error: read tables differ from the log: run `metacortex rebuild`",
    ]
    said = await call(settings, "rebuild", str(used), "--verify", "--json")
    assert json.loads(said.stdout) == [
        {"workspace_id": str(used), "differences": ["queries.activity 1: missing"]}
    ]


async def test_a_workspace_that_is_not_there_is_not_made(
    settings: Settings, workspace: UUID
) -> None:
    for more in ((), ("--verify",)):
        said = await call(settings, "rebuild", str(workspace), *more)
        assert said.exit_code == 1
        assert said.stderr == f"error: there is no workspace {workspace}\n"


async def test_what_cannot_be_folded_is_said_and_shown_as_parked(
    settings: Settings, urls: Urls, projector: Projector, used: UUID
) -> None:
    await poison(urls, used)
    await projector.turn([used])
    said = await call(settings, "rebuild", str(used))
    assert said.exit_code == 1
    assert said.stdout.startswith(f"{used}: failed with UnknownEvent(")
    assert said.stderr.endswith("error: 1 of 1 workspaces cannot be folded, as said\n")
    said = await call(settings, "status", "--json")
    assert said.exit_code == 1
    [row] = [row for row in json.loads(said.stdout) if row["workspace_id"] == str(used)]
    assert (row["head"], row["shown"], row["behind"]) == (2, 1, 1)
    assert row["parked_at"] and "UnknownEvent" in row["error"]
    assert row["parked"]["sequence"] == 2


async def test_a_parked_workspace_is_explained_in_one_line(
    settings: Settings, urls: Urls, projector: Projector, used: UUID
) -> None:
    await poison(urls, used)
    sql = "UPDATE events.log SET data = '{}' WHERE workspace_id = :w AND sequence = 2"
    await forge(urls.owner, sql, w=used)
    await projector.turn([used])
    said = await call(settings, "status")
    assert said.exit_code == 1
    assert "workspaces are parked" in said.stderr.splitlines()[-1]
    altered = await line_of(settings, used)
    assert altered.startswith(f"{used}: parked at event 2 (task.edited v2): Altered(")
    assert "; THE EVENT DOES NOT MATCH ITS HASHES; run `metacortex audit ch" in altered
    assert altered.endswith(f", then `metacortex rebuild {used}`")
    said = await call(settings, "rebuild", str(used), "--verify")
    assert said.exit_code == 1
    assert said.stdout == f"{used}: differs up to where it is parked, event 2\n"
    assert "the log itself is altered" in said.stderr.splitlines()[-1]


async def test_an_event_of_a_later_release_asks_for_that_release(
    settings: Settings, urls: Urls, projector: Projector, used: UUID
) -> None:
    await poison(urls, used)
    await projector.turn([used])
    line = await line_of(settings, used)
    assert "; the event matches its hashes; deploy the release that knows" in line
    said = await call(settings, "rebuild", str(used), "--verify")
    assert said.exit_code == 1
    assert said.stdout == f"{used}: equal up to where it is parked, event 2\n"
    assert said.stderr.splitlines()[-1] == (
        "error: 1 workspaces are parked: `metacortex status` says why"
    )


async def test_a_missing_event_asks_for_a_backup(
    settings: Settings, urls: Urls, projector: Projector, used: UUID
) -> None:
    sql = "UPDATE events.heads SET sequence = 2 WHERE workspace_id = :w"
    await run(urls.owner, sql, w=used)
    await projector.turn([used])
    line = await line_of(settings, used)
    assert f"{used}: parked at event 2 (missing): Gap(" in line
    assert (
        "; there is no event; run `metacortex audit check`, restore the event" in line
    )


async def line_of(settings: Settings, workspace: UUID) -> str:
    """Return what `status` says of a workspace; others may be parked as well."""
    said = (await call(settings, "status")).stdout.splitlines()
    [line] = [line for line in said if line.startswith(str(workspace))]
    return line


async def test_an_import_says_what_it_sent(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "list.md").write_text("- [ ] one\n  - [x] two\n")
    user = f"ada{uuid4().hex[:8]}"
    told = ("import", "checklist", str(tmp_path / "list.md"), "--user", user, "--json")
    said = await call(settings, *told)
    counts = {"projects": 1, "items": 2, "refused": 0, "sequence": 4}
    assert json.loads(said.stdout) == {**counts, "commands": 4, "events": 4}
    said = await call(settings, *told)
    assert json.loads(said.stdout) == {**counts, "commands": 0, "events": 0}
    assert (said.exit_code, said.stderr) == (0, "")
