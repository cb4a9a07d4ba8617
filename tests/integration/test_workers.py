"""Workers pick wake-ups up at once, the sweep needs none, and one scheduler leads."""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.kernel.database import engine
from metacortex.queries.projector import Projector
from metacortex.settings import Settings
from metacortex.wakeups import WakeUps, make_broker, sender
from metacortex.workers import LEASE_S, POLL_MS, Leadership, Sweep, Worker
from tests.conftest import Urls
from tests.integration import laws
from tests.integration.walking import unit

HANG_S = 60.0  # only there to end a hang
PICK_UP_MS = 60  # a person notices no more than this
TICKS = 25  # of an idle worker's poll


async def made(writes: AsyncEngine, workspace: UUID, number: int = 1) -> None:
    births = [tasks.CreateTask(task_id=uuid4(), title="New") for _ in range(number)]
    await Bus(writes).execute([unit(workspace, *births)])


async def test_an_idle_worker_picks_a_wake_up_up(
    writes: AsyncEngine, worker: Worker, settings: Settings
) -> None:
    broker = make_broker(settings.redis_url)
    wake_ups = WakeUps(sender(broker))
    wake_ups.start()
    for _ in range(3):
        workspace = uuid4()
        await made(writes, workspace)
        wake_ups.tell([workspace])
        async with asyncio.timeout(HANG_S):
            while await laws.shown(writes, workspace) < 1:
                await asyncio.sleep(0.002)
    await wake_ups.stop()
    broker.close()


async def test_an_idle_worker_looks_again_at_every_poll(
    projector: Projector, settings: Settings
) -> None:
    assert POLL_MS < PICK_UP_MS
    broker, looks = make_broker(settings.redis_url), 0
    fetch = broker.do_fetch

    def counted(*arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        return fetch(*arguments)

    broker.__dict__["do_fetch"] = counted
    idle = Worker(broker, projector, threads=1)
    idle.start()
    async with asyncio.timeout(HANG_S):
        while True:  # until nothing but us keeps the machine busy
            before = looks
            await asyncio.to_thread(_sleep, TICKS)
            if looks - before > TICKS / 2:
                break
    await idle.stop(5)
    broker.close()


def _sleep(times: int) -> None:
    """Sleep as a worker does that looks for messages and finds none."""
    for _ in range(times):
        time.sleep(POLL_MS / 1_000)


async def test_the_sweep_needs_no_message(
    writes: AsyncEngine, projector: Projector
) -> None:
    ids = [uuid4() for _ in range(5)]
    for id in ids:
        await made(writes, id, 3)
    assert set(ids) <= set(await projector.behind())
    sweep, swept = Sweep(projector), 0
    while events := await sweep.turn():
        swept += events
    assert swept >= 15
    assert await projector.behind(ids) == []
    for id in ids:
        await laws.check_read_side(writes, projector, id)
    assert await sweep.turn() == 0


async def test_a_long_backlog_holds_up_nobody_who_comes_later(
    urls: Urls, writes: AsyncEngine
) -> None:
    database, big, small = engine(urls.projector), uuid4(), uuid4()
    sweep = Sweep(Projector(database, batch=20, turn_s=0))
    for _ in range(3):
        await made(writes, big, 100)
    assert await sweep.turn() > 0
    await made(writes, small)
    while not await laws.shown(writes, small):  # others' tests may have left some too
        assert await sweep.turn() > 0
    assert await laws.shown(writes, big) < 300
    await database.dispose()


async def test_one_holder_leads_until_its_lease_ends(urls: Urls) -> None:
    database, name = engine(urls.projector), f"test {uuid4()}"
    first = Leadership(database, name)
    second = await asyncio.to_thread(Leadership, database, name)  # another holder
    assert await first.take()
    assert not await second.take()
    assert await first.take(), "a holder keeps its lease"
    assert not await second.take()

    await _let_time_pass(database, name)
    assert await second.take()
    assert not await first.take()

    await first.give_up()
    assert not await first.take(), "one gives up its own lease only"
    await second.give_up()
    assert await first.take()
    await first.give_up()
    await database.dispose()


async def _let_time_pass(database: AsyncEngine, name: str) -> None:
    """Move a lease into the past by just its length and a bit."""
    sql = text(
        "UPDATE workers.leases SET expires_at = expires_at - make_interval(secs => :s)"
        " WHERE name = :name"
    )
    async with database.begin() as connection:
        await connection.execute(sql, {"s": LEASE_S + 0.1, "name": name})
