"""What production shows to whom: metrics to operators, the document to members."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI

from metacortex.api.app import create_app
from metacortex.api.auth import Role
from metacortex.api.issuer import LocalIssuer
from metacortex.settings import Settings
from tests.clients import BASE
from tests.integration.installation import _free_port

ISSUER = "https://clerk.example.com"
PORT = _free_port()


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> LocalIssuer:
    """Whoever signs for production here."""
    folder: Path = tmp_path_factory.mktemp("issuer")
    return LocalIssuer(folder, ISSUER)


@pytest.fixture(scope="module")
async def serving(settings: Settings, issuer: LocalIssuer) -> AsyncIterator[FastAPI]:
    """The application as in production, on the database that tests share."""
    key = jwt.PyJWK(issuer.jwks()["keys"][0]).key.public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    changes = {
        "environment": "production",
        "token_issuer": ISSUER,
        "token_public_key": key.decode(),
        "token_authorized_parties": (ISSUER,),
        "metrics_bind": f"127.0.0.1:{PORT}",
    }
    served = create_app(settings.model_copy(update=changes))
    async with served.router.lifespan_context(served):
        yield served


@pytest.fixture(scope="module")
async def web(serving: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP to it."""
    transport = httpx2.ASGITransport(app=serving)
    async with httpx2.AsyncClient(transport=transport, base_url="https://t") as http:
        yield http


def bearer(issuer: LocalIssuer, role: Role) -> dict[str, str]:
    """Return the header of somebody in a role."""
    token = issuer.token("ada", role=role, ttl_s=600)
    return {"Authorization": f"Bearer {token}"}


async def test_metrics_are_for_operators(
    web: httpx2.AsyncClient, issuer: LocalIssuer
) -> None:
    assert (await web.get("/metrics")).status_code == 401
    owner = await web.get("/metrics", headers=bearer(issuer, Role.OWNER))
    assert owner.json()["errors"][0]["code"] == "role_required"
    found = await web.get("/metrics", headers=bearer(issuer, Role.OPERATOR))
    assert found.status_code == 200 and "metacortex_http" in found.text
    assert "_created" not in found.text


async def test_metrics_have_an_address_of_their_own(serving: FastAPI) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{PORT}") as http:
        found = await http.get("/metrics")
        assert found.status_code == 200 and "metacortex_database_up" in found.text
        assert found.headers["Content-Type"].startswith("text/plain")
        assert (await http.get("/health/live")).status_code == 404
        assert (await http.post("/metrics")).status_code == 404


async def test_the_document_is_for_whoever_has_a_token(
    web: httpx2.AsyncClient, issuer: LocalIssuer
) -> None:
    path = f"{BASE}/openapi.json"
    assert (await web.get(path)).status_code == 401
    found = await web.get(path, headers=bearer(issuer, Role.AUDITOR))
    assert found.json()["openapi"].startswith("3.1")


async def test_rates_are_limited_unasked(
    web: httpx2.AsyncClient, issuer: LocalIssuer
) -> None:
    found = await web.get(f"{BASE}/tasks", headers=bearer(issuer, Role.OWNER))
    assert found.status_code == 200
    assert found.headers["RateLimit-Policy"] == '"queries";q=6000;w=60'


async def test_methods_that_nobody_knows_are_one_label(web: httpx2.AsyncClient) -> None:
    for number in range(3):
        await web.request(f"BREW{number}", "/health/live")
    from prometheus_client import REGISTRY, generate_latest

    text = generate_latest(REGISTRY).decode()
    assert "BREW" not in text
    assert 'method="OTHER",route="/health/live"' in text
