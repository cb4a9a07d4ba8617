"""What was: the task log, resources as they were, the change feed and the trail."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.clients import Client
from tests.http.test_envelope import refused


async def lived(client: Client) -> tuple[str, int]:
    """Create a task and change it thrice; return its path and the sequence."""
    path = f"/tasks/{(await client.task('one'))['id']}"
    await client.do("PATCH", path, {"title": "two"})
    await client.do("POST", f"{path}/start")
    done = await client.do("POST", f"{path}/complete")
    return path, done["meta"]["sequence"]


async def test_a_history_is_newest_first_with_from_and_to(client: Client) -> None:
    path, sequence = await lived(client)
    found = await client.get(f"{path}/history", sequence)
    types = [line["type"] for line in found["data"]]
    assert types == ["task.completed", "task.started", "task.edited", "task.created"]
    assert found["data"][2]["changes"]["title"] == {"from": "one", "to": "two"}
    assert found["data"][3]["changes"]["title"] == {"to": "one"}
    assert [line["version"] for line in found["data"]] == [4, 3, 2, 1]


async def test_a_history_has_pages(client: Client) -> None:
    path, sequence = await lived(client)
    page = await client.get(f"{path}/history", sequence, per_page=3)
    assert page["meta"]["total"] == 4
    cursor = page["meta"]["next_cursor"]
    rest = await client.get(f"{path}/history", per_page=3, cursor=cursor)
    assert [line["version"] for line in page["data"] + rest["data"]] == [4, 3, 2, 1]


@pytest.mark.parametrize("path", ["/projects", "/tags"])
async def test_every_resource_has_a_history(client: Client, path: str) -> None:
    done = await client.do("POST", path, {"name": "a"})
    asked = f"{path}/{done['data']['id']}/history"
    assert (await client.get(asked, 1))["meta"]["total"] == 1


async def test_a_version_is_the_resource_as_it_was(client: Client) -> None:
    path, _ = await lived(client)
    titles = [(await client.get(path, version=v))["data"] for v in (1, 2, 3)]
    assert [task["title"] for task in titles] == ["one", "two", "two"]
    assert [task["status"] for task in titles] == ["pending", "pending", "in_progress"]


async def test_an_instant_is_the_resource_as_it_was(client: Client) -> None:
    first = await client.task("one")
    path = f"/tasks/{first['id']}"
    await client.do("PATCH", path, {"title": "two"})
    then = first["updated_at"]
    assert (await client.get(path, as_of=then))["data"] == first
    before = datetime.fromisoformat(then) - timedelta(seconds=1)
    params = {"as_of": before.isoformat()}
    refused(await client.send("GET", path, params=params), 404, "not_found")


@pytest.mark.parametrize(
    "params",
    [
        {"version": "0"},
        {"version": "x"},
        {"version": "99999999999"},
        {"as_of": "yesterday"},
        {"as_of": "2026-11-23T09:00:00Z", "version": "1"},
        {"as_of": "0001-01-01T00:00:00+14:00"},
        {"as_off": "2026-11-23T09:00:00Z"},
    ],
)
async def test_a_bad_point_in_time_is_refused(
    client: Client, params: dict[str, str]
) -> None:
    path = f"/tasks/{(await client.task())['id']}"
    assert (await client.send("GET", path, params=params)).status_code == 400


async def test_a_version_to_come_is_not_found(client: Client) -> None:
    path = f"/tasks/{(await client.task())['id']}"
    response = await client.send("GET", path, params={"version": "2"})
    refused(response, 404, "not_found")


async def test_changes_are_resumed_where_one_left(client: Client) -> None:
    made = [(await client.task(str(n)))["id"] for n in range(5)]
    seen: list[str] = []
    since, more = 0, True
    while more:
        page = await client.get("/changes", 5, since=since, limit=2)
        seen += [change["id"] for change in page["data"]]
        since, more = page["meta"]["next_since"], page["meta"]["more"]
    assert seen == made
    assert (await client.get("/changes", since=since))["data"] == []
    done = await client.do("PATCH", f"/tasks/{made[0]}", {"title": "new"})
    page = await client.get("/changes", done["meta"]["sequence"], since=since)
    assert [change["data"]["title"] for change in page["data"]] == ["new"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("since", "-1"), ("since", "9" * 17), ("limit", "0"), ("limit", "1001")],
)
async def test_a_bad_place_to_resume_is_refused(
    client: Client, name: str, value: str
) -> None:
    response = await client.send("GET", "/changes", params={name: value})
    assert refused(response, 400, "invalid_parameter")["source"] == {"parameter": name}


async def trail(client: Client, **params: Any) -> list[int]:
    """Return the sequences of the events that a filter lets through, oldest first."""
    found = await client.get("/audit/events", **params)
    assert found["meta"]["total"] == len(found["data"])
    return sorted(event["sequence"] for event in found["data"])


async def test_the_trail_takes_every_filter(client: Client) -> None:
    path, _ = await lived(client)
    headers = {"X-Request-Id": "req-9", "X-Correlation-Id": "corr-9"}
    tag = await client.send("POST", "/tags", {"name": "a"}, headers)
    meta = tag.json()["meta"]
    assert len((await client.get("/audit/events", 5))["data"]) == 5
    assert await trail(client, type="task.edited") == [2]
    assert await trail(client, type=["task.edited", "tag.created"]) == [2, 5]
    assert await trail(client, stream_type="tag") == [5]
    assert await trail(client, stream_id=path.rpartition("/")[2]) == [1, 2, 3, 4]
    assert await trail(client, command_id=meta["command_id"]) == [5]
    assert await trail(client, correlation_id="corr-9") == [5]
    assert await trail(client, request_id="req-9") == [5]
    assert await trail(client, actor_id=f"user_{client.user}") == [1, 2, 3, 4, 5]
    assert await trail(client, actor_id="user_x") == []


async def test_the_trail_has_a_window_of_time(client: Client) -> None:
    await lived(client)
    lines = (await client.get("/audit/events", 4))["data"]
    times = {line["sequence"]: line["recorded_at"] for line in lines}
    assert await trail(client, **{"from": times[3]}) == [3, 4]
    assert await trail(client, to=times[2]) == [1, 2]
    assert await trail(client, **{"from": times[2], "to": times[3]}) == [2, 3]


async def test_an_event_is_found_by_its_id(client: Client) -> None:
    done = await client.do("POST", "/tasks", {"title": "a"})
    await client.get("/tasks", 1)
    id = done["meta"]["events"][0]["id"]
    found = await client.get(f"/audit/events/{id}")
    event = found["data"]
    assert event["event_id"] == id
    assert event["data"]["title"] == "a"
    assert len(bytes.fromhex(event["leaf_hash"])) == 32
    response = await client.send("GET", f"/audit/events/{uuid4()}")
    refused(response, 404, "not_found")


async def test_a_feed_of_another_log_must_begin_anew(client: Client) -> None:
    head = (await client.do("POST", "/tasks", {"title": "a"}))["meta"]["sequence"]
    await client.get("/changes", since=head)
    await client.get("/changes", head, since=head)
    for response in (
        await client.send("GET", "/changes", params={"since": head + 1}),
        await client.send(
            "GET", "/events/stream", headers={"Last-Event-ID": str(head + 1)}
        ),
    ):
        error = refused(response, 410, "resync_required")
        assert error["meta"] == {"since": head + 1, "head": head}
