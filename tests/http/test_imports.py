"""Imports over HTTP: taken at once, worked off once, refused line by line."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from metacortex.api.app import local_issuer
from metacortex.api.auth import Role
from metacortex.api.issuer import LocalIssuer
from metacortex.kernel.database import engine
from metacortex.operations.actor_functions import ActorFunctions
from metacortex.queries.projector import Projector
from metacortex.settings import Settings
from tests import shared
from tests.clients import Client
from tests.conftest import Urls
from tests.http.operators import operator
from tests.http.test_envelope import refused
from tests.integration.operating import HANG_S, Operating

LIST = """# House
- [ ] Paint the door
  - [x] Buy paint
- [ ] Sweep
"""


@pytest.fixture(scope="module")
async def jobs(urls: Urls) -> AsyncIterator[None]:
    """A worker of jobs behind the API."""
    async with Operating.on(urls) as operating:
        writes = engine(urls.app)
        actors = ActorFunctions(
            projector=Projector(operating.database),
            keeping=operating.database,
            writes=writes,
            wake=lambda id: None,
        )
        async with operating.worker(actors.work()):
            yield
        await writes.dispose()


async def ask(client: Client, text: str, key: str | None = None, **body: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return await client.send(
        "POST", "/imports", {"content": text, **body}, headers=headers
    )


async def done(client: Client, response: httpx2.Response) -> Any:
    """Return the import once it is done."""
    assert response.status_code == 202, response.text
    location = response.headers["Location"]
    assert location == f"/api/v1/imports/{response.json()['data']['id']}"
    async with asyncio.timeout(HANG_S):
        while True:
            found = await client.do("GET", location.removeprefix("/api/v1"))
            if found["data"]["status"] in ("done", "failed"):
                return found["data"]
            await asyncio.sleep(0.02)


async def sequence(client: Client) -> int:
    made = await client.do("POST", "/tags", {"name": uuid4().hex})
    found: int = made["meta"]["sequence"]
    return found


async def test_the_run_of_an_import_leads_to_its_commands(
    client: Client, jobs: None
) -> None:
    response = await ask(client, LIST)
    await done(client, response)
    await client.get("/tasks", await sequence(client))
    correlation = response.headers["X-Correlation-Id"]
    olga = operator(client)
    [run] = (await olga.get("/ops/runs", correlation_id=correlation))["data"]
    story = (await olga.get(f"/ops/runs/{run['id']}"))["data"]
    types = Counter(it["type"] for it in story["commands"])
    assert types == {"project.create": 1, "task.create": 3, "task.complete": 1}
    told = {it["command_id"] for it in story["commands"]}
    assert {it["command_id"] for it in story["events"]} == told
    numbers = [it["sequence"] for it in story["events"]]
    assert numbers == sorted(numbers) and len(numbers) >= len(told)
    assert story["projections"][0]["shows_events"]


async def test_a_list_is_imported_in_the_background(client: Client, jobs: None) -> None:
    found = await done(client, await ask(client, LIST))
    assert found["status"] == "done" and found["errors"] == []
    assert found["done"] == found["total"] > 4
    assert found["finished_at"] >= found["created_at"]
    listed = await client.get("/tasks", await sequence(client))
    assert {it["title"] for it in listed["data"]} == {
        "Paint the door",
        "Buy paint",
        "Sweep",
    }
    assert {it["status"] for it in listed["data"] if it["title"] == "Buy paint"} == {
        "completed"
    }


async def test_asked_twice_it_is_imported_once(client: Client, jobs: None) -> None:
    key = str(uuid4())
    first, again = await asyncio.gather(*(ask(client, LIST, key) for _ in range(2)))
    assert first.json()["data"]["id"] == again.json()["data"]["id"]
    replayed = [it.headers.get("Idempotency-Replayed") for it in (first, again)]
    assert sorted(replayed, key=str) == [None, "true"]
    await done(client, again)
    before = await sequence(client)
    assert (await ask(client, LIST, key)).headers["Idempotency-Replayed"] == "true"
    other = await ask(client, LIST + "- [ ] More\n", key)
    error = refused(other, 422, "idempotency_key_reused")
    assert error["source"] == {"header": "Idempotency-Key"}

    same = await done(client, await ask(client, LIST))  # under a key of its own
    assert same["errors"] == []
    assert await sequence(client) == before + 1, "it adds nothing"


async def test_a_refused_line_is_named_and_all_others_are_in(
    client: Client, jobs: None
) -> None:
    await done(client, await ask(client, LIST))
    listed = await client.get("/tasks", await sequence(client))
    [sweep] = [it["id"] for it in listed["data"] if it["title"] == "Sweep"]
    await client.do("DELETE", f"/tasks/{sweep}")
    edited = LIST.replace("- [ ] Sweep", "- [x] Sweep") + "- [ ] Rest\n"
    found = await done(client, await ask(client, edited))
    assert found["status"] == "done"
    assert [(it["line"], it["code"]) for it in found["errors"]] == [(4, "task_deleted")]
    listed = await client.get("/tasks", await sequence(client))
    assert "Rest" in {it["title"] for it in listed["data"]}


async def test_others_see_nothing_of_it(
    client: Client, http: httpx2.AsyncClient, settings: Settings, jobs: None
) -> None:
    issuer: LocalIssuer = local_issuer(settings)
    asked = await ask(client, LIST)
    path = asked.headers["Location"].removeprefix("/api/v1")
    refused(await Client.new(http, issuer).send("GET", path), 404, "not_found")
    for role in (Role.AUDITOR, Role.OPERATOR):
        team = Client.new(http, issuer, "ada", "team", role)
        refused(await team.send("GET", path), 403, "role_required")
        refused(await ask(team, LIST), 403, "role_required")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"content": ""}, "invalid_field"),
        ({"content": 1}, "invalid_field"),
        ({"content": "a\x00"}, "invalid_field"),
        ({"content": "a", "project": ""}, "invalid_field"),
        ({"content": "a", "more": 1}, "unknown_field"),
    ],
)
async def test_a_bad_body_is_refused(client: Client, body: Any, code: str) -> None:
    refused(await client.send("POST", "/imports", body), 422, code)


async def test_too_long_a_list_is_refused(client: Client) -> None:
    refused(await ask(client, "x" * 1_048_577), 413, "body_too_large")


async def test_the_real_list_is_imported(client: Client, jobs: None) -> None:
    found = await done(client, await ask(client, shared.data("interview-checklist.md")))
    assert (found["status"], found["errors"]) == ("done", [])
    assert found["done"] == found["total"] > 463
