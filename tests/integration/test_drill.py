"""The drill: two schedulers, two workers, Redis and Postgres restarted under load.

No due time twice or lost, no run left running, nothing that was acknowledged missing,
and the numbers of the operators' pages, `/metrics` and SQL agree. That killed and
stopped schedulers are followed within ten seconds is in `test_operations.py`.
"""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import text

from metacortex.api.app import local_issuer
from metacortex.api.auth import Role, workspace_of
from metacortex.kernel.database import driver_pool, engine
from metacortex.operations.actors import DELETE_OLD
from tests.clients import Client
from tests.integration.installation import Installation

HANG_S = 90.0  # only there to end a hang
CALLERS = 3
BEFORE_S, BETWEEN_S, AFTER_S = 1.5, 2.0, 3.0
PROCESSES = {"api": 1, "worker": 2, "scheduler": 2}
FAST = (  # as nobody would declare it: every second
    "INSERT INTO workers.schedules (name, interval_s, actor, next_at)"
    f" VALUES ('fast', 1, '{DELETE_OLD}', now())"
)
UNENDED = "SELECT count(*) FROM workers.runs WHERE outcome IN ('queued', 'running')"


@pytest.fixture
async def installation() -> AsyncIterator[Installation]:
    with tempfile.TemporaryDirectory(prefix="mc-") as folder:
        begun = await Installation.begin(Path(folder))
        try:
            for part, count in PROCESSES.items():
                for number in range(count):
                    begun.start(part, f"{part}-{number}")
            await asyncio.to_thread(begun.wait_ready)
            yield begun
        finally:
            begun.end()


async def rows(installation: Installation, sql: str, **values: Any) -> list[Any]:
    """Ask Postgres, by a connection that knows nothing of a restart."""
    database = engine(installation.urls.projector)
    try:
        found = await driver_pool(database).rows(text(sql), values)
        return [tuple(it) for it in found]
    finally:
        await database.dispose()


def errors_of(installation: Installation) -> str:
    """Return what the API logged as errors, with tracebacks."""
    lines = (installation.folder / "api-0.log").read_text().splitlines()
    return "\n".join(it for it in lines if '"level": "error"' in it)


async def write_tasks(
    installation: Installation,
    anna: Client,
    acknowledged: list[str],
    over: asyncio.Event,
) -> None:
    """Create one task after the other; repeat each until it is acknowledged."""
    while not over.is_set():
        key = {"Idempotency-Key": str(uuid4())}
        while True:
            with suppress(httpx2.TransportError):
                body = {"title": f"Task {len(acknowledged)}"}
                answer = await anna.send("POST", "/tasks", body, headers=key)
                if answer.status_code == 201:
                    acknowledged.append(answer.json()["data"]["id"])
                    break
                assert answer.status_code == 503, errors_of(installation)
            await asyncio.sleep(0.05)


async def test_restarts_under_load_lose_and_double_nothing(
    installation: Installation,
) -> None:
    issuer = local_issuer(installation.settings)
    async with httpx2.AsyncClient(base_url=installation.base_url, timeout=20) as http:
        anna = Client.new(http, issuer)
        olga = anna.like(role=Role.OPERATOR)
        await rows(installation, FAST + " RETURNING name")
        acknowledged, over = list[str](), asyncio.Event()
        load = [
            asyncio.create_task(write_tasks(installation, anna, acknowledged, over))
            for _ in range(CALLERS)
        ]
        await asyncio.sleep(BEFORE_S)
        workspace = workspace_of(f"user_{anna.user}")
        await olga.do("POST", f"/ops/projections/{workspace}/rebuild")
        await asyncio.to_thread(installation.redis.stop)
        await asyncio.sleep(BETWEEN_S)
        await asyncio.to_thread(installation.restart_redis)
        await asyncio.sleep(BETWEEN_S)
        await asyncio.to_thread(installation.kill_postgres)
        await asyncio.sleep(BETWEEN_S / 2)
        await asyncio.to_thread(installation.restart_postgres)
        await asyncio.sleep(AFTER_S)
        over.set()
        await asyncio.gather(*load)
        await rows(
            installation,
            "UPDATE workers.schedules SET paused = true WHERE name = 'fast'"
            " RETURNING name",
        )
        async with asyncio.timeout(HANG_S):
            while await rows(installation, UNENDED) != [(0,)]:
                await asyncio.sleep(0.2)
            await at_rest(olga)
        await nothing_is_lost(installation, anna, acknowledged)
        await due_times_are_right(installation)
        await numbers_agree(installation, olga)


async def at_rest(olga: Client) -> None:
    """Return once every process beats again, and no job waits."""
    while True:
        found = await olga.send("GET", "/ops/overview")
        if found.status_code == 200:
            data = found.json()["data"]
            well = data["verdict"] == "healthy" and data["workers"]["alive"] == 5
            if well and data["queues"]["ready"] == data["queues"]["delayed"] == 0:
                return
        await asyncio.sleep(0.2)


async def nothing_is_lost(
    installation: Installation, anna: Client, acknowledged: list[str]
) -> None:
    assert len(acknowledged) == len(set(acknowledged)) > 20
    [(head, shown)] = await rows(
        installation,
        "SELECT h.sequence, c.sequence FROM events.heads h"
        " JOIN queries.checkpoints c USING (workspace_id)",
    )
    assert head == shown == len(acknowledged)
    page = await anna.get("/tasks", at_least=head, per_page=1)
    assert page["meta"]["total"] == len(acknowledged)


async def due_times_are_right(installation: Installation) -> None:
    due = [
        it[0]
        for it in await rows(
            installation,
            "SELECT due_at FROM workers.schedule_runs WHERE name = 'fast'"
            " ORDER BY due_at",
        )
    ]
    gaps = [(b - a).total_seconds() for a, b in zip(due, due[1:])]
    assert len(due) > 5 and len(due) == len(set(due))
    assert min(gaps) > 0.9, "no due time stands twice"
    assert max(gaps) < 10 + BETWEEN_S, "the lead is taken again within ten seconds"
    [(runs, jobs)] = await rows(
        installation,
        "SELECT count(DISTINCT r.id), count(DISTINCT message_id) FROM workers.runs r"
        " JOIN workers.schedule_runs s ON s.run_id = r.id WHERE s.name = 'fast'",
    )
    assert runs == jobs == len(due), "each due time is one job"
    ends = await rows(
        installation,
        "SELECT DISTINCT ON (message_id) outcome, actor, attempt, error_type,"
        " error_message FROM workers.runs WHERE actor <> 'project'"  # the sweep follows
        " ORDER BY message_id, attempt DESC",
    )
    assert [it for it in ends if it[0] != "succeeded"] == []
    doubled = await rows(
        installation,
        "SELECT message_id FROM workers.runs WHERE outcome = 'succeeded'"
        " GROUP BY message_id HAVING count(*) > 1",
    )
    assert doubled == [], "none has succeeded twice"


async def numbers_agree(installation: Installation, olga: Client) -> None:
    """Everybody says the same of what is at rest."""
    overview = (await olga.get("/ops/overview"))["data"]
    queues = (await olga.get("/ops/queues"))["data"]
    metrics = (await olga.http.get("/metrics")).text
    [(open_, running, alive, events, all_runs)] = await rows(
        installation,
        "SELECT (SELECT count(*) FROM workers.runs WHERE open),"
        " (SELECT count(*) FROM workers.runs WHERE outcome = 'running'),"
        " (SELECT count(*) FROM workers.processes WHERE stopped_at IS NULL AND"
        " seen_at > now() - interval '10 s'),"
        " (SELECT count(*) FROM events.log), (SELECT count(*) FROM workers.runs)",
    )

    def metric(name: str) -> float:
        found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", metrics, re.MULTILINE)
        return sum(map(float, found))

    for name in ("ready", "delayed", "dead"):
        listed = sum(it[name] for it in queues)
        assert overview["queues"][name] == listed == 0
        assert metric(f"metacortex_queue_{name}") == listed
    assert overview["failures"]["open"] == open_ == 0
    assert metric("metacortex_failures_open") == open_
    assert sum(it["running"] for it in queues) == running == 0
    assert overview["workers"]["alive"] == alive == sum(PROCESSES.values())
    found = re.findall(r'^metacortex_processes{.*state="alive"} (\S+)$', metrics, re.M)
    assert sum(map(float, found)) == alive
    assert overview["storage"]["log_events"] <= events  # at most thirty seconds old
    assert overview["lag"] == {"behind": 0, "oldest_s": 0, "parked": 0}
    assert metric("metacortex_projections_behind") == 0
    listed_runs, cursor = 0, None
    while True:
        asked = {"per_page": 200} | ({"cursor": cursor} if cursor else {})
        page = await olga.get("/ops/runs", **asked)
        listed_runs += len(page["data"])
        if (cursor := page["meta"]["next_cursor"]) is None:
            break
    assert listed_runs == all_runs
