"""Importing the real list: once, then only what was edited, over nobody's own work."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.commands.tasks import Task
from metacortex.importing import checklist, importer
from metacortex.importing.checklist import Checklist, Item
from metacortex.importing.importer import Report
from tests import shared
from tests.integration import laws
from tests.integration.walking import unit

FILE = "interview-checklist.md"
ITEMS = 463  # check boxes of the file that are items

SMALL = """# Flat
- [ ] Paint the door
  Two coats
- [x] Buy paint
"""


async def add(writes: AsyncEngine, text: str, workspace: UUID) -> Report:
    """Import a text into a workspace, and expect that nothing is refused."""
    found = checklist.read(text, namespace=workspace)
    report = await importer.run(
        writes,
        found,
        workspace_id=workspace,
        actor_id="user_importer",
        progress=lambda done, of: None,
    )
    assert report.refused == []
    return report


async def receipts_of(writes: AsyncEngine, workspace: UUID) -> int:
    sql = sqlalchemy.text(
        "SELECT count(*) FROM commands.receipts WHERE workspace_id = :w"
    )
    async with writes.connect() as connection:
        return int(await connection.scalar(sql, {"w": workspace}) or 0)


def read(text: str, workspace: UUID) -> Checklist:
    return checklist.read(text, namespace=workspace)


def item(text: str, workspace: UUID, title: str) -> Item:
    (found,) = (it for it in read(text, workspace) if it.title == title)
    return found


async def stored(writes: AsyncEngine, workspace: UUID, id: UUID) -> Task:
    found: Task = (await laws.state_rows(writes, workspace))["task"][id].state
    return found


async def test_the_real_list_is_imported_once(
    writes: AsyncEngine, workspace: UUID
) -> None:
    text = shared.data(FILE)
    first = await add(writes, text, workspace)
    assert first.items == ITEMS
    rows = (await laws.state_rows(writes, workspace))["task"]
    wanted = {
        it.id: (it.title, it.description, it.completed) for it in read(text, workspace)
    }
    assert wanted == {
        id: (it.state.title, it.state.description, it.state.status == "completed")
        for id, it in rows.items()
    }
    assert await laws.check(writes, workspace) == first.events

    completed = sum(it.completed for it in read(text, workspace))
    assert first.sent == first.applied == first.projects + ITEMS + completed
    receipts = await receipts_of(writes, workspace)
    again = await add(writes, text, workspace)
    assert (again.sent, again.events) == (0, 0)
    assert again.sequence == first.sequence
    assert await receipts_of(writes, workspace) == receipts == first.sent
    assert await laws.check(writes, workspace) == first.events


async def test_an_edited_description_is_the_only_thing_that_changes(
    writes: AsyncEngine, workspace: UUID
) -> None:
    text = shared.data(FILE)
    await add(writes, text, workspace)
    described = next(it for it in read(text, workspace) if it.description)
    line = text.splitlines()[described.line - 1]
    edited = text.replace(line, f"{line}\n  A note of mine", 1)
    report = await add(writes, edited, workspace)
    assert (report.sent, report.applied, report.events) == (1, 1, 1)
    task = await stored(writes, workspace, described.id)
    assert task.description and "A note of mine" in task.description


async def test_a_tick_completes_and_its_removal_reopens(
    writes: AsyncEngine, workspace: UUID
) -> None:
    id = item(SMALL, workspace, "Paint the door").id
    await add(writes, SMALL, workspace)
    ticked = SMALL.replace("[ ] Paint", "[x] Paint")
    report = await add(writes, ticked, workspace)
    assert report.events == 1
    assert (await stored(writes, workspace, id)).status == "completed"
    assert (await add(writes, ticked, workspace)).events == 0


async def test_an_unticked_item_is_reopened(
    writes: AsyncEngine, workspace: UUID
) -> None:
    id = item(SMALL, workspace, "Buy paint").id
    await add(writes, SMALL, workspace)
    report = await add(writes, SMALL.replace("[x]", "[ ]"), workspace)
    assert report.events == 1
    assert (await stored(writes, workspace, id)).status == "pending"


@pytest.mark.parametrize(
    "change", [{"title": "Paint both doors"}, {"description": "Three coats"}]
)
async def test_what_a_person_changed_is_not_overwritten(
    writes: AsyncEngine, workspace: UUID, change: dict[str, Any]
) -> None:
    bus, id = Bus(writes), item(SMALL, workspace, "Paint the door").id
    await add(writes, SMALL, workspace)
    edit = tasks.EditTask(task_id=id, **change)
    await bus.execute([unit(workspace, edit)])
    await bus.execute([unit(workspace, tasks.CompleteTask(task_id=id))])
    assert (await add(writes, SMALL, workspace)).events == 0
    task = await stored(writes, workspace, id)
    assert task.status == "completed"
    assert {name: getattr(task, name) for name in change} == change


async def test_a_file_may_go_back_to_what_it_said(
    writes: AsyncEngine, workspace: UUID
) -> None:
    door = item(SMALL, workspace, "Paint the door").id
    ticked = SMALL.replace("[ ] Paint", "[x] Paint").replace("Two", "Three")
    for text, status, coats in [
        (SMALL, "pending", "Two coats"),
        (ticked, "completed", "Three coats"),
    ] * 3:
        report = await add(writes, text, workspace)
        task = await stored(writes, workspace, door)
        assert (task.status, task.description) == (status, coats)
        assert report.events <= 5
        edit = tasks.EditTask(task_id=door, description="Mine")
        await Bus(writes).execute([unit(workspace, edit)])
        assert (await add(writes, text, workspace)).events == 0
        edit = tasks.EditTask(task_id=door, description=coats)
        await Bus(writes).execute([unit(workspace, edit)])


async def test_a_file_that_agrees_with_a_person_says_so_once(
    writes: AsyncEngine, workspace: UUID
) -> None:
    """Its command changes nothing and is kept: the same file says nothing anew."""
    bus, id = Bus(writes), item(SMALL, workspace, "Paint the door").id
    await add(writes, SMALL, workspace)
    await bus.execute([unit(workspace, tasks.CompleteTask(task_id=id))])
    ticked = SMALL.replace("[ ] Paint", "[x] Paint")
    report = await add(writes, ticked, workspace)
    assert (report.sent, report.unchanged) == (1, 1)
    await bus.execute([unit(workspace, tasks.ReopenTask(task_id=id))])
    assert (await add(writes, ticked, workspace)).sent == 0
    assert (await stored(writes, workspace, id)).status == "pending"


async def test_a_new_item_is_the_only_thing_that_is_sent(
    writes: AsyncEngine, workspace: UUID
) -> None:
    await add(writes, SMALL, workspace)
    more = f"{SMALL}# Garden\n- [x] Dig\n  - [ ] Sow\n"
    report = await add(writes, more, workspace)
    assert (report.sent, report.applied) == (4, 4)  # a project, two tasks, one ticked
    assert (await add(writes, more, workspace)).sent == 0


async def test_what_was_deleted_stays_deleted(
    writes: AsyncEngine, workspace: UUID
) -> None:
    id = item(SMALL, workspace, "Paint the door").id
    await add(writes, SMALL, workspace)
    await Bus(writes).execute([unit(workspace, tasks.DeleteTask(task_id=id))])
    assert (await add(writes, SMALL, workspace)).sent == 0
    assert (await stored(writes, workspace, id)).deleted


async def test_a_list_longer_than_a_page_is_read_in_pages(
    writes: AsyncEngine, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "PAGE", 2)
    many = "# Many\n" + "".join(f"- [x] Number {n}\n" for n in range(7))
    assert (await add(writes, many, workspace)).sent == 1 + 7 + 7
    edited = many.replace("[x] Number 5", "[ ] Number 5")
    assert (await add(writes, edited, workspace)).events == 1
    assert (await add(writes, edited, workspace)).sent == 0


async def test_a_list_of_nothing_sends_nothing(
    writes: AsyncEngine, workspace: UUID
) -> None:
    report = await add(writes, "# Nothing\n", workspace)
    assert (report.sent, report.sequence) == (0, 0)
