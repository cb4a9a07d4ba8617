"""Rate limits over HTTP: who pays for what, and what an answer says of it."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI

from metacortex.api.app import create_app, local_issuer
from metacortex.settings import Settings
from tests.clients import BASE, Client


@pytest.fixture(scope="module")
async def limited(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application with small quotas."""
    quotas = {
        "rate_limits": True,
        "rate_commands": 20,
        "rate_queries": 10,
        "rate_searches": 10,
        "rate_failed_attempts": 5,
    }
    served = create_app(settings.model_copy(update=quotas))
    async with served.router.lifespan_context(served):
        yield served


@pytest.fixture
async def someone(limited: FastAPI, settings: Settings) -> AsyncIterator[Client]:
    """A stranger, whose address is that of nobody else."""
    host = f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}::1"
    transport = httpx2.ASGITransport(app=limited, client=(host, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as http:
        yield Client.new(http, local_issuer(settings))


async def test_queries_count_one(someone: Client) -> None:
    for left in range(9, -1, -1):
        response = await someone.send("GET", "/tasks")
        assert response.status_code == 200
        assert response.headers["RateLimit-Policy"] == '"queries";q=10;w=60'
        assert response.headers["RateLimit"].startswith(f'"queries";r={left};t=')
    response = await someone.send("GET", "/projects")
    error = response.json()["errors"][0]
    assert (response.status_code, error["code"]) == (429, "rate_limited")
    assert int(response.headers["Retry-After"]) == error["meta"]["retry_after_s"]
    assert response.headers["RateLimit"].startswith('"queries";r=0;t=')
    ordinary = await someone.send("GET", "/tasks/stats")
    assert ordinary.status_code == 429
    other = someone.like()
    assert (await other.send("GET", "/tasks")).status_code == 200


async def test_searches_count_five_of_their_own(someone: Client) -> None:
    found = [await someone.send("GET", "/tasks?q=milk") for _ in range(3)]
    assert [it.status_code for it in found] == [200, 200, 429]
    assert found[0].headers["RateLimit"].startswith('"searches";r=5;')
    assert (await someone.send("GET", "/tasks")).status_code == 200


async def test_commands_count_the_events_that_they_append(someone: Client) -> None:
    root = await someone.task()
    batch = {
        "commands": [
            {
                "id": str(uuid4()),
                "type": "task.create",
                "args": {"title": "x", "parent_id": root["id"]},
            }
            for _ in range(9)
        ]
    }
    response = await someone.send("POST", "/commands", batch)
    assert response.headers["RateLimit"].startswith('"commands";r=10;')
    again = await someone.send("POST", "/commands", batch)  # nine commands, no event
    assert again.headers["RateLimit"].startswith('"commands";r=1;')
    done = await someone.send("DELETE", f"/tasks/{root['id']}")  # ten events
    assert done.status_code == 200
    refused = await someone.send("POST", "/tasks", {"title": "y"})
    assert refused.status_code == 429
    assert (await someone.send("GET", "/tasks")).status_code == 200


async def test_bad_tokens_count_against_the_address(someone: Client) -> None:
    bad = {"Authorization": "Bearer a.b.c"}
    found = [await someone.http.get(f"{BASE}/tasks", headers=bad) for _ in range(6)]
    assert [it.status_code for it in found] == [401] * 5 + [429]
    assert int(found[-1].headers["Retry-After"]) >= 1
    assert (await someone.http.get(f"{BASE}/tasks")).status_code == 429
    # others behind the same address are not shut out by that
    assert (await someone.send("GET", "/tasks")).status_code == 200


async def test_good_tokens_do_not_count_against_the_address(someone: Client) -> None:
    for _ in range(10):
        assert (await someone.like().send("GET", "/tasks")).status_code == 200


async def test_elsewhere_than_in_production_nothing_is_limited(
    client: Client, settings: Settings
) -> None:
    response = await client.send("GET", "/tasks")
    assert "RateLimit" not in response.headers
    assert not settings.limits_rates
    assert Settings(environment="production").limits_rates
