"""However wrong a request is, its answer is short."""

from typing import Any
from uuid import uuid4

import orjson
import pytest

from metacortex.api import json_bodies, parsing
from metacortex.kernel.ids import derived
from tests.clients import Client
from tests.http.test_bad_input import DUPLICATES, JSON, PARSING
from tests.http.test_envelope import refused


async def sent(client: Client, body: bytes) -> Any:
    return await client.send("POST", "/tasks", headers=JSON, content=body)


async def test_a_long_array_is_refused_for_its_length_alone(client: Client) -> None:
    """Once each of the bad items was an error of its own."""
    for tags in ([0] * 10_000, {"add": [0] * 10_000}):
        method, path = "POST", "/tasks"
        body: dict[str, Any] = {"title": "a", "tags": tags}
        if isinstance(tags, dict):
            method, path = "PATCH", f"/tasks/{(await client.task())['id']}"
            body = {"tags": tags}
        response = await client.send(method, path, body)
        refused(response, 422, "invalid_field")
        assert len(response.json()["errors"]) == 1
        assert "10000" in response.json()["errors"][0]["detail"]


async def test_a_batch_of_too_many_is_refused_for_their_number(client: Client) -> None:
    body = {"commands": [0] * 10_000}
    response = await client.send("POST", "/commands", body)
    error = refused(response, 422, "invalid_field")
    assert error["source"] == {"pointer": "/commands"}
    assert len(response.json()["errors"]) == 1


async def test_twenty_errors_are_told_and_that_there_are_more(client: Client) -> None:
    bad = {"title": "a", "tags": ["none"] * 30}
    response = await client.send("POST", "/tasks", bad)
    refused(response, 422, "invalid_field")
    assert len(response.json()["errors"]) == parsing.TOLD
    assert response.json()["meta"]["more"] is True
    bad["tags"] = ["none"] * parsing.TOLD
    response = await client.send("POST", "/tasks", bad)
    assert len(response.json()["errors"]) == parsing.TOLD
    assert "more" not in response.json()["meta"]


async def test_query_parameters_have_no_more_errors_than_bodies(
    client: Client,
) -> None:
    asked = "&".join(f"unknown_{number}=1" for number in range(100))
    response = await client.send("GET", f"/tasks?{asked}")
    assert response.status_code == 400
    assert len(response.json()["errors"]) <= parsing.TOLD


@pytest.mark.parametrize("atomicity", ["all", "per_item"])
async def test_the_errors_of_a_batch_are_counted_together(
    client: Client, atomicity: str
) -> None:
    wrong = {f"unknown_{number}": 1 for number in range(15)}
    commands = [
        {"id": str(uuid4()), "type": "task.create", "args": {"title": "a", **wrong}}
        for _ in range(10)
    ]
    body = {"atomicity": atomicity, "commands": commands}
    response = await client.send("POST", "/commands", body)
    if atomicity == "all":
        assert response.status_code == 422
        assert len(response.json()["errors"]) == parsing.TOLD
        assert response.json()["meta"]["more"] is True
        return
    results = response.json()["data"]["results"]
    assert [len(it["errors"]) for it in results] == [15, 5, *[1] * 8]
    assert [it["meta"] for it in results] == [{}, *[{"more": True}] * 9]


async def test_an_object_with_too_many_members_is_refused_at_once(
    client: Client,
) -> None:
    wide = {f"f{number}": 1 for number in range(json_bodies.MEMBERS_LIMIT + 1)}
    response = await client.send("POST", "/tasks", wide)
    error = refused(response, 422, "too_many_fields")
    assert error["meta"]["limit"] == json_bodies.MEMBERS_LIMIT
    assert len(response.json()["errors"]) == 1
    inner = {"title": "a", "tags": [{"a/b": wide}]}
    error = refused(await client.send("POST", "/tasks", inner), 422, "too_many_fields")
    assert error["source"] == {"pointer": "/tags/0/a~1b"}


@pytest.mark.parametrize(("deep", "status"), [(63, 422), (64, 400), (500, 400)])
async def test_how_deep_a_body_may_be(client: Client, deep: int, status: int) -> None:
    body = b'{"title": "a", "tags": ' + b"[" * deep + b"]" * deep + b"}"
    response = await sent(client, body)
    assert response.status_code == status
    if deep == 64:
        refused(response, 400, "too_deep")


@pytest.mark.parametrize(
    "body",
    [
        b'{"title": "a", "title": "b"}',
        b'{"title": "a", "title": "a"}',
        rb'{"title": "a", "\u0074itle": "b"}',
        b'{"title": "a", "due": {"date": "2026-11-23", "date": "2026-11-24"}}',
        b'{"title" : "a", "priority" : null, "priority" : null}',
        rb'{"title": "a \" b", "priority": "low", "priority": "low"}',
    ],
)
async def test_a_name_stands_once_in_an_object(client: Client, body: bytes) -> None:
    refused(await sent(client, body), 400, "duplicate_key")


@pytest.mark.parametrize(
    "title", ['say "title"', "back\\slash", '"', "\\\\", '\\"', "tab\t", "ä\u2028"]
)
async def test_what_looks_like_two_names_is_none(client: Client, title: str) -> None:
    assert (await client.task(title))["title"] == title.strip()
    escaped = "".join(f"\\u{ord(it):04x}" for it in title)
    response = await sent(client, b'{"title": "%b"}' % escaped.encode())
    assert response.json()["data"]["title"] == title.strip()


async def test_the_duplicates_of_the_json_suite_are_named(client: Client) -> None:
    for name in DUPLICATES:
        body = (PARSING / name).read_bytes()
        refused(await sent(client, body), 400, "duplicate_key")


async def test_a_check_finds_what_the_parser_would_lose() -> None:
    from pydantic_core import from_json

    deep = orjson.dumps({"a": [{"b": 1}, "c", None, 2.5, True, {"b": ["d"]}]})
    json_bodies.check(deep, from_json(deep))


async def test_a_key_that_another_key_may_have_become_is_refused(
    client: Client,
) -> None:
    """A member reads ids of commands, and text keys become UUIDs of version 5."""
    done = await client.do("POST", "/tasks", {"title": "a"}, Idempotency_Key="k")
    key = done["meta"]["command_id"]
    assert key[14] == "5"
    response = await client.send(
        "POST", "/tasks", {"title": "a"}, {"Idempotency-Key": key}
    )
    error = refused(response, 400, "invalid_header")
    assert error["source"] == {"header": "Idempotency-Key"}
    item = {"id": key, "type": "task.create", "args": {"title": "a"}}
    response = await client.send("POST", "/commands", {"commands": [item]})
    error = refused(response, 422, "invalid_field")
    assert error["source"] == {"pointer": "/commands/0/id"}


@pytest.mark.parametrize(
    "key",
    ["5f0c8a52-9d7e-4c1b-8a36-2b7f41d09e65", "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a77"],
)
async def test_any_other_uuid_is_the_id_of_the_command(
    client: Client, key: str
) -> None:
    done = await client.do("POST", "/tasks", {"title": "a"}, Idempotency_Key=key)
    assert done["meta"]["command_id"] == key


def test_ids_of_ours_are_of_the_version_that_is_refused() -> None:
    assert derived(uuid4(), "user_anna\nk").version == 5
