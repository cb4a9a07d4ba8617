"""The document says what the routes do: every one of them, with its errors."""

import re
from typing import Any
from uuid import uuid4

import orjson
import pytest

from metacortex.api.app import routes
from metacortex.api.openapi import document
from tests.clients import Client

SPEC: dict[str, Any] = orjson.loads(document())
OPERATIONS = [
    pytest.param(method, path, operation, id=operation["operationId"])
    for path, methods in SPEC["paths"].items()
    for method, operation in methods.items()
]


def test_the_document_and_the_routes_agree() -> None:
    described = {
        (method.upper(), path, operation["operationId"])
        for path, methods in SPEC["paths"].items()
        for method, operation in methods.items()
    }
    assert described == {(r.method, r.path, r.name) for r in routes()}


def test_operation_ids_are_unique_and_as_promised() -> None:
    names = [route.name for route in routes()]
    assert len(names) == len(set(names))
    assert {"createTask", "completeTask", "listTasks", "getTask"} <= set(names)
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name) for name in names)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_an_operation_is_fully_described(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    assert operation["summary"] and operation["tags"]
    errors = {status for status in operation["responses"] if status >= "400"}
    assert "405" in errors
    if operation.get("security") != []:
        assert {"400", "401", "403"} <= errors
    if "requestBody" in operation:
        assert {"413", "415", "422"} <= errors
    for status in errors:
        assert SPEC["components"]["responses"][status]["description"]


def has_fields(operation: dict[str, Any]) -> bool:
    """Whether an operation's body has any fields."""
    content = operation["requestBody"]["content"]["application/json"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    return bool(SPEC["components"]["schemas"][name]["properties"])


WITH_BODY = [it for it in OPERATIONS if "requestBody" in it.values[2]]  # type: ignore


async def target(client: Client, path: str) -> str:
    """Return the path with the id of something that takes its commands."""
    if "{id}" not in path:
        return path
    plural = path.split("/")[1]
    field = "title" if plural == "tasks" else "name"
    made = await client.do("POST", f"/{plural}", {field: uuid4().hex})
    return path.replace("{id}", made["data"]["id"])


@pytest.mark.parametrize(("method", "path", "operation"), WITH_BODY)
async def test_every_example_runs(
    client: Client, method: str, path: str, operation: dict[str, Any]
) -> None:
    example = operation["requestBody"]["content"]["application/json"].get("example")
    if not has_fields(operation):
        example = {}
    assert example is not None, "a body with fields has an example"
    if path == "/tags/{id}/merge":
        await client.do("POST", "/tags", {"name": "other", "id": example["into"]})
    response = await client.send(method.upper(), await target(client, path), example)
    assert response.status_code in (200, 201, 409), response.text
    assert response.status_code != 409 or path.endswith(("/restore", "/unblock"))


async def test_the_document_is_served(client: Client) -> None:
    response = await client.http.get("/api/v1/openapi.json")
    assert response.json() == SPEC
    assert SPEC["openapi"].startswith("3.1")
