"""What surrounds every answer: health, metrics, docs, headers, other origins."""

import asyncio
import re
from urllib.parse import urlsplit

import httpx2
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from metacortex.api.app import create_app
from metacortex.api.auth import workspace_of
from metacortex.settings import Settings, UnsafeSettings
from tests.clients import BASE, Client
from tests.conftest import Urls
from tests.http.conftest import Live

ORIGIN = "https://app.example.com"


async def test_the_process_lives(http: httpx2.AsyncClient) -> None:
    response = await http.get("/health/live")
    assert response.json()["data"] == {"status": "ok"}


async def test_readiness_names_what_it_needs(http: httpx2.AsyncClient) -> None:
    response = await http.get("/health/ready")
    data = response.json()["data"]
    assert (response.status_code, data["status"]) == (200, "ok")
    assert set(data["checks"]) == {"database", "schema", "broker", "projections"}
    assert data["checks"]["projections"]["detail"].endswith(" workspaces parked")
    assert all(check["status"] == "ok" for check in data["checks"].values())


async def test_parked_workspaces_are_said_and_make_nothing_unready(
    client: Client, urls: Urls
) -> None:
    await client.task()  # the metric counts workspaces that have a log
    workspace = workspace_of(f"user_{client.user}")
    database = create_async_engine(urls.projector)
    async with database.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO queries.checkpoints (workspace_id, sequence, parked_at)"
                " VALUES (:workspace, 0, now())"
                " ON CONFLICT (workspace_id) DO UPDATE SET parked_at = now()"
            ),
            {"workspace": workspace},
        )
        sql = "SELECT count(*) FROM queries.checkpoints WHERE parked_at IS NOT NULL"
        parked = await connection.scalar(text(sql))
    response = await client.http.get("/health/ready")
    data = response.json()["data"]
    assert (response.status_code, data["status"]) == (200, "ok")
    said = {"status": "ok", "detail": f"{parked} workspaces parked"}
    assert data["checks"]["projections"] == said
    line = f"\nmetacortex_projections_parked {parked}.0\n"
    async with asyncio.timeout(60):  # what was counted stands for a second
        while line not in (await client.http.get("/metrics")).text:
            await asyncio.sleep(0.1)
    async with database.begin() as connection:  # or no later verdict were healthy
        sql = "UPDATE queries.checkpoints SET parked_at = NULL WHERE workspace_id = :w"
        await connection.execute(text(sql), {"w": workspace})
    await database.dispose()


async def test_metrics_count_requests_by_route(client: Client) -> None:
    await client.send("GET", f"/tasks/{(await client.task())['id']}")
    text = (await client.http.get("/metrics")).text
    assert 'metacortex_http_requests_total{method="GET",route="/api/v1/tasks/{' in text
    assert "metacortex_http_request_seconds_bucket" in text
    assert "metacortex_http_requests_in_flight" in text


async def test_the_plain_docs_need_no_script(http: httpx2.AsyncClient) -> None:
    page = await http.get("/docs/plain")
    assert page.status_code == 200 and "createTask" in page.text
    assert "https://" not in page.text and "<script" not in page.text
    assert (await http.get("/docs/style.css")).status_code == 200


async def test_the_docs_need_nothing_from_elsewhere(http: httpx2.AsyncClient) -> None:
    page = await http.get("/docs")
    assert "//" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    for file in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        assert (await http.get(file)).status_code == 200, file


async def test_the_api_leads_to_the_docs(http: httpx2.AsyncClient) -> None:
    assert (await http.get(BASE)).json()["data"]["docs"] == "/docs"


@pytest.mark.parametrize(
    "path",
    [
        "/health/live",
        "/health/ready",
        "/metrics",
        "/docs",
        "/nothing",
        f"{BASE}/tasks",
        f"{BASE}/openapi.json",
        f"{BASE}/meta/errors",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_security_headers_are_on_everything(
    http: httpx2.AsyncClient, method: str, path: str
) -> None:
    headers = (await http.request(method, path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] in ("no-store", "private, no-cache")
    assert headers["X-Request-Id"]
    assert "Server" not in headers


async def test_in_development_any_origin_may_call(http: httpx2.AsyncClient) -> None:
    headers = {"Origin": "http://localhost:5173"}
    response = await http.get("/health/live", headers=headers)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    exposed = response.headers["Access-Control-Expose-Headers"]
    for name in ("ETag", "Location", "Metacortex-Sequence", "Idempotency-Replayed"):
        assert name in exposed


async def test_a_browser_may_send_our_headers(http: httpx2.AsyncClient) -> None:
    headers = {
        "Origin": "http://localhost:5173",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "Authorization, If-Match, Idempotency-Key",
    }
    response = await http.options(f"{BASE}/tasks", headers=headers)
    assert response.status_code == 200
    assert "PATCH" in response.headers["Access-Control-Allow-Methods"]


async def test_preflights_carry_what_every_answer_carries(
    http: httpx2.AsyncClient,
) -> None:
    for asked, status in (("PATCH", 200), ("PUT", 400)):
        headers = {
            "Origin": "http://localhost:5173",
            "Access-Control-Request-Method": asked,
        }
        response = await http.options(f"{BASE}/tasks", headers=headers)
        assert response.status_code == status
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Request-Id"]


async def test_what_is_no_http_is_answered_in_the_envelope(live: Live) -> None:
    address = urlsplit(live.url)
    for sent in (b"GET /\xff HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n"):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(sent)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"x-content-type-options: nosniff" in head
        assert orjson.loads(body)["errors"][0]["code"] == "bad_request"


async def test_an_upgrade_that_is_not_offered_is_passed_over(live: Live) -> None:
    """RFC 9110, section 7.8: a server may ignore it and go on as it was."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    async with httpx2.AsyncClient(base_url=live.url) as client:
        response = await client.get(f"{BASE}/tasks", headers=upgrade)
    assert response.status_code == 401
    assert response.json()["errors"][0]["code"] == "token_missing"


@pytest.fixture(scope="module")
def public_key() -> str:
    """A public key whose private half nobody has."""
    public = generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def production(settings: Settings, public_key: str) -> Settings:
    """Settings with which production starts; nothing is asked of the database."""
    url = "postgresql+asyncpg://metacortex_app:Vd93kfo20sQx@db.example.com/metacortex"
    return settings.model_copy(
        update={
            "environment": "production",
            "database_url": url,
            "database_owner_url": None,
            "database_projector_url": None,
            "database_auditor_url": None,
            "cors_origins": (ORIGIN,),
            "token_issuer": "https://clerk.example.com",
            "token_public_key": public_key,
            "token_authorized_parties": (ORIGIN,),
        }
    )


async def asked(app: FastAPI, path: str, **headers: str) -> httpx2.Response:
    """Return an application's answer."""
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as http:
        return await http.get(path, headers=headers)


async def test_in_production_only_listed_origins_may_call(
    production: Settings,
) -> None:
    app = create_app(production)
    listed = await asked(app, "/health/live", Origin=ORIGIN)
    assert listed.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in listed.headers["Vary"]
    for origin in ("https://app.example.com.evil.org", "http://app.example.com"):
        other = await asked(app, "/health/live", Origin=origin)
        assert "Access-Control-Allow-Origin" not in other.headers


async def test_production_asks_for_https_and_hides_the_docs(
    production: Settings,
) -> None:
    app = create_app(production)
    response = await asked(app, "/docs")
    assert response.status_code == 404
    assert "max-age=" in response.headers["Strict-Transport-Security"]


async def test_production_refuses_unsafe_settings(production: Settings) -> None:
    unsafe = production.model_copy(update={"cors_origins": ("*",)})
    with pytest.raises(UnsafeSettings, match="METACORTEX_CORS_ORIGINS"):
        create_app(unsafe)
