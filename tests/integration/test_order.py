"""Order over real tables: neighbours are looked up, not all siblings."""

from random import Random
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.commands.lane import Lane
from metacortex.commands.message import Answer
from metacortex.kernel.decider import LookUp
from metacortex.kernel.ids import new_id
from metacortex.kernel.rank import effective_sql, of_creation
from tests.commands.test_order import expect, move
from tests.integration import laws
from tests.integration.walking import unit


async def ordered(database: AsyncEngine, workspace: UUID) -> dict[str, list[str]]:
    """Return the ids of siblings by parent, in their order."""
    sql = text(
        "SELECT coalesce(parent_id::text, ''), array_agg(id::text ORDER BY"
        f' {effective_sql("rank")} COLLATE "C", id) FROM commands.tasks'
        " WHERE workspace_id = :w GROUP BY 1"
    )
    async with database.connect() as connection:
        rows = await connection.execute(sql, {"w": workspace})
        return {parent: ids for parent, ids in rows}


def create(id: UUID, parent: UUID | None = None) -> tasks.CreateTask:
    """Return the creation of a task."""
    return tasks.CreateTask(task_id=id, title="Card", parent_id=parent)


@pytest.mark.parametrize("seed", range(6))
async def test_tasks_stand_where_they_were_put_however_they_are_batched(
    writes: AsyncEngine, seed: int
) -> None:
    """Batches create, move away and move beside each other, in a lane as in a bus."""
    rng, workspace = Random(seed), uuid4()
    found = [new_id() for _ in range(10)]
    parents = [None, found[0]]
    lists: dict[UUID | None, list[UUID]] = {None: list(found), found[0]: []}
    lane, bus = Lane(Bus(writes)), Bus(writes)
    lane.start()
    await bus.execute([unit(workspace, *map(create, found))])
    for _ in range(25):
        commands: list[tasks.CreateTask | tasks.MoveTask] = []
        if rng.random() < 0.5:
            found.append(new_id())
            parent = rng.choice(parents)
            commands.append(create(found[-1], parent))
            lists[parent].append(found[-1])
        for _ in range(rng.randrange(1, 12)):
            side = rng.choice(["before", "after"])
            command = move(
                rng.choice(found[1:]),
                parent_id=rng.choice(parents),
                **{side: rng.choice(found)},
            )
            expect(lists, command)
            commands.append(command)
        asked = unit(workspace, *commands, atomic=False)
        if rng.random() < 0.5:
            await bus.execute([asked])
        else:
            await lane.submit(asked)
    await lane.stop()
    wanted = {str(k) if k else "": [str(it) for it in v] for k, v in lists.items() if v}
    assert await ordered(writes, workspace) == wanted
    await laws.check(writes, workspace)


async def test_the_neighbours_of_one_of_many_are_two(writes: AsyncEngine) -> None:
    workspace, ids = uuid4(), [new_id() for _ in range(300)]
    await Bus(writes).execute([unit(workspace, *map(create, ids))])
    loaded = await laws.load(writes, workspace, [LookUp("task.neighbours", ids[150])])
    assert {it.id for _, _, it in loaded.states} == {*ids[149:152]}


async def test_tables_and_rules_know_the_same_rank_of_creation(
    writes: AsyncEngine,
) -> None:
    workspace, ids = uuid4(), [uuid4() for _ in range(20)]
    await Bus(writes).execute([unit(workspace, *map(create, ids))])
    rows = (await laws.state_rows(writes, workspace))["task"]
    sql = text(
        f"SELECT id, {effective_sql('rank')} FROM commands.tasks"
        " WHERE workspace_id = :w"
    )
    async with writes.connect() as connection:
        found = {
            id: rank for id, rank in await connection.execute(sql, {"w": workspace})
        }
    assert found == {id: of_creation(it.created_at, id) for id, it in rows.items()}


async def test_a_move_writes_one_row(writes: AsyncEngine) -> None:
    bus, workspace, ids = Bus(writes), uuid4(), [new_id() for _ in range(5)]
    await bus.execute([unit(workspace, *map(create, ids))])
    ((moved,),) = await bus.execute([unit(workspace, move(ids[4], before=ids[1]))])
    assert isinstance(moved, Answer)
    assert [(it.type, it.stream_id) for it in moved.events] == [("task.moved", ids[4])]
