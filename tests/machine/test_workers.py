"""Workers pick wake-ups up at once, the sweep needs none, and one scheduler leads."""

import asyncio
import statistics
import time
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.kernel.database import engine
from metacortex.queries.projector import Projector
from metacortex.settings import Settings
from metacortex.wakeups import WakeUps, make_broker, sender
from metacortex.workers import LEASE_S, Leadership, Sweep, Worker
from tests.conftest import Urls
from tests.machine import laws
from tests.machine.walking import unit

PICK_UP_S = 0.06  # a person notices no more than this


async def made(writes: AsyncEngine, workspace: UUID, number: int = 1) -> None:
    births = [tasks.CreateTask(task_id=uuid4(), title="New") for _ in range(number)]
    await Bus(writes).execute([unit(workspace, *births)])


async def test_an_idle_worker_picks_a_wake_up_up_at_once(
    writes: AsyncEngine, worker: Worker, settings: Settings
) -> None:
    broker = make_broker(settings.redis_url)
    wake_ups = WakeUps(sender(broker))
    wake_ups.start()
    times = []
    for _ in range(9):
        workspace = uuid4()
        await made(writes, workspace)
        await asyncio.sleep(0.1)  # the worker falls idle
        begun = time.monotonic()
        wake_ups.tell([workspace])
        while await laws.shown(writes, workspace) < 1:
            await asyncio.sleep(0.002)
            assert time.monotonic() < begun + 5
        times.append(time.monotonic() - begun)
    await wake_ups.stop()
    broker.close()
    assert statistics.median(times) < PICK_UP_S


async def test_the_sweep_needs_no_message(
    writes: AsyncEngine, projector: Projector
) -> None:
    ids = [uuid4() for _ in range(5)]
    for id in ids:
        await made(writes, id, 3)
    assert set(ids) <= set(await projector.behind())
    assert await Sweep(projector).run_once() >= 15
    assert await projector.behind(ids) == []
    for id in ids:
        await laws.check_read_side(writes, projector, id)
    assert await Sweep(projector).run_once() == 0


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
