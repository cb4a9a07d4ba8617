"""What a batch loads: nothing that is known, and nothing that is only to be absent."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from metacortex.commands.batch import Batch, Planned, step
from metacortex.commands.message import Unit
from metacortex.commands.space import TRUSTED, Spaces
from metacortex.commands.tasks import CompleteTask, CreateTask, EditTask
from metacortex.commands.wanted import Wanted
from metacortex.kernel.decider import Stream
from tests.commands.memory import Memory
from tests.spec import NOW

SOON = NOW + timedelta(milliseconds=5)


def planned(unit: Unit) -> Planned:
    return Planned(unit, [[step(it.command)] for it in unit.requests])


def wanted(unit: Unit, spaces: Spaces, now: datetime = SOON) -> Wanted:
    return Wanted([planned(unit)], spaces, now)


def keys(found: Wanted, name: str) -> list[Any]:
    """Return the keys of one kind of need that are to be loaded."""
    reading = found.reading()
    assert reading is not None
    return list(reading.values.get(f"{name}_k", ()))


def remembered(memory: Memory, *commands: Any) -> Spaces:
    """Return the workspace as a batch of these commands has just left it."""
    spaces = Spaces.of(memory.loaded())
    batch = Batch(spaces, NOW)
    batch.run(planned(memory.unit(*commands)))
    batch.close()
    return spaces


def create(**fields: Any) -> CreateTask:
    return CreateTask(task_id=uuid4(), title="Paint the door", **fields)


def test_of_an_unknown_workspace_the_head_is_loaded_but_no_newborn() -> None:
    memory, make = Memory(), create()
    found = wanted(memory.unit(make), Spaces())
    assert found.workspaces == {memory.id}
    assert keys(found, "task") == []
    assert found.unborn == [(memory.id, Stream("task", make.task_id))]


def test_what_was_just_written_is_not_read() -> None:
    memory, make = Memory(), create()
    spaces = remembered(memory, make)
    edit = EditTask(task_id=make.task_id, title="Paint both doors")
    found = wanted(memory.unit(edit, create()), spaces)
    assert found.reading() is None
    assert len(found.unborn) == 1


def test_what_is_not_known_is_read() -> None:
    memory, make, other = Memory(), create(), uuid4()
    spaces = remembered(memory, make)
    edit = EditTask(task_id=other, title="Paint the wall")
    found = wanted(memory.unit(edit), spaces)
    assert keys(found, "task") == [str(other)]
    assert keys(found, "task_project") == [str(other)]


def test_a_tree_is_read_even_if_its_root_is_known() -> None:
    memory, make = Memory(), create()
    spaces = remembered(memory, make)
    complete = CompleteTask(task_id=make.task_id, subtasks="require_done")
    found = wanted(memory.unit(complete), spaces)
    assert keys(found, "task") == []
    assert keys(found, "task_subtree") == [str(make.task_id)]


def test_of_a_trial_nothing_is_taken_for_granted() -> None:
    memory, make = Memory(), create()
    spaces = remembered(memory, create())
    unit = memory.unit(make, dry=True)
    found = wanted(unit, spaces)
    assert keys(found, "task") == [str(make.task_id)]
    assert found.unborn == []
    reading = found.reading()
    assert reading is not None
    key = unit.requests[0].context.command_id
    assert reading.values["receipt_ids"] == [key]


def test_of_a_repeat_the_head_is_read_since_no_saving_tells() -> None:
    memory = Memory()
    request = memory.request(create())
    spaces = remembered(memory, request)
    found = wanted(memory.unit(request), spaces)
    assert found.workspaces == {memory.id}
    assert keys(found, "task") == []


def test_a_workspace_is_remembered_for_a_moment() -> None:
    memory, make = Memory(), create()
    spaces = remembered(memory, make)
    edit = memory.unit(EditTask(task_id=make.task_id, title="Later"))
    assert wanted(edit, spaces, NOW + TRUSTED).reading() is None
    late = wanted(edit, spaces, NOW + TRUSTED + timedelta(microseconds=1))
    assert keys(late, "task") == [str(make.task_id)]
