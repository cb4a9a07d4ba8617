"""Server-sent events: each with its sequence, resumed where one left, ended in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import orjson
import pytest

from metacortex.settings import Settings
from metacortex.workers import Worker
from tests.clients import Client
from tests.http.conftest import Live, listen
from tests.http.described import OPERATIONS, promised
from tests.http.test_envelope import refused

Stream = AsyncIterator[dict[str, str]]


@asynccontextmanager
async def streamed(
    server: Live, client: Client, **headers: str
) -> AsyncIterator[Stream]:
    """Open the stream of a person at a server."""
    sent = {"Authorization": f"Bearer {client.token}", **headers}
    url = f"{server.url}/api/v1/events/stream"
    async with httpx2.AsyncClient(timeout=20) as http:
        async with http.stream("GET", url, headers=sent) as response:
            assert response.status_code == 200
            assert response.headers["Content-Type"].startswith("text/event-stream")
            yield events(response)


async def events(response: httpx2.Response) -> Stream:
    """Return the events of a stream, without comments."""
    event: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
        else:
            if "data" in event:
                yield event
            event = {}


async def take(stream: Stream, count: int) -> list[dict[str, Any]]:
    """Return the next events."""
    async with asyncio.timeout(20):
        return [await anext(stream) for _ in range(count)]


async def test_an_event_comes_with_its_sequence_and_type(
    client: Client, live: Live
) -> None:
    async with streamed(live, client, **{"Last-Event-ID": "0"}) as stream:
        task = await client.task()
        await client.do("POST", f"/tasks/{task['id']}/complete")
        found = await take(stream, 2)
    assert [(e["id"], e["event"]) for e in found] == [
        ("1", "task.created"),
        ("2", "task.completed"),
    ]
    data = orjson.loads(found[1]["data"])
    assert data["stream"] == {"type": "task", "id": task["id"]}
    assert (data["sequence"], data["version"]) == (2, 2)
    assert "status" in data["changed_fields"]
    content = promised(OPERATIONS["streamEvents"], 200)["content"]
    example = content["text/event-stream"]["example"].rpartition("data: ")[2]
    assert list(data) == list(orjson.loads(example))


async def test_a_stream_is_resumed_after_the_last_event(
    client: Client, live: Live
) -> None:
    for n in range(4):
        await client.task(str(n))
    async with streamed(live, client, **{"Last-Event-ID": "2"}) as stream:
        assert [e["id"] for e in await take(stream, 2)] == ["3", "4"]


async def test_without_a_last_event_a_stream_begins_now(
    client: Client, live: Live
) -> None:
    await client.task("old")
    await client.get("/tasks", 1)
    async with streamed(live, client) as stream:
        await client.task("new")
        assert [e["id"] for e in await take(stream, 1)] == ["2"]


async def test_a_stream_shows_ones_own_workspace_only(
    client: Client, live: Live
) -> None:
    async with streamed(live, client, **{"Last-Event-ID": "0"}) as stream:
        await client.like().task("theirs")
        mine = await client.task("mine")
        (found,) = await take(stream, 1)
    assert orjson.loads(found["data"])["stream"]["id"] == mine["id"]


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 17, "9" * 5_000])
async def test_a_last_event_of_another_form_is_refused(
    client: Client, last: str
) -> None:
    headers = {"Last-Event-ID": last}
    response = await client.send("GET", "/events/stream", headers=headers)
    error = refused(response, 400, "invalid_header")
    assert error["source"] == {"header": "Last-Event-ID"}


async def test_a_stream_ends_itself_before_a_shutdown(
    client: Client, settings: Settings, worker: Worker
) -> None:
    server = await asyncio.to_thread(listen, settings)
    async with streamed(server, client, **{"Last-Event-ID": "0"}) as stream:
        await client.task()
        await take(stream, 1)
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        rest = [event async for event in stream]
        await stopping
    assert [event["event"] for event in rest] == ["reconnect"]
