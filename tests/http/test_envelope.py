"""Every JSON answer is `{data, meta, errors}`, whatever went wrong."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api.app import create_app
from metacortex.kernel.errors import CODES
from metacortex.settings import Settings
from tests.clients import BASE, Client

Send = Callable[[Client], Awaitable[httpx2.Response]]


def refused(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Return the first error, of an answer that is an envelope and says no."""
    body = response.json()
    assert response.status_code == status, response.text
    assert body["data"] is None and set(body) == {"data", "meta", "errors"}
    assert body["meta"]["request_id"] == response.headers["X-Request-Id"]
    first: dict[str, Any] = body["errors"][0]
    assert first["code"] == code and first["status"] == status
    assert first["title"] and first["detail"]
    return first


NOBODY = "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a0e"  # fixed: test ids hold it


async def test_an_unknown_path_is_in_the_envelope(client: Client) -> None:
    refused(await client.send("GET", "/nothing"), 404, "route_not_found")


@pytest.mark.parametrize("path", ["/tasks%2Fstats", f"/tasks%2f{NOBODY}"])
async def test_an_encoded_slash_separates_nothing(client: Client, path: str) -> None:
    refused(await client.send("GET", path), 404, "route_not_found")


async def test_a_path_outside_the_api_is_in_the_envelope(
    http: httpx2.AsyncClient,
) -> None:
    refused(await http.get("/nothing"), 404, "route_not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/tasks", "GET, HEAD, POST"),
        ("DELETE", "/tasks", "GET, HEAD, POST"),
        ("PUT", f"/tasks/{NOBODY}", "DELETE, GET, HEAD, PATCH"),
        ("GET", f"/tasks/{NOBODY}/complete", "POST"),
        ("POST", "/tasks/stats", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_names_all_right_ones(
    client: Client, method: str, path: str, allowed: str
) -> None:
    response = await client.send(method, path)
    refused(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == allowed


async def test_a_body_over_the_limit_is_refused_before_it_is_read(
    client: Client,
) -> None:
    large = {"title": "x", "description": "y" * 1_048_576}
    error = refused(await client.send("POST", "/tasks", large), 413, "body_too_large")
    assert error["meta"] == {"limit": 1_048_576}


async def test_a_large_body_of_unknown_length_is_refused_as_well(
    client: Client,
) -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b"x" * 65_536

    response = await client.send("POST", "/tasks", content=chunks())
    refused(response, 413, "body_too_large")


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "", "json"])
async def test_a_body_must_say_that_it_is_json(client: Client, media: str) -> None:
    headers = {"Content-Type": media}
    response = await client.send("POST", "/tasks", headers=headers, content=b"{}")
    refused(response, 415, "unsupported_media_type")


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "deflate"])
async def test_a_body_must_not_be_compressed(client: Client, coding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    response = await client.send("POST", "/tasks", headers=headers, content=b"{}")
    refused(response, 415, "unsupported_content_coding")
    assert response.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "media", ["application/json; charset=utf-8", "application/merge-patch+json"]
)
async def test_json_may_say_more_of_itself(client: Client, media: str) -> None:
    headers = {"Content-Type": media}
    body = b'{"title": "Buy milk"}'
    response = await client.send("POST", "/tasks", headers=headers, content=body)
    assert response.status_code == 201


@pytest.mark.parametrize("body", [b"{", b"nul", b"{'a': 1}", b"\xff", b'{"a": NaN}'])
async def test_what_is_not_json_is_malformed(client: Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = await client.send("POST", "/tasks", headers=headers, content=body)
    refused(response, 400, "malformed_json")


@pytest.mark.parametrize("body", [b"null", b"[]", b'"title"', b"7", b"true"])
async def test_json_that_is_no_object_is_invalid(client: Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = await client.send("POST", "/tasks", headers=headers, content=body)
    assert refused(response, 422, "invalid_field")["source"] == {"pointer": ""}


async def test_each_bad_field_is_named(client: Client) -> None:
    body = {"title": " ", "due": {"date": "soon"}, "a/b~c": 1, "tags": ["x"]}
    response = await client.send("POST", "/tasks", body)
    assert response.status_code == 422
    named = {e["source"]["pointer"]: e["code"] for e in response.json()["errors"]}
    assert named == {
        "/title": "invalid_field",
        "/due/date": "invalid_field",
        "/a~1b~0c": "unknown_field",
        "/tags/0": "invalid_field",
    }


async def test_a_missing_field_is_named(client: Client) -> None:
    response = await client.send("POST", "/tasks", {})
    error = refused(response, 422, "missing_field")
    assert error["source"] == {"pointer": "/title"}


@pytest.mark.parametrize(
    "name", ["owner_id", "user_id", "workspace_id", "created_by", "actor_id"]
)
async def test_who_owns_is_never_in_a_body(client: Client, name: str) -> None:
    body = {"title": "Buy milk", name: str(uuid4())}
    error = refused(await client.send("POST", "/tasks", body), 422, "unknown_field")
    assert error["source"] == {"pointer": f"/{name}"}


SECRET = "swordfish"


@pytest.mark.parametrize(
    "send",
    [
        lambda c: c.send("POST", "/tasks", {"title": "a", "priority": SECRET}),
        lambda c: c.send("POST", "/tasks", {"title": "a", "due": {"date": SECRET}}),
        lambda c: c.send("GET", "/tasks", params={"status": SECRET}),
        lambda c: c.send("GET", "/tasks", params={"cursor": SECRET}),
        lambda c: c.send("GET", "/tasks", params={"sort": SECRET}),
        lambda c: c.send("GET", f"/tasks/{SECRET}"),
        lambda c: c.send("GET", "/tasks", headers={"If-Match": SECRET}),
        lambda c: c.send("POST", "/tasks", headers={"If-Match": SECRET}),
        lambda c: c.send(
            "POST",
            "/tasks",
            headers={"Content-Type": "application/json"},
            content=b'{"title": "' + SECRET.encode(),
        ),
        lambda c: c.send("POST", f"/{SECRET}"),
    ],
)
async def test_what_was_sent_is_not_echoed(client: Client, send: Send) -> None:
    response = await send(client)
    assert SECRET not in response.text


async def test_the_catalogue_lists_every_code(http: httpx2.AsyncClient) -> None:
    found = (await http.get(f"{BASE}/meta/errors")).json()["data"]
    assert [one["code"] for one in found] == sorted(CODES)
    assert all(400 <= one["status"] <= 503 and one["title"] for one in found)


@pytest.fixture
async def broken(settings: Settings) -> FastAPI:
    """An application with one route that crashes and one that finds no database."""

    async def crash(request: Request) -> Response:
        raise RuntimeError("the secret of the house")

    async def unreachable(request: Request) -> Response:
        raise ConnectionRefusedError("10.0.0.7 refused")

    app = create_app(settings)
    app.add_api_route("/crash", crash, response_model=None)
    app.add_api_route("/unreachable", unreachable, response_model=None)
    return app


async def ask(app: FastAPI, path: str) -> httpx2.Response:
    """Return what an application answers that was not even started."""
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as http:
        return await http.get(path)


async def test_a_crash_shows_nothing_of_itself(broken: FastAPI) -> None:
    response = await ask(broken, "/crash")
    refused(response, 500, "internal_error")
    assert "secret" not in response.text
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_database_that_is_away_is_worth_another_try(broken: FastAPI) -> None:
    response = await ask(broken, "/unreachable")
    refused(response, 503, "database_unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    assert "10.0.0.7" not in response.text


async def test_an_answer_has_the_clients_ids_if_they_are_sane(client: Client) -> None:
    headers = {"X-Request-Id": "req-1", "X-Correlation-Id": "import:7"}
    response = await client.send("GET", "/tasks", headers=headers)
    assert response.headers["X-Request-Id"] == "req-1"
    assert response.headers["X-Correlation-Id"] == "import:7"
    assert response.json()["meta"]["request_id"] == "req-1"


@pytest.mark.parametrize("id", ["", "a b", "x" * 129, "<script>", "é".encode()])
async def test_an_insane_id_is_replaced(client: Client, id: str) -> None:
    headers: Any = {"X-Request-Id": id, "X-Correlation-Id": id}
    response = await client.send("GET", "/tasks", headers=headers)
    assert response.headers["X-Request-Id"] not in ("", id)
    assert response.headers["X-Correlation-Id"] == response.headers["X-Request-Id"]


async def test_ids_are_stored_with_the_events(client: Client) -> None:
    headers = {"X-Request-Id": "req-2", "X-Correlation-Id": "corr-2"}
    done = await client.send("POST", "/tasks", {"title": "a"}, headers)
    found = await client.get("/audit/events", done.json()["meta"]["sequence"])
    assert found["data"][0]["request_id"] == "req-2"
    assert found["data"][0]["correlation_id"] == "corr-2"
