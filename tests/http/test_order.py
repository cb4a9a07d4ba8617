"""Tasks in the order of their siblings, over HTTP."""

from typing import Any
from uuid import uuid4

import pytest

from tests.clients import Client
from tests.http.test_envelope import refused


async def titles(client: Client, at_least: int, **params: Any) -> list[str]:
    """Return the titles of a list by rank, read page by page of two."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await client.get(
            "/tasks", at_least, sort="rank", per_page=2, **params, **cursor
        )
        found += [task["title"] for task in page["data"]]
        if page["meta"]["next_cursor"] is None:
            return found
        cursor = {"cursor": page["meta"]["next_cursor"]}


async def test_tasks_are_dragged_to_their_places(client: Client) -> None:
    a, b, c, d = [(await client.task(it))["id"] for it in "abcd"]
    moved = await client.do("POST", f"/tasks/{d}/move", {"before": b})
    assert moved["data"]["rank"] and moved["meta"]["version"] == 2
    assert [it["type"] for it in moved["meta"]["events"]] == ["task.moved"]
    sequence = (await client.do("POST", f"/tasks/{a}/move", {"after": c}))["meta"]
    assert await titles(client, sequence["sequence"], parent_id="none") == [*"dbca"]
    back = await client.do("POST", f"/commands/{sequence['command_id']}/undo")
    assert back["data"]["rank"] is None
    sequence = back["meta"]
    assert await titles(client, sequence["sequence"], parent_id="none") == [*"adbc"]


async def test_subtasks_have_an_order_of_their_own(client: Client) -> None:
    parent = (await client.task("parent"))["id"]
    one, two, three = [
        (await client.task(it, parent_id=parent))["id"] for it in ("1", "2", "3")
    ]
    new = (await client.task("new"))["id"]
    await client.do("POST", f"/tasks/{new}/move", {"parent_id": parent, "after": one})
    last = await client.do("POST", f"/tasks/{two}/move", {"before": one})
    sequence = last["meta"]["sequence"]
    assert await titles(client, sequence, parent_id=parent) == ["2", "1", "new", "3"]
    out = await client.do("POST", f"/tasks/{three}/move", {"parent_id": None})
    sequence = out["meta"]["sequence"]
    assert await titles(client, sequence, parent_id="none") == ["parent", "3"]
    later = await client.task("later")
    sequence += 1
    assert later["rank"] is None
    assert await titles(client, sequence, parent_id="none") == ["parent", "3", "later"]


async def test_a_list_of_then_has_the_order_of_then(client: Client) -> None:
    await client.task("a")
    b = (await client.task("b"))["id"]
    c = (await client.task("c"))["id"]
    at: list[str] = []
    for body in ({"before": b}, {"after": b}):
        done = await client.do("POST", f"/tasks/{c}/move", body)
        await client.get("/tasks", done["meta"]["sequence"])
        event = await client.get(f"/audit/events/{done['meta']['events'][0]['id']}")
        at.append(event["data"]["recorded_at"])
    assert await titles(client, 0, parent_id="none", as_of=at[0]) == [*"acb"]
    assert await titles(client, 0, parent_id="none", as_of=at[1]) == [*"abc"]


async def test_a_batch_sorts_a_list(client: Client) -> None:
    ids = {it: (await client.task(it))["id"] for it in "dbca"}
    commands = [
        {
            "id": str(uuid4()),
            "type": "task.move",
            "target": ids[one],
            "args": {"after": ids[other]},
        }
        for other, one in ("ab", "bc", "cd")
    ]
    done = await client.do("POST", "/commands", {"commands": commands})
    sequence = done["meta"]["sequence"]
    assert await titles(client, sequence, parent_id="none") == [*"abcd"]


@pytest.mark.parametrize("params", [{}, {"parent_id": [str(uuid4()), "none"]}])
async def test_only_siblings_are_sorted_by_rank(
    client: Client, params: dict[str, Any]
) -> None:
    response = await client.send("GET", "/tasks", params={"sort": "-rank", **params})
    error = refused(response, 400, "invalid_parameter")
    assert error["source"] == {"parameter": "sort"}


async def test_a_place_is_named_once_and_beside_a_sibling(client: Client) -> None:
    a = (await client.task())["id"]
    below = (await client.task("below", parent_id=a))["id"]
    path = f"/tasks/{(await client.task())['id']}/move"
    response = await client.send("POST", path, {"before": a, "after": a})
    error = refused(response, 422, "invalid_field")
    assert error["source"] == {"pointer": "/after"}
    for other in (below, str(uuid4())):
        response = await client.send("POST", path, {"before": other})
        assert refused(response, 409, "not_a_sibling")["meta"]["id"] == other
