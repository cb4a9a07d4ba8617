"""Comments as resources below their task."""

from typing import Any
from uuid import uuid4

import pytest

from metacortex.api.auth import Role
from tests.clients import Client
from tests.http.test_envelope import refused


async def listed(client: Client, path: str, done: Any, **params: Any) -> list[Any]:
    """Return the comments of a task after what was done."""
    sequence = done["meta"]["sequence"]
    found: list[Any] = (await client.get(path, sequence, **params))["data"]
    return found


async def test_what_is_said_is_listed_changed_and_taken_back(client: Client) -> None:
    path = f"/tasks/{(await client.task())['id']}/comments"
    await client.do("POST", path.removesuffix("s"), {"body": "as ever"})
    id = str(uuid4())
    response = await client.send("POST", path, {"text": "Monday", "id": id})
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1{path}/{id}"
    made = response.json()
    assert made["data"]["author"] == {"id": f"user_{client.user}", "name": None}
    assert [it["text"] for it in await listed(client, path, made)] == [
        "as ever",
        "Monday",
    ]
    found = await client.get(f"{path}/{id}", made["meta"]["sequence"])
    assert found["data"] == made["data"] and found["data"]["edited_at"] is None
    edited = await client.do("PATCH", f"{path}/{id}", {"text": "Tuesday"})
    assert edited["data"]["text"] == "Tuesday" and edited["data"]["edited_at"]
    assert (await listed(client, path, edited))[1] == edited["data"]
    gone = await client.do("DELETE", f"{path}/{id}")
    assert gone["data"] is None
    assert len(await listed(client, path, gone)) == 1
    found = await client.get(f"{path}/{id}", gone["meta"]["sequence"])
    assert found["data"]["deleted"]
    undone = await client.do("POST", f"/commands/{gone['meta']['command_id']}/undo")
    assert (await listed(client, path, undone))[1]["text"] == "Tuesday"
    history = await client.get(
        path.replace("comments", "history"), undone["meta"]["sequence"]
    )
    types = [it["type"] for it in history["data"]][:4]
    names = ("reverted", "comment_deleted", "comment_edited", "commented")
    assert types == [f"task.{it}" for it in names]


async def test_a_comment_shows_the_present_name_of_its_author(client: Client) -> None:
    path = f"/tasks/{(await client.task())['id']}/comments"
    await client.do("POST", path, {"text": "Monday"})
    named = await client.do("PATCH", "/me", {"name": "Anna"})
    (before,) = await listed(client, path, named)
    author = {"id": f"user_{client.user}", "name": "Anna"}
    assert before["author"] == author
    done = await client.do("PATCH", f"{path}/{before['id']}", {"text": "Tuesday"})
    assert done["data"]["author"] == author
    (after,) = await listed(client, path, done)
    assert after == done["data"]
    found = await client.get(f"{path}/{before['id']}", done["meta"]["sequence"])
    assert found["data"] == after


async def test_pages_go_on_where_they_ended(client: Client) -> None:
    path = f"/tasks/{(await client.task())['id']}/comments"
    for text in "abc":
        done = await client.do("POST", path, {"text": text})
    sequence = done["meta"]["sequence"]
    first = await client.get(path, sequence, per_page=2)
    assert first["meta"]["total"] == 3
    rest = await client.get(
        path, sequence, per_page=2, cursor=first["meta"]["next_cursor"]
    )
    assert [it["text"] for it in first["data"] + rest["data"]] == [*"abc"]


async def test_commands_about_comments_are_repeated_harmlessly(client: Client) -> None:
    path = f"/tasks/{(await client.task())['id']}/comments"
    first = await client.do("POST", path, {"text": "a"}, Idempotency_Key="one")
    again = await client.do("POST", path, {"text": "a"}, Idempotency_Key="one")
    assert again["meta"]["replayed"] and again["data"] == first["data"]
    response = await client.send(
        "POST", path, {"text": "b"}, {"Idempotency-Key": "one"}
    )
    refused(response, 422, "idempotency_key_reused")
    response = await client.send("POST", path, {"text": "b"}, {"If-Match": '"1"'})
    refused(response, 412, "version_conflict")
    response = await client.send("POST", path, {"id": first["data"]["id"], "text": "b"})
    refused(response, 409, "already_exists")


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"text": "mine"}), ("DELETE", None)]
)
async def test_only_authors_and_owners_may(
    client: Client, method: str, body: Any
) -> None:
    workspace = f"org_{uuid4().hex[:8]}"
    ann, ben = (client.like(workspace=workspace, role=Role.MEMBER) for _ in range(2))
    boss = client.like(workspace=workspace, role=Role.OWNER)
    path = f"/tasks/{(await ann.task())['id']}/comments"
    made = (await ann.do("POST", path, {"text": "Ann's"}))["data"]
    response = await ben.send(method, f"{path}/{made['id']}", body)
    refused(response, 403, "not_the_author")
    await boss.do(method, f"{path}/{made['id']}", body)


async def test_only_the_author_undoes_what_concerns_a_comment(client: Client) -> None:
    team = f"team{uuid4().hex[:12]}"
    author = client.like(workspace=team, role=Role.MEMBER)
    other = client.like(workspace=team, role=Role.MEMBER)
    path = f"/tasks/{(await author.task())['id']}/comments"
    made = await author.do("POST", path, {"text": "mine"})
    undo = f"/commands/{made['meta']['command_id']}/undo"
    refused(await other.send("POST", undo), 403, "not_the_author")
    assert (await author.send("POST", undo)).status_code == 200


async def test_what_is_not_there_is_not_found(client: Client) -> None:
    task = (await client.task())["id"]
    for path in (f"/tasks/{uuid4()}/comments", f"/tasks/{task}/comments/{uuid4()}"):
        refused(await client.send("GET", path), 404, "not_found")
    response = await client.send("POST", f"/tasks/{uuid4()}/comments", {"text": "a"})
    refused(response, 404, "not_found")
    response = await client.send("DELETE", f"/tasks/{task}/comments/{uuid4()}")
    refused(response, 404, "not_found")


async def test_a_body_is_checked_as_ever(client: Client) -> None:
    path = f"/tasks/{(await client.task())['id']}/comments"
    for body, code in (
        ({}, "missing_field"),
        ({"text": "  "}, "invalid_field"),
        ({"text": "a", "body": "a"}, "unknown_field"),
    ):
        refused(await client.send("POST", path, body), 422, code)
    response = await client.send("GET", path, params={"sort": "text"})
    refused(response, 400, "unknown_parameter")


async def test_batches_know_comments(client: Client) -> None:
    task = (await client.task())["id"]
    made = (await client.do("POST", f"/tasks/{task}/comments", {"text": "a"}))["data"]
    about = {"target": task, "args": {"comment_id": made["id"], "text": "b"}}
    commands = [
        {"id": str(uuid4()), "type": "task.comment_edit", **about},
        {"id": str(uuid4()), "type": "task.comment_delete", **about},
    ]
    del commands[1]["args"]
    commands[1]["args"] = {"comment_id": made["id"]}
    done = await client.do("POST", "/commands", {"commands": commands})
    assert await listed(client, f"/tasks/{task}/comments", done) == []
