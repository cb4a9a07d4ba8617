"""Runs: claimed once, ended once, tried again, whatever Redis and workers do."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
import redis.asyncio

from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.kernel.database import engine
from metacortex.kernel.errors import NotFound
from metacortex.kernel.ids import first_id
from metacortex.operations.actors import (
    ACTORS,
    DELETE_OLD,
    IMPORT,
    MAINTENANCE,
    REBUILD,
    VERIFY,
    Actor,
    SecretArgument,
)
from metacortex.operations.error_reports import LIMIT, failure, masked, masked_arguments
from metacortex.operations.heartbeats import Heart, Process
from metacortex.operations.jobs import Job
from metacortex.operations.operator_actions import OperatorActions
from metacortex.operations.recorder import Recorder
from metacortex.operations.runs import DEAD_S, Claimed
from metacortex.operations.wakeup_counts import Minute, percentile
from metacortex.wakeups import HEARTBEAT_MS, NAMESPACE
from tests.conftest import ROOT, Urls, migrated
from tests.integration.operating import HANG_S, Operating, acting
from tests.integration.walking import unit
from tests.untraced import untraced


@pytest.fixture(scope="module")
async def own_urls(postgres_url: str, redis_url: str) -> Urls:
    """A database of these tests' own: their runs are all there are."""
    return await migrated(postgres_url, f"mc_{uuid4().hex[:8]}", redis_url)


@pytest.fixture
async def operating(own_urls: Urls) -> AsyncIterator[Operating]:
    async with Operating.on(own_urls) as found:
        yield found


def job(workspace: UUID) -> dict[str, object]:
    return {"arguments": {"workspace_id": str(workspace)}, "workspace_id": workspace}


# What becomes of a run


async def test_a_run_is_done_once_though_its_message_comes_often(
    operating: Operating, workspace: UUID
) -> None:
    seen: list[UUID] = []

    async def work(job: Job) -> None:
        seen.append(job.id("workspace_id"))
        job.progress(3, 7)

    id = await operating.enqueue(VERIFY, **job(workspace))
    async with operating.worker({VERIFY: work}):
        for _ in range(5):
            await operating.change("UPDATE workers.runs SET sent_at = NULL")
            await operating.dispatch()
        await operating.until(id, "succeeded")
    assert seen == [workspace]
    [row] = await operating.rows(
        "SELECT duration_ms > 0, worker IS NOT NULL, finished_at >= started_at, open,"
        " done, total"
        " FROM workers.runs WHERE id = :id",
        id=id,
    )
    assert tuple(row) == (True, True, True, False, 7, 7)


async def test_a_failure_is_tried_again_up_to_its_limit_and_then_open(
    operating: Operating, workspace: UUID
) -> None:
    async def work(job: Job) -> None:
        raise ValueError("password=hunter2 at postgresql://ada:secret@host/db")

    id = await operating.enqueue(REBUILD, **job(workspace))
    async with operating.worker({REBUILD: work}):
        await operating.until(id, "retrying", "retrying", "failed")
    rows = await operating.rows(
        "SELECT open, error_type, error_message, fingerprint, traceback,"
        " next_attempt_at > finished_at FROM workers.runs WHERE workspace_id = :w"
        " ORDER BY attempt",
        w=workspace,
    )
    assert [row[0] for row in rows] == [False, False, True]
    assert [row[5] for row in rows] == [True, True, None]
    assert {row[1] for row in rows} == {"ValueError"}
    assert {row[2] for row in rows} == {"password=*** at postgresql://ada:***@host/db"}
    assert len({row[3] for row in rows}) == 1
    assert "hunter2" not in rows[0][4] and "test_runs.py" in rows[0][4]
    [group] = await operating.rows(
        "SELECT count, actor FROM workers.failures WHERE fingerprint = :f", f=rows[0][3]
    )
    assert tuple(group) == (3, REBUILD)


async def test_nothing_is_lost_when_redis_is_emptied(
    operating: Operating, workspace: UUID
) -> None:
    id = await operating.enqueue(VERIFY, **job(workspace))
    assert await operating.dispatch() == 1
    client = redis.asyncio.Redis.from_url(operating.urls.redis)
    await client.flushall()
    await client.aclose()
    assert await operating.dispatch() == 0, "it was sent a moment ago"
    await operating.change(
        "UPDATE workers.runs SET sent_at = now() - interval '6 s' WHERE id = :id", id=id
    )
    async with operating.worker({VERIFY: nothing}):
        await operating.until(id, "succeeded")


async def test_what_redis_holds_still_is_not_sent_again(
    operating: Operating, workspace: UUID
) -> None:
    id = await operating.enqueue(IMPORT, arguments={"import_id": str(uuid4())})
    client = redis.asyncio.Redis.from_url(operating.urls.redis)
    for _ in range(3):
        await operating.change(
            "UPDATE workers.runs SET sent_at = NULL WHERE id = :id", id=id
        )
        assert await operating.dispatch() == 1
    ids = await client.lrange(f"{NAMESPACE}:{ACTORS[IMPORT].queue}", 0, -1)
    await client.aclose()
    assert ids.count(str(id).encode()) == 1
    assert (await acting(operating.database).discard_run(id)).result == "discarded"


async def nothing(job: Job) -> None:
    """Do nothing."""


# Workers that die


async def test_a_job_whose_worker_is_gone_has_crashed_and_is_tried_again(
    operating: Operating, workspace: UUID
) -> None:
    id = await operating.enqueue(REBUILD, **job(workspace))
    for attempt in (1, 2, 3):
        process = Process(kind="worker")
        await Heart(operating.database, process).beat(0.0)
        run = await queued(operating, workspace)
        claimed = await operating.runs.claim(run, process.id)
        assert isinstance(claimed, Claimed) and claimed.attempt == attempt
        assert await operating.runs.reap() == 0, "its worker lives"
        await operating.change(
            "UPDATE workers.processes SET seen_at = now() - make_interval(secs => :s)"
            " WHERE id = :id",
            s=DEAD_S + 1,
            id=process.id,
        )
        assert await operating.runs.reap() == 1
        await operating.change("UPDATE workers.runs SET due_at = now()")
    assert await operating.attempts(id) == [
        (1, "crashed"),
        (2, "crashed"),
        (3, "crashed"),
    ]
    [row] = await operating.rows(
        "SELECT id, error_message FROM workers.runs WHERE open AND workspace_id = :w",
        w=workspace,
    )
    assert row[1].startswith("process ")
    assert await operating.runs.reap() == 0


async def queued(operating: Operating, workspace: UUID) -> UUID:
    [row] = await operating.rows(
        "SELECT id FROM workers.runs WHERE workspace_id = :w AND outcome = 'queued'",
        w=workspace,
    )
    return UUID(str(row[0]))


async def test_a_job_that_kills_its_process_stops_at_its_limit(
    operating: Operating, workspace: UUID
) -> None:
    id = await operating.enqueue(REBUILD, **job(workspace))
    attempts = 0
    for _ in range(ACTORS[REBUILD].max_attempts):
        process = dying(operating)
        while process.poll() is None:
            await operating.change("UPDATE workers.runs SET due_at = now()")
            await operating.dispatch()
            await asyncio.sleep(0.05)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        attempts += 1
        await operating.change(
            "UPDATE workers.processes SET seen_at = now() - make_interval(secs => :s)"
            " WHERE pid = :pid",
            s=DEAD_S + 1,
            pid=process.pid,
        )
        assert await operating.runs.reap() == 1
        assert len(await operating.attempts(id)) == min(attempts + 1, 3)
    assert [it[1] for it in await operating.attempts(id)] == ["crashed"] * 3
    await asyncio.sleep(HEARTBEAT_MS / 1_000 + 0.5)  # Redis gives the message on
    survivor = dying(operating)
    await asyncio.to_thread(survivor.stdout.readline)  # type: ignore[union-attr]
    await asyncio.sleep(2.0)
    assert survivor.poll() is None, "Dramatiq's own redelivery runs nothing"
    survivor.kill()
    survivor.communicate()
    [open_ones] = await operating.rows(
        "SELECT count(*) FROM workers.runs WHERE open AND workspace_id = :w",
        w=workspace,
    )
    assert open_ones[0] == 1


def dying(operating: Operating) -> "subprocess.Popen[bytes]":
    """Start a worker that every job kills."""
    urls = operating.urls
    command = [
        sys.executable,
        "-m",
        "tests.integration.dying",
        urls.projector,
        urls.redis,
    ]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=untraced())


async def test_a_claim_whose_answer_got_lost_has_crashed(
    operating: Operating, workspace: UUID
) -> None:
    id = await operating.enqueue(REBUILD, **job(workspace))
    process = Process(kind="worker")
    heart = Heart(operating.database, process)
    assert await operating.runs.claim(id, process.id) is not None
    await heart.beat(0.0, [id])
    await operating.change(
        "UPDATE workers.runs SET started_at = now() - interval '1 hour' WHERE id = :id",
        id=id,
    )
    assert await operating.runs.reap() == 0, "the worker says that it runs it"
    await heart.beat(0.0, [])
    assert await operating.runs.reap() == 1
    await acting(operating.database).discard_run(await queued(operating, workspace))


async def test_who_follows_a_process_that_was_killed_says_that_it_ended(
    operating: Operating, workspace: UUID
) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    killed, alive = Process(kind="worker", pid=dead.pid), Process(kind="worker")
    id = await operating.enqueue(REBUILD, **job(workspace))
    for it in (alive, killed):
        await Heart(operating.database, it).beat(0.0, [id])
    assert await operating.runs.claim(id, killed.id) is not None
    assert await operating.runs.reap() == 0
    await Heart(operating.database, Process(kind="worker")).beat(0.0)
    sql = "SELECT stopped_at IS NULL FROM workers.processes WHERE id = :id"
    going = [await operating.rows(sql, id=it.id) for it in (killed, alive)]
    assert [row[0] for [row] in going] == [False, True]
    assert await operating.runs.reap() == 1, "at once, not after eight seconds"
    await acting(operating.database).discard_run(await queued(operating, workspace))


async def test_a_worker_that_shuts_down_hands_its_job_on(
    operating: Operating, workspace: UUID
) -> None:
    begun = asyncio.Event()

    async def slow(job: Job) -> None:
        begun.set()
        await asyncio.sleep(HANG_S)

    id = await operating.enqueue(VERIFY, **job(workspace))
    async with operating.worker({VERIFY: slow}):
        await operating.dispatch()
        async with asyncio.timeout(HANG_S):
            await begun.wait()
    assert await operating.attempts(id) == [(1, "retrying"), (2, "queued")]
    async with operating.worker({VERIFY: nothing}):
        await operating.until(id, "retrying", "succeeded")
    [row] = await operating.rows(
        "SELECT max(max_attempts), bool_or(fingerprint IS NOT NULL) FROM workers.runs"
        " WHERE workspace_id = :w",
        w=workspace,
    )
    assert tuple(row) == (2, False), "a shutdown uses no attempt up, and is no failure"


# What operators do


async def failed(operating: Operating, workspace: UUID) -> tuple[UUID, str]:
    """Return a run that failed for good, and its fingerprint."""

    async def work(job: Job) -> None:
        raise LookupError("gone")

    id = await operating.enqueue(VERIFY, **job(workspace))
    async with operating.worker({VERIFY: work}):
        await operating.until(id, "failed")
    [row] = await operating.rows(
        "SELECT fingerprint FROM workers.runs WHERE id = :id", id=id
    )
    return id, row[0]


async def test_a_failed_run_is_retried_once_however_many_ask(
    operating: Operating, workspace: UUID
) -> None:
    id, _ = await failed(operating, workspace)
    operator_actions = acting(operating.database)
    found = await asyncio.gather(*(operator_actions.retry_run(id) for _ in range(8)))
    assert sorted(it.result for it in found) == ["already_retried"] * 7 + ["retried"]
    assert len({it.run_id for it in found}) == 1
    new = found[0].run_id
    assert new is not None and new != id
    assert (await operator_actions.discard_run(id)).result == "already_retried"
    async with operating.worker({VERIFY: nothing}):
        await operating.until(new, "succeeded")
    assert (await operator_actions.retry_run(new)).result == "not_failed"
    with pytest.raises(NotFound):
        await operator_actions.retry_run(uuid4())


async def test_a_group_is_retried_or_discarded_whole_and_once(
    operating: Operating,
) -> None:
    spaces = [uuid4() for _ in range(3)]
    ids = [await failed(operating, space) for space in spaces]
    [fingerprint] = {it[1] for it in ids}
    operator_actions = acting(operating.database)
    found = await asyncio.gather(
        *(operator_actions.retry_failures(fingerprint) for _ in range(4))
    )
    assert sum(it.count for it in found) == 3
    assert {it.result for it in found} <= {"retried", "nothing_open"}
    [row] = await operating.rows(
        "SELECT count(*) FROM workers.runs WHERE retry_of = ANY (:ids)",
        ids=[it[0] for it in ids],
    )
    assert row[0] == 3
    assert (
        await operator_actions.discard_failures(fingerprint)
    ).result == "nothing_open"
    await operating.change("DELETE FROM workers.runs WHERE outcome = 'queued'")

    id, same = await failed(operating, uuid4())
    assert same == fingerprint
    assert (await operator_actions.discard_failures(fingerprint)).count == 1
    assert (await operator_actions.retry_run(id)).result == "already_discarded"
    assert (await operator_actions.discard_run(id)).result == "already_discarded"
    with pytest.raises(NotFound):
        await operator_actions.retry_failures("none")
    await operating.change("DELETE FROM workers.runs WHERE outcome = 'queued'")


async def test_a_paused_queue_keeps_its_messages(
    operating: Operating, workspace: UUID
) -> None:
    operator_actions = acting(operating.database, operating.broker)
    found = await asyncio.gather(
        *(operator_actions.pause_queue(MAINTENANCE) for _ in range(4))
    )
    assert sorted(it.result for it in found) == ["already_paused"] * 3 + ["paused"]
    client = redis.asyncio.Redis.from_url(operating.urls.redis)
    async with operating.worker({VERIFY: nothing}) as worker:
        async with asyncio.timeout(HANG_S):
            while MAINTENANCE not in worker.broker.paused:
                await asyncio.sleep(0.02)
        id = await operating.enqueue(VERIFY, **job(workspace))
        await OperatorActions(operating.database, operating.broker).sent([(id, VERIFY)])
        await asyncio.sleep(1.0)  # several polls
        assert await operating.attempts(id) == [(1, "queued")]
        assert await client.hexists(f"{NAMESPACE}:{MAINTENANCE}.msgs", str(id))
        assert (await operator_actions.resume_queue(MAINTENANCE)).result == "resumed"
        assert (await operator_actions.resume_queue(MAINTENANCE)).result == "not_paused"
        await operating.until(id, "succeeded", turns=False)
    await client.aclose()
    with pytest.raises(NotFound):
        await operator_actions.pause_queue("none")


async def test_work_on_a_workspace_is_begun_once(
    operating: Operating, own_urls: Urls, workspace: UUID
) -> None:
    operator_actions = acting(operating.database)
    with pytest.raises(NotFound):
        await operator_actions.rebuild(workspace)
    writes = engine(own_urls.app)
    create = tasks.CreateTask(task_id=uuid4(), title="New")
    await Bus(writes).execute([unit(workspace, create)])
    await writes.dispose()
    found = await asyncio.gather(
        *(operator_actions.rebuild(workspace) for _ in range(6))
    )
    assert sorted(it.result for it in found) == ["already_running"] * 5 + ["started"]
    assert len({it.run_id for it in found}) == 1
    assert (
        await operator_actions.verify(workspace)
    ).result == "started", "that is another job"
    async with operating.worker({REBUILD: nothing, VERIFY: nothing}):
        assert found[0].run_id is not None
        await operating.until(found[0].run_id, "succeeded")
    assert (await operator_actions.rebuild(workspace)).result == "started"
    await operating.change("DELETE FROM workers.runs WHERE outcome = 'queued'")


# What is kept


async def test_wake_ups_are_counted_by_the_minute_and_add_up(
    operating: Operating,
) -> None:
    recorders = [
        Recorder(
            lambda: engine(operating.urls.projector, pool_size=2),
            Process(kind="worker"),
            asyncio.get_running_loop(),
        )
        for _ in range(2)
    ]
    for recorder in recorders:
        recorder.start()
        for ms in range(1, 101):
            recorder.turn(float(ms), 2)
        await asyncio.to_thread(recorder.stop, 5)
    rows = await operating.rows(
        "SELECT sum(runs), sum(events), max(max_ms), max(p50_ms), max(p95_ms)"
        " FROM workers.project_minutes"
    )
    runs, events, most, p50, p95 = rows[0]
    assert (runs, events, most) == (200, 400, 100.0)
    assert 50 <= p50 <= 50 * 1.25 and 95 <= p95 <= 100


def test_percentiles_are_right_to_a_quarter() -> None:
    minute = Minute()
    for ms in range(1, 1001):
        minute.count(float(ms), 0, False)
    for share in (0.01, 0.5, 0.95, 0.99):
        assert share * 1000 <= percentile(minute.buckets, share) <= share * 1250
    assert percentile(Minute().buckets, 0.5) == 0
    minute.count(1e9, 0, False)
    assert sum(minute.buckets) == 1001


def test_secrets_are_no_arguments() -> None:
    with pytest.raises(SecretArgument):
        Actor(
            name="x",
            queue=MAINTENANCE,
            does="Nothing.",
            arguments={"api_token": "a token"},
            max_attempts=1,
            time_limit_s=1,
        )
    assert masked_arguments({"a": {"Password": "x"}, "b": ["token=abc"]}) == {
        "a": {"Password": "***"},
        "b": ["token=***"],
    }


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("redis://:pw@host:1/0", "redis://:***@host:1/0"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("sent Bearer abc.def-g to it", "sent Bearer *** to it"),
        ('{"api_key": "x1"}', '{"api_key": "***"}'),
        ("nothing of the kind", "nothing of the kind"),
    ],
)
def test_texts_are_kept_without_secrets(given: str, kept: str) -> None:
    assert masked(given) == kept


def test_texts_are_cut() -> None:
    found = failure(DELETE_OLD, ValueError("é" * 10_000))
    assert len(found.message) == LIMIT and len(found.traceback) <= LIMIT


def test_failures_of_one_place_share_a_fingerprint() -> None:
    def raised(error: Exception, at: int) -> str:
        try:
            if at:
                percentile(error, 1)  # type: ignore[arg-type]  # fails in code of ours
            raise error
        except Exception as caught:
            return failure(DELETE_OLD, caught).fingerprint

    assert raised(ValueError("a"), 0) == raised(ValueError("b"), 0)
    assert raised(ValueError("a"), 0) != raised(KeyError("a"), 0)
    assert raised(TypeError("a"), 1) != raised(TypeError("a"), 0)
    assert failure(IMPORT, ValueError()).fingerprint != raised(ValueError(), 0)


async def test_ids_bound_what_was_enqueued_when(
    operating: Operating, workspace: UUID
) -> None:
    before = datetime.now(timezone.utc)
    id = await operating.enqueue(VERIFY, **job(workspace))
    after = datetime.now(timezone.utc) + timedelta(milliseconds=1)
    assert first_id(before) <= id < first_id(after)
    assert first_id(before).version == 7
    await acting(operating.database).discard_run(id)
