"""Sentences of the HTTP contract that are of no one module: headers, tags, waiting."""

from uuid import uuid4

import pytest

from tests.clients import Client
from tests.http.test_envelope import refused

FAR = {"Metacortex-Min-Sequence": "1000000", "Prefer": 'Wait = "0.1"'}
LENIENT = {**FAR, "Prefer": "wait=0.1, handling=lenient"}


async def test_the_past_waits_and_says_what_it_lacks_like_the_present(
    client: Client,
) -> None:
    task = await client.task()
    (event,) = (await client.get("/audit/events", at_least=1))["data"]
    for path in (
        f"/tasks/{task['id']}?version=1",
        f"/tasks/{task['id']}?as_of=2100-01-01T00:00:00Z",
        f"/audit/events/{event['event_id']}",
    ):
        refused(await client.send("GET", path, headers=FAR), 503, "read_model_lagging")
        lenient = await client.send("GET", path, headers=LENIENT)
        assert lenient.json()["meta"]["stale"] is True


async def test_every_query_has_a_tag_and_answers_304_to_it(client: Client) -> None:
    created = await client.do("POST", "/tasks", {"title": "Tag"})
    id, command = created["data"]["id"], created["meta"]["command_id"]
    await client.get("/tasks", at_least=1)
    for path in (
        "/tasks",
        f"/tasks/{id}",
        "/changes",
        "/tasks/stats",
        f"/commands/{command}",
        f"/audit/events/{created['meta']['events'][0]['id']}",
        "/meta/errors",
        "/meta/state-machines",
    ):
        first = await client.send("GET", path)
        tag = first.headers["ETag"]
        again = await client.send(
            "GET", path, headers={"If-None-Match": f'"other", {tag}'}
        )
        assert (again.status_code, again.content) == (304, b""), path
        assert again.headers["ETag"] == tag
        sequence = first.headers.get("Metacortex-Sequence")
        assert again.headers.get("Metacortex-Sequence") == sequence


async def test_the_head_of_the_stream_ends(client: Client) -> None:
    response = await client.send("HEAD", "/events/stream")
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert (await client.send("GET", "/tasks/stats")).status_code == 200


async def test_an_undo_takes_no_body_and_no_version(client: Client) -> None:
    created = await client.do("POST", "/tasks", {"title": "Undo"})
    path = f"/commands/{created['meta']['command_id']}/undo"
    refused(await client.send("POST", path, {"x": 1}), 422, "unknown_field")
    headers = {"If-Match": '"1"'}
    refused(await client.send("POST", path, headers=headers), 400, "invalid_header")


@pytest.mark.parametrize("name", ["Idempotency-Key", "If-Match"])
async def test_a_batch_takes_no_header_of_one_command(
    client: Client, name: str
) -> None:
    item = {"id": str(uuid4()), "type": "task.create", "args": {"title": "a"}}
    response = await client.send(
        "POST", "/commands", {"commands": [item]}, {name: '"1"'}
    )
    assert refused(response, 400, "invalid_header")["source"] == {"header": name}


async def test_one_bad_command_of_a_batch_is_one_error(client: Client) -> None:
    response = await client.send("POST", "/commands", {"commands": [{"id": "a"}]})
    assert [it["source"] for it in response.json()["errors"]] == [
        {"pointer": "/commands/0/type"}
    ]


@pytest.mark.parametrize("path", ["/meta/errors", "/meta/state-machines"])
async def test_what_describes_the_service_takes_no_parameters(
    client: Client, path: str
) -> None:
    refused(await client.send("GET", f"{path}?x=1"), 400, "unknown_parameter")


@pytest.mark.parametrize("name", ["Idempotency-Key", "If-Match", "Authorization"])
async def test_two_lines_of_a_header_with_one_meaning_are_refused(
    client: Client, name: str
) -> None:
    lines = [("Authorization", f"Bearer {client.token}"), (name, '"1"'), (name, '"2"')]
    response = await client.http.post(
        "/api/v1/tasks", json={"title": "Twice"}, headers=lines
    )
    assert refused(response, 400, "invalid_header")["source"]["header"] == name.lower()


async def test_lines_of_a_list_are_one_list(client: Client) -> None:
    lines = [
        ("Authorization", f"Bearer {client.token}"),
        ("Metacortex-Min-Sequence", "1000000"),
        ("Prefer", "wait=0.1"),
        ("Prefer", "handling=lenient"),
    ]
    response = await client.http.get("/api/v1/tasks", headers=lines)
    assert response.json()["meta"]["stale"] is True


async def test_no_token_and_a_bad_one_are_told_apart_as_rfc_6750_has_it(
    client: Client,
) -> None:
    none = await client.http.get("/api/v1/tasks")
    assert none.headers["WWW-Authenticate"] == "Bearer"
    headers = {"Authorization": "Bearer a.b.c"}
    bad = await client.http.get("/api/v1/tasks", headers=headers)
    assert bad.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


async def test_errors_speak_of_json_not_of_our_classes(client: Client) -> None:
    for body, detail in (
        ([], "Input should be an object"),
        ({"title": "x" * 256}, "Value should have at most 255 characters"),
        ({"title": "a", "tags": 1}, "Input should be an array"),
    ):
        response = await client.send("POST", "/tasks", body)
        assert response.json()["errors"][0]["detail"].startswith(detail)


@pytest.mark.parametrize("zone", ["localtime", "Factory"])
async def test_a_zone_means_the_same_everywhere(client: Client, zone: str) -> None:
    due = {"date": "2026-12-01", "time": "09:00", "time_zone": zone}
    response = await client.send("POST", "/tasks", {"title": "When", "due": due})
    refused(response, 422, "invalid_field")
