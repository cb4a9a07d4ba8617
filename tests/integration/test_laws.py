"""Laws of the write side, after whatever was done in whatever order."""

import asyncio
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import repository, tags, tasks
from metacortex.commands.bus import Bus
from metacortex.commands.lane import Lane
from metacortex.commands.members import Members
from metacortex.commands.message import Answer, Unit
from metacortex.commands.states import CREATED, States
from metacortex.commands.tables import LOOK_UPS
from metacortex.kernel.decider import LookUp, Need, Stream
from metacortex.kernel.errors import MetaCortexError, Unavailable
from tests.integration import laws
from tests.integration.walking import ACTOR, Walk, request, unit

ROUNDS = 12  # batches a walk takes; each batch holds units of every workspace
SEEDS = range(4)


async def walked(bus: Bus, seed: int, workspaces: int = 3) -> list[Walk]:
    """Let several workspaces walk, their units mixed in the same batches."""
    rng = Random(seed)
    walks = [Walk(uuid4(), rng) for _ in range(workspaces)]
    await bus.execute([born for walk in walks for born in walk.births()])
    for _ in range(ROUNDS):
        units = [walk.next() for walk in walks for _ in range(rng.randrange(1, 6))]
        rng.shuffle(units)
        await bus.execute(units)
    return walks


@pytest.mark.parametrize("seed", SEEDS)
async def test_state_log_and_tree_agree_after_a_random_walk(
    writes: AsyncEngine, seed: int
) -> None:
    for walk in await walked(Bus(writes), seed):
        assert await laws.check(writes, walk.workspace_id) > 20


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_look_up_finds_the_same_in_tables_and_in_memory(
    writes: AsyncEngine, seed: int
) -> None:
    (walk,) = await walked(Bus(writes), seed, workspaces=1)
    await Members(writes).saw(walk.workspace_id, ACTOR, "owner")
    everything = await _everything(writes, walk.workspace_id)
    for look_up in _questions(walk):
        finds, expected = repository.resolve(everything, look_up)
        own: list[Need] = []
        if isinstance(look_up.key, UUID):
            own = [Stream(look_up.name.partition(".")[0], look_up.key)]
        loaded = await laws.load(writes, walk.workspace_id, [*own, look_up])
        some = States()
        for _, type, stored in loaded.states:
            some.put(type, stored.id, stored.state)
            some[CREATED][stored.id] = stored.created_at
        assert repository.resolve(some, look_up) == (finds, expected), look_up
        more = set(some.get(finds, ())) - set(expected) - {look_up.key}
        assert not more, f"{look_up} loads what nobody needs"


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_is_said_to_be_in_memory_is_all_there(
    writes: AsyncEngine, seed: int
) -> None:
    (walk,) = await walked(Bus(writes), seed, workspaces=1)
    everything = await _everything(writes, walk.workspace_id)
    rng, known = Random(seed), 0
    for look_up in _questions(walk) * 3:
        some = States.of(
            {
                type: {id: it for id, it in of_type.items() if rng.random() < 0.7}
                for type, of_type in everything.items()
            }
        )
        if LOOK_UPS[look_up.name].known(some, look_up.key):
            known += 1
            expected = repository.resolve(everything, look_up)
            assert repository.resolve(some, look_up) == expected, look_up
    assert known > 10, "some look-ups are answered from memory"


async def _everything(database: AsyncEngine, workspace_id: UUID) -> States:
    """Return all states of a workspace, by stream type."""
    rows = await laws.state_rows(database, workspace_id)
    found: dict[str, dict[UUID, Any]] = {CREATED: {}}
    for type, of_type in rows.items():
        found[type] = {id: stored.state for id, stored in of_type.items()}
        found[CREATED] |= {id: stored.created_at for id, stored in of_type.items()}
    return States.of(found)


def _questions(walk: Walk) -> list[LookUp]:
    """Return every look-up with every key that it may be asked."""
    keys: dict[str, list[str | UUID]] = {
        "tag.named": [f"tag {n}" for n in range(6)],
        "member.named": [ACTOR, "user_nobody"],
        "person.named": [ACTOR, "user_nobody"],
    }
    ids = {
        "tag": walk.tags,
        "project": walk.projects,
        "section": walk.sections,
        "task": walk.tasks,
    }
    return [
        LookUp(name, key)
        for name in LOOK_UPS
        for key in keys.get(name) or [*ids[name.partition(".")[0]], uuid4()]
    ]


async def test_many_writers_of_two_processes_leave_no_gap(
    engines: list[AsyncEngine],
) -> None:
    lanes = [Lane(Bus(it), lanes=2, batch=16) for it in engines]
    hot, *many = (uuid4() for _ in range(9))
    for lane in lanes:
        lane.start()

    async def write(number: int) -> None:
        rng = Random(number)
        walks = [Walk(id, rng) for id in (hot, rng.choice(many))]
        for walk in walks:
            for born in walk.births():
                await _submit(lanes[number % 2], born)
        for _ in range(15):
            await _submit(lanes[number % 2], rng.choice(walks).next())

    await asyncio.gather(*(write(number) for number in range(16)))
    for lane in lanes:
        await lane.stop()
    once = len(Walk(hot, Random(0)).births())  # all that only one of them can make
    assert await laws.check(engines[0], hot) > once
    for id in {*many} - await _untouched(engines[0], many):
        await laws.check(engines[0], id)


async def _submit(lane: Lane, unit: Unit) -> None:
    """Send a unit; again, as clients do, when a busy machine made us time out."""
    while True:
        try:
            await lane.submit(unit)
        except Unavailable:
            await asyncio.sleep(0.1)
        else:
            return


async def _untouched(database: AsyncEngine, ids: list[UUID]) -> set[UUID]:
    return {id for id in ids if not (await laws.load(database, id, [])).heads}


async def test_moves_that_cross_never_make_a_cycle(engines: list[AsyncEngine]) -> None:
    one, other = (Bus(it) for it in engines)
    workspace, a, b = uuid4(), uuid4(), uuid4()
    born = [tasks.CreateTask(task_id=id, title="Branch") for id in (a, b)]
    await one.execute([unit(workspace, *born)])
    for _ in range(15):
        below = tasks.MoveTask(task_id=a, parent_id=b)
        above = tasks.MoveTask(task_id=b, parent_id=a)
        ((first,),), ((second,),) = await asyncio.gather(
            one.execute([unit(workspace, below)]),
            other.execute([unit(workspace, above)]),
        )
        refused = [it for it in (first, second) if isinstance(it, MetaCortexError)]
        assert [it.code for it in refused] == ["cycle_detected"]
        home = [tasks.MoveTask(task_id=id, parent_id=None) for id in (a, b)]
        await one.execute([unit(workspace, *home)])
    await laws.check(engines[0], workspace)


async def test_crossing_creations_keep_a_tag_name_unique(
    engines: list[AsyncEngine],
) -> None:
    workspace = uuid4()
    results = await asyncio.gather(
        *(
            Bus(engines[number % 2]).execute(
                [unit(workspace, tags.CreateTag(tag_id=uuid4(), name="Home"))]
            )
            for number in range(8)
        )
    )
    answers = [result for ((result,),) in results]
    assert sum(isinstance(it, Answer) for it in answers) == 1
    codes = {it.code for it in answers if isinstance(it, MetaCortexError)}
    assert codes == {"name_taken"}


async def test_workspaces_never_see_each_other(writes: AsyncEngine) -> None:
    bus, mine, yours, id = Bus(writes), uuid4(), uuid4(), uuid4()
    make = tasks.CreateTask(task_id=id, title="Mine")
    command_id = uuid4()
    await bus.execute([Unit(requests=[request(mine, make, command_id)])])
    complete = unit(yours, tasks.CompleteTask(task_id=id))
    child = tasks.CreateTask(task_id=uuid4(), title="Child", parent_id=id)
    again = Unit(requests=[request(yours, make, command_id)])
    (gone,), (lost,), (made,) = await bus.execute([complete, unit(yours, child), again])
    assert isinstance(gone, MetaCortexError) and gone.code == "not_found"
    assert isinstance(lost, MetaCortexError) and lost.code == "unknown_reference"
    assert isinstance(made, Answer) and not made.replayed
    assert await laws.check(writes, mine) == await laws.check(writes, yours) == 1
