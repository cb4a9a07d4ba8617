"""Many streams: read once, counted, ended in time and in good order."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from metacortex.api.auth import LEEWAY_S, Caller, Role
from metacortex.api.streams import BEGIN, KEPT, RECONNECT, USER_STREAMS, Streams
from metacortex.commands import tasks
from metacortex.commands.lane import Lane
from metacortex.kernel.errors import RateLimited
from metacortex.queries.bus import Queries
from metacortex.queries.projector import Projector
from tests.clients import Client
from tests.http.conftest import Live
from tests.http.test_envelope import refused
from tests.http.test_stream import streamed, take
from tests.integration.walking import request, unit

HANG_S = 60  # only there to end a hang


class Counted(Queries):
    """Counts how often events are read; may lose the database."""

    reads = 0
    lost = False

    async def thin(self, *where: Any) -> Any:
        self.reads += 1
        if self.lost:
            raise asyncpg.ConnectionDoesNotExistError("the server hung up")
        return await super().thin(*where)


@pytest.fixture
def queries(writes: AsyncEngine) -> Counted:
    return Counted(writes)


@pytest.fixture
def streams(queries: Counted) -> Streams:
    return Streams(queries)


def caller(workspace: UUID, user: str = "user_anna", **more: Any) -> Caller:
    return Caller(user, workspace, Role.OWNER, "sess_1", None, **more)


async def collected(events: AsyncIterator[str], enough: int) -> list[str]:
    """Return what a stream says, until it has said enough or ends."""
    found: list[str] = []
    async with asyncio.timeout(HANG_S):
        async for event in events:
            found.append(event)
            if len(found) == enough:
                break
    return found


async def happens(lane: Lane, projector: Projector, workspace: UUID, n: int) -> None:
    """Let this many tasks be created, and shown."""
    made = [tasks.CreateTask(task_id=uuid4(), title="a") for _ in range(n)]
    await lane.submit(unit(workspace, *made))
    await projector.turn([workspace])


async def test_a_hundred_streams_of_a_workspace_read_once(
    streams: Streams,
    queries: Counted,
    lane: Lane,
    projector: Projector,
    workspace: UUID,
) -> None:
    """Once each of them asked for every event, over ten connections."""
    users = [f"user_{number}" for number in range(5)] * USER_STREAMS
    opened = [streams.open(caller(workspace, user)) for user in users]
    all_events = [streams.events(it, 0, bool) for it in opened]
    assert [await anext(it) for it in all_events] == [BEGIN] * 100
    listening = [asyncio.create_task(collected(it, 3)) for it in all_events]
    for _ in range(3):
        await happens(lane, projector, workspace, 1)
    for heard in await asyncio.gather(*listening):
        assert [it.split("\n")[0] for it in heard] == ["id: 1", "id: 2", "id: 3"]
    assert queries.reads <= 6


async def test_who_is_far_behind_catches_up(
    streams: Streams, lane: Lane, projector: Projector, workspace: UUID
) -> None:
    await happens(lane, projector, workspace, 3)
    stream = streams.open(caller(workspace))
    late = asyncio.create_task(collected(streams.events(stream, 1, bool), 4))
    await asyncio.sleep(0.2)
    await happens(lane, projector, workspace, 1)
    heard = await late
    assert [it.split("\n")[0] for it in heard[1:]] == ["id: 2", "id: 3", "id: 4"]
    assert KEPT > 4


async def test_a_user_may_have_so_many_streams(
    streams: Streams, workspace: UUID
) -> None:
    opened = [streams.open(caller(workspace)) for _ in range(USER_STREAMS)]
    with pytest.raises(RateLimited, match="too_many_streams"):
        streams.open(caller(uuid4()))
    streams.open(caller(workspace, "user_ben"))
    streams.close(opened.pop())
    streams.open(caller(workspace))


async def test_one_stream_too_many_is_answered_and_may_come_again(
    client: Client, live: Live
) -> None:
    headers = {"Authorization": f"Bearer {client.token}"}
    url = f"{live.url}/api/v1/events/stream"
    async with AsyncExitStack() as stack:
        for _ in range(USER_STREAMS):
            await stack.enter_async_context(streamed(live, client))
        async with httpx2.AsyncClient(timeout=20) as http:
            response = await http.get(url, headers=headers)
            error = refused(response, 429, "too_many_streams")
            assert error["meta"] == {"limit": USER_STREAMS, "depth": 0} or error[
                "meta"
            ] == {"limit": USER_STREAMS}
            assert int(response.headers["Retry-After"]) > 0
        other = client.like()
        async with streamed(live, other, **{"Last-Event-ID": "0"}) as stream:
            await client.like(user=other.user).task()
            assert len(await take(stream, 1)) == 1
    async with asyncio.timeout(HANG_S):
        while not await _opens(url, headers):
            await asyncio.sleep(0.1)


async def _opens(url: str, headers: dict[str, str]) -> bool:
    async with httpx2.AsyncClient(timeout=20) as http:
        async with http.stream("GET", url, headers=headers) as response:
            return response.status_code == 200


async def test_a_stream_ends_with_its_token(streams: Streams, workspace: UUID) -> None:
    soon = time.time() - LEEWAY_S + 0.3
    stream = streams.open(caller(workspace, expires_at=soon))
    assert not stream.is_over
    assert await collected(streams.events(stream, 0, bool), 9) == [BEGIN, RECONNECT]
    assert time.time() >= soon + LEEWAY_S


async def test_the_streams_of_a_session_are_ended(
    streams: Streams, workspace: UUID
) -> None:
    stream, other = streams.open(caller(workspace)), streams.open(
        caller(workspace, "user_ben")
    )
    assert streams.revoke(lambda it: it.user_id == "user_anna") == 1
    assert await collected(streams.events(stream, 0, bool), 9) == [BEGIN, RECONNECT]
    assert not other.is_over


async def test_a_database_that_is_lost_ends_all_streams_in_one_line(
    streams: Streams,
    queries: Counted,
    lane: Lane,
    projector: Projector,
    workspace: UUID,
) -> None:
    opened = [streams.open(caller(workspace)) for _ in range(10)]
    with capture_logs() as logs:
        all_events = [streams.events(it, 0, bool) for it in opened]
        assert [await anext(it) for it in all_events] == [BEGIN] * 10
        listening = [asyncio.create_task(collected(it, 9)) for it in all_events]
        queries.lost = True
        await happens(lane, projector, workspace, 1)
        heard = await asyncio.gather(*listening)
    assert heard == [[RECONNECT]] * 10
    (line,) = [it for it in logs if it["event"] == "stream_ended"]
    assert (line["log_level"], line["code"]) == ("warning", "database_unavailable")
    queries.lost = False
    again = collected(streams.events(opened[0], 0, bool), 2)
    assert (await again)[1].startswith("id: 1\n")


async def test_nobody_listens_nobody_reads(
    streams: Streams, lane: Lane, projector: Projector, workspace: UUID
) -> None:
    await lane.send(request(workspace, tasks.CreateTask(task_id=uuid4(), title="a")))
    stream = streams.open(caller(workspace))
    events = streams.events(stream, 0, bool)
    assert await anext(events) == BEGIN
    assert len(streams._feeds) == 1
    await events.aclose()
    async with asyncio.timeout(HANG_S):
        while streams._feeds:
            await asyncio.sleep(0.1)
