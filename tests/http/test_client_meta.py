"""What a client learns before anybody has signed in."""

import httpx2
import pytest

from metacortex import __version__
from metacortex.api.app import create_app
from metacortex.settings import Settings
from tests.clients import BASE

KEY = "pk_test_ZXhhbXBsZS5vcmck"
CLERK = {
    "token_issuer": "https://clerk.example.org",
    "token_jwks_url": "https://clerk.example.org/.well-known/jwks.json",
}


@pytest.mark.parametrize(
    ("given", "issuer", "key"),
    [
        ({}, "development", None),
        ({"clerk_publishable_key": KEY, **CLERK}, "clerk", KEY),
        (CLERK, "other", None),
    ],
)
async def test_it_says_how_to_sign_in(
    settings: Settings, given: dict[str, str], issuer: str, key: str | None
) -> None:
    app = create_app(settings.model_copy(update=given))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as http:
        found = (await http.get(f"{BASE}/meta/client")).json()["data"]
        has_tokens = (await http.post("/dev/token", json={})).status_code != 404
    assert (found["issuer"], found["clerk_publishable_key"]) == (issuer, key)
    assert (found["version"], found["environment"]) == (__version__, "test")
    assert {"as_of", "me", "members", "undo"} <= set(found["features"])
    assert has_tokens == (issuer == "development")
