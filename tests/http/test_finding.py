"""Finding things: words as one types them, who made them, and what hangs on them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from metacortex.api.auth import Role
from metacortex.queries import past
from tests.clients import Client
from tests.http.test_envelope import refused
from tests.http.test_filters import shown


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("mil", ["buy milk"]),
        ("日本", ["日本語の本"]),
        ("語", ["日本語の本"]),
        ("牛奶", ["买牛奶"]),
        ("한국", ["한국어 배우기"]),
        ("本 mil", []),
    ],
)
async def test_words_that_go_on_and_words_without_spaces(
    client: Client, q: str, found: list[str]
) -> None:
    titles = ("buy milk", "日本語の本", "买牛奶", "한국어 배우기")
    for title in titles:
        await client.task(title)
        await client.do("POST", "/tags", {"name": title})
        await client.do("POST", "/projects", {"name": title})
    assert await shown(client, q=q) == found
    for path in ("/tags", "/projects"):
        listed = await client.get(path, 3 * len(titles), q=q)
        assert [it["name"] for it in listed["data"]] == found


async def test_who_created_it(client: Client) -> None:
    name = f"w{uuid4().hex[:12]}"
    anna = client.like(user="anna", workspace=name)
    ben = client.like(user="ben", workspace=name, role=Role.MEMBER)
    theirs = await anna.task("Anna's")
    await ben.task("Ben's")
    await ben.do("PATCH", f"/tasks/{theirs['id']}", {"priority": "high"})
    assert await shown(anna, created_by="user_anna") == ["Anna's"]
    assert await shown(anna, created_by="user_ben") == ["Ben's"]
    assert await shown(anna, created_by=["user_ben", "user_anna"]) == [
        "Anna's",
        "Ben's",
    ]


async def test_a_row_counts_subtasks_and_comments(client: Client) -> None:
    top = await client.task("top")
    ids = [(await client.task(str(n), parent_id=top["id"]))["id"] for n in range(3)]
    await client.do("POST", f"/tasks/{ids[0]}/complete")
    await client.do("DELETE", f"/tasks/{ids[1]}")
    await client.do("POST", f"/tasks/{top['id']}/comment", {"body": "a"})
    last = await client.do("POST", f"/tasks/{top['id']}/comment", {"body": "b"})
    found = await client.get("/tasks", last["meta"]["sequence"], parent_id="none")
    (row,) = found["data"]
    assert (row["subtasks"], row["comments"]) == ({"open": 1, "all": 2}, 2)
    one = await client.get(f"/tasks/{top['id']}")
    assert "comments" not in one["data"]


async def walked(client: Client) -> list[dict[str, Any]]:
    """Do a few things, and return the instant and the list after each of them."""
    seen = []
    top = await client.task("paint the fence", due={"date": "2020-01-01"})
    child = await client.task("日本語", parent_id=top["id"], priority="high")
    steps = (
        ("POST", f"/tasks/{child['id']}/complete", None),
        ("PATCH", f"/tasks/{top['id']}", {"title": "paint the wall"}),
        ("POST", f"/tasks/{top['id']}/comment", {"body": "a"}),
        ("POST", "/tags", {"name": "other"}),
        ("DELETE", f"/tasks/{child['id']}", None),
    )
    for method, path, body in steps:
        done = await client.do(method, path, body)
        sequence = done["meta"]["sequence"]
        event = done["meta"]["events"][0]["id"]
        now = await client.get("/tasks", sequence)
        at = (await client.get(f"/audit/events/{event}"))["data"]["recorded_at"]
        seen.append({"at": at, "sequence": sequence, "data": now["data"]})
    return seen


async def test_a_list_of_then_is_the_list_that_was(client: Client) -> None:
    for then in reversed(await walked(client)):
        found = await client.get("/tasks", as_of=then["at"])
        assert found["data"] == then["data"]
        assert found["meta"]["sequence"] == then["sequence"]
    before = await client.get("/tasks", as_of="2020-01-01T00:00:00Z")
    assert (before["data"], before["meta"]["sequence"]) == ([], 0)


async def test_filters_and_sorts_of_then(client: Client) -> None:
    first, *_, last = await walked(client)

    async def titles(at: str, **params: Any) -> list[str]:
        found = await client.get("/tasks", as_of=at, **params)
        return [it["title"] for it in found["data"]]

    assert await titles(first["at"], q="fen") == ["paint the fence"]
    assert await titles(last["at"], q="fen") == []
    assert await titles(first["at"], q="日本") == ["日本語"]
    assert await titles(last["at"], deleted="true") == ["日本語"]
    assert await titles(first["at"], status="completed") == ["日本語"]
    assert await titles(first["at"], sort="-priority") == ["日本語", "paint the fence"]
    assert await titles(first["at"], overdue="true") == ["paint the fence"]
    assert await titles(
        first["at"], created_by=f"user_{client.user}", sort="title"
    ) == [
        "paint the fence",
        "日本語",
    ]
    page = await client.get("/tasks", as_of=first["at"], per_page=1)
    rest = await client.get(
        "/tasks", as_of=first["at"], per_page=1, cursor=page["meta"]["next_cursor"]
    )
    assert [it["title"] for it in (*page["data"], *rest["data"])] == [
        "日本語",
        "paint the fence",
    ]


async def test_a_past_that_is_too_long_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "EVENTS_LIMIT", 1)
    monkeypatch.setattr(past, "STEP", 1)
    await client.task("a")
    then = datetime.now(UTC)
    await client.task("b")
    later = (datetime.now(UTC) + timedelta(seconds=9)).isoformat()
    response = await client.send("GET", "/tasks", params={"as_of": later})
    error = refused(response, 422, "too_many_events")
    assert error["meta"] == {"limit": 1, "events": 2}
    monkeypatch.setattr(past, "EVENTS_LIMIT", 2)
    found = await client.get("/tasks", as_of=later)
    assert [it["title"] for it in found["data"]] == ["b", "a"]
    found = await client.get("/tasks", as_of=then.isoformat())
    assert [it["title"] for it in found["data"]] == ["a"]


async def test_a_past_that_waits_is_not_called_stale(client: Client) -> None:
    await client.task("a")
    found = await client.get("/tasks", 1, as_of="2020-01-01T00:00:00Z")
    assert "stale" not in found["meta"]
