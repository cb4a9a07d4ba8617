"""Sections of projects as a board shows them, over HTTP."""

from typing import Any
from uuid import uuid4

from tests.clients import Client
from tests.http.test_envelope import refused
from tests.http.test_modules import project


async def section(client: Client, project_id: str, name: str) -> Any:
    """Create a section and return it."""
    body = {"name": name, "project_id": project_id}
    return (await client.do("POST", "/sections", body))["data"]


async def names(client: Client, path: str, done: Any, **params: Any) -> list[str]:
    """Return the names or titles of a list that shows what was done."""
    page = await client.get(path, done["meta"]["sequence"], **params)
    return [it.get("name") or it["title"] for it in page["data"]]


async def test_a_board_from_its_making_to_its_end(client: Client) -> None:
    home = (await project(client))["id"]
    todo, doing, done = [
        (await section(client, home, it))["id"] for it in ("To do", "Doing", "Done")
    ]
    other = await section(client, (await project(client, "Other"))["id"], "Elsewhere")
    last = await client.do("POST", f"/sections/{done}/move", {"before": doing})
    shown = await names(client, "/sections", last, project_id=home)
    assert shown == ["To do", "Done", "Doing"]
    a, b = [
        (await client.task(it, project_id=home, section_id=todo))["id"] for it in "ab"
    ]
    body = {"section_id": doing}
    moved = await client.do("POST", f"/tasks/{a}/move", body)
    assert moved["data"]["section_id"] == doing
    last = await client.do("POST", f"/tasks/{b}/move", {**body, "before": a})
    board = {"sort": "rank", "parent_id": "none"}
    assert await names(client, "/tasks", last, section_id=doing, **board) == ["b", "a"]
    assert await names(client, "/tasks", last, section_id=todo, **board) == []
    response = await client.send(
        "POST", f"/tasks/{a}/move", {"section_id": other["id"]}
    )
    error = refused(response, 422, "unknown_reference")
    assert error["source"] == {"pointer": "/section_id"}
    last = await client.do("DELETE", f"/sections/{doing}")
    assert await names(client, "/sections", last, project_id=home) == ["To do", "Done"]
    loose = await names(client, "/tasks", last, section_id="none", **board)
    assert loose == ["b", "a"]
    last = await client.do("POST", f"/sections/{doing}/restore")
    assert await names(client, "/tasks", last, section_id=doing, **board) == ["b", "a"]
    last = await client.do("POST", f"/commands/{last['meta']['command_id']}/undo")
    assert await names(client, "/tasks", last, section_id=doing, **board) == []
    history = await client.get(f"/sections/{doing}/history", last["meta"]["sequence"])
    types = [it["type"] for it in history["data"]]
    assert types == [f"section.{it}" for it in ("reverted", "restored", "deleted")] + [
        "section.created"
    ]


async def test_a_section_is_renamed_and_read(client: Client) -> None:
    made = await section(client, (await project(client))["id"], "Doing")
    done = await client.do("PATCH", f"/sections/{made['id']}", {"name": "Done"})
    found = await client.get(f"/sections/{made['id']}", done["meta"]["sequence"])
    assert found["data"] == done["data"] and found["data"]["name"] == "Done"
    response = await client.send("DELETE", f"/sections/{uuid4()}")
    refused(response, 404, "not_found")


async def test_sections_are_hidden_with_their_project(client: Client) -> None:
    home = (await project(client))["id"]
    made = await section(client, home, "Doing")
    last = await client.do("DELETE", f"/projects/{home}")
    assert await names(client, "/sections", last) == []
    response = await client.send("PATCH", f"/sections/{made['id']}", {"name": "No"})
    refused(response, 409, "project_deleted")
    last = await client.do("POST", f"/projects/{home}/restore")
    assert await names(client, "/sections", last) == ["Doing"]
