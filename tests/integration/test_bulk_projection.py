"""Many events at once end in the rows of one by one, however they are written."""

import time
from collections.abc import Sequence
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands.bus import Bus
from metacortex.kernel.database import driver_pool, engine
from metacortex.kernel.decider import UNSET
from metacortex.queries import batches, read_ahead, row_writes
from metacortex.queries.batches import Batch, Place
from metacortex.queries.projector import Projector
from metacortex.queries.read_ahead import ReadAhead
from tests.conftest import Urls
from tests.factories import CreateTaskFactory, EditTaskFactory
from tests.integration.walking import Walk, unit

TABLES = (
    "tasks",
    "task_words",
    "projects",
    "sections",
    "tags",
    "people",
    "comments",
    "activity",
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
    monkeypatch.setattr(row_writes, "COPIED", events + 1)
    single = Projector(database, batch=1, turn_s=60)
    assert (await single.turn([workspace])).events == events
    wanted = await rows(writes, workspace)
    assert len(wanted) > events
    monkeypatch.setattr(row_writes, "COPIED", 1)
    for chunk, kept in ((10_000, 10_000), (7, 3)):  # so small that rows are asked for
        monkeypatch.setattr(read_ahead, "CHUNK", chunk)
        monkeypatch.setattr(read_ahead, "KEPT_ROWS", kept)
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
    monkeypatch.setattr(read_ahead, "CHUNK", 7)
    database = engine(urls.projector, pool_size=1)
    projector = Projector(database)
    assert await projector.rebuild(workspace) == events
    assert await projector.verify(workspace) == []
    await database.dispose()


async def test_a_rebuild_holds_no_more_than_a_few_chunks(
    urls: Urls,
    writes: AsyncEngine,
    workspace: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    births = [CreateTaskFactory() for _ in range(90)]
    await Bus(writes).execute([unit(workspace, *births)])
    monkeypatch.setattr(read_ahead, "CHUNK", 10)
    monkeypatch.setattr(read_ahead, "KEPT_ROWS", 20)
    held: list[int] = []
    keep = read_ahead.Refold._keep

    def kept(self: read_ahead.Refold, its: dict[Any, Any]) -> None:
        keep(self, its)
        held.append(len(self._rows))

    monkeypatch.setattr(read_ahead.Refold, "_keep", kept)
    database = engine(urls.projector)
    assert await Projector(database).rebuild(workspace) == 90
    assert len(held) == 9 and max(held) == 20
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
