"""Oneself and the members of a workspace, over HTTP."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from metacortex.api.auth import Role
from metacortex.kernel import clock
from tests.clients import Client
from tests.http.test_envelope import refused


@pytest.fixture
def team(client: Client) -> tuple[Client, Client]:
    """An owner and a member, who has not called yet, of one workspace."""
    name = f"w{uuid4().hex[:12]}"
    return (
        client.like(user="anna", workspace=name, role=Role.OWNER),
        client.like(user="ben", workspace=name, role=Role.MEMBER),
    )


async def test_who_never_told_anything_has_the_defaults(client: Client) -> None:
    found = await client.get("/me")
    assert {**found["data"], "workspace_id": ""} == {
        "id": f"user_{client.user}",
        "name": None,
        "avatar_url": None,
        "time_zone": None,
        "week_start": "monday",
        "theme": "system",
        "workspace_id": "",
        "role": "owner",
    }
    assert found["meta"]["sequence"] == 0


async def test_an_edit_is_answered_and_read_back(client: Client) -> None:
    told = {
        "name": "Anna Rao",
        "avatar_url": "https://img.example.org/a.png?s=64",
        "time_zone": "Asia/Kolkata",
        "week_start": "sunday",
        "theme": "dark",
    }
    done = await client.do("PATCH", "/me", told)
    assert done["data"].items() >= told.items()
    assert [it["type"] for it in done["meta"]["events"]] == [
        "person.created",
        "person.edited",
    ]
    read = await client.get("/me", done["meta"]["sequence"])
    assert read["data"] == done["data"]
    less = await client.do("PATCH", "/me", {"name": None, "theme": "light"})
    now = {**told, "name": None, "theme": "light"}
    assert less["data"].items() >= now.items()


async def test_a_repeat_of_an_edit_is_answered_as_before(client: Client) -> None:
    key = {"Idempotency_Key": str(uuid4())}
    first = await client.do("PATCH", "/me", {"name": "Anna"}, **key)
    again = await client.do("PATCH", "/me", {"name": "Anna"}, **key)
    assert again["meta"]["replayed"] and again["data"] == first["data"]
    nothing = await client.do("PATCH", "/me", {"name": "Anna"})
    assert nothing["meta"]["events"] == []


async def test_an_edit_is_undone(client: Client) -> None:
    await client.do("PATCH", "/me", {"name": "Anna"})
    done = await client.do("PATCH", "/me", {"name": "Anne", "theme": "dark"})
    path = f"/commands/{done['meta']['command_id']}/undo"
    undone = await client.do("POST", path)
    found = await client.get("/me", undone["meta"]["sequence"])
    assert (found["data"]["name"], found["data"]["theme"]) == ("Anna", "system")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("avatar_url", "http://img.example.org/a.png"),
        ("avatar_url", "javascript:alert(1)"),
        ("avatar_url", "https://"),
        ("avatar_url", "https://a b"),
        ("avatar_url", "https://a/" + "x" * 2_000),
        ("time_zone", "Mars/Olympus"),
        ("week_start", "friday"),
        ("week_start", None),
        ("theme", "pink"),
        ("name", ""),
        ("name", "x" * 101),
        ("name", "a\x00b"),
    ],
)
async def test_a_bad_value_is_refused_by_name(
    client: Client, name: str, value: Any
) -> None:
    response = await client.send("PATCH", "/me", {name: value})
    error = refused(response, 422, "invalid_field")
    assert error["source"] == {"pointer": f"/{name}"}


@pytest.mark.parametrize("role", list(Role))
async def test_everybody_may_ask_who_they_are(client: Client, role: Role) -> None:
    other = client.like(user=client.user, role=role) if role != "member" else None
    other = other or client.like(workspace=f"w{uuid4().hex[:12]}", role=role)
    assert (await other.get("/me"))["data"]["role"] == role


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.OPERATOR])
async def test_auditors_and_operators_are_no_members(
    client: Client, role: Role
) -> None:
    other = client.like(user=client.user, role=role)
    await other.get("/me")
    refused(await other.send("GET", "/members"), 403, "role_required")
    refused(await other.send("PATCH", "/me", {"name": "a"}), 403, "role_required")
    assert (await client.get("/members"))["data"] == []


async def test_members_are_who_called_and_who_was_introduced(
    team: tuple[Client, Client],
) -> None:
    anna, ben = team
    await anna.get("/me")
    done = await anna.do("POST", "/members", {"user_id": "user_ben", "name": "Ben"})
    introduced = {
        "id": "user_ben",
        "name": "Ben",
        "avatar_url": None,
        "role": "member",
        "joined": False,
    }
    assert done["data"] == introduced
    found = await anna.get("/members", done["meta"]["sequence"])
    caller = {**introduced, "id": "user_anna", "name": None, "role": "owner"}
    assert found["data"] == [introduced, {**caller, "joined": True}]
    assert found["meta"]["total"] == 2
    last = await ben.do("PATCH", "/me", {"name": "Benno"})
    found = await anna.get("/members", last["meta"]["sequence"], per_page=1)
    assert found["data"] == [{**introduced, "name": "Benno", "joined": True}]
    rest = await anna.get("/members", per_page=1, cursor=found["meta"]["next_cursor"])
    assert [it["id"] for it in rest["data"]] == ["user_anna"]


async def test_a_role_is_what_the_last_token_said(team: tuple[Client, Client]) -> None:
    anna, ben = team
    await anna.get("/me")
    await ben.get("/me")
    roles = [it["role"] for it in (await ben.get("/members"))["data"]]
    assert roles == ["owner", "member"]


async def test_only_an_owner_introduces_be_it_in_a_batch(
    team: tuple[Client, Client],
) -> None:
    anna, ben = team
    body = {"user_id": "user_carl"}
    refused(await ben.send("POST", "/members", body), 403, "role_required")
    item = {"id": str(uuid4()), "type": "person.add", "args": body}
    batch = {"commands": [item]}
    refused(await ben.send("POST", "/commands", batch), 403, "role_required")
    done = await anna.do("POST", "/commands", batch)
    assert done["data"]["results"][0]["data"]["user_id"] == "user_carl"
    refused(await anna.send("POST", "/members", body), 409, "already_exists")


async def test_a_member_can_be_assigned_before_their_first_call(
    team: tuple[Client, Client],
) -> None:
    anna, _ = team
    body = {"title": "Paint", "assignee_id": "user_ben"}
    refused(await anna.send("POST", "/tasks", body), 422, "member_unknown")
    done = await anna.do("POST", "/members", {"user_id": "user_ben"})
    assert (await anna.do("POST", "/tasks", body))["data"]["assignee_id"] == "user_ben"
    undo = f"/commands/{done['meta']['command_id']}/undo"
    await anna.do("POST", undo)
    refused(await anna.send("POST", "/tasks", body), 422, "member_unknown")


async def test_nobody_takes_back_what_another_told(team: tuple[Client, Client]) -> None:
    anna, ben = team
    done = await ben.do("PATCH", "/me", {"name": "Ben"})
    undo = f"/commands/{done['meta']['command_id']}/undo"
    refused(await anna.send("POST", undo), 403, "not_yourself")
    await ben.do("POST", undo)
    assert (await ben.do("PATCH", "/me", {}))["data"]["name"] is None


async def test_a_person_of_another_workspace_is_another(client: Client) -> None:
    await client.do("PATCH", "/me", {"name": "Anna"})
    elsewhere = client.like(
        user=client.user, workspace=f"w{uuid4().hex[:12]}", role=Role.OWNER
    )
    assert (await elsewhere.get("/me"))["data"]["name"] is None


LATE_THERE = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)  # 01:30 of the 23rd in Kolkata


async def test_lateness_is_that_of_ones_own_zone(
    team: tuple[Client, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = team
    await anna.task("today", due={"date": "2026-11-22"})
    last = await anna.do("PATCH", "/me", {"time_zone": "Asia/Kolkata"})
    sequence = last["meta"]["sequence"]
    monkeypatch.setattr(clock, "now", lambda: LATE_THERE)

    async def late(who: Client, **more: str) -> tuple[int, int]:
        listed = await who.get("/tasks", sequence, overdue="true", **more)
        stats = await who.get("/tasks/stats", sequence, **more)
        return listed["meta"]["total"], stats["data"]["overdue"]

    assert await late(anna) == (1, 1)
    assert await late(ben) == (0, 0)
    assert await late(anna, time_zone="UTC") == (0, 0)
    assert await late(ben, time_zone="Asia/Kolkata") == (1, 1)
    back = await anna.do("PATCH", "/me", {"time_zone": None})
    sequence = back["meta"]["sequence"]
    assert await late(anna) == (0, 0)


async def test_a_change_of_oneself_is_in_the_feeds(client: Client) -> None:
    done = await client.do("PATCH", "/me", {"name": "Anna"})
    sequence = done["meta"]["sequence"]
    changed = (await client.get("/changes", sequence))["data"]
    assert [(it["type"], it["data"]["name"]) for it in changed] == [("person", "Anna")]
    told = (await client.get("/activity", stream_type="person"))["data"]
    assert [it["summary"] for it in told] == [
        "edited the person",
        "introduced the person",
    ]
