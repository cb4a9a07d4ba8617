"""Batches: commands in order, all or none, or each on its own."""

from typing import Any
from uuid import uuid4

import pytest

from tests.clients import Client
from tests.http.test_envelope import refused

Item = dict[str, Any]


def create(title: str = "a", **args: Any) -> Item:
    """Return the item that creates a task."""
    named = {"title": title, **args}
    return {"id": str(uuid4()), "type": "task.create", "args": named}


def on(target: str, type: str, **args: Any) -> Item:
    """Return an item for something that exists."""
    return {"id": str(uuid4()), "type": type, "target": target, "args": args}


async def run(
    client: Client, *commands: Item, atomicity: str = "all", **params: Any
) -> Any:
    """Return the answer to a batch."""
    body = {"atomicity": atomicity, "commands": list(commands)}
    return await client.send("POST", "/commands", body, params=params)


async def titles(client: Client, at_least: int | None = None) -> list[str]:
    """Return the titles of all tasks, sorted."""
    found = await client.get("/tasks", at_least)
    return sorted(task["title"] for task in found["data"])


async def test_all_are_applied_in_order(client: Client) -> None:
    response = await run(client, create("a"), create("b"))
    body = response.json()
    assert response.status_code == 200
    assert [it["data"]["title"] for it in body["data"]["results"]] == ["a", "b"]
    assert body["meta"]["sequence"] == 2
    assert await titles(client, 2) == ["a", "b"]


async def test_one_refusal_takes_all_back_and_names_itself(client: Client) -> None:
    response = await run(
        client, create("a"), create("b"), on(str(uuid4()), "task.start")
    )
    error = refused(response, 404, "not_found")
    assert error["source"] == {"pointer": "/commands/2"}
    assert await titles(client) == []


async def test_per_item_each_stands_on_its_own(client: Client) -> None:
    bad = on(str(uuid4()), "task.start")
    worse = create(title=" ")
    response = await run(
        client, create("a"), bad, worse, create("b"), atomicity="per_item"
    )
    assert response.status_code == 207
    results = response.json()["data"]["results"]
    assert [it["status"] for it in results] == [201, 404, 422, 201]
    assert [it["id"] for it in results][1] == bad["id"]
    assert results[1]["data"] is None
    assert results[1]["errors"][0]["source"] == {"pointer": "/commands/1"}
    assert results[2]["errors"][0]["source"] == {"pointer": "/commands/2/args/title"}
    assert await titles(client, 2) == ["a", "b"]


async def test_a_dry_run_decides_and_keeps_nothing(client: Client) -> None:
    for atomicity in ("all", "per_item"):
        response = await run(client, create("a"), atomicity=atomicity, dry_run="true")
        body = response.json()
        assert body["meta"]["dry_run"] is True
        assert body["data"]["results"][0]["data"]["title"] == "a"
        assert "Metacortex-Sequence" not in response.headers
    assert await titles(client) == []


async def test_a_dry_run_refuses_what_a_real_one_would(client: Client) -> None:
    response = await run(client, on(str(uuid4()), "task.start"), dry_run="true")
    refused(response, 404, "not_found")


async def test_a_dry_run_leaves_no_receipt(client: Client) -> None:
    item = create("a")
    await run(client, item, dry_run="true")
    refused(await client.send("GET", f"/commands/{item['id']}"), 404, "not_found")


async def test_a_command_refers_to_what_an_earlier_one_creates(client: Client) -> None:
    project, parent = str(uuid4()), str(uuid4())
    made = {"id": "p", "type": "project.create", "args": {"name": "x", "id": project}}
    response = await run(
        client,
        made,
        create("parent", id=parent, project_id=project),
        create("child", parent_id=parent),
        on(parent, "task.start"),
    )
    assert response.status_code == 200, response.text
    results = [it["data"] for it in response.json()["data"]["results"]]
    assert results[2]["parent_id"] == parent
    assert results[2]["project_id"] == project
    assert results[3]["status"] == "in_progress"


async def test_a_later_command_is_no_help_to_an_earlier(client: Client) -> None:
    parent = str(uuid4())
    response = await run(
        client, create("child", parent_id=parent), create("parent", id=parent)
    )
    error = refused(response, 422, "unknown_reference")
    assert error["source"] == {"pointer": "/commands/0/args/parent_id"}


async def test_a_repeated_batch_is_replayed(client: Client) -> None:
    items = [create("a"), create("b")]
    first = (await run(client, *items)).json()
    again = (await run(client, *items)).json()
    assert all(it["meta"]["replayed"] for it in again["data"]["results"])
    one, two = (
        [it["data"] for it in body["data"]["results"]] for body in (first, again)
    )
    assert one == two
    assert await titles(client, 2) == ["a", "b"]


async def test_an_item_states_the_version_that_it_expects(client: Client) -> None:
    task = await client.task()
    item = {**on(task["id"], "task.start"), "expected_version": 7}
    error = refused(await run(client, item), 412, "version_conflict")
    assert error["source"]["pointer"].startswith("/commands/0")


async def test_a_hundred_commands_pass(client: Client) -> None:
    response = await run(client, *(create(str(n)) for n in range(100)))
    assert response.status_code == 200
    assert response.json()["meta"]["sequence"] == 100


@pytest.mark.parametrize("count", [0, 101])
async def test_no_commands_or_too_many_are_refused(client: Client, count: int) -> None:
    response = await run(client, *(create() for _ in range(count)))
    error = refused(response, 422, "invalid_field")
    assert error["source"] == {"pointer": "/commands"}


@pytest.mark.parametrize("atomicity", ["all", "per_item"])
async def test_an_id_stands_once(client: Client, atomicity: str) -> None:
    item = create()
    response = await run(client, item, item, atomicity=atomicity)
    error = refused(response, 422, "invalid_field")
    assert error["source"] == {"pointer": "/commands/1/id"}
    assert await titles(client) == []


BAD: list[tuple[Item, str, str]] = [
    ({**create(), "type": "task.paint"}, "unknown_command", "/commands/0/type"),
    ({**create(), "target": str(uuid4())}, "unknown_field", "/commands/0/target"),
    (
        {"id": "a", "type": "task.start", "args": {}},
        "missing_field",
        "/commands/0/target",
    ),
    (create(owner_id="x"), "unknown_field", "/commands/0/args/owner_id"),
    ({**create(), "owner_id": "x"}, "unknown_field", "/commands/0/owner_id"),
    ({**create(), "id": 7}, "invalid_field", "/commands/0/id"),
    ({**create(), "args": []}, "invalid_field", "/commands/0/args"),
    ({"id": "a", "args": {}}, "missing_field", "/commands/0/type"),
]


@pytest.mark.parametrize(("item", "code", "pointer"), BAD)
async def test_what_is_wrong_with_an_item_is_pointed_at(
    client: Client, item: Item, code: str, pointer: str
) -> None:
    error = refused(await run(client, item), 422, code)
    assert error["source"] == {"pointer": pointer}


async def test_an_id_that_is_no_key_is_pointed_at(client: Client) -> None:
    response = await run(client, {**create(), "id": "two words"})
    error = refused(response, 422, "invalid_field")
    assert error["source"] == {"pointer": "/commands/0/id"}
