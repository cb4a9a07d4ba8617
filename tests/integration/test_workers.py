"""Workers pick wake-ups up at once, the sweep needs none, and one scheduler leads."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.kernel.database import engine
from metacortex.queries.projector import Projector
from metacortex.settings import Settings
from metacortex.wakeups import (
    NAMESPACE,
    WAIT_S,
    Broker,
    WakeUps,
    make_broker,
    sender,
    wake_up,
)
from metacortex.workers import LEASE_S, Leadership, Sweep, Worker
from tests.conftest import Urls
from tests.integration import laws
from tests.integration.walking import unit

HANG_S = 60.0  # only there to end a hang
CONSUMERS = 2  # of a queue, and of its delayed messages


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


async def test_an_idle_worker_waits_in_redis_and_does_not_poll(
    writes: AsyncEngine, projector: Projector, settings: Settings
) -> None:
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
        while waiting(broker) < CONSUMERS:
            await asyncio.sleep(0.01)
    before = looks
    await asyncio.sleep(WAIT_S / 4)
    assert looks - before <= CONSUMERS
    await idle.stop(5)
    broker.close()


def waiting(broker: Broker) -> int:
    """Return how many connections wait for a message, those of other workers too."""
    clients = broker.client.client_list()
    return sum("b" in it["flags"] and it["cmd"] == "blmove" for it in clients)


async def test_a_queue_that_is_paused_meanwhile_keeps_its_message(
    settings: Settings,
) -> None:
    broker = make_broker(settings.redis_url)
    queue = f"paused-{uuid4()}"
    broker.declare_queue(queue)
    message = wake_up([]).copy(queue_name=queue)
    consumer = broker.consume(queue)
    taken = asyncio.create_task(asyncio.to_thread(next, consumer))
    async with asyncio.timeout(HANG_S):
        while broker.client.execute_command("CLIENT", "LIST").count(b"cmd=blmove") < 1:
            await asyncio.sleep(0.01)
    broker.pause({queue})
    broker.enqueue(message)
    assert await taken is None
    assert broker.client.llen(f"{NAMESPACE}:{queue}") == 1
    broker.pause(())
    found = await asyncio.to_thread(next, consumer)
    assert found is not None and found.message_id == message.message_id
    consumer.ack(found)
    broker.close()


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
