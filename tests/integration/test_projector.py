"""Read tables are a pure projection of the log, whoever projects, whenever, twice."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.events import codec, log
from metacortex.events.codec import UnknownEvent
from metacortex.events.record import EventRecord
from metacortex.kernel.clock import now
from metacortex.kernel.database import engine
from metacortex.queries import verify as verification
from metacortex.queries.batches import Gap
from metacortex.queries.bus import Freshness, Queries
from metacortex.queries.projector import Poisoned, Projector
from metacortex.queries.registry import PROJECTIONS
from metacortex.queries.tables import word_columns
from metacortex.queries.tasks import ListTasks
from metacortex.queries.verify import written_columns
from metacortex.queries.watermarks import Watermark
from tests.conftest import Urls
from tests.factories import CommentTaskFactory, CreateTaskFactory
from tests.integration import laws
from tests.integration.forging import append_after_last, forge
from tests.integration.walking import Walk, unit

HANG_S = 60  # only there to end a hang


@pytest.mark.parametrize("seed", range(3))
async def test_any_interleaving_ends_in_the_same_tables(
    urls: Urls, writes: AsyncEngine, seed: int
) -> None:
    database, rng, bus = engine(urls.projector), Random(seed), Bus(writes)
    projectors = [Projector(database, batch=size) for size in (1, 7, 2000)]
    walks = [Walk(uuid4(), rng) for _ in range(4)]
    ids = [walk.workspace_id for walk in walks]
    await bus.execute([born for walk in walks for born in walk.births()])

    async def write() -> None:
        for _ in range(15):
            await bus.execute([walk.next() for walk in rng.choices(walks, k=4)])

    async def project(projector: Projector) -> None:
        for _ in range(12):
            named = rng.choices(ids, k=rng.randrange(1, 4))
            await projector.turn(named * 2)

    async def rebuild() -> None:
        for _ in range(3):
            await projectors[0].rebuild(rng.choice(ids))

    await asyncio.gather(write(), rebuild(), *map(project, projectors))
    await catch_up(projectors[2], ids)
    for id in ids:
        await laws.check_read_side(writes, projectors[2], id)
    await database.dispose()


async def catch_up(projector: Projector, ids: list[UUID]) -> None:
    """Take turns until nothing of these workspaces is behind."""
    async with asyncio.timeout(HANG_S):
        while await projector.behind(ids):
            await projector.turn(ids)


async def test_who_was_passed_over_is_seen_by_whom_it_gave_way_to(
    urls: Urls, writes: AsyncEngine, workspace: UUID
) -> None:
    database, task_id = engine(urls.projector), uuid4()
    slow, quick = (Projector(database, turn_s=0) for _ in range(2))
    make = tasks.CreateTask(task_id=task_id, title="0")
    await Bus(writes).execute([unit(workspace, make)])
    assert (await slow.turn([workspace])).behind == []

    async def edit(title: str) -> None:
        command = tasks.EditTask(task_id=task_id, title=title)
        await Bus(writes).execute([unit(workspace, command)])

    async with database.begin() as holder:
        sql = "SELECT id FROM queries.tasks WHERE workspace_id = :w FOR UPDATE"
        await holder.execute(text(sql), {"w": workspace})
        await edit("1")
        turning = asyncio.create_task(slow.turn([workspace]))
        await blocked_by(writes, await holder.scalar(text("SELECT pg_backend_pid()")))
        await edit("2")  # after the slow one read, and before it is done
        passed = await quick.turn([workspace])
        # nor does it ask for another turn: messages would chase each other meanwhile
        assert (passed.events, passed.behind) == (0, [])
    turn = await turning
    assert (turn.events, turn.behind) == (1, [workspace])
    await catch_up(quick, [workspace])
    await laws.check_read_side(writes, quick, workspace)
    await database.dispose()


async def blocked_by(database: AsyncEngine, pid: int) -> None:
    """Return when somebody waits for a lock of a process."""
    sql = text(
        "SELECT count(*) FROM pg_stat_activity WHERE :pid = ANY (pg_blocking_pids(pid))"
    )
    async with asyncio.timeout(HANG_S):
        while True:
            async with database.connect() as connection:
                if await connection.scalar(sql, {"pid": pid}):
                    return
            await asyncio.sleep(0.01)


async def test_a_rebuild_shows_readers_the_old_tables_until_it_commits(
    writes: AsyncEngine, projector: Projector, workspace: UUID
) -> None:
    births = [tasks.CreateTask(task_id=uuid4(), title="Row") for _ in range(40)]
    await Bus(writes).execute([unit(workspace, *births)])
    await projector.turn([workspace])
    sql = text("SELECT count(*) FROM queries.tasks WHERE workspace_id = :w")
    seen = set()
    rebuilding = asyncio.create_task(projector.rebuild(workspace))
    while not rebuilding.done():
        async with writes.connect() as connection:
            seen.add(await connection.scalar(sql, {"w": workspace}))
    assert await rebuilding == 40
    assert seen == {40}
    await laws.check_read_side(writes, projector, workspace)


# What was changed by hand is found, whichever column it stands in


@pytest.fixture
async def walked(
    writes: AsyncEngine, projector: Projector, workspace: UUID
) -> list[tuple[str, UUID]]:
    """A workspace that somebody has worked in; its streams, by type and id."""
    walk, bus = Walk(workspace, Random(7)), Bus(writes)
    await bus.execute([*walk.births(), *(walk.next() for _ in range(40))])
    await catch_up(projector, [workspace])
    found = {
        (it.stream_type, it.stream_id) for it in await laws.records(writes, workspace)
    }
    return sorted(found, key=lambda key: key[1])


TAMPERED = {
    "title": "'Forged'",
    "status": "'done'",
    "priority": "priority + 1",
    "due_key": "'1999-12-31'",
    "due_at": "'1999-12-31 00:00Z'",
    "due_local": "'1999-12-31'",
    "project_id": "gen_random_uuid()",
    "section_id": "gen_random_uuid()",
    "parent_id": "gen_random_uuid()",
    "tags": "ARRAY[gen_random_uuid()]",
    "assignee_id": "'user_forger'",
    "created_by": "'user_forger'",
    "archived": "NOT archived",
    "deleted": "NOT deleted",
    "created_at": "created_at + interval '1 microsecond'",
    "updated_at": "updated_at - interval '1 day'",
    "document": "replace(document::text, '\"version\":', '\"version\": ')::json",
}


def test_every_column_that_a_task_writes_is_tampered_with() -> None:
    assert {*TAMPERED, "workspace_id", "id"} == set(written_columns("queries.tasks"))


TAMPERED_WORDS = {
    "search": "'forged'::tsvector",
    "created_at": "created_at + interval '1 microsecond'",
    "deleted": "NOT deleted",
}


def test_every_column_of_words_is_tampered_with() -> None:
    columns = word_columns("queries.task_words").keys()
    assert {*TAMPERED_WORDS, "workspace_id", "id"} == columns


TAMPERED_COLUMNS = [
    *(("queries.tasks", *it) for it in TAMPERED.items()),
    *(("queries.task_words", *it) for it in TAMPERED_WORDS.items()),
]


@pytest.mark.parametrize(("table", "column", "value"), TAMPERED_COLUMNS)
async def test_verify_names_a_column_changed_by_hand_and_rebuild_mends_it(
    urls: Urls,
    projector: Projector,
    workspace: UUID,
    walked: list[tuple[str, UUID]],
    table: str,
    column: str,
    value: str,
) -> None:
    id = next(id for type, id in walked if type == "task")
    await run(
        urls.projector,
        f"UPDATE {table} SET {column} = {value} WHERE workspace_id = :w AND id = :id",
        w=workspace,
        id=id,
    )
    assert await projector.verify(workspace) == [f"{table} {id}: {column} differs"]
    await projector.rebuild(workspace)
    assert await projector.verify(workspace) == []


async def test_verify_names_words_that_are_missing_or_of_no_task(
    urls: Urls,
    projector: Projector,
    workspace: UUID,
    walked: list[tuple[str, UUID]],
) -> None:
    id, none = next(id for type, id in walked if type == "task"), uuid4()
    renamed = "UPDATE queries.task_words SET id = :none WHERE id = :id"
    await run(urls.projector, renamed, id=id, none=none)
    assert set(await projector.verify(workspace)) == {
        f"queries.task_words {id}: missing",
        f"queries.task_words {none}: not in the log",
    }
    await projector.rebuild(workspace)
    assert await projector.verify(workspace) == []


@pytest.mark.parametrize("chunk", [1, verification.CHUNK])
async def test_verify_names_comments_that_differ_are_missing_or_were_added(
    writes: AsyncEngine,
    urls: Urls,
    projector: Projector,
    workspace: UUID,
    chunk: int,
) -> None:
    task, ids = uuid4(), sorted(uuid4() for _ in range(3))
    other = [CreateTaskFactory(), CommentTaskFactory(task_id=task)]
    bus = Bus(writes)
    said = [CommentTaskFactory(task_id=task, comment_id=it) for it in ids]
    await bus.execute([unit(workspace, CreateTaskFactory(task_id=task), *other, *said)])
    await projector.turn([workspace])
    assert await projector.verify(workspace, chunk) == []
    for change in (
        f"UPDATE queries.comments SET deleted = true WHERE id = '{ids[0]}'",
        f"DELETE FROM queries.comments WHERE id = '{ids[1]}'",
        f"UPDATE queries.comments SET task_id = '{uuid4()}' WHERE id = '{ids[2]}'",
    ):
        await run(urls.projector, change)
    found = await projector.verify(workspace, chunk)
    assert f"queries.comments {ids[0]}: deleted differs" in found
    assert f"queries.comments {ids[1]}: missing" in found
    assert any(str(ids[2]) in it for it in found)
    await projector.rebuild(workspace)
    assert await projector.verify(workspace, chunk) == []


@pytest.mark.parametrize("chunk", [1, 2, 7, verification.CHUNK])
async def test_verify_finds_the_same_in_chunks_of_any_size(
    urls: Urls,
    projector: Projector,
    workspace: UUID,
    walked: list[tuple[str, UUID]],
    chunk: int,
) -> None:
    assert await projector.verify(workspace, chunk) == []
    nil, first, last = UUID(int=0), walked[0], walked[-1]
    copy = (
        "INSERT INTO queries.projects SELECT (json_populate_record(p, json_build_object"
        "('id', CAST(:id AS text)))).* FROM queries.projects p"
        " WHERE workspace_id = :w ORDER BY id LIMIT 1"
    )
    for extra in (nil, UUID(int=2**128 - 1)):
        await run(urls.projector, copy, w=workspace, id=str(extra))
    for type, id in (first, last):
        table = PROJECTIONS[type].table
        sql = f"DELETE FROM {table} WHERE workspace_id = :w AND id = :id"
        await run(urls.projector, sql, w=workspace, id=id)
    for sql in (
        "UPDATE queries.activity SET actor_id = 'me' WHERE workspace_id = :w"
        " AND sequence = 1",
        "UPDATE queries.activity SET sequence = sequence + 1000"
        " WHERE workspace_id = :w AND sequence = 3",
    ):
        await run(urls.projector, sql, w=workspace)
    assert sorted(await projector.verify(workspace, chunk)) == sorted(
        [
            "queries.activity 1: actor_id differs",
            "queries.activity 3: missing",
            "queries.activity 1003: not in the log",
            f"queries.projects {nil}: not in the log",
            f"queries.projects {UUID(int=2**128 - 1)}: not in the log",
            *(f"{PROJECTIONS[type].table} {id}: missing" for type, id in (first, last)),
        ]
    )
    await projector.rebuild(workspace)
    assert await projector.verify(workspace, chunk) == []


async def test_verify_holds_no_more_events_than_a_chunk(
    projector: Projector,
    workspace: UUID,
    walked: list[tuple[str, UUID]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []

    def counted(read: Callable[..., Awaitable[list[EventRecord]]]) -> Any:
        async def reading(*given: Any) -> list[EventRecord]:
            found = await read(*given)
            sizes.append(len(found))
            return found

        return reading

    for name in ("read_on", "read_by_stream"):
        monkeypatch.setattr(log, name, counted(getattr(log, name)))
    assert await projector.verify(workspace, 5) == []
    assert max(sizes) == 5
    assert len(sizes) > 10


async def test_verify_tells_no_more_than_helps(
    urls: Urls,
    projector: Projector,
    workspace: UUID,
    walked: list[tuple[str, UUID]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verification, "MOST", 3)
    sql = "DELETE FROM queries.activity WHERE workspace_id = :w"
    await run(urls.projector, sql, w=workspace)
    found = await projector.verify(workspace)
    assert len(found) == 4
    assert found[-1] == verification.MORE


# Poison: an event of a later release, in a log that this release must read


async def run(url: str, sql: str, **values: object) -> None:
    """Run a statement as whoever the URL says."""
    database = create_async_engine(url)
    async with database.begin() as connection:
        await connection.execute(text(sql), values)
    await database.dispose()


async def poison(urls: Urls, workspace: UUID) -> None:
    """Append an edit whose schema version this release does not know."""
    await append_after_last(
        urls.owner,
        workspace,
        type="task.edited",
        schema_version=2,
        command_type="task.edit",
        data=orjson.dumps({"title": {"from": "Clean", "to": "Of tomorrow"}}),
    )


async def parked(writes: AsyncEngine, workspace: UUID) -> tuple[int, str | None]:
    """Return the checkpoint and its error, None where it is not parked."""
    sql = text(
        "SELECT sequence, CASE WHEN parked_at IS NOT NULL THEN error END"
        " FROM queries.checkpoints WHERE workspace_id = :w"
    )
    async with writes.connect() as connection:
        row = (await connection.execute(sql, {"w": workspace})).one()
    return row[0], row[1]


async def test_a_poisoned_event_parks_its_workspace_and_no_other(
    urls: Urls,
    writes: AsyncEngine,
    projector: Projector,
    workspace: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = [uuid4() for _ in range(3)]
    births = [
        unit(id, tasks.CreateTask(task_id=uuid4(), title="Clean"))
        for id in (workspace, *others)
    ]
    await Bus(writes).execute(births)
    await poison(urls, workspace)

    await catch_up(projector, [workspace, *others])
    sequence, error = await parked(writes, workspace)
    assert sequence == 1, "what stands before the poisoned event is shown"
    assert error is not None and "UnknownEvent" in error and "version 2" in error
    for id in others:
        await laws.check_read_side(writes, projector, id)

    more = [
        unit(id, tasks.CreateTask(task_id=uuid4(), title="More"))
        for id in (workspace, *others)
    ]
    await Bus(writes).execute(more)
    await catch_up(projector, [workspace, *others])
    assert await laws.shown(writes, workspace) == 1
    assert [await laws.shown(writes, id) for id in others] == [2, 2, 2]

    with pytest.raises(UnknownEvent):
        await projector.rebuild(workspace)
    assert (await parked(writes, workspace)) == (sequence, error)

    monkeypatch.setitem(codec.VERSIONS, "task.edited", 2)  # the later release
    assert await projector.rebuild(workspace) == 3
    assert await parked(writes, workspace) == (3, None)
    await laws.check_read_side(writes, projector, workspace)


async def test_a_workspace_whose_first_event_is_poisoned_is_parked_as_well(
    writes: AsyncEngine,
    projector: Projector,
    workspace: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await born(writes, workspace)
    monkeypatch.setitem(codec.VERSIONS, "task.created", 0)
    assert (await projector.turn([workspace])).behind == []
    sequence, error = await parked(writes, workspace)
    assert sequence == 0
    assert error is not None and "UnknownEvent" in error


async def test_nobody_is_parked_where_another_has_gone_on(
    urls: Urls,
    writes: AsyncEngine,
    projector: Projector,
    workspace: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker of the old release is about to park, and the new one rebuilds."""
    about_to, may = asyncio.Event(), asyncio.Event()

    class Slow(Projector):
        async def _park(self, poisoned: Poisoned) -> None:
            about_to.set()
            await may.wait()
            await super()._park(poisoned)

    await born(writes, workspace)
    await poison(urls, workspace)
    database = engine(urls.projector)
    turn = asyncio.create_task(Slow(database).turn([workspace]))
    await about_to.wait()
    monkeypatch.setitem(codec.VERSIONS, "task.edited", 2)
    assert await projector.rebuild(workspace) == 2
    may.set()
    await turn
    assert await parked(writes, workspace) == (2, None)
    await database.dispose()


async def test_a_schema_that_does_not_fit_parks_nobody(
    urls: Urls, writes: AsyncEngine, projector: Projector, workspace: UUID
) -> None:
    """A worker may be ahead of its migration for a while."""
    await born(writes, workspace)
    await projector.turn([workspace])
    await born(writes, workspace)
    rename = "ALTER TABLE queries.tasks RENAME COLUMN {} TO {}"
    await run(urls.owner, rename.format("assignee_id", "later"))
    try:
        with pytest.raises(asyncpg.UndefinedColumnError):
            await projector.turn([workspace])
    finally:
        await run(urls.owner, rename.format("later", "assignee_id"))
    await projector.turn([workspace])
    assert await parked(writes, workspace) == (2, None)


async def without_second_event(urls: Urls, workspace: UUID) -> None:
    """Delete an event as only somebody can who takes the triggers off."""
    delete = "DELETE FROM events.log WHERE workspace_id = :w AND sequence = 2"
    await forge(urls.owner, delete, w=workspace)


async def test_a_missing_event_stops_whoever_reads_on(
    urls: Urls, writes: AsyncEngine, projector: Projector, workspace: UUID
) -> None:
    await born(writes, workspace)
    await projector.turn([workspace])
    for _ in range(2):
        await born(writes, workspace)
    await without_second_event(urls, workspace)
    assert (await projector.turn([workspace])).behind == []
    sequence, error = await parked(writes, workspace)
    assert sequence == 1
    assert error is not None and "event 3 follows event 1" in error
    with pytest.raises(Gap):
        await projector.rebuild(workspace)
    assert await parked(writes, workspace) == (sequence, error)


async def test_verify_says_what_the_log_lacks(
    urls: Urls, writes: AsyncEngine, projector: Projector, workspace: UUID
) -> None:
    for _ in range(3):
        await born(writes, workspace)
    await projector.turn([workspace])
    await without_second_event(urls, workspace)
    found = await projector.verify(workspace)
    assert found == ["log: 1 of 3 events are missing"]


async def test_a_log_that_ends_before_its_head_is_not_taken_for_whole(
    urls: Urls, writes: AsyncEngine, projector: Projector, workspace: UUID
) -> None:
    await born(writes, workspace)
    await projector.turn([workspace])
    skip = "UPDATE events.heads SET sequence = sequence + 1 WHERE workspace_id = :w"
    await run(urls.owner, skip, w=workspace)
    with pytest.raises(Gap, match="ends at 1, its head says 2"):
        await projector.rebuild(workspace)
    assert await parked(writes, workspace) == (1, None)
    assert await projector.verify(workspace) == ["log: 1 of 2 events are missing"]
    assert (await projector.turn([workspace])).behind == []
    _, error = await parked(writes, workspace)
    assert error is not None and "ends at 1, its head says 2" in error


# Large events


@pytest.fixture
async def large(writes: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """Three workspaces with edits of 2 kB each, ten times what is read at once."""
    monkeypatch.setattr(log, "READ_BYTES", 5_000)
    ids = [uuid4() for _ in range(3)]
    for id in ids:
        task_id = uuid4()
        make = tasks.CreateTask(task_id=task_id, title="Large")
        edits = [
            tasks.EditTask(task_id=task_id, description=f"{n} {'ä' * 1_000}")
            for n in range(8)
        ]
        await Bus(writes).execute([unit(id, make, *edits)])
    return ids


async def test_a_batch_is_bounded_in_bytes(
    projector: Projector,
    writes: AsyncEngine,
    large: list[UUID],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads: list[list[int]] = []
    read_after = log.read_after

    async def noted(*given: Any) -> tuple[list[EventRecord], bool]:
        records, all_read = await read_after(*given)
        sizes = [len(it.data) + len(it.context) for it in records]
        assert all_read == (sum(sizes) < log.READ_BYTES)
        reads.append(sizes)
        return records, all_read

    monkeypatch.setattr(log, "read_after", noted)
    await catch_up(projector, large)
    for id in large:
        assert await parked(writes, id) == (9, None)
        assert await projector.rebuild(id) == 9
        await laws.check_read_side(writes, projector, id)
    assert len(reads) > 2 * 9
    for sizes in filter(None, reads):
        assert sum(sizes[:-1]) < log.READ_BYTES, "only the last one may reach it"


async def test_one_event_is_read_however_large(
    writes: AsyncEngine,
    large: list[UUID],
    monkeypatch: pytest.MonkeyPatch,
    projector: Projector,
) -> None:
    monkeypatch.setattr(log, "READ_BYTES", 1)
    await catch_up(projector, large)
    for id in large:
        assert await parked(writes, id) == (9, None)
        await laws.check_read_side(writes, projector, id)


async def test_large_events_of_one_workspace_hold_up_no_other(
    projector: Projector, writes: AsyncEngine, large: list[UUID]
) -> None:
    quick = Projector(projector._engine, turn_s=0)
    await quick.turn(large)
    shown = [await laws.shown(writes, id) for id in large]
    assert min(shown) >= 1, "the first event of each comes before the second of any"


async def test_a_gap_is_found_where_bytes_end_a_batch(
    urls: Urls, projector: Projector, writes: AsyncEngine, large: list[UUID]
) -> None:
    delete = "DELETE FROM events.log WHERE workspace_id = :w AND sequence > 7"
    await forge(urls.owner, delete, w=large[0])
    await catch_up(projector, large)
    sequence, error = await parked(writes, large[0])
    assert sequence == 7
    assert error is not None and "ends at 7, its head says 9" in error
    assert await parked(writes, large[1]) == (9, None)


async def test_pages_kept_do_not_outlive_a_rebuild(
    urls: Urls, writes: AsyncEngine, projector: Projector, workspace: UUID
) -> None:
    await born(writes, workspace)
    await projector.turn([workspace])
    spoil = "UPDATE queries.tasks SET deleted = TRUE WHERE workspace_id = :w"
    await run(urls.owner, spoil, w=workspace)
    queries, query = Queries(writes), ListTasks(workspace_id=workspace, now=now())
    for total in (0, 1):
        seen = await queries.shown(workspace, Freshness())
        assert seen.sequence == 1
        assert (await queries.page(query, "key", seen)).total == total
        await projector.rebuild(workspace)


async def test_pages_of_nothing_are_not_kept_without_bound(
    writes: AsyncEngine, workspace: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metacortex.queries.bus.KEPT_BYTES", 10_000)
    queries, fetched = Queries(writes), []
    for word in ("first", *(str(number) for number in range(20)), "first"):
        query = ListTasks(workspace_id=workspace, now=now(), q=word)
        fetched.append(await queries.page(query, word, Watermark()))
    assert fetched[0] is not fetched[-1]
    assert fetched[-1] is await queries.page(query, word, Watermark())


async def born(writes: AsyncEngine, workspace: UUID) -> None:
    birth = tasks.CreateTask(task_id=uuid4(), title="Clean")
    await Bus(writes).execute([unit(workspace, birth)])
