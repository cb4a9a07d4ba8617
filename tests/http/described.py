"""What the OpenAPI document promises of answers, and whether one keeps it."""

import tempfile
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs

from metacortex.api.app import create_app
from metacortex.settings import Settings

with tempfile.TemporaryDirectory() as folder:
    SPEC: dict[str, Any] = create_app(
        Settings(environment="test", data_dir=Path(folder))
    ).openapi()
COMPONENTS: dict[str, Any] = SPEC["components"]

OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operationId"]: operation
    for methods in SPEC["paths"].values()
    for operation in methods.values()
}

OURS = {name.lower() for name in COMPONENTS["headers"]}
"""The headers that the document describes."""


def promised(operation: dict[str, Any], status: int) -> dict[str, Any]:
    """Return the answer that an operation describes for a status."""
    found: dict[str, Any] = operation["responses"][str(status)]
    return found


def wrongs(answer: dict[str, Any], said: Any) -> list[str]:
    """Return where a body leaves the schema of an answer, formats included."""
    (content,) = answer["content"].values()
    validator = jsonschema_rs.Draft202012Validator(
        {**content["schema"], "components": COMPONENTS}, validate_formats=True
    )
    return [f"{it.instance_path}: {it.message}" for it in validator.iter_errors(said)]


def keep(name: str, response: httpx2.Response) -> None:
    """Hold a real answer against its operation: schema, headers, and the example."""
    answer = promised(OPERATIONS[name], response.status_code)
    assert wrongs(answer, response.json()) == []
    described = answer["headers"]
    for header, found in described.items():
        required = COMPONENTS["headers"][found["$ref"].rpartition("/")[2]]["required"]
        assert header in response.headers or not required
    sent = {header.lower() for header in response.headers} & OURS
    assert sent <= {header.lower() for header in described}
    if response.status_code < 300:
        example = answer["content"]["application/json"]["example"]
        assert keys(response.json()) == keys(example)


def keys(envelope: dict[str, Any]) -> list[set[str]]:
    """Return the names in the data, or in its first line, and in the meta."""
    data = envelope["data"]
    first = data[0] if isinstance(data, list) else data
    return [set(first), set(envelope["meta"])]
