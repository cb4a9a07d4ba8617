"""Real workers and schedulers that are killed, stopped and started: nothing twice."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.api.auth import workspace_of
from metacortex.kernel.database import driver_pool, engine
from metacortex.operations.actors import DELETE_OLD
from metacortex.operations.heartbeats import BEAT_S
from metacortex.operations.imports import Asked, add
from metacortex.operations.runs import DEAD_S
from tests.integration.installation import Installation
from tests.integration.operating import acting

HANG_S = 90.0  # only there to end a hang
NOTICED_S = 10.0  # a death, and that the leader is gone

assert DEAD_S + 1 <= NOTICED_S  # and a second between two looks


@pytest.fixture(scope="module")
async def installation() -> AsyncIterator[Installation]:
    """A worker and two schedulers, one of which the last test kills."""
    with tempfile.TemporaryDirectory(prefix="mc-") as folder:
        begun = await Installation.begin(Path(folder))
        try:
            begun.start("worker")
            begun.start("scheduler", "second")
            begun.start("scheduler")
            yield begun
        finally:
            begun.end()


@pytest.fixture
async def database(installation: Installation) -> AsyncIterator[AsyncEngine]:
    found = engine(installation.urls.projector)
    yield found
    await found.dispose()


async def rows(database: AsyncEngine, sql: str, **values: Any) -> list[Any]:
    return [tuple(it) for it in await driver_pool(database).rows(text(sql), values)]


async def until(database: AsyncEngine, sql: str, wanted: Any, **values: Any) -> None:
    """Wait until a statement's first row is as wanted."""
    async with asyncio.timeout(HANG_S):
        while (await rows(database, sql, **values))[:1] != [wanted]:
            await asyncio.sleep(0.05)


ALIVE = (
    "SELECT count(*) FROM workers.processes WHERE kind = :kind AND stopped_at IS NULL"
    " AND seen_at > now() - interval '5 s'"
)


async def test_every_process_says_that_it_lives(
    installation: Installation, database: AsyncEngine
) -> None:
    await until(database, ALIVE, (1,), kind="worker")
    await until(database, ALIVE, (2,), kind="scheduler")
    found = await rows(
        database,
        "SELECT kind, pid, rss_bytes > 1e6, loop_delay_ms < 60000, version <> '',"
        " queues FROM workers.processes",
    )
    pids = {it.pid for it in installation.processes.values()}
    assert {it[1] for it in found} == pids
    assert {it[2:5] for it in found} == {(True, True, True)}
    assert ["projections", "maintenance", "imports"] in [list(it[5]) for it in found]
    assert BEAT_S * 4 <= DEAD_S


# Workers


def big_list(items: int) -> str:
    lines = [f"- [ ] Item {n}\n  Text {n}" for n in range(items)]
    return "# Big\n" + "\n".join(lines)


async def test_an_import_survives_its_worker_without_doubles(
    installation: Installation, database: AsyncEngine
) -> None:
    items = 1_500
    workspace = workspace_of("org_import")
    asked = Asked(
        id=uuid4(),
        workspace_id=workspace,
        actor_id="user_ada",
        project="Imported",
        content=big_list(items),
        correlation_id=str(uuid4()),
    )
    writes = engine(installation.urls.app)
    run_id = await add(writes, asked)
    assert run_id is not None
    head = "SELECT sequence > 300 FROM events.heads WHERE workspace_id = :w"
    await until(database, head, (True,), w=workspace)
    installation.kill("worker")
    [[done]] = await rows(database, SEQUENCE, w=workspace)
    assert done < items, "it was killed in the middle"
    await until(database, OUTCOME, ("crashed",), id=run_id)
    [[noticed_s]] = await rows(
        database,
        "SELECT extract(epoch FROM r.finished_at - p.seen_at)::float8 FROM workers.runs"
        " r JOIN workers.processes p ON p.id = r.worker WHERE r.id = :id",
        id=run_id,
    )
    print(f"a dead worker was noticed {noticed_s:.1f} s after its last heartbeat")
    installation.start("worker")
    await until(
        database,
        "SELECT status FROM workers.imports WHERE id = :id",
        ("done",),
        id=asked.id,
    )
    [[told, total, errors, content]] = await rows(
        database,
        "SELECT done, total, errors::text, content FROM workers.imports WHERE id = :id",
        id=asked.id,
    )
    assert (told, errors, content) == (total, "[]", None)
    [[events, tasks]] = await rows(
        database,
        "SELECT count(*), count(DISTINCT stream_id) FILTER (WHERE stream_type = 'task')"
        " FROM events.log WHERE workspace_id = :w",
        w=workspace,
    )
    assert (events, tasks) == (items + 1, items), "every item once, and the project"
    await until(
        database,
        "SELECT outcome FROM workers.runs WHERE workspace_id = :w AND attempt = 2",
        ("succeeded",),
        w=workspace,
    )
    attempts = await rows(
        database,
        "SELECT attempt, outcome FROM workers.runs WHERE workspace_id = :w"
        " ORDER BY attempt",
        w=workspace,
    )
    assert attempts == [(1, "crashed"), (2, "succeeded")]
    [[progressed]] = await rows(
        database,
        "SELECT done = total FROM workers.runs WHERE workspace_id = :w AND attempt = 2",
        w=workspace,
    )
    assert progressed
    await writes.dispose()


SEQUENCE = "SELECT sequence FROM events.heads WHERE workspace_id = :w"
OUTCOME = "SELECT outcome FROM workers.runs WHERE id = :id"


async def test_rebuild_and_verify_are_runs(
    installation: Installation, database: AsyncEngine
) -> None:
    workspace = workspace_of("org_import")
    operator_actions = acting(database)
    await until(
        database,
        "SELECT c.sequence = h.sequence FROM events.heads h JOIN queries.checkpoints c"
        " USING (workspace_id) WHERE workspace_id = :w",
        (True,),
        w=workspace,
    )
    rebuilding = (await operator_actions.rebuild(workspace)).run_id
    await until(database, OUTCOME, ("succeeded",), id=rebuilding)
    [[done, total]] = await rows(
        database, "SELECT done, total FROM workers.runs WHERE id = :id", id=rebuilding
    )
    assert done == total > 1_000
    owner = engine(installation.urls.owner)
    wrong = text("UPDATE queries.tasks SET title = 'x' WHERE workspace_id = :w")
    await driver_pool(owner).write(wrong, {"w": workspace})
    verifying = (await operator_actions.verify(workspace)).run_id
    await until(database, OUTCOME, ("failed",), id=verifying)
    [[kind, message]] = await rows(
        database,
        "SELECT error_type, error_message FROM workers.runs WHERE id = :id",
        id=verifying,
    )
    assert kind == "Differs" and "title" in message
    await until(
        database,
        OUTCOME,
        ("succeeded",),
        id=(await operator_actions.rebuild(workspace)).run_id,
    )
    await until(
        database,
        OUTCOME,
        ("succeeded",),
        id=(await operator_actions.verify(workspace)).run_id,
    )
    await owner.dispose()


async def test_a_parked_workspace_goes_on_once_it_can(
    installation: Installation, database: AsyncEngine
) -> None:
    workspace, operator_actions = workspace_of("org_import"), acting(database)
    assert (await operator_actions.retry_projection(workspace)).result == "not_parked"
    await driver_pool(database).write(
        text(
            "UPDATE queries.checkpoints SET parked_at = now(), error = 'x'"
            " WHERE workspace_id = :w"
        ),
        {"w": workspace},
    )
    found = await asyncio.gather(
        *(operator_actions.retry_projection(workspace) for _ in range(4))
    )
    assert sum(it.result == "started" for it in found) == 1
    await until(database, OUTCOME, ("succeeded",), id=found[0].run_id)
    [[parked]] = await rows(
        database,
        "SELECT parked_at IS NOT NULL FROM queries.checkpoints WHERE workspace_id = :w",
        w=workspace,
    )
    assert not parked


async def test_a_worker_may_be_a_scheduler_too(
    installation: Installation, database: AsyncEngine
) -> None:
    installation.start("worker", "both", "--with-scheduler")
    pid = installation.processes["both"].pid
    kinds = (
        "SELECT string_agg(kind, ' ' ORDER BY kind), bool_and(stopped_at IS NULL)"
        " FROM workers.processes WHERE pid = :pid"
    )
    await until(database, kinds, ("scheduler worker", True), pid=pid)
    for scheduler in ("scheduler", "second"):
        assert installation.stop(scheduler) == 0
    await until(database, LEADER, (pid,))
    [[since]] = await rows(database, "SELECT now()")
    swept = "SELECT last_run > :since FROM workers.schedules WHERE name = 'sweep'"
    await until(database, swept, (True,), since=since)
    installation.start("scheduler", "second")
    installation.start("scheduler")
    assert installation.stop("both") == 0
    await until(database, kinds, ("scheduler worker", False), pid=pid)


# Schedulers


FAST = (  # as nobody would declare it: every two seconds
    "INSERT INTO workers.schedules (name, interval_s, actor, next_at)"
    f" VALUES ('fast', 2, '{DELETE_OLD}', now()) ON CONFLICT (name) DO NOTHING"
)
LEADER = "SELECT split_part(holder, ':', 2)::int FROM workers.leases"


@pytest.mark.parametrize("how", ["freeze", "kill"])
async def test_each_due_time_is_enqueued_once_whichever_scheduler_falls(
    installation: Installation, database: AsyncEngine, how: str
) -> None:
    await driver_pool(database).write(text(FAST), {})
    seen = "SELECT count(*) >= :n FROM workers.schedule_runs WHERE name = 'fast'"
    [[before]] = await rows(
        database, "SELECT count(*) FROM workers.schedule_runs WHERE name = 'fast'"
    )
    await until(database, seen, (True,), n=before + 2)
    [[pid]] = await rows(database, LEADER)
    part = next(k for k, it in installation.processes.items() if it.pid == pid)
    process = installation.processes[part]
    if how == "kill":
        installation.kill(part)
    else:
        process.send_signal(signal.SIGSTOP)
    await until(database, seen, (True,), n=before + 5)
    [[other]] = await rows(database, LEADER)
    assert other != pid
    if how == "freeze":
        process.send_signal(signal.SIGCONT)
    await until(database, seen, (True,), n=before + 8)
    due = [
        it[0]
        for it in await rows(
            database,
            "SELECT due_at FROM workers.schedule_runs WHERE name = 'fast'"
            " ORDER BY due_at",
        )
    ]
    assert len(due) == len(set(due))
    gaps = [(b - a).total_seconds() for a, b in zip(due, due[1:])]
    print(f"longest time without a leader, {how}: {max(gaps):.1f} s of {len(due)}")
    assert all(gap >= 1.9 for gap in gaps), "no due time stands twice"
    [[runs, messages]] = await rows(
        database,
        "SELECT count(*), count(DISTINCT message_id) FROM workers.runs"
        " WHERE schedule = 'fast' AND attempt = 1",
    )
    assert runs == messages >= len(due)
    [[lost]] = await rows(
        database,
        "SELECT count(*) FROM workers.schedule_runs s LEFT JOIN workers.runs r"
        " ON r.id = s.run_id WHERE s.name = 'fast' AND r.id IS NULL",
    )
    assert lost == 0
