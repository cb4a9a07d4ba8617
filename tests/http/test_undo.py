"""Undo appends what takes a command back, or says what stands in the way."""

from uuid import uuid4

from tests.clients import Client
from tests.http.test_envelope import refused


async def test_an_edit_is_taken_back(client: Client) -> None:
    task = await client.task("Buy milk")
    path = f"/tasks/{task['id']}"
    edit = await client.do("PATCH", path, {"title": "Buy oat milk"})
    done = await client.do("POST", f"/commands/{edit['meta']['command_id']}/undo")
    assert done["data"]["title"] == "Buy milk"
    assert done["meta"]["version"] == 3, "nothing is rewritten"


async def test_an_undo_can_be_undone(client: Client) -> None:
    task = await client.task("Buy milk")
    command = (await client.do("POST", f"/tasks/{task['id']}/complete"))["meta"]
    undone = await client.do("POST", f"/commands/{command['command_id']}/undo")
    assert undone["data"]["status"] == "pending"
    again = await client.do("POST", f"/commands/{undone['meta']['command_id']}/undo")
    assert again["data"]["status"] == "completed"


async def test_a_creation_is_taken_back_by_deletion(client: Client) -> None:
    made = await client.do("POST", "/tasks", {"title": "a"})
    done = await client.do("POST", f"/commands/{made['meta']['command_id']}/undo")
    assert done["data"]["deleted"] is True


async def test_a_later_change_of_the_field_stands_in_the_way(client: Client) -> None:
    path = f"/tasks/{(await client.task())['id']}"
    edit = await client.do("PATCH", path, {"title": "b"})
    later = await client.do("PATCH", path, {"title": "c"})
    response = await client.send("POST", f"/commands/{edit['meta']['command_id']}/undo")
    error = refused(response, 409, "undo_conflict")
    assert later["meta"]["command_id"] in response.text
    assert "title" in error["meta"]["fields"]


async def test_a_later_change_of_another_field_does_not(client: Client) -> None:
    path = f"/tasks/{(await client.task('a'))['id']}"
    edit = await client.do("PATCH", path, {"title": "b"})
    await client.do("PATCH", path, {"priority": "urgent"})
    done = await client.do("POST", f"/commands/{edit['meta']['command_id']}/undo")
    assert (done["data"]["title"], done["data"]["priority"]) == ("a", "urgent")


async def test_an_undo_is_repeated_harmlessly(client: Client) -> None:
    path = f"/tasks/{(await client.task('a'))['id']}"
    edit = await client.do("PATCH", path, {"title": "b"})
    undo = f"/commands/{edit['meta']['command_id']}/undo"
    first = await client.do("POST", undo, Idempotency_Key="u")
    again = await client.do("POST", undo, Idempotency_Key="u")
    assert again["meta"]["replayed"] and again["data"] == first["data"]


async def test_what_changed_nothing_cannot_be_taken_back(client: Client) -> None:
    path = f"/tasks/{(await client.task())['id']}/unblock"
    done = await client.do("POST", path)
    response = await client.send("POST", f"/commands/{done['meta']['command_id']}/undo")
    refused(response, 409, "not_undoable")


async def test_an_unknown_command_is_not_found(client: Client) -> None:
    response = await client.send("POST", f"/commands/{uuid4()}/undo")
    refused(response, 404, "not_found")


async def test_a_refused_command_cannot_be_undone(client: Client) -> None:
    path = f"/tasks/{(await client.task())['id']}"
    await client.do("POST", f"{path}/cancel")
    key = str(uuid4())
    await client.send("POST", f"{path}/start", headers={"Idempotency-Key": key})
    response = await client.send("POST", f"/commands/{key}/undo")
    assert response.status_code in (404, 409)
