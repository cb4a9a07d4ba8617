"""Totals are exact unless the client does without, or nobody asked for many."""

import pytest

from metacortex.queries.activity import ListActivity
from metacortex.queries.receipts import ListCommands
from tests.clients import Client


async def some(client: Client) -> int:
    """Create five tasks; return the sequence."""
    for number in range(5):
        sequence: int = (await client.task(f"t{number}"))["version"] + number
    await client.get("/tasks", sequence)
    return sequence


@pytest.mark.parametrize(
    ("prefer", "total", "applied"),
    [
        ("count=none", None, "count=none"),
        ('Count = "none"', None, "count=none"),
        ("handling=lenient, count=none", None, "count=none"),
        ("count=exact", 5, "count=exact"),
        ("count=none, count=exact", None, "count=none"),
        ("count=some", 5, None),
        ("wait=1", 5, None),
    ],
)
async def test_a_client_may_do_without_a_total(
    client: Client, prefer: str, total: int | None, applied: str | None
) -> None:
    await some(client)
    params = {"per_page": "2"}
    plain = await client.send("GET", "/tasks", params=params)
    response = await client.send(
        "GET", "/tasks", params=params, headers={"Prefer": prefer}
    )
    meta = response.json()["meta"]
    assert meta["total"] == total
    assert response.headers.get("preference-applied") == applied
    assert response.json()["data"] == plain.json()["data"]
    assert meta["next_cursor"] == plain.json()["meta"]["next_cursor"]
    same_tag = response.headers["etag"] == plain.headers["etag"]
    assert same_tag is (applied is None)


async def test_what_has_not_changed_is_told_with_the_preference(client: Client) -> None:
    await some(client)
    asked = {"Prefer": "count=none"}
    first = await client.send("GET", "/tasks", headers=asked)
    again = {**asked, "If-None-Match": first.headers["etag"]}
    response = await client.send("GET", "/tasks", headers=again)
    assert response.status_code == 304
    assert response.headers["preference-applied"] == "count=none"


async def test_nothing_is_not_found_without_a_total_either(client: Client) -> None:
    await some(client)
    path = "/tasks/01a20000-0000-7000-8000-000000000000/history"
    response = await client.send("GET", path, headers={"Prefer": "count=none"})
    assert response.status_code == 404


@pytest.mark.parametrize("path", ["/activity", "/audit/events", "/audit/commands"])
async def test_many_events_are_counted_for_whoever_asks(
    client: Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    await some(client)
    actor = (await client.get("/audit/events"))["data"][0]["actor"]["id"]
    for limit, total in ((5, 5), (4, None)):
        for query in (ListActivity, ListCommands):
            monkeypatch.setattr(query, "count_limit", limit)
        params = {"actor_id": actor, "page": str(limit)}  # no kept page answers
        answer = await client.send("GET", path, params=params)
        assert answer.json()["meta"]["total"] == total
        exact = {"Prefer": "count=exact"}
        answer = await client.send("GET", path, params=params, headers=exact)
        assert answer.json()["meta"]["total"] == 5
