"""A worker whose event loop stands still says so, though its recorder lives."""

import asyncio
import threading
import time
from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import text

from metacortex.kernel.database import driver_pool, engine
from metacortex.operations import recorder as recorders
from metacortex.operations.heartbeats import Process
from metacortex.operations.recorder import Recorder
from tests.conftest import Urls

STANDS_S = 2.0  # many beats, as ten seconds are of the real ones


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread, as that of a worker."""
    found = asyncio.new_event_loop()
    thread = threading.Thread(target=found.run_forever)
    thread.start()
    yield found
    found.call_soon_threadsafe(found.stop)
    thread.join()
    found.close()


async def test_the_delay_grows_for_as_long_as_the_loop_stands_still(
    urls: Urls, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorders, "BEAT_S", 0.05)
    process = Process(kind="worker")
    recorder = Recorder(lambda: engine(urls.projector, pool_size=4), process, loop)
    await asyncio.to_thread(recorder.start)
    try:
        loop.call_soon_threadsafe(time.sleep, STANDS_S)
        await until(urls, process.id, above_ms=STANDS_S * 700)
        await until(urls, process.id, above_ms=None)
    finally:
        await asyncio.to_thread(recorder.stop, 5)


async def until(urls: Urls, id: UUID, above_ms: float | None) -> None:
    """Wait until the process' row tells of such a delay; with None, of hardly any."""
    database = engine(urls.projector)
    sql = text("SELECT loop_delay_ms FROM workers.processes WHERE id = :id")
    async with asyncio.timeout(30):
        while True:
            row = await driver_pool(database).row(sql, {"id": id})
            delay = -1.0 if row is None else row[0]
            if delay > above_ms if above_ms is not None else 0 <= delay < 500:
                break
            await asyncio.sleep(0.02)
    await database.dispose()
