"""Endpoints that anybody adds the FastAPI way: enveloped, described, measured, safe."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, cast

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query
from fastapi.dependencies.models import Dependant
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette._utils import is_async_callable
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from metacortex.api.app import Application, create_app
from metacortex.api.middleware import PREFIX, effective_route
from metacortex.api.routing import (
    EnvelopeRoute,
    LeanRoute,
    is_protected,
)
from metacortex.settings import Settings
from tests.clients import BASE, Client
from tests.http.test_envelope import refused


class Order(BaseModel):
    """A body."""

    item: str
    count: int = 1


async def limit(size: int = 10) -> int:
    """A dependency with a query parameter."""
    return size


class Marked:
    """Middleware that somebody adds."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-marked", b"yes"))
            await send(message)

        await self.app(scope, receive, marked if scope["type"] == "http" else send)


def extend(app: FastAPI, folder: Path) -> None:
    """Add what others might."""

    @app.get("/limited")
    async def limited(size: Annotated[int, Depends(limit)]) -> dict[str, int]:
        return {"size": size}

    @app.get("/shelves/{shelf}/books/{book}")
    async def book(shelf: str, book: int) -> dict[str, Any]:
        return {"shelf": shelf, "book": book}

    @app.post("/orders", status_code=201)
    async def order(order: Order) -> Order:
        return order

    @app.post("/uploads")
    async def upload(request: Request) -> int:
        return len(await request.body())

    @app.get("/untyped")
    async def untyped():  # type: ignore[no-untyped-def]
        return [1, 2]

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "short and stout", {"X-Spout": "yes"})

    @app.get("/crash")
    async def crash() -> None:
        raise ZeroDivisionError("secret")

    @app.get("/plain")
    async def plain() -> PlainTextResponse:
        return PlainTextResponse("as it is")

    @app.get("/free")
    async def free(request: Request) -> dict[str, str]:
        return dict(request.query_params)

    router = APIRouter(prefix="/nested")
    inner = APIRouter(prefix="/deeper")

    @inner.get("/{one}")
    async def deep(one: int, names: Annotated[list[str] | None, Query()] = None) -> Any:
        return {"one": one, "names": names}

    router.include_router(inner)
    app.include_router(router, prefix="/extra")
    sub = FastAPI()

    @sub.get("/hello")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    app.mount("/sub", sub)
    (folder / "file.txt").write_text("static")
    app.mount("/files", StaticFiles(directory=folder))
    app.add_middleware(cast(Any, Marked))


@pytest.fixture(scope="module")
async def extended(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    extend(app, tmp_path_factory.mktemp("files"))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def web(extended: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP to it; exceptions that reach the server fail the test."""
    transport = httpx2.ASGITransport(app=extended)
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as http:
        yield http


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/limited?size=3", {"size": 3}),
        ("/shelves/a/books/7", {"shelf": "a", "book": 7}),
        ("/untyped", [1, 2]),
        ("/free?what=ever", {"what": "ever"}),
        ("/extra/nested/deeper/5?names=a&names=b", {"one": 5, "names": ["a", "b"]}),
    ],
)
async def test_what_is_returned_is_enveloped(
    web: httpx2.AsyncClient, path: str, data: Any
) -> None:
    response = await web.get(path)
    body = response.json()
    assert response.status_code == 200, response.text
    assert body == {"data": data, "meta": body["meta"], "errors": []}
    assert body["meta"]["request_id"] == response.headers["X-Request-Id"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Marked"] == "yes"
    again = await web.get(path, headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304 and not again.content


async def test_any_body_has_a_limit(web: httpx2.AsyncClient) -> None:
    assert (await web.post("/uploads", content=b"abc")).json()["data"] == 3
    large = await web.post("/uploads", content=b"a" * 1_048_577)
    error = refused(large, 413, "body_too_large")
    assert error["meta"] == {"limit": 1_048_576}


async def test_a_body_is_validated(web: httpx2.AsyncClient) -> None:
    made = await web.post("/orders", json={"item": "tea"})
    assert made.status_code == 201
    assert made.json()["data"] == {"item": "tea", "count": 1}
    error = refused(
        await web.post("/orders", json={"count": "x"}), 422, "missing_field"
    )
    assert error["source"] == {"pointer": "/item"}
    for content, code, status in (
        (b"{", "malformed_json", 400),
        (b'{"item":"a","count":NaN}', "malformed_json", 400),
        (b'{"item":"' + b"a" * 1_048_576 + b'"}', "body_too_large", 413),
    ):
        headers = {"Content-Type": "application/json"}
        response = await web.post("/orders", content=content, headers=headers)
        refused(response, status, code)
    headers = {"Content-Type": "text/plain"}
    response = await web.post("/orders", content=b"{}", headers=headers)
    refused(response, 415, "unsupported_media_type")
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = await web.post("/orders", content=b"{}", headers=headers)
    refused(response, 415, "unsupported_content_coding")


@pytest.mark.parametrize(
    ("path", "status", "code", "source"),
    [
        ("/limited?size=x", 400, "invalid_parameter", {"parameter": "size"}),
        ("/limited?size=1&size=2", 400, "invalid_parameter", {"parameter": "size"}),
        ("/limited?other=1", 400, "unknown_parameter", {"parameter": "other"}),
        ("/shelves/a/books/x", 400, "invalid_parameter", {"parameter": "book"}),
        ("/nowhere", 404, "route_not_found", None),
        ("/files/nothing", 404, "route_not_found", None),
        ("/teapot", 418, "http_error", None),
        ("/crash", 500, "internal_error", None),
    ],
)
async def test_errors_are_enveloped(
    web: httpx2.AsyncClient, path: str, status: int, code: str, source: Any
) -> None:
    response = await web.get(path)
    assert refused(response, status, code).get("source") == source
    assert response.headers["X-Request-Id"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "secret" not in response.text


async def test_an_http_exception_keeps_its_headers(web: httpx2.AsyncClient) -> None:
    response = await web.get("/teapot")
    assert response.headers["X-Spout"] == "yes"
    assert response.json()["errors"][0]["detail"] == "short and stout"


async def test_a_crash_is_logged_once(
    web: httpx2.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    await web.get("/crash")
    assert capsys.readouterr().out.count("ZeroDivisionError: secret") == 1


async def test_responses_and_mounted_applications_pass_untouched(
    web: httpx2.AsyncClient,
) -> None:
    assert (await web.get("/plain")).text == "as it is"
    assert (await web.get("/files/file.txt")).text == "static"
    mounted = await web.get("/sub/hello")
    assert mounted.json() == {"hello": "world"}
    assert mounted.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/limited", "/files/file.txt", "/health/live"])
async def test_head_is_get_without_a_body(web: httpx2.AsyncClient, path: str) -> None:
    assert (await web.head(path)).status_code == 200


async def test_a_wrong_method_names_the_right_ones(web: httpx2.AsyncClient) -> None:
    response = await web.delete("/orders")
    refused(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "POST"


async def test_metrics_count_by_template(web: httpx2.AsyncClient) -> None:
    await web.get("/extra/nested/deeper/5")
    await web.get("/files/file.txt")
    text = (await web.get("/metrics")).text
    assert 'route="/extra/nested/deeper/{one}",status="200"' in text
    assert 'route="mounted",status="200"' in text


async def test_they_are_in_the_document(extended: FastAPI) -> None:
    document = extended.openapi()
    operation = document["paths"]["/limited"]["get"]
    assert document["paths"]["/limited"]["servers"] == [{"url": "/"}]
    assert operation["security"] == []
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    name = schema["$ref"].rpartition("/")[2]
    envelope = document["components"]["schemas"][name]
    assert set(envelope["properties"]) == {"data", "meta", "errors"}
    assert {"400", "405", "500"} <= operation["responses"].keys()
    body = document["paths"]["/orders"]["post"]["requestBody"]["content"]
    assert body["application/json"]["schema"]["$ref"].endswith("/Order")
    assert "/extra/nested/deeper/{one}" in document["paths"]
    assert "HTTPValidationError" not in str(document)


async def test_routes_that_come_later_are_described(settings: Settings) -> None:
    app = create_app(settings)
    first = app.openapi()

    @app.get("/later")
    async def later() -> dict[str, str]:
        return {}

    assert "/later" not in first["paths"] and "/later" in app.openapi()["paths"]


def contexts(app: FastAPI) -> list[Any]:
    """Return all routes, as the routers around them define them."""
    return [
        context
        for context in iter_route_contexts(app.routes)
        if isinstance(context.original_route, APIRoute)
    ]


OPEN = {
    "/",
    BASE,
    f"{BASE}/meta/client",
    f"{BASE}/meta/errors",
    f"{BASE}/meta/state-machines",
    f"{BASE}/openapi.json",
    "/dev/token",
    "/docs",
    "/docs/init.js",
    "/docs/plain",
    "/docs/style.css",
    "/health/live",
    "/health/ready",
    "/metrics",
}


def test_only_these_routes_take_no_token(app: FastAPI) -> None:
    found = {
        context.path_format
        for context in contexts(app)
        if not isinstance(context.original_route, LeanRoute)
        and not is_protected(context.dependant)
    }
    assert found == OPEN


def test_every_route_is_fastapis(app: FastAPI) -> None:
    kinds = {type(context.original_route) for context in contexts(app)}
    assert kinds == {LeanRoute, EnvelopeRoute}


def test_no_dependency_needs_a_thread(app: FastAPI) -> None:
    """A sync dependency costs 77 µs, as FastAPI runs it in a thread."""
    calls = {one.call for context in contexts(app) for one in walk(context.dependant)}
    sync = {it for it in calls if not is_async_callable(it)}
    assert not sync


def walk(dependant: Dependant) -> list[Dependant]:
    """Return all that a route depends on, and its endpoint."""
    return [dependant, *(it for one in dependant.dependencies for it in walk(one))]


async def test_a_protected_route_wants_the_token_before_the_body(
    settings: Settings, client: Client
) -> None:
    response = await client.http.post(f"{BASE}/commands/x", content=b"{")
    assert response.status_code == 404
    path = f"{BASE}/audit/events"
    refused(await client.http.get(path + "?what=1"), 401, "token_missing")


# What FastAPI keeps to itself, and we rely on: a change of it must fail here.


def test_the_signature_of_a_lean_route_is_what_it_says(app: FastAPI) -> None:
    (create,) = [it for it in contexts(app) if it.operation_id == "createTask"]
    dependant: Dependant = create.dependant
    assert create.path_format == f"{PREFIX}/tasks"
    assert [it.alias for it in dependant.header_params] == [
        "Idempotency-Key",
        "If-Match",
    ]
    assert create.body_field.field_info.annotation.__name__ == "CreateTaskBody"


async def test_the_scope_tells_the_effective_route(settings: Settings) -> None:
    app, seen = cast(Application, create_app(settings)), []
    router = APIRouter(prefix="/b")

    @router.get("/{c}")
    async def read(request: Request, c: str) -> str:
        seen.append(effective_route(request.scope).path_format)
        return c

    app.include_router(router, prefix="/a")
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://t") as http:
            assert (await http.get("/a/b/x")).json()["data"] == "x"
    assert seen == ["/a/b/{c}"]
