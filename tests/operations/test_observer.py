"""One look at the installation: what it finds, and that all numbers agree."""

import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.api.health import SCHEMA
from metacortex.commands.bus import Bus
from metacortex.commands.tasks import CreateTask
from metacortex.kernel import clock
from metacortex.kernel.database import driver_pool, engine
from metacortex.kernel.ids import new_id
from metacortex.operations.actors import QUEUES
from metacortex.operations.observer import Look, Observer, Sources, look_once
from tests.clients import Client
from tests.conftest import Urls, migrated
from tests.http.operators import beat, execute, failing, make_run, operator, value
from tests.integration.walking import unit

NOWHERE = 1  # a port on which nobody listens


@pytest.fixture(scope="module")
async def sources(writes: AsyncEngine, urls: Urls) -> AsyncIterator[Sources]:
    """Where the observer of the tests looks."""
    redis = Redis.from_url(urls.redis)
    yield Sources(
        primary=driver_pool(writes), redis=redis, schema=SCHEMA, queues=QUEUES
    )
    await redis.aclose()


def detail(look: Look, code: str) -> str | None:
    """Return what a look says of a condition, None if it does not hold."""
    told = {it.code: it.detail for it in look.judgement.reasons}
    return told.get(code)


async def test_a_database_that_is_away_is_a_finding(sources: Sources) -> None:
    url = f"postgresql+asyncpg://nobody:x@127.0.0.1:{NOWHERE}/nothing"
    away = engine(url)
    look = await look_once(replace(sources, primary=driver_pool(away)))
    await away.dispose()
    assert look.judgement.verdict == "failing"
    assert "Postgres" in (detail(look, "database_unreachable") or "")
    overview = look.overview()
    assert overview["lag"] is overview["failures"] is overview["storage"] is None
    assert overview["queues"]["ready"] is None


async def test_another_schema_is_a_finding(sources: Sources) -> None:
    look = await look_once(replace(sources, schema="9999"))
    assert f"revision {SCHEMA}" in (detail(look, "schema_mismatch") or "")
    assert look.judgement.verdict == "failing"


async def test_an_empty_database_is_of_another_schema(
    sources: Sources, postgres_url: str
) -> None:
    empty = engine(postgres_url)
    look = await look_once(replace(sources, primary=driver_pool(empty)))
    await empty.dispose()
    assert "another schema" in (detail(look, "schema_mismatch") or "")


async def test_a_broker_that_is_away_is_a_finding(sources: Sources) -> None:
    away = Redis.from_url(f"redis://127.0.0.1:{NOWHERE}", socket_connect_timeout=1)
    look = await look_once(replace(sources, redis=away))
    await away.aclose()
    assert detail(look, "broker_unreachable")
    assert detail(look, "database_unreachable") is None
    [wake_ups] = [it for it in look.queues if it["name"] == "projections"]
    assert wake_ups["ready"] is None


async def test_a_disk_without_room_is_a_finding(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = replace(sources, disk=tmp_path)
    total = 1_000 * 2**20

    def usage(free: float) -> Any:
        found = shutil._ntuple_diskusage(total, total, int(total * free))
        monkeypatch.setattr(shutil, "disk_usage", lambda path: found)

    assert (await look_once(sources)).disk is None, "of another machine's: unknown"
    usage(0.051)
    assert detail(await look_once(there), "disk_low") is None
    usage(0.049)
    assert detail(await look_once(sources), "disk_low") is None
    assert (detail(await look_once(there), "disk_low") or "").startswith("4.9% free")


async def test_a_queue_whose_oldest_waits_is_a_finding(
    sources: Sources, writes: AsyncEngine
) -> None:
    # what tests before left waiting is not what is looked for here
    await execute(
        writes, "UPDATE workers.runs SET outcome = 'succeeded' WHERE outcome = 'queued'"
    )
    due = datetime.now(UTC) - timedelta(seconds=35)
    id = await make_run(
        writes, outcome="queued", queue="imports", actor="import_checklist", due_at=due
    )
    found = detail(await look_once(sources), "queue_growing") or ""
    assert "imports" in found
    try:
        await execute(
            writes,
            "INSERT INTO workers.queues VALUES ('imports', true)"
            " ON CONFLICT (name) DO UPDATE SET paused = true",
        )
        found = detail(await look_once(sources), "queue_growing") or ""
        assert "imports is paused: 1 ready" in found, "a forgotten pause is told"
    finally:
        await execute(writes, "UPDATE workers.queues SET paused = false")
    await execute(
        writes, "UPDATE workers.runs SET outcome = 'succeeded' WHERE id = :id", id=id
    )
    assert detail(await look_once(sources), "queue_growing") is None


async def test_a_replica_without_heartbeats_lags(
    sources: Sources, postgres_url: str, urls: Urls, writes: AsyncEngine
) -> None:
    await beat(writes)
    behind = await migrated(postgres_url, f"mc_{uuid4().hex[:8]}", urls.redis)
    replica = engine(behind.app)
    there = replace(sources, replica=driver_pool(replica))
    assert detail(await look_once(there), "replica_lagging")
    await beat(replica)
    assert detail(await look_once(there), "replica_lagging") is None
    await replica.dispose()


def at(instant: datetime) -> Callable[[], datetime]:
    """Return a clock that stands still."""
    return lambda: instant


async def test_a_lag_over_ten_seconds_is_told_after_thirty(
    sources: Sources, postgres_url: str, urls: Urls
) -> None:
    """Nobody projects what was written so many seconds ago."""
    own = await migrated(postgres_url, f"mc_{uuid4().hex[:8]}", urls.redis)
    database = engine(own.app)
    there = replace(sources, primary=driver_pool(database))
    for seconds, told in ((9, False), (38, False), (42, True)):
        ago = clock.now() - timedelta(seconds=seconds)
        task = CreateTask(task_id=uuid4(), title="Old")
        await Bus(database, now=at(ago)).execute([unit(uuid4(), task)])
        look = await look_once(there)
        assert (detail(look, "projection_lagging") is not None) is told
        assert look.lag is not None and look.lag.oldest_s > seconds - 1
    await database.dispose()


async def test_a_job_that_failed_twice_is_told_before_it_is_open(
    sources: Sources, writes: AsyncEngine
) -> None:
    """An import is tried ten times, for minutes."""
    once = {"outcome": "queued", "max_attempts": 10}
    await make_run(writes, attempt=2, **once)
    assert "twice" not in (detail(await look_once(sources), "failures_open") or "")
    id = await make_run(writes, attempt=3, **once)
    told = detail(await look_once(sources), "failures_open")
    assert told is not None and "1 that failed twice and are tried again" in told
    sql = "UPDATE workers.runs SET outcome = 'succeeded' WHERE id = :id"
    await execute(writes, sql, id=id)
    assert "twice" not in (detail(await look_once(sources), "failures_open") or "")


@pytest.mark.parametrize(
    ("seconds", "delay", "state"),
    [
        (0.0, 0.0, "alive"),
        (9.0, 0.0, "alive"),
        (11.0, 0.0, "stalled"),
        (61.0, 0.0, "gone"),
        (0.0, 10_001.0, "stalled"),
    ],
)
async def test_the_state_of_a_process(
    sources: Sources, writes: AsyncEngine, seconds: float, delay: float, state: str
) -> None:
    id = new_id()
    await beat(writes, seconds, id=id, delay=delay)
    look = await look_once(sources)
    [mine] = [it for it in look.processes or () if it["id"] == id]
    assert mine["state"] == state
    sql = "DELETE FROM workers.processes WHERE id = :id"
    with pytest.raises(Exception, match="permission denied"):
        await execute(writes, sql, id=id)  # the API's login deletes nothing
    sql = "UPDATE workers.processes SET stopped_at = now() WHERE id = :id"
    await execute(writes, sql, id=id)


async def test_many_share_one_look(sources: Sources) -> None:
    observer = Observer(sources)
    one = await observer.look()
    assert await observer.look() is one


async def test_all_numbers_agree(
    client: Client, http: httpx2.AsyncClient, writes: AsyncEngine
) -> None:
    await make_run(writes, **failing(uuid4().hex[:16], actor="verify_workspace"))
    olga = operator(client)
    counted = {
        "metacortex_failures_open": "SELECT count(*) FROM workers.runs WHERE open",
        "metacortex_log_events": "SELECT coalesce(sum(sequence), 0)"
        " FROM events.heads",
        "metacortex_projections_parked": "SELECT count(parked_at) FROM"
        " queries.checkpoints",
    }
    services = olga.http._transport.app.state.services  # type: ignore[attr-defined]
    services.operations.observer._sizes = None  # of up to 30 s ago
    services.operations.observer._last = None
    overview = (await olga.get("/ops/overview"))["data"]
    text = (await http.get("/metrics")).text
    shown = {
        "metacortex_failures_open": overview["failures"]["open"],
        "metacortex_log_events": overview["storage"]["log_events"],
        "metacortex_projections_parked": overview["lag"]["parked"],
    }
    for name, sql in counted.items():
        there = await value(writes, sql)
        assert shown[name] == there, name
        [line] = [it for it in text.splitlines() if it.startswith(f"{name} ")]
        assert float(line.split()[1]) == there, name
    alive = overview["workers"]["alive"]
    metric = [
        float(it.split()[1])
        for it in text.splitlines()
        if it.startswith("metacortex_processes{") and 'state="alive"' in it
    ]
    assert sum(metric) == alive
    for reason in overview["reasons"]:
        assert f'metacortex_condition{{code="{reason["code"]}"' in text
