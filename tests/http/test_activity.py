"""What happened in a workspace, and what of it can be taken back."""

from uuid import uuid4

import pytest

from metacortex.api.auth import Role
from tests.clients import Client
from tests.http.test_envelope import refused


@pytest.fixture
def team(client: Client) -> tuple[Client, Client]:
    """Two people of one workspace."""
    name = f"w{uuid4().hex[:12]}"
    anna = client.like(user="anna", workspace=name)
    return anna, client.like(user="ben", workspace=name, role=Role.MEMBER)


async def test_all_streams_are_in_one_log(team: tuple[Client, Client]) -> None:
    anna, ben = team
    task = await anna.task("a")
    last = await ben.do("POST", "/tags", {"name": "b"})
    sequence = last["meta"]["sequence"]
    found = await ben.get("/activity", sequence)
    assert [it["type"] for it in found["data"]] == ["tag.created", "task.created"]
    assert found["data"][1]["stream"] == {"type": "task", "id": task["id"]}
    assert found["meta"]["total"] == 2
    tags = await ben.get("/activity", stream_type="tag")
    assert [it["type"] for it in tags["data"]] == ["tag.created"]
    own = await ben.get("/activity", actor_id="user_anna")
    assert [it["type"] for it in own["data"]] == ["task.created"]
    page = await ben.get("/activity", per_page=1)
    rest = await ben.get("/activity", per_page=1, cursor=page["meta"]["next_cursor"])
    assert [it["type"] for it in rest["data"]] == ["task.created"]


@pytest.mark.parametrize("path", ["/activity", "/commands"])
@pytest.mark.parametrize("role", [Role.AUDITOR, Role.OPERATOR])
async def test_only_those_who_work_here_see_it(
    client: Client, role: Role, path: str
) -> None:
    other = client.like(user=client.user, role=role)
    refused(await other.send("GET", path), 403, "role_required")


async def test_ones_own_commands_newest_first(team: tuple[Client, Client]) -> None:
    anna, ben = team
    task = await anna.task("paint")
    path = f"/tasks/{task['id']}"
    await ben.do("POST", f"{path}/start")
    await anna.do("POST", f"{path}/comment", {"body": "wait"})
    await anna.do("PATCH", path, {"title": "paint"})  # changes nothing
    assert (
        await anna.send("POST", f"{path}/move", {"parent_id": task["id"]})
    ).status_code == 409
    last = await anna.do("PATCH", path, {"title": "paint it"})
    found = await anna.get("/commands", last["meta"]["sequence"], mine="true")
    told = [(it["type"], it["undoable"], it["title"]) for it in found["data"]]
    assert told == [
        ("task.edit", True, "paint it"),
        ("task.comment", False, "paint it"),
        ("task.create", True, "paint it"),
    ]
    assert found["data"][0]["id"] == last["meta"]["command_id"]
    assert found["data"][0]["stream"] == {"type": "task", "id": task["id"]}
    assert found["meta"]["total"] == 3
    everybody = await ben.get("/commands")
    assert [it["actor"]["id"] for it in everybody["data"]] == [
        "user_anna",
        "user_anna",
        "user_ben",
        "user_anna",
    ]


async def state_of(
    client: Client, command_id: str, sequence: int
) -> tuple[bool, str | None]:
    """Return whether a command can be undone, and by what it was."""
    listed = (await client.get("/commands", sequence))["data"]
    (one,) = (it for it in listed if it["id"] == command_id)
    return one["undoable"], one["undone_by"]


async def test_an_undo_turns_a_command_off_and_its_undo_on_again(
    client: Client,
) -> None:
    task = await client.task("a")
    done = await client.do("POST", f"/tasks/{task['id']}/start")
    id = done["meta"]["command_id"]
    assert await state_of(client, id, done["meta"]["sequence"]) == (True, None)
    ids = [id]
    for _ in range(3):
        undone = await client.do("POST", f"/commands/{ids[-1]}/undo")
        ids.append(undone["meta"]["command_id"])
        off = len(ids) % 2 == 0
        found = await state_of(client, id, undone["meta"]["sequence"])
        assert found == (not off, ids[-1] if off else None)
    again = await state_of(client, ids[1], undone["meta"]["sequence"])
    assert again == (True, None)


async def test_an_undo_of_what_cascaded_is_found(client: Client) -> None:
    top = await client.task("top")
    await client.task("below", parent_id=top["id"])
    await client.do("POST", f"/tasks/{top['id']}/complete")
    body = {"subtasks": "complete"}
    done = await client.do("POST", f"/tasks/{top['id']}/complete", body)
    assert len(done["meta"]["events"]) == 1  # of the subtask alone
    id = done["meta"]["command_id"]
    undone = await client.do("POST", f"/commands/{id}/undo")
    found = await state_of(client, id, undone["meta"]["sequence"])
    assert found == (False, undone["meta"]["command_id"])


async def test_an_auditor_sees_receipts_of_what_was_refused(client: Client) -> None:
    task = await client.task("a")
    path = f"/tasks/{task['id']}"
    assert (
        await client.send("POST", f"{path}/move", {"parent_id": task["id"]})
    ).status_code == 409
    last = await client.do("POST", f"{path}/start")
    auditor = client.like(user=client.user, role=Role.AUDITOR)
    sequence = last["meta"]["sequence"]
    found = await auditor.get("/audit/commands", sequence)
    assert [(it["type"], it["outcome"]) for it in found["data"]] == [
        ("task.start", "applied"),
        ("task.move", "refused"),
        ("task.create", "applied"),
    ]
    refusal = found["data"][1]
    assert refusal["error"]["code"] == "cycle_detected"
    assert (refusal["undoable"], refusal["last_sequence"]) == (False, None)
    for params, types in (
        ({"outcome": "refused"}, ["task.move"]),
        ({"type": "task.start"}, ["task.start"]),
        ({"actor_id": "user_nobody"}, []),
        ({"from": last["data"]["updated_at"]}, ["task.start"]),
        ({"to": task["created_at"]}, ["task.create"]),
    ):
        listed = await auditor.get("/audit/commands", **params)
        assert [it["type"] for it in listed["data"]] == types


@pytest.mark.parametrize("role", [Role.MEMBER, Role.OPERATOR])
async def test_receipts_are_for_owners_and_auditors(client: Client, role: Role) -> None:
    other = client.like(workspace=f"w{uuid4().hex[:12]}", role=role)
    refused(await other.send("GET", "/audit/commands"), 403, "role_required")


async def test_two_people_who_ask_for_theirs_get_theirs(
    team: tuple[Client, Client],
) -> None:
    anna, ben = team
    await anna.task("a")
    last = await ben.do("POST", "/tags", {"name": "b"})
    for who, type in ((anna, "task.create"), (ben, "tag.create")):
        found = await who.get("/commands", last["meta"]["sequence"], mine="true")
        assert [it["type"] for it in found["data"]] == [type]
