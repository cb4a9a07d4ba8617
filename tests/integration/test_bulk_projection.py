"""Many events at once end in the rows of one by one, however they are written."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands.bus import Bus
from metacortex.kernel.database import driver_pool, engine
from metacortex.kernel.decider import UNSET
from metacortex.kernel.ids import derived
from metacortex.queries import batches, fold, refold
from metacortex.queries.batches import Batch, Place
from metacortex.queries.projector import Projector
from metacortex.queries.read_ahead import ReadAhead
from tests.conftest import Urls
from tests.factories import CreateTaskFactory, EditTaskFactory
from tests.integration.walking import Walk, unit

TABLES = (
    *("tasks", "task_words", "projects", "sections", "tags", "people"),
    *("comments", "activity"),
)
EVENTS = 60


async def history(writes: AsyncEngine, workspace: UUID, seed: int) -> int:
    """Make a random history; return the sequence of its last event."""
    walk, bus = Walk(workspace, Random(seed)), Bus(writes)
    await bus.execute([*walk.births(), *(walk.next() for _ in range(EVENTS))])
    return await head(writes, workspace)


async def head(database: AsyncEngine, workspace: UUID) -> int:
    sql = "SELECT sequence FROM events.heads WHERE workspace_id = :w"
    async with database.connect() as connection:
        found: int = await connection.scalar(text(sql), {"w": workspace})
    return found


async def rows(database: AsyncEngine, workspace: UUID) -> Sequence[Any]:
    """Return all read rows of a workspace, every column, as Postgres writes them."""
    parts = [
        f"SELECT '{it}', t::text FROM queries.{it} t WHERE workspace_id = :w"
        for it in TABLES
    ]
    async with database.connect() as connection:
        sql = text(" UNION ALL ".join(parts) + " ORDER BY 1, 2")
        return (await connection.execute(sql, {"w": workspace})).all()


@pytest.mark.parametrize("seed", range(3))
async def test_bulk_and_one_by_one_write_the_same_rows(
    urls: Urls,
    writes: AsyncEngine,
    workspace: UUID,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = await history(writes, workspace, seed)
    database = engine(urls.projector)
    single = Projector(database, batch=1, turn_s=60)
    assert (await single.turn([workspace])).events == events
    wanted = await rows(writes, workspace)
    assert len(wanted) > events
    # all rows in the end; streams that go on after they were written; one chunk's rows
    for chunk, settled, waiting in ((1_000, 1_000, 10**9), (7, 9, 10**9), (7, 99, 0)):
        monkeypatch.setattr(refold, "CHUNK", chunk)
        monkeypatch.setattr(refold, "SETTLED", settled)
        monkeypatch.setattr(refold, "WAITING_BYTES", waiting)
        assert await single.rebuild(workspace) == events
        assert await rows(writes, workspace) == wanted
    assert await single.verify(workspace) == []
    await database.dispose()


async def test_a_rebuild_of_one_connection_reads_and_writes_by_turns(
    urls: Urls,
    writes: AsyncEngine,
    workspace: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = await history(writes, workspace, 9)
    monkeypatch.setattr(refold, "CHUNK", 7)
    database = engine(urls.projector, pool_size=1)
    projector = Projector(database)
    assert await projector.rebuild(workspace) == events
    assert await projector.verify(workspace) == []
    await database.dispose()


async def versions(database: AsyncEngine, workspace: UUID) -> dict[str, Any]:
    """Return which transaction wrote each row, by table and row without its place."""
    parts = [
        f"SELECT '{it} ' || t::text, xmin::text FROM queries.{it} t"
        " WHERE workspace_id = :w"
        for it in TABLES
        if it != "comments"  # which are written again
    ]
    async with database.connect() as connection:
        found = await connection.execute(
            text(" UNION ALL ".join(parts)), {"w": workspace}
        )
        return {row: by for row, by in found}


TAMPERING = (
    (
        "UPDATE queries.task_words SET search = '' WHERE id = :id",
        "UPDATE queries.task_facets SET n = n + 1 WHERE workspace_id = :w",
        "DELETE FROM queries.comments WHERE workspace_id = :w",
        "UPDATE queries.activity SET request_id = 'forged' WHERE stream_id = :id",
        "UPDATE queries.task_counts SET n = n + 1 WHERE workspace_id = :w",
    ),
    (
        "UPDATE queries.tasks SET id = gen_random_uuid() WHERE id = :id",
        "UPDATE queries.comments SET id = gen_random_uuid() WHERE workspace_id = :w",
        "UPDATE queries.activity SET sequence = sequence + 999 WHERE stream_id = :id",
        "DELETE FROM queries.task_counts WHERE workspace_id = :w",
        "UPDATE queries.task_words SET id = gen_random_uuid() WHERE id = :id",
        "DELETE FROM queries.task_facets WHERE workspace_id = :w",
    ),
    (
        "UPDATE queries.tasks SET document = '{}', created_by = NULL WHERE id = :id",
        "DELETE FROM queries.activity WHERE stream_id = :id",
        "DELETE FROM queries.task_words WHERE id = :id",
    ),
)
"""Altered, under another key, and gone."""


async def test_a_rebuild_mends_what_differs_and_writes_nothing_else(
    urls: Urls, writes: AsyncEngine, projector: Projector, workspace: UUID
) -> None:
    await history(writes, workspace, 4)
    await projector.turn([workspace])
    before = await versions(writes, workspace)
    wanted = await rows(writes, workspace)
    tampering = engine(urls.projector)
    task = derived(workspace, "task 3")
    for changes in TAMPERING:
        async with tampering.begin() as connection:
            for change in changes:
                values = {"id": task, "w": workspace}
                done = await connection.execute(text(change), values)
                assert done.rowcount, change
        await projector.rebuild(workspace)
        assert await rows(writes, workspace) == wanted, changes
    assert await projector.verify(workspace) == []
    after = await versions(writes, workspace)
    anew = {row for row in before if after[row] != before[row]}
    assert anew and all(str(task) in row for row in anew), "only what was altered"
    await tampering.dispose()


async def test_a_rebuild_takes_no_row_of_before_for_the_beginning_of_a_stream(
    urls: Urls, writes: AsyncEngine, projector: Projector, workspace: UUID
) -> None:
    task = CreateTaskFactory()
    edits = [EditTaskFactory(task_id=task.task_id, title=f"T{n}") for n in range(3)]
    await Bus(writes).execute([unit(workspace, task, *edits)])
    await projector.turn([workspace])
    database = engine(urls.projector)
    direct = driver_pool(database)
    async with direct.begin() as connection:
        folding = refold.Refold(direct, connection, Place(workspace, 2, 4))
        with pytest.raises(AssertionError, match="first event is its creation"):
            async for _ in folding.run():
                pass
    await database.dispose()


@dataclass
class Waiting:
    """What a rebuild writes at a time, and how many rows then wait."""

    written: list[list[UUID]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    size: list[int] = field(default_factory=list)

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Note each write that has rows, in the order in which they begin."""
        take = fold.Fold.take

        def taken(folded: fold.Fold, keys: Sequence[fold.Key]) -> fold.Fold:
            found = take(folded, keys)
            self.written += [[id for _, _, id in keys]] if keys else []
            self.rows.append(len(folded.rows))
            self.size.append(folded.size)
            return found

        monkeypatch.setattr(fold.Fold, "take", taken)


async def test_a_rebuild_writes_each_row_once_and_one_that_goes_on_again(
    urls: Urls,
    writes: AsyncEngine,
    workspace: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    often, once, later = (CreateTaskFactory() for _ in range(3))
    edits = [EditTaskFactory(task_id=often.task_id, title=f"T{n}") for n in range(20)]
    again = EditTaskFactory(task_id=once.task_id, title="Again")
    await Bus(writes).execute([unit(workspace, often, once, *edits, later, again)])
    monkeypatch.setattr(refold, "CHUNK", 4)
    database = engine(urls.projector)
    projector = Projector(database)
    orders = {}
    for settled in (100, 8):
        monkeypatch.setattr(refold, "SETTLED", settled)
        waiting = Waiting()
        with monkeypatch.context() as patch:
            waiting.watch(patch)
            assert await projector.rebuild(workspace) == 24
        orders[settled] = [id for ids in waiting.written for id in ids]
        assert await projector.verify(workspace) == []
    assert orders[100] == [often.task_id, later.task_id, once.task_id]
    assert orders[8] == [once.task_id, often.task_id, later.task_id, once.task_id]
    await database.dispose()


@pytest.mark.parametrize("bound", ["events", "bytes"])
async def test_a_rebuild_lets_only_so_many_rows_wait(
    bound: str,
    urls: Urls,
    writes: AsyncEngine,
    workspace: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    births = [CreateTaskFactory(description="x" * 500) for _ in range(90)]
    await Bus(writes).execute([unit(workspace, *births)])
    monkeypatch.setattr(refold, "CHUNK", 10)
    if bound == "events":
        monkeypatch.setattr(refold, "SETTLED", 20)
    else:
        monkeypatch.setattr(refold, "WAITING_BYTES", 12_000)
    waiting = Waiting()
    waiting.watch(monkeypatch)
    database = engine(urls.projector)
    assert await Projector(database).rebuild(workspace) == 90
    assert max(waiting.rows) == 20 if bound == "events" else 10 < max(waiting.rows) < 24
    assert sum(map(len, waiting.written)) == 90 and waiting.rows[-1] == 0
    assert waiting.size[-1] == 0 and 5_000 < max(waiting.size) <= 20 * 1_000
    await database.dispose()


async def ahead_of(
    database: AsyncEngine, begun: Place, taken: Place, each: int = 5
) -> Batch | None:
    """Let a batch be made ready, and ask for one."""
    async with ReadAhead(driver_pool(database), time.monotonic() + 60) as ahead:
        ahead.begin([begun], each, {})
        return await ahead.take([taken], each)


async def test_what_was_made_ready_is_used_only_where_it_begins(
    urls: Urls, writes: AsyncEngine, workspace: UUID
) -> None:
    task = CreateTaskFactory()
    edits = [EditTaskFactory(task_id=task.task_id, title=f"T{n}") for n in range(9)]
    await Bus(writes).execute([unit(workspace, task, *edits)])
    database = engine(urls.projector)
    first = Place(workspace, 0, 10)
    ready = await ahead_of(database, first, first)
    assert ready is not None
    assert [it.sequence for it in ready.read.records] == [1, 2, 3, 4, 5]
    assert await ahead_of(database, first, Place(workspace, 5, 10)) is None
    longer = await ahead_of(database, first, first._replace(head=12))
    assert longer is not None, "a head that has moved on changes nothing of it"
    beyond = Place(workspace, 8, 12)  # the log ends at 10: a gap, told under the lock
    assert await ahead_of(database, beyond, beyond) is None
    with pytest.raises(batches.Gap, match="the log ends at 10, its head says 12"):
        await batches.read(driver_pool(database), [beyond], 5)
    await database.dispose()


async def test_rows_of_earlier_batches_of_a_turn_are_not_asked_for_again(
    urls: Urls,
    writes: AsyncEngine,
    workspace: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, other = CreateTaskFactory(), CreateTaskFactory()
    edits = [EditTaskFactory(task_id=other.task_id, title=f"T{n}") for n in range(6)]
    again = EditTaskFactory(task_id=first.task_id, title="Again")
    await Bus(writes).execute([unit(workspace, first, other, *edits, again)])
    asked: list[fold.Key] = []
    present = batches.present

    async def asking(reader: Any, keys: Any) -> Any:
        asked.extend(keys)
        return await present(reader, keys)

    monkeypatch.setattr(batches, "present", asking)
    database = engine(urls.projector)
    projector = Projector(database, batch=2, turn_s=600)
    assert (await projector.turn([workspace])).events == 9
    assert asked == []
    assert await projector.verify(workspace) == []
    await database.dispose()


async def test_rows_are_not_known_any_more_once_others_have_moved_the_tables_on(
    urls: Urls, writes: AsyncEngine, projector: Projector, workspace: UUID
) -> None:
    task = CreateTaskFactory()
    edits = [EditTaskFactory(task_id=task.task_id, title=f"T{n}") for n in range(9)]
    await Bus(writes).execute([unit(workspace, task, *edits)])
    await projector.turn([workspace])
    stale = {(workspace, "task", task.task_id): None}
    here, beyond = Place(workspace, 1, 10), Place(workspace, 5, 10)
    database = engine(urls.projector)
    async with ReadAhead(driver_pool(database), time.monotonic() + 600) as ahead:
        ahead.begin([here], 5, stale)
        assert await ahead.take([beyond], 5) is None
        ahead.begin([beyond], 5, {})
        ready = await ahead.take([beyond], 5)
    assert ready is not None and ready.rows.popitem()[1].title == "T8"
    await database.dispose()


async def test_words_are_found_out_where_a_text_changes_and_kept_elsewhere(
    urls: Urls, writes: AsyncEngine, projector: Projector, workspace: UUID
) -> None:
    task = CreateTaskFactory(title="Oat milk")
    edits = [
        EditTaskFactory(task_id=task.task_id, title=UNSET, priority="urgent"),
        EditTaskFactory(task_id=task.task_id, title="Rye bread"),
    ]
    found = []
    for command in (task, *edits):
        await Bus(writes).execute([unit(workspace, command)])
        await projector.turn([workspace])
        async with writes.connect() as connection:
            sql = "SELECT search::text FROM queries.task_words WHERE workspace_id = :w"
            found.append(await connection.scalar(text(sql), {"w": workspace}))
    born, prioritised, renamed = found
    assert born == prioritised and "'milk'" in born and "'bread'" not in born
    assert "'bread'" in renamed and "'milk'" not in renamed
    assert await projector.verify(workspace) == []
