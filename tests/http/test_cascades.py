"""What commands do to other resources, through the real tables and look-ups."""

from typing import Any

import pytest

from tests.clients import Client
from tests.http.test_envelope import refused
from tests.http.test_modules import project, tag


async def across(client: Client) -> dict[str, str]:
    """Return ids: a task of home, below it one of work, below that one of home."""
    home = (await project(client, "home"))["id"]
    work = (await project(client, "work"))["id"]
    top = (await client.task(project_id=home))["id"]
    middle = (await client.task(parent_id=top, project_id=work))["id"]
    bottom = (await client.task(parent_id=middle, project_id=home))["id"]
    return {
        "home": f"/projects/{home}",
        "work": f"/projects/{work}",
        "top": f"/tasks/{top}",
        "middle": f"/tasks/{middle}",
        "bottom": f"/tasks/{bottom}",
    }


async def values(client: Client, at: dict[str, str], done: Any, field: str) -> Any:
    """Return a field of the three tasks, from the top."""
    sequence = done["meta"]["sequence"]
    return [
        (await client.get(at[name], sequence))["data"][field]
        for name in ("top", "middle", "bottom")
    ]


async def test_a_project_goes_and_comes_back_with_whole_subtrees(
    client: Client,
) -> None:
    at = await across(client)
    done = await client.do("DELETE", at["home"])
    assert await values(client, at, done, "deleted") == [True, True, True]
    done = await client.do("POST", f"{at['home']}/restore")
    assert await values(client, at, done, "deleted") == [False, False, False]


@pytest.mark.parametrize("name", ["home", "top"])
async def test_an_archived_project_keeps_its_tasks(client: Client, name: str) -> None:
    at = await across(client)
    await client.do("POST", f"{at['work']}/archive")
    error = refused(await client.send("DELETE", at[name]), 409, "project_archived")
    assert at["work"].endswith(error["meta"]["project_id"])
    await client.do("POST", f"{at['work']}/unarchive")
    await client.do("DELETE", at[name])
    await client.do("POST", f"{at['work']}/archive")
    path = f"{at[name]}/restore"
    refused(await client.send("POST", path), 409, "project_archived")
    await client.do("POST", f"{at['work']}/unarchive")
    done = await client.do("POST", path)
    assert await values(client, at, done, "deleted") == [False, False, False]


async def test_a_project_waits_for_the_task_above_its_own(client: Client) -> None:
    at = await across(client)
    await client.do("DELETE", at["work"])
    await client.do("DELETE", at["top"])
    path = f"{at['work']}/restore"
    refused(await client.send("POST", path), 409, "parent_deleted")
    await client.do("POST", f"{at['top']}/restore")
    done = await client.do("POST", path)
    assert await values(client, at, done, "deleted") == [False, False, False]


async def test_completion_passes_by_what_is_put_away(client: Client) -> None:
    at = await across(client)
    await client.do("POST", f"{at['work']}/archive")
    path = f"{at['top']}/complete"
    error = refused(
        await client.send("POST", path, {"subtasks": "require_done"}),
        409,
        "open_subtasks",
    )
    assert [f"/tasks/{id}" for id in error["meta"]["tasks"]] == [at["bottom"]]
    done = await client.do("POST", path, {"subtasks": "complete"})
    statuses = ["completed", "pending", "completed"]
    assert await values(client, at, done, "status") == statuses


async def test_an_archived_task_gets_no_subtask(client: Client) -> None:
    parent, other = await client.task(), await client.task()
    await client.do("POST", f"/tasks/{parent['id']}/archive")
    body = {"title": "a", "parent_id": parent["id"]}
    refused(await client.send("POST", "/tasks", body), 409, "parent_archived")
    move = {"parent_id": parent["id"]}
    response = await client.send("POST", f"/tasks/{other['id']}/move", move)
    refused(response, 409, "parent_archived")


@pytest.mark.parametrize("gone", ["delete", "merge"])
async def test_a_tag_comes_back_wherever_it_was(client: Client, gone: str) -> None:
    at = await across(client)
    one, two = (await tag(client, "one"))["id"], (await tag(client, "two"))["id"]
    for name in ("top", "middle", "bottom"):
        await client.do("PATCH", at[name], {"tags": {"add": [one]}})
    await client.do("POST", f"{at['work']}/archive")
    await client.do("POST", f"{at['top']}/archive")
    if gone == "delete":
        done = await client.do("DELETE", f"/tags/{one}")
    else:
        done = await client.do("POST", f"/tags/{one}/merge", {"into": two})
    await client.do("DELETE", at["bottom"])
    undo = f"/commands/{done['meta']['command_id']}/undo"
    done = await client.do("POST", undo)
    assert done["data"]["deleted"] is False
    assert await values(client, at, done, "tags") == [[one], [one], [one]]
