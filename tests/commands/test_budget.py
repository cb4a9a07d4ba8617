"""How much one command and one request may do."""

import time
from uuid import UUID

import pytest

from metacortex.commands import budget, tasks
from metacortex.commands.batch import Batch, PlannedUnit, step
from metacortex.commands.message import Answer, Unit
from metacortex.commands.session import SessionCache
from metacortex.kernel.errors import MetaCortexError
from metacortex.kernel.ids import new_id
from tests.commands.memory import Memory
from tests.spec import NOW


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that small trees pass: 10 events a command, 25 a request."""
    monkeypatch.setattr(budget, "COMMAND_EVENTS", 10)
    monkeypatch.setattr(budget, "REQUEST_EVENTS", 25)


def tree(memory: Memory, below: int) -> UUID:
    """Make a task with this many subtasks."""
    root = new_id()
    memory.do(tasks.CreateTask(task_id=root, title="Move house"))
    for start in range(0, below, 10):
        numbers = range(start, min(start + 10, below))
        names = [f"Box {number}" for number in numbers]
        memory.run(
            memory.unit(
                *(
                    tasks.CreateTask(task_id=new_id(), title=name, parent_id=root)
                    for name in names
                )
            )
        )
    return root


def complete(task_id: UUID) -> tasks.CompleteTask:
    return tasks.CompleteTask(task_id=task_id, subtasks="complete")


def back_and_forth(root: UUID, commands: int) -> list[object]:
    """Return alternating deletions and restorations."""
    kinds = (tasks.DeleteTask, tasks.RestoreTask)
    return [kinds[number % 2](task_id=root) for number in range(commands)]


def code(result: object) -> str | None:
    return result.code if isinstance(result, MetaCortexError) else None


@pytest.mark.usefixtures("few")
def test_a_command_that_comes_to_too_many_events_is_refused() -> None:
    memory = Memory()
    root = tree(memory, below=10)
    before = memory.head.sequence
    refused = memory.refuse(complete(root))
    assert refused.code == "too_much_at_once"
    assert refused.meta == {"limit": 10, "events": 11}
    assert "in parts" in refused.detail
    assert memory.head.sequence == before


@pytest.mark.usefixtures("few")
def test_a_command_that_fills_the_limit_is_applied_and_undone() -> None:
    memory = Memory()
    done = memory.do(complete(tree(memory, below=9)))
    assert len(done.events) == 10
    assert len(memory.undo(done).events) == 10


@pytest.mark.usefixtures("few")
def test_all_of_a_request_or_nothing() -> None:
    memory = Memory()
    root = tree(memory, below=9)
    before = memory.head.sequence
    (results,) = memory.run(memory.unit(*back_and_forth(root, 100)))
    assert [code(it) for it in results] == [None, None, "too_much_at_once"]
    assert memory.head.sequence == before
    assert not memory.state(root).deleted


@pytest.mark.usefixtures("few")
def test_what_is_beyond_the_limit_of_a_request_is_refused_item_by_item() -> None:
    memory = Memory()
    root = tree(memory, below=9)
    before = memory.head.sequence
    edit = tasks.EditTask(task_id=root, title="It would fit, but comes after")
    commands = [*back_and_forth(root, 4), edit]
    (results,) = memory.run(memory.unit(*commands, atomic=False))
    assert [code(it) for it in results] == [None, None, *["too_much_at_once"] * 3]
    assert memory.head.sequence == before + 20
    assert memory.state(root).title == "Move house"


@pytest.mark.usefixtures("few")
def test_a_dry_run_is_counted_as_if_it_were_real() -> None:
    memory = Memory()
    root = tree(memory, below=9)
    unit = memory.unit(*back_and_forth(root, 100), dry=True)
    (results,) = memory.run(unit)
    assert [code(it) for it in results] == [None, None, "too_much_at_once"]


@pytest.mark.usefixtures("few")
def test_repeats_count_for_what_their_answers_name() -> None:
    memory = Memory()
    root = tree(memory, below=9)
    requests = [memory.request(it) for it in back_and_forth(root, 4)]
    for request in requests:
        memory.run(Unit(requests=[request]))
    (results,) = memory.run(Unit(requests=requests, atomic=False))
    assert [isinstance(it, Answer) for it in results] == [True, True, False, False]


def test_an_undo_takes_time_in_proportion() -> None:
    """Each of the steps once searched the whole tree: sixteen times as long."""

    def seconds(below: int) -> float:
        memory = Memory()
        done = memory.do(complete(tree(memory, below)))
        began = time.process_time()
        memory.undo(done)
        return time.process_time() - began

    small = min(seconds(300) for _ in range(3))
    assert min(seconds(1_200) for _ in range(3)) < 8 * small


def test_what_takes_long_is_left_out_of_a_quick_batch() -> None:
    memory = Memory()
    root = tree(memory, below=budget.QUICK_EVENTS)
    other = new_id()
    long, later, short = (
        memory.unit(complete(root)),
        memory.unit(tasks.EditTask(task_id=root, title="After that")),
        memory.unit(tasks.CreateTask(task_id=other, title="Here")),
    )
    batch = Batch(SessionCache.of(memory.loaded()), NOW, quick=True)
    for unit in (short, long, later):
        batch.run(PlannedUnit(unit, [[step(it.command)] for it in unit.requests]))
    assert batch.postponed == {1: True, 2: False}
    assert [len(it) for it in batch.results] == [1, 0, 0]
    (changed,) = batch.close().states["task"]
    assert changed[1].id == other


def test_a_quick_batch_ends_when_it_has_enough_events() -> None:
    memory = Memory()
    units = [
        memory.unit(
            *(tasks.CreateTask(task_id=new_id(), title="Box") for _ in range(150))
        )
        for _ in range(6)
    ]
    batch = Batch(SessionCache.of(memory.loaded()), NOW, quick=True)
    for unit in units:
        batch.run(PlannedUnit(unit, [[step(it.command)] for it in unit.requests]))
    assert batch.postponed == {4: False, 5: False}
    assert len(batch.close().rows) == 600 >= budget.BATCH_EVENTS
