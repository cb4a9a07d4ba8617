"""The web app's files and page, and what must not be answered with the page."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from metacortex.api.app import create_app
from metacortex.api.web import WebApp, content_policy
from metacortex.settings import Settings
from tests.http.test_envelope import refused

HTML = {"Accept": "text/html,application/xhtml+xml"}
SCRIPT = "console.log(1);" * 100


@pytest.fixture
async def web(settings: Settings, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP to an application with a small build."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>MetaCortex</title>")
    (tmp_path / "assets" / "index-abc.js").write_text(SCRIPT)
    (tmp_path / "favicon.svg").write_text("<svg/>")
    app = create_app(settings)
    app.state.web = WebApp(tmp_path)

    @app.get("/added")
    async def added() -> str:
        return "still here"

    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as http:
        yield http


@pytest.mark.parametrize("path", ["/today", "/audit", "/ops/runs/1", "/projects/x"])
async def test_paths_of_the_app_are_answered_with_the_page(
    web: httpx2.AsyncClient, path: str
) -> None:
    response = await web.get(path, headers=HTML)
    assert response.status_code == 200 and "<title>" in response.text
    assert response.headers["Cache-Control"] == "no-store"
    assert "unsafe" not in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/today", {"Accept": "application/json"}),
        ("POST", "/today", HTML),
        ("GET", "/api/v1/nothing", HTML),
        ("GET", "/health/nothing", HTML),
        ("GET", "/docs/nothing", HTML),
        ("GET", "/webhooks/clerk", HTML),
        ("GET", "/assets/old-123.js", HTML),
    ],
)
async def test_everything_else_is_an_error(
    web: httpx2.AsyncClient, method: str, path: str, headers: dict[str, str]
) -> None:
    response = await web.request(method, path, headers=headers)
    refused(response, 404, "route_not_found")


async def test_added_routes_come_before_the_page(web: httpx2.AsyncClient) -> None:
    response = await web.get("/added", headers=HTML)
    assert response.json()["data"] == "still here"


async def test_assets_are_compressed_and_cached_for_ever(
    web: httpx2.AsyncClient,
) -> None:
    plain = await web.get("/assets/index-abc.js", headers={"Accept-Encoding": ""})
    assert plain.text == SCRIPT and "Content-Encoding" not in plain.headers
    assert "immutable" in plain.headers["Cache-Control"]
    small = await web.get("/assets/index-abc.js", headers={"Accept-Encoding": "gzip"})
    assert small.text == SCRIPT and small.headers["Content-Encoding"] == "gzip"
    tag = {"If-None-Match": plain.headers["ETag"]}
    assert (await web.get("/assets/index-abc.js", headers=tag)).status_code == 304


async def test_other_files_are_served_uncached(web: httpx2.AsyncClient) -> None:
    response = await web.get("/favicon.svg")
    assert response.headers["Content-Type"].startswith("image/svg+xml")
    assert response.headers["Cache-Control"] == "no-store"


def test_clerk_adds_its_hosts_and_nothing_else() -> None:
    plain, clerk = content_policy(), content_policy("clerk.example.com")
    assert "https:" not in plain
    assert "https://clerk.example.com" in clerk and "unsafe" not in clerk


async def test_clerk_may_be_reached_where_its_key_is_set(settings: Settings) -> None:
    key = "pk_test_" + b64encode(b"clerk.example.org$").decode().rstrip("=")
    without = create_app(settings).state.web
    found = create_app(settings.model_copy(update={"clerk_publishable_key": key}))
    assert found.state.web.policy == content_policy("clerk.example.org")
    assert without.policy == content_policy()


async def test_the_root_is_the_page_or_leads_to_the_docs_without_a_build(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def root() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=create_app(settings))
        async with httpx2.AsyncClient(transport=transport, base_url="http://t") as it:
            return await it.get("/")

    assert "<title>" in (await root()).text
    monkeypatch.setattr(
        "metacortex.api.app.WebApp", lambda clerk_host: WebApp(tmp_path, clerk_host)
    )
    assert (await root()).headers["Location"] == "/docs"
