"""Which tasks a list shows: filters, deadlines in any zone, and search."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from metacortex.kernel import clock
from tests.clients import Client
from tests.http.test_modules import project, tag


async def shown(client: Client, **params: Any) -> list[str]:
    """Return the titles of a list, sorted, of everything that was done so far."""
    sequence = (await client.do("POST", "/tags", {"name": uuid4().hex}))["meta"]
    found = await client.get("/tasks", sequence["sequence"], **params)
    assert found["meta"]["total"] == len(found["data"])
    return sorted(task["title"] for task in found["data"])


async def test_status_one_or_several(client: Client) -> None:
    for verb in ("start", "cancel"):
        await client.do("POST", f"/tasks/{(await client.task(verb))['id']}/{verb}")
    await client.task("new")
    assert await shown(client, status="pending") == ["new"]
    assert await shown(client, status=["pending", "cancelled"]) == ["cancel", "new"]


async def test_priority_one_or_several(client: Client) -> None:
    for priority in ("low", "high", "urgent"):
        await client.task(priority, priority=priority)
    assert await shown(client, priority="high") == ["high"]
    assert await shown(client, priority=["high", "low"]) == ["high", "low"]


async def test_different_filters_must_all_hold(client: Client) -> None:
    await client.task("a", priority="high")
    done = await client.task("b", priority="high")
    await client.do("POST", f"/tasks/{done['id']}/complete")
    assert await shown(client, priority="high", status="completed") == ["b"]


async def test_project_one_several_or_none(client: Client) -> None:
    one = (await project(client, "one"))["id"]
    two = (await project(client, "two"))["id"]
    await client.task("one", project_id=one)
    await client.task("two", project_id=two)
    await client.task("alone")
    assert await shown(client, project_id=one) == ["one"]
    assert await shown(client, project_id=[one, two]) == ["one", "two"]
    assert await shown(client, project_id="none") == ["alone"]
    assert await shown(client, project_id=["none", two]) == ["alone", "two"]


async def test_parent_or_none(client: Client) -> None:
    parent = await client.task("parent")
    await client.task("child", parent_id=parent["id"])
    assert await shown(client, parent_id=parent["id"]) == ["child"]
    assert await shown(client, parent_id="none") == ["parent"]


async def test_tags_any_or_all(client: Client) -> None:
    one, two = (await tag(client, "one"))["id"], (await tag(client, "two"))["id"]
    await client.task("one", tags=[one])
    await client.task("both", tags=[one, two])
    await client.task("none")
    assert await shown(client, tag=one) == ["both", "one"]
    assert await shown(client, tag=[one, two]) == ["both", "one"]
    assert await shown(client, tag=[one, two], tag_mode="all") == ["both"]
    assert await shown(client, tag=str(uuid4())) == []


async def test_assignee(client: Client) -> None:
    me = f"user_{client.user}"
    await client.task("mine", assignee_id=me)
    await client.task("nobody's")
    assert await shown(client, assignee_id=me) == ["mine"]
    assert await shown(client, assignee_id="user_x") == []


async def test_archived_and_deleted(client: Client) -> None:
    for verb, method, path in (
        ("archived", "POST", "/archive"),
        ("gone", "DELETE", ""),
    ):
        task = await client.task(verb)
        await client.do(method, f"/tasks/{task['id']}{path}")
    await client.task("plain")
    assert await shown(client) == ["archived", "plain"]
    assert await shown(client, archived="true") == ["archived"]
    assert await shown(client, archived="false") == ["plain"]
    assert await shown(client, deleted="true") == ["gone"]


async def test_a_window_of_deadlines_has_both_its_ends(client: Client) -> None:
    for day in ("2026-11-01", "2026-11-02", "2026-11-03"):
        await client.task(day, due={"date": day})
    await client.task("never")
    window = {"due_from": "2026-11-01", "due_to": "2026-11-02"}
    assert await shown(client, **window) == ["2026-11-01", "2026-11-02"]
    assert await shown(client, due_from="2026-11-03") == ["2026-11-03"]


async def test_updated_since(client: Client) -> None:
    old = await client.task("old")
    new = await client.task("new")
    assert await shown(client, updated_since=new["updated_at"]) == ["new"]
    assert await shown(client, updated_since=old["updated_at"]) == ["new", "old"]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stop the clock of lists at an instant."""

    def stop(instant: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: instant)

    return stop


BERLIN, AUCKLAND, HONOLULU = "Europe/Berlin", "Pacific/Auckland", "Pacific/Honolulu"


@pytest.mark.parametrize("zone", [BERLIN, AUCKLAND, HONOLULU, "UTC"])
async def test_at_half_past_eleven_today_is_not_over(
    client: Client, at: Any, zone: str
) -> None:
    await client.task("yesterday", due={"date": "2026-11-22"})
    await client.task("today", due={"date": "2026-11-23"})
    await client.task("today at ten", due={"date": "2026-11-23", "time": "22:00:00"})
    await client.task("tomorrow", due={"date": "2026-11-24"})
    await shown(client)
    at(datetime(2026, 11, 23, 23, 30, tzinfo=ZoneInfo(zone)).astimezone(UTC))
    late = ["today at ten", "yesterday"]
    assert await shown(client, overdue="true", time_zone=zone) == late
    assert await shown(client, overdue="false", time_zone=zone) == [
        "today",
        "tomorrow",
    ]


async def test_a_fixed_deadline_is_the_same_for_everybody(
    client: Client, at: Any
) -> None:
    due = {"date": "2026-11-23", "time": "23:00:00", "time_zone": BERLIN}
    await client.task("call", due=due)
    await client.task("float", due={"date": "2026-11-23", "time": "23:00:00"})
    await shown(client)
    at(datetime(2026, 11, 23, 22, 30, tzinfo=UTC))  # 23:30 in Berlin, 12:30 in Honolulu
    assert await shown(client, overdue="true", time_zone=BERLIN) == ["call", "float"]
    assert await shown(client, overdue="true", time_zone=HONOLULU) == ["call"]


async def test_what_is_done_is_not_late(client: Client) -> None:
    task = await client.task("a", due={"date": "2020-01-01"})
    assert await shown(client, overdue="true") == ["a"]
    await client.do("POST", f"/tasks/{task['id']}/complete")
    assert await shown(client, overdue="true") == []


async def test_stats_agree_with_lists(client: Client) -> None:
    await client.task("late", due={"date": "2020-01-01"}, priority="urgent")
    done = await client.task("done")
    await client.do("POST", f"/tasks/{done['id']}/complete")
    gone = await client.task("gone")
    last = await client.do("DELETE", f"/tasks/{gone['id']}")
    found = await client.get("/tasks/stats", last["meta"]["sequence"])
    counts = found["data"]
    assert (counts["total"], counts["open"], counts["overdue"]) == (2, 1, 1)
    assert counts["by_status"]["completed"] == 1
    assert counts["by_priority"] == {"low": 0, "medium": 1, "high": 0, "urgent": 1}


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("milk", ["buy oat milk", "milk the cow"]),
        ("oat milk", ["buy oat milk"]),
        ('"the cow"', ["milk the cow"]),
        ("milk -cow", ["buy oat milk"]),
        ("cow or notary", ["call the notary", "milk the cow"]),
        ("Notary", ["call the notary"]),
        ("key", ["call the notary"]),
        ("q4", ["plan Q3/Q4 in room-5"]),
        ("Q3/Q4", ["plan Q3/Q4 in room-5"]),
        ("5", ["plan Q3/Q4 in room-5"]),
        ("nothing", []),
        ("'", []),
        ('"', []),
        ("& | ! ( ) : *", []),
    ],
)
async def test_search(client: Client, q: str, found: list[str]) -> None:
    await client.task("buy oat milk")
    await client.task("milk the cow")
    await client.task("call the notary", description="about the key")
    await client.task("plan Q3/Q4 in room-5")
    assert await shown(client, q=q) == found


async def test_a_hyphen_does_not_count_the_other_words_twice(client: Client) -> None:
    await client.task("rent - flat")
    await client.task("rent rent")
    found = await client.get("/tasks", 2, q="rent")
    assert [task["title"] for task in found["data"]] == ["rent rent", "rent - flat"]
    await client.task("alpha beta-gamma")
    assert (await client.get("/tasks", 3, q='"gamma alpha"'))["meta"]["total"] == 0
    assert (await client.get("/tasks", 3, q='"beta gamma"'))["meta"]["total"] == 1


async def test_the_best_match_comes_first(client: Client) -> None:
    await client.task("garden", description="milk")
    await client.task("milk")
    found = await client.get("/tasks", 2, q="milk")
    assert [task["title"] for task in found["data"]] == ["milk", "garden"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "done"),
        ("priority", "4"),
        ("project_id", "x"),
        ("tag", "none"),
        ("tag_mode", "some"),
        ("assignee_id", "a b"),
        ("due_from", "tomorrow"),
        ("due_from", "10000-01-01"),
        ("due_to", "2026-02-30"),
        ("due_to", "1764000000"),
        ("overdue", "maybe"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("q", ""),
        ("q", "x" * 501),
        ("q", "\x00"),
        ("updated_since", "2026-11-23"),
        ("updated_since", "2026-11-23T09:00:00"),
        ("updated_since", "0001-01-01T00:00:00+14:00"),
        ("updated_since", "9999-12-31T23:59:59-14:00"),
        ("archived", "2"),
        ("deleted", ""),
    ],
)
async def test_a_bad_filter_is_refused_by_name(
    client: Client, name: str, value: str
) -> None:
    response = await client.send("GET", "/tasks", params={name: value})
    assert response.status_code == 400, response.text
    assert response.json()["errors"][0]["source"] == {"parameter": name}


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Asia/Tokyo", "Pacific/Kiritimati"]
)
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("time", ["00:00:00", "23:59:59", None])
async def test_the_ends_of_the_calendar_are_days_like_others(
    client: Client, zone: str, day: str, time: str | None
) -> None:
    due = {"date": day, "time": time, "time_zone": zone}
    task = await client.task("a", due=due)
    assert task["due"]["date"] == day
    assert await shown(client, overdue=str(day < "2000").lower()) == ["a"]
