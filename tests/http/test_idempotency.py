"""The same key and the same request: the first answer, for ever."""

from uuid import uuid4

import pytest

from tests.clients import Client
from tests.http.test_envelope import refused

ID = "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a0d"  # fixed: test ids hold it
KEYS = (ID, "buy-milk-1", "x" * 255, "a/b:c=d!~", f'"{ID[:-1]}c"')


@pytest.mark.parametrize("key", KEYS)
async def test_a_repeat_gets_the_first_answer(client: Client, key: str) -> None:
    headers = {"Idempotency-Key": key}
    first = await client.send("POST", "/tasks", {"title": "a"}, headers)
    again = await client.send("POST", "/tasks", {"title": "a"}, headers)
    assert first.status_code == again.status_code == 201
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["ETag"] == first.headers["ETag"]
    one, two = first.json(), again.json()
    assert one["data"] == two["data"]
    assert not one["meta"].pop("replayed") and two["meta"].pop("replayed")
    del one["meta"]["request_id"], two["meta"]["request_id"]
    assert one["meta"] == two["meta"]


async def test_a_repeat_changes_nothing(client: Client) -> None:
    for _ in range(3):
        done = await client.do("POST", "/tasks", {"title": "a"}, Idempotency_Key="k")
    found = await client.get("/tasks", done["meta"]["sequence"])
    assert found["meta"]["total"] == 1


async def test_the_first_answer_outlives_changes_and_deletion(client: Client) -> None:
    first = await client.do("POST", "/tasks", {"title": "a"}, Idempotency_Key="k")
    path = f"/tasks/{first['data']['id']}"
    await client.do("PATCH", path, {"title": "b"})
    await client.do("DELETE", path)
    again = await client.do("POST", "/tasks", {"title": "a"}, Idempotency_Key="k")
    assert again["data"] == first["data"]
    assert again["meta"]["sequence"] == first["meta"]["sequence"]


async def test_a_key_with_another_body_is_refused(client: Client) -> None:
    headers = {"Idempotency-Key": "k"}
    await client.send("POST", "/tasks", {"title": "a"}, headers)
    other = await client.send("POST", "/tasks", {"title": "b"}, headers)
    refused(other, 422, "idempotency_key_reused")


async def test_a_key_with_another_path_is_refused(client: Client) -> None:
    task = await client.task()
    headers = {"Idempotency-Key": "k"}
    await client.send("POST", f"/tasks/{task['id']}/start", headers=headers)
    other = await client.send("POST", f"/tasks/{task['id']}/cancel", headers=headers)
    refused(other, 422, "idempotency_key_reused")


async def test_anothers_key_is_not_ours(client: Client) -> None:
    name = f"w{uuid4().hex[:12]}"
    for user in ("anna", "bert"):
        one = client.like(user=user, workspace=name)
        done = await one.do("POST", "/tasks", {"title": user}, Idempotency_Key="k")
        assert done["data"]["title"] == user and not done["meta"]["replayed"]


async def test_anothers_uuid_key_is_refused_and_shows_nothing(client: Client) -> None:
    name, key = f"w{uuid4().hex[:12]}", str(uuid4())
    anna = client.like(user="anna", workspace=name)
    await anna.do("POST", "/tasks", {"title": "a"}, Idempotency_Key=key)
    bert = client.like(user="bert", workspace=name)
    headers = {"Idempotency-Key": key}
    response = await bert.send("POST", "/tasks", {"title": "a"}, headers)
    refused(response, 422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "tab\t"])
async def test_a_key_of_another_form_is_refused(client: Client, key: str) -> None:
    headers = {"Idempotency-Key": key}
    response = await client.send("POST", "/tasks", {"title": "a"}, headers)
    error = refused(response, 400, "invalid_header")
    assert error["source"] == {"header": "Idempotency-Key"}


async def test_a_refused_command_is_decided_anew(client: Client) -> None:
    task = await client.task()
    path = f"/tasks/{task['id']}"
    headers = {"Idempotency-Key": "k"}
    first = await client.send("POST", f"{path}/unarchive", headers=headers)
    await client.do("POST", f"{path}/cancel")
    start = await client.send("POST", f"{path}/start", headers={"Idempotency-Key": "s"})
    refused(start, 409, "invalid_transition")
    await client.do("POST", f"{path}/reopen")
    again = await client.do("POST", f"{path}/start", Idempotency_Key="s")
    assert first.status_code == 200
    assert again["data"]["status"] == "in_progress"
    assert not again["meta"]["replayed"]


async def test_a_command_that_changes_nothing_says_so(client: Client) -> None:
    task = await client.task()
    done = await client.do("PATCH", f"/tasks/{task['id']}", {"title": task["title"]})
    assert done["meta"]["events"] == []
    assert done["meta"]["version"] == task["version"]
    assert done["data"] == task


async def test_the_receipt_tells_what_became_of_a_command(client: Client) -> None:
    key = str(uuid4())
    done = await client.do("POST", "/tasks", {"title": "a"}, Idempotency_Key=key)
    found = (await client.get(f"/commands/{key}"))["data"]
    assert found["command_id"] == key == done["meta"]["command_id"]
    assert (found["type"], found["outcome"]) == ("task.create", "applied")
    assert found["stream"] == {"type": "task", "id": done["data"]["id"]}
    assert found["first_sequence"] == found["last_sequence"] == 1
    assert found["actor"] == {"type": "user", "id": f"user_{client.user}"}


async def test_a_refusal_leaves_a_receipt(client: Client) -> None:
    task = await client.task()
    await client.do("POST", f"/tasks/{task['id']}/cancel")
    headers = {"Idempotency-Key": str(uuid4())}
    await client.send("POST", f"/tasks/{task['id']}/start", headers=headers)
    found = (await client.get(f"/commands/{headers['Idempotency-Key']}"))["data"]
    assert found["outcome"] == "refused"
    assert found["error"]["code"] == "invalid_transition"
