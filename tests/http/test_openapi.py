"""The document says what the routes do: every one of them, with its errors."""

import re
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from metacortex.api.middleware import PREFIX
from metacortex.api.modules import MODULES
from metacortex.workers import Worker
from tests.clients import Client
from tests.http.described import OPERATIONS as NAMED
from tests.http.described import SPEC, keep, promised, wrongs

OPERATIONS = [
    pytest.param(method, path, operation, id=operation["operationId"])
    for path, methods in SPEC["paths"].items()
    for method, operation in methods.items()
]


def test_the_document_describes_every_route_of_the_api(app: FastAPI) -> None:
    described = {
        (method.upper(), path)
        for path, methods in SPEC["paths"].items()
        for method in methods
    }
    served = {
        (method, (context.path_format or "").removeprefix(PREFIX) or "/")
        for context in iter_route_contexts(app.routes)
        for method in context.methods or ()
        if (context.path_format or "").startswith(PREFIX + "/")
    }
    assert served - described == {("GET", "/openapi.json")}
    assert described <= served


def test_schemas_of_any_module_know_every_module() -> None:
    schemas = SPEC["components"]["schemas"]
    nouns = [module.noun for module in MODULES]
    assert [ref(it) for it in schemas["Resource"]["anyOf"]] == nouns
    changed = [ref(it) for it in schemas["Changed"]["oneOf"]]
    assert changed == [f"{noun}Changed" for noun in nouns]


def ref(schema: dict[str, Any]) -> str:
    """Return the name of the component that a schema refers to."""
    name: str = schema["$ref"].rpartition("/")[2]
    return name


def test_operation_ids_are_unique_and_as_promised() -> None:
    names = [it.values[2]["operationId"] for it in OPERATIONS]  # type: ignore[index]
    assert len(names) == len(set(names))
    assert {"createTask", "completeTask", "listTasks", "getTask"} <= set(names)
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name) for name in names)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_an_operation_is_fully_described(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    assert operation["summary"] and operation["tags"] and operation["description"]
    errors = {status for status in operation["responses"] if status >= "400"}
    assert {"405", "500"} <= errors
    if operation.get("security") != []:
        assert {"400", "401", "403", "503"} <= errors
    if "requestBody" in operation:
        assert {"413", "415", "422"} <= errors
    described = {it["name"] for it in operation["parameters"] if "description" in it}
    plain = {"id", "status", "priority", "assignee_id"}  # say it all by their names
    assert {it["name"] for it in operation["parameters"]} <= described | plain
    for status in operation["responses"]:
        answer = promised(operation, int(status))
        assert answer["description"]
        assert {"X-Request-Id", "X-Correlation-Id"} <= set(answer["headers"])
        for content in answer.get("content", {}).values():
            assert wrongs(answer, content["example"]) == []


def has_fields(operation: dict[str, Any]) -> bool:
    """Whether an operation's body has any fields."""
    content = operation["requestBody"]["content"]["application/json"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    return bool(SPEC["components"]["schemas"][name]["properties"])


def example_of(operation: dict[str, Any]) -> dict[str, Any]:
    """Return the example of an operation's body."""
    content = operation["requestBody"]["content"]["application/json"]
    found: dict[str, Any] = content["example"]
    return found


def is_for_users(operation: Any) -> bool:
    """Tell operations from those of operators, which tests/http/test_ops_*.py try."""
    return "ops" not in operation["tags"]


WITH_BODY = [
    it
    for it in OPERATIONS
    if "requestBody" in it.values[2] and is_for_users(it.values[2])  # type: ignore
]


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
    example = example_of(operation)
    assert example or not has_fields(operation)
    if path == "/tags/{id}/merge":
        await client.do("POST", "/tags", {"name": "other", "id": example["into"]})
    response = await client.send(method.upper(), await target(client, path), example)
    assert response.status_code in (200, 201, 202, 409), response.text
    assert response.status_code != 409 or path.endswith(("/restore", "/unblock"))
    keep(operation["operationId"], response)


QUERIES = [
    it
    for it in OPERATIONS
    if it.values[0] == "get" and is_for_users(it.values[2])
    if it.id != "streamEvents"  # has no envelope
]


async def told(client: Client) -> tuple[dict[str, str], int]:
    """Run the examples of creating and editing; return what a path's first word names.

    The number is the sequence after it.
    """
    ids, meta = {}, {}
    for module in reversed([it for it in MODULES if it.listing is not None]):
        plural, noun = module.plural, module.stream_type.capitalize()
        create, edit = (example_of(NAMED[f"{verb}{noun}"]) for verb in VERBS)
        ids[plural] = (await client.do("POST", f"/{plural}", create))["data"]["id"]
        meta = (await client.do("PATCH", f"/{plural}/{ids[plural]}", edit))["meta"]
    ids |= {"commands": meta["command_id"], "audit": meta["events"][-1]["id"]}
    listed = example_of(NAMED["createImport"])
    ids["imports"] = (await client.do("POST", "/imports", listed))["data"]["id"]
    return ids, meta["sequence"]


VERBS = ("create", "edit")


@pytest.mark.parametrize(("method", "path", "operation"), QUERIES)
async def test_queries_answer_as_described(
    client: Client, worker: Worker, method: str, path: str, operation: dict[str, Any]
) -> None:
    ids, sequence = await told(client)
    takes = {it["name"] for it in operation["parameters"]}
    waits = {"Metacortex-Min-Sequence": str(sequence), "Prefer": "wait=10"}
    headers = {name: value for name, value in waits.items() if name in takes}
    named = path.replace("{id}", ids.get(path.split("/")[1], ""))
    response = await client.send("GET", named, headers=headers)
    assert response.status_code == 200, response.text
    keep(operation["operationId"], response)


async def test_taking_back_answers_as_described(client: Client) -> None:
    ids, _ = await told(client)
    response = await client.send("POST", f"/commands/{ids['commands']}/undo")
    keep("undoCommand", response)


@pytest.mark.parametrize("atomicity", ["all", "per_item"])
async def test_batches_answer_as_described(client: Client, atomicity: str) -> None:
    wrong = {"id": str(uuid4()), "type": "task.start", "target": str(uuid4())}
    body = example_of(NAMED["runCommands"]) | {"atomicity": atomicity}
    keep("runCommands", await client.send("POST", "/commands", body))
    body["commands"] = [*body["commands"], wrong]
    keep("runCommands", await client.send("POST", "/commands", body))


async def test_the_document_is_served(client: Client) -> None:
    response = await client.http.get("/api/v1/openapi.json")
    assert response.json() == SPEC
    assert SPEC["openapi"].startswith("3.1")
