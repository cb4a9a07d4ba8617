"""Heads of requests: read in one pass, bounded, and never stored as they came."""

import time
from typing import Any

import httpx2
import pytest
from starlette.types import Scope

from metacortex.api.app import create_app, local_issuer
from metacortex.api.head import RequestHeaders
from metacortex.kernel.http_limits import HEADER_BYTES, HEADER_LINES, TARGET_BYTES
from metacortex.settings import Settings
from tests.clients import BASE, Client


def cost(lines: int) -> float:
    """Return the seconds of CPU that it takes to read so many distinct headers."""
    raw = [(b"x-%d" % n, b"1") for n in range(lines)] + [(b"x-0", b"2")]
    scope: Scope = {"type": "http", "headers": raw}
    began = time.process_time()
    RequestHeaders(scope)
    return time.process_time() - began


def test_repeated_headers_are_read_in_one_pass() -> None:
    few, many = min(cost(500) for _ in range(5)), min(cost(4_000) for _ in range(5))
    assert many < 32 * few  # eight times as much; a scan for each name takes 64 times


def test_lines_of_one_name_are_a_list() -> None:
    raw = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]
    found = RequestHeaders({"type": "http", "headers": raw})
    assert (found.get("a"), found.get("b"), found.get("c")) == ("1, 3", "2", None)
    assert found.repeated == {b"a"}


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        ([("x-a", "1")] * (HEADER_LINES + 1), HEADER_LINES),
        ([("x-a", "1" * HEADER_BYTES)], HEADER_BYTES),
        ([(f"x-{n}", "1" * 14_000) for n in range(5)], 65_536),
    ],
)
async def test_the_application_bounds_headers_itself(
    http: httpx2.AsyncClient, headers: Any, limit: int
) -> None:
    response = await http.get(f"{BASE}/tasks", headers=headers)
    error = response.json()["errors"][0]
    assert (response.status_code, error["code"]) == (431, "headers_too_large")
    assert error["meta"] == {"limit": limit}
    assert response.headers["Connection"] == "close"


async def test_the_application_bounds_targets_itself(http: httpx2.AsyncClient) -> None:
    response = await http.get(f"{BASE}/tasks?q={'a' * TARGET_BYTES}")
    assert response.status_code == 414
    assert response.json()["errors"][0]["code"] == "target_too_long"


LONG = "x" * 300
TOLD = {
    "X-Forwarded-For": "198.51.100.7, " + "<script>" * 100,
    "User-Agent": LONG,
    "Metacortex-Client": LONG,
}


async def test_only_an_address_is_stored_and_little_of_who_it_is(
    client: Client,
) -> None:
    await client.send("POST", "/tasks", {"title": "A"}, TOLD)
    (event,) = (await client.get("/audit/events", at_least=1))["data"]
    assert event["context"]["ip"] == "127.0.0.1"
    assert event["context"]["user_agent"] == LONG[:256]
    assert event["context"]["client"] == LONG[:256]


async def test_behind_a_proxy_the_address_is_the_clients(settings: Settings) -> None:
    near = settings.model_copy(update={"trusted_proxies": ("127.0.0.0/8",)})
    served = create_app(near)
    async with served.router.lifespan_context(served):
        transport = httpx2.ASGITransport(app=served)
        async with httpx2.AsyncClient(transport=transport, base_url="http://t") as http:
            client = Client.new(http, local_issuer(settings))
            headers = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
            await client.send("POST", "/tasks", {"title": "A"}, headers)
            (event,) = (await client.get("/audit/events", at_least=1))["data"]
            assert event["context"]["ip"] == "198.51.100.7"
