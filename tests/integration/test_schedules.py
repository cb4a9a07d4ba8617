"""Schedules: right times in any zone, each enqueued once, whoever schedules."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from cronsim import CronSimError
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import engine
from metacortex.kernel.errors import NotFound
from metacortex.operations.actors import ACTORS, DELETE_OLD
from metacortex.operations.leader_tasks import LeaderTasks
from metacortex.operations.retention import delete_old
from metacortex.operations.samples import METRICS, Sampler
from metacortex.operations.schedules import (
    IN_PROCESS,
    LATE_S,
    WITHDRAWN,
    AlreadyEnqueued,
    Entry,
    Schedules,
    entries,
    next_due,
)
from tests.conftest import Urls, migrated
from tests.integration.operating import Operating, acting

BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "due"),
    [
        # an ordinary day, and the offset of the zone in winter and in summer
        ("30 2 * * *", "UTC", "2026-01-01T00:00", "2026-01-01T02:30"),
        ("30 2 * * *", BERLIN, "2026-01-01T00:00", "2026-01-01T01:30"),
        ("30 2 * * *", BERLIN, "2026-07-01T00:00", "2026-07-01T00:30"),
        # 29 March: 02:00 to 03:00 does not exist, so 02:30 is due at 03:00
        ("30 2 * * *", BERLIN, "2026-03-28T12:00", "2026-03-29T01:00"),
        ("30 2 * * *", BERLIN, "2026-03-29T01:00", "2026-03-30T00:30"),
        # 25 October: 02:30 comes twice, at 00:30 and at 01:30 UTC; the first counts
        ("30 2 * * *", BERLIN, "2026-10-24T12:00", "2026-10-25T00:30"),
        ("30 2 * * *", BERLIN, "2026-10-25T00:30", "2026-10-26T01:30"),
        # asked in the second of the doubled hours, nothing lies behind
        ("30 2 * * *", BERLIN, "2026-10-25T01:10", "2026-10-26T01:30"),
        # what runs every hour runs in each that there is
        ("0 * * * *", BERLIN, "2026-03-29T00:30", "2026-03-29T01:00"),
        ("0 * * * *", BERLIN, "2026-10-25T00:00", "2026-10-25T01:00"),
        # half an hour of summer time, on Lord Howe Island
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-03T15:30"),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", "2028-02-29T00:00"),
    ],
)
def test_due_times_are_right_when_clocks_change(
    cron: str, zone: str, after: str, due: str
) -> None:
    assert next_due(cron, zone, utc(after)) == utc(due)


def test_due_times_only_go_on() -> None:
    for cron in ("30 2 * * *", "*/20 * * * *", "0 1-3 * * *", "5 2,3 * * *"):
        for zone in (BERLIN, "America/New_York", "Australia/Lord_Howe", "UTC"):
            instant = utc("2026-03-01T00:00")
            for _ in range(400):
                later = next_due(cron, zone, instant)
                assert later > instant
                assert later == next_due(cron, zone, later - timedelta(seconds=1))
                instant = later


def test_a_time_that_never_comes_is_said_so() -> None:
    with pytest.raises(CronSimError):
        next_due("0 0 31 2 *", "UTC", utc("2026-01-01T00:00"))


def test_every_schedule_names_an_actor_that_there_is() -> None:
    for entry in entries(1.0):
        assert entry.actor in ACTORS or entry.name in IN_PROCESS
        if entry.cron:
            next_due(entry.cron, entry.time_zone, utc("2026-01-01T00:00"))


# Rows


@pytest.fixture(scope="module")
async def own_urls(postgres_url: str, redis_url: str) -> Urls:
    """A database of these tests' own: their schedules are all there are."""
    return await migrated(postgres_url, f"mc_{uuid4().hex[:8]}", redis_url)


@pytest.fixture
async def operating(own_urls: Urls) -> AsyncIterator[Operating]:
    async with Operating.on(own_urls) as found:
        yield found


@pytest.fixture
async def schedulers(own_urls: Urls) -> AsyncIterator[list[AsyncEngine]]:
    """The databases of four schedulers that all believe they lead."""
    found = [engine(own_urls.projector) for _ in range(4)]
    yield found
    for it in found:
        await it.dispose()


async def declared(operating: Operating, *wanted: Entry) -> Schedules:
    """Let these be all the schedules, none of which has run."""
    schedules = Schedules(operating.database)
    await operating.change("DELETE FROM workers.schedules")
    await schedules.declare(wanted)
    for schedule in await schedules.all():
        assert not await schedules.enqueue_due(schedule), "it only gets its first time"
    await operating.change("DELETE FROM workers.runs")
    return schedules


async def due(operating: Operating, seconds: float) -> None:
    """Let all schedules be due some seconds ago."""
    await operating.change(
        "UPDATE workers.schedules SET next_at = now() - make_interval(secs => :s)",
        s=seconds,
    )


async def enqueued(operating: Operating) -> list[Any]:
    return [*await operating.rows("SELECT schedule FROM workers.runs")]


async def test_a_due_time_is_enqueued_once_by_four_at_once(
    operating: Operating, schedulers: list[AsyncEngine]
) -> None:
    await declared(operating, Entry(name="a", actor=DELETE_OLD, interval_s=3600))
    for round in range(1, 6):
        await due(operating, 0.1)
        views = [(await Schedules(it).all(), Schedules(it)) for it in schedulers]
        did = await asyncio.gather(
            *(view.enqueue_due(seen[0]) for seen, view in views for _ in range(3))
        )
        assert did.count(True) == 1
        assert len(await enqueued(operating)) == round
    [row] = await operating.rows(
        "SELECT count(*), count(DISTINCT due_at) FROM workers.schedule_runs"
    )
    assert tuple(row) == (5, 5)


async def test_even_a_restored_row_enqueues_no_due_time_twice(
    operating: Operating,
) -> None:
    schedules = await declared(
        operating, Entry(name="a", actor=DELETE_OLD, interval_s=3600)
    )
    await due(operating, 0.1)
    [seen] = await schedules.all()
    assert await schedules.enqueue_due(seen)
    await operating.change(
        "UPDATE workers.schedules SET next_at = :at", at=seen.next_at
    )
    with pytest.raises(AlreadyEnqueued):
        await schedules.enqueue_due(seen)
    assert len(await enqueued(operating)) == 1


@pytest.mark.parametrize(("missed", "runs"), [("run_once", 1), ("skip", 0)])
async def test_what_was_missed_runs_once_or_not_at_all(
    operating: Operating, missed: Any, runs: int
) -> None:
    schedules = await declared(
        operating,
        Entry(name="a", actor=DELETE_OLD, cron="0 * * * *", missed=missed),
    )
    now = (await schedules.all())[0].now
    ago = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    await operating.change("UPDATE workers.schedules SET next_at = :at", at=ago)
    if now - now.replace(minute=0, second=0) < timedelta(seconds=LATE_S):
        runs = 1  # the last of them is due now
    for _ in range(3):
        [seen] = await schedules.all()
        await schedules.enqueue_due(seen)
    assert len(await enqueued(operating)) == runs
    [seen] = await schedules.all()
    assert seen.next_at is not None and seen.next_at > seen.now


async def test_paused_is_paused_and_a_declaration_leaves_it_so(
    operating: Operating,
) -> None:
    entry = Entry(name="a", actor=DELETE_OLD, interval_s=3600)
    schedules, operator_actions = await declared(operating, entry), acting(
        operating.database
    )
    assert (await operator_actions.pause_schedule("a")).result == "paused"
    assert (await operator_actions.pause_schedule("a")).result == "already_paused"
    await due(operating, 1)
    await schedules.declare([entry])
    assert not await schedules.enqueue_due((await schedules.all())[0])
    assert (await operator_actions.resume_schedule("a")).result == "resumed"
    assert not await schedules.enqueue_due((await schedules.all())[0])
    [seen] = await schedules.all()
    assert seen.next_at is not None and seen.next_at > seen.now
    with pytest.raises(NotFound):
        await operator_actions.pause_schedule("none")


async def test_run_now_runs_once_at_a_time(operating: Operating) -> None:
    await declared(operating, Entry(name="a", actor=DELETE_OLD, interval_s=3600))
    operator_actions = acting(operating.database)
    found = await asyncio.gather(
        *(operator_actions.run_schedule("a") for _ in range(6))
    )
    assert sorted(it.result for it in found) == ["already_running"] * 5 + ["started"]
    assert len(await enqueued(operating)) == 1
    with pytest.raises(NotFound):
        await operator_actions.run_schedule("none")


# The scheduler's own


async def test_samples_are_taken_rolled_up_and_forgotten(operating: Operating) -> None:
    sampler = Sampler(operating.database, operating.broker)
    await sampler.take()
    await operating.change(
        "INSERT INTO workers.samples SELECT 'lag_s', 10, date_bin('10 s', now(),"
        " 'epoch') - make_interval(secs => 10 * n), n FROM generate_series(1, 9500) n"
    )
    again = Sampler(operating.database, operating.broker)
    await again.take()
    await again.take()
    rows = await operating.rows("SELECT DISTINCT metric FROM workers.samples")
    assert {row[0] for row in rows} == set(METRICS)
    [row] = await operating.rows(
        "SELECT count(*) FILTER (WHERE step = 10 AND at < now() - interval '25 h'),"
        " count(*) FILTER (WHERE step = 300), count(*) FILTER (WHERE step = 300"
        " AND extract(epoch FROM at)::bigint % 300 <> 0) FROM workers.samples"
        " WHERE metric = 'lag_s'"
    )
    assert row[0] == 0 and row[1] >= 298 and row[2] == 0


async def test_the_leader_samples_enqueues_and_sends(operating: Operating) -> None:
    wanted = (
        Entry(name="samples", actor="samples", interval_s=10),
        Entry(name="sweep", actor="sweep", interval_s=1),
        Entry(name="a", actor=DELETE_OLD, interval_s=3600),
    )
    await declared(operating, *wanted)
    await due(operating, 0.1)
    await operating.change("DELETE FROM workers.samples")
    leader_tasks = LeaderTasks(operating.database, operating.broker, wanted)
    assert await sweeps(leader_tasks)
    assert await operating.rows("SELECT 1 FROM workers.samples")
    [row] = await operating.rows("SELECT sent_at IS NOT NULL FROM workers.runs")
    assert row[0]
    operator_actions = acting(operating.database)
    for pause, resume in (
        (
            operator_actions.pause_schedule("sweep"),
            operator_actions.resume_schedule("sweep"),
        ),
        (
            operator_actions.pause_queue("projections"),
            operator_actions.resume_queue("projections"),
        ),
    ):
        await pause
        assert not await sweeps(leader_tasks)
        await resume
        assert await sweeps(leader_tasks)


async def sweeps(leader_tasks: LeaderTasks) -> bool:
    """Return whether the scheduler sweeps after a turn of its tasks."""
    await leader_tasks.turn()
    return leader_tasks.sweeps


OLD = (Entry(name="a", actor=DELETE_OLD, interval_s=3600),)
NEW = (
    Entry(name="a", actor=DELETE_OLD, interval_s=1800),
    Entry(name="0 added", actor="of_the_later_release", interval_s=3600),
)


async def intervals(operating: Operating) -> dict[str, float]:
    rows = await operating.rows("SELECT name, interval_s FROM workers.schedules")
    return {name: interval for name, interval in rows}


async def test_a_rolling_update_keeps_what_the_later_release_added(
    operating: Operating,
) -> None:
    """The schedules are those of the release that leads; none is ever deleted."""
    await declared(operating, *OLD)
    old, new = (
        LeaderTasks(operating.database, operating.broker, it) for it in (OLD, NEW)
    )
    await new.turn(leads=False)
    assert await intervals(operating) == {"a": 3600}, "it does not lead yet"
    await new.turn(leads=True)
    assert await intervals(operating) == {"a": 1800, "0 added": 3600}
    await old.turn(leads=False)  # a process of before that starts once more
    assert await intervals(operating) == {"a": 1800, "0 added": 3600}
    await new.turn(leads=False)
    await due(operating, 0.1)
    await old.turn(leads=True)  # and leads for a while: its own run, no other goes
    assert await intervals(operating) == {"a": 3600, "0 added": 3600}
    await due(operating, 0.1)
    await old.turn(leads=True)
    assert [row[0] for row in await enqueued(operating)] == ["a"]
    [added] = [it for it in await Schedules(operating.database).all() if it.is_up]
    assert added.name == "0 added", "it waits for the release that knows it"
    await old.turn(leads=False)
    await new.turn(leads=True)
    assert await intervals(operating) == {"a": 1800, "0 added": 3600}


async def test_only_what_a_release_names_is_withdrawn(operating: Operating) -> None:
    schedules = await declared(operating, *NEW)
    await schedules.declare(OLD, withdrawn=("0 added",))
    assert await intervals(operating) == {"a": 3600}
    assert not set(WITHDRAWN) & {it.name for it in entries(1.0)}


async def test_a_schedule_that_cannot_run_holds_up_no_other(
    operating: Operating,
) -> None:
    broken = Entry(name="0 broken", actor=DELETE_OLD, interval_s=3600)
    await declared(operating, *OLD, broken)
    leader = LeaderTasks(operating.database, operating.broker, (*OLD, broken))
    await leader.turn()
    await due(operating, 0.1)
    await operating.change(
        "UPDATE workers.schedules SET cron = 'nonsense', interval_s = NULL"
        " WHERE name = '0 broken'"
    )
    await leader.turn()
    assert [row[0] for row in await enqueued(operating)] == ["a"]


async def test_what_is_past_its_time_goes_and_the_rest_stays(
    operating: Operating,
) -> None:
    await operating.change("DELETE FROM workers.runs")
    await operating.change(
        "INSERT INTO workers.runs (id, actor, queue, message_id, arguments, outcome,"
        " open, finished_at) SELECT gen_random_uuid(), 'a', 'q', gen_random_uuid(),"
        " '{}', o, o = 'failed' AND d > 60, now() - make_interval(days => d)"
        " FROM unnest(ARRAY['succeeded', 'retrying', 'failed', 'discarded']) o,"
        " unnest(ARRAY[1, 20, 40, 80, 100]) d"
    )
    await operating.enqueue(DELETE_OLD)
    assert await delete_old(operating.database) == 14
    rows = await operating.rows(
        "SELECT outcome, round(extract(epoch FROM now() - finished_at) / 86400)::int"
        " FROM workers.runs ORDER BY 1, 2"
    )
    assert [tuple(row) for row in rows] == [
        ("discarded", 1),
        ("failed", 1),
        ("failed", 20),
        ("failed", 80),
        ("queued", None),
        ("retrying", 1),
        ("succeeded", 1),
    ]
