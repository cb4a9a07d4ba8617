"""The operators' stream: the overview every second, and what happens meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.api.app import local_issuer
from metacortex.api.auth import Role
from metacortex.api.ops import broadcaster
from metacortex.settings import Settings
from tests.clients import Client
from tests.http.conftest import Live, listen
from tests.http.described import OPERATIONS, promised, wrongs
from tests.http.operators import failing, make_run, operator

WAIT_S = 30.0  # only there to end a hang


@asynccontextmanager
async def opened(url: str, settings: Settings) -> AsyncIterator[AsyncIterator[str]]:
    """Open the stream; give its lines."""
    token = local_issuer(settings).token("olga", role=Role.OPERATOR)
    headers = {"Authorization": f"Bearer {token}"}
    async with asyncio.timeout(WAIT_S), httpx2.AsyncClient(base_url=url) as http:
        async with http.stream(
            "GET", "/api/v1/ops/stream", headers=headers, timeout=WAIT_S
        ) as response:
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            yield response.aiter_lines()


async def events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, Any]]:
    """Return name and data of each event."""
    name = ""
    async for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def wait_for(
    found: AsyncIterator[tuple[str, Any]], name: str, **fields: Any
) -> Any:
    """Return the first event of a name whose data has these fields."""
    async for one, data in found:
        if one == name and all(data[key] == fields[key] for key in fields):
            return data
    raise AssertionError(f"the stream ended without {name}")


async def test_the_overview_comes_every_second(live: Live, settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    async with opened(live.url, settings) as lines:
        found = events(lines)
        first = await wait_for(found, "overview")
        began = loop.time()
        for _ in range(3):
            await wait_for(found, "overview")
        assert loop.time() - began > 2 * broadcaster.TICK_S
    answer = promised(OPERATIONS["getOverview"], 200)
    envelope = {"data": first, "meta": {"request_id": "x"}, "errors": []}
    assert wrongs(answer, envelope) == []


async def test_what_happens_is_told_once(
    live: Live, settings: Settings, client: Client, writes: AsyncEngine
) -> None:
    fingerprint = uuid4().hex[:16]
    async with opened(live.url, settings) as lines:
        found = events(lines)
        await wait_for(found, "overview")
        run = await make_run(writes, **failing(fingerprint, actor="verify_workspace"))
        told = await wait_for(found, "run", id=str(run))
        assert (told["outcome"], told["actor"]) == ("failed", "verify_workspace")
        failure = await wait_for(found, "failure", run_id=str(run))
        assert failure["fingerprint"] == fingerprint
        done = await operator(client).do("POST", f"/ops/runs/{run}/discard")
        action = await wait_for(found, "action", id=done["data"]["id"])
        assert action["result"] == "discarded"
        seen = 0
        while seen < 3:
            name, data = await anext(found)
            seen += name == "overview"
            assert (
                name != "run"
                or data["id"] != str(run)
                or (data["outcome"] == "discarded")
            )


async def test_nobody_looks_when_nobody_listens(live: Live, settings: Settings) -> None:
    services = live.server.config.app.state.services  # type: ignore[union-attr]
    async with opened(live.url, settings) as one, opened(live.url, settings) as two:
        await wait_for(events(one), "overview")
        await wait_for(events(two), "overview")
        assert services.operations.broadcaster.listeners >= 2
    async with asyncio.timeout(WAIT_S):
        while services.operations.broadcaster.listeners:
            await asyncio.sleep(0.1)
        while not services.operations.broadcaster._task.done():
            await asyncio.sleep(0.1)


async def test_a_stream_says_when_to_come_back(settings: Settings) -> None:
    served = await asyncio.to_thread(listen, settings)
    async with opened(served.url, settings) as lines:
        found = events(lines)
        await wait_for(found, "overview")
        stopping = asyncio.create_task(asyncio.to_thread(served.stop))
        assert await wait_for(found, "reconnect") == {}
    await stopping


async def test_a_stream_ends_when_its_time_is_up(
    live: Live, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcaster, "LIFETIME_S", 0.1)
    monkeypatch.setattr(broadcaster, "HEARTBEAT_S", 0.0)
    async with opened(live.url, settings) as lines:
        told = [line async for line in lines]
    assert told[0] == "retry: 3000"
    assert told[-3:] == ["event: reconnect", "data: {}", ""]
