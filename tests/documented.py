"""Compares errors with the document, where each operation lists its codes."""

import re
from collections.abc import Mapping
from typing import Any

import httpx2

from tests.http.described import SPEC

_ID = r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}"

_PARAMETER = re.compile(r"\\\{\w+\\\}")


def _pattern(path: str) -> str:
    """Return what the paths of a template look like."""
    escaped = re.escape(path).replace(r"\{id\}", _ID)
    return _PARAMETER.sub("[^/]+", escaped)


_PATHS: Mapping[str, Any] = {
    _pattern(path): operations for path, operations in SPEC["paths"].items()
}


def check_documented(method: str, path: str, response: httpx2.Response) -> None:
    """Fail if an operation answers with an error that the document does not list."""
    operation = _operation(method, path.partition("?")[0])
    if operation is None or response.status_code < 400 or not response.content:
        return
    found = operation["responses"].get(str(response.status_code), {})
    codes = {error["code"] for error in response.json()["errors"]}
    missing = codes - set(found.get("x-error-codes", ()))
    assert not missing or len(codes) > 1, (
        f"{operation['operationId']} answers {response.status_code} {sorted(codes)}:"
        " list it in the errors of its CommandRoute, or in metacortex/api/openapi.py"
    )


def _operation(method: str, path: str) -> Any:
    for pattern, operations in _PATHS.items():
        if re.fullmatch(pattern, path):
            return operations.get(method.lower())
    return None
