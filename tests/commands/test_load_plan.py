"""What a batch loads: nothing that is cached, and nothing only to find it absent."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from metacortex.commands.batch import Batch, PlannedUnit, step
from metacortex.commands.load_plan import LoadPlan
from metacortex.commands.message import Unit
from metacortex.commands.session import CACHE_TTL, SessionCache
from metacortex.commands.tasks import CompleteTask, CreateTask, EditTask
from metacortex.kernel.decider import Stream
from tests.commands.memory import Memory
from tests.spec import NOW

SOON = NOW + timedelta(milliseconds=5)


def planned(unit: Unit) -> PlannedUnit:
    return PlannedUnit(unit, [[step(it.command)] for it in unit.requests])


def load_plan(unit: Unit, cache: SessionCache, now: datetime = SOON) -> LoadPlan:
    return LoadPlan([planned(unit)], cache, now)


def keys(plan: LoadPlan, name: str) -> list[Any]:
    """Return the keys of one kind of need that are to be loaded."""
    load = plan.statement()
    assert load is not None
    return list(load.values.get(f"{name}_keys", ()))


def cached(memory: Memory, *commands: Any) -> SessionCache:
    """Return the workspace as a batch of these commands has just left it."""
    cache = SessionCache.of(memory.loaded())
    batch = Batch(cache, NOW)
    batch.run(planned(memory.unit(*commands)))
    batch.close()
    return cache


def create(**fields: Any) -> CreateTask:
    return CreateTask(task_id=uuid4(), title="Paint the door", **fields)


def test_of_an_unknown_workspace_the_head_is_loaded_but_no_new_stream() -> None:
    memory, make = Memory(), create()
    plan = load_plan(memory.unit(make), SessionCache())
    assert plan.workspaces == {memory.id}
    assert keys(plan, "task") == []
    assert plan.assumed_absent == [(memory.id, Stream("task", make.task_id))]


def test_what_was_just_written_is_not_read() -> None:
    memory, make = Memory(), create()
    cache = cached(memory, make)
    edit = EditTask(task_id=make.task_id, title="Paint both doors")
    plan = load_plan(memory.unit(edit, create()), cache)
    assert plan.statement() is None
    assert len(plan.assumed_absent) == 1


def test_what_is_not_cached_is_read() -> None:
    memory, make, other = Memory(), create(), uuid4()
    cache = cached(memory, make)
    edit = EditTask(task_id=other, title="Paint the wall")
    plan = load_plan(memory.unit(edit), cache)
    assert keys(plan, "task") == [str(other)]
    assert keys(plan, "task_project") == [str(other)]


def test_a_tree_is_read_even_if_its_root_is_cached() -> None:
    memory, make = Memory(), create()
    cache = cached(memory, make)
    complete = CompleteTask(task_id=make.task_id, subtasks="require_done")
    plan = load_plan(memory.unit(complete), cache)
    assert keys(plan, "task") == []
    assert keys(plan, "task_subtree") == [str(make.task_id)]


def test_for_a_dry_run_nothing_is_assumed_absent() -> None:
    memory, make = Memory(), create()
    cache = cached(memory, create())
    unit = memory.unit(make, dry=True)
    plan = load_plan(unit, cache)
    assert keys(plan, "task") == [str(make.task_id)]
    assert plan.assumed_absent == []
    load = plan.statement()
    assert load is not None
    key = unit.requests[0].context.command_id
    assert load.values["receipt_ids"] == [key]


def test_for_a_repeat_the_head_is_read_as_nothing_is_saved() -> None:
    memory = Memory()
    request = memory.request(create())
    cache = cached(memory, request)
    plan = load_plan(memory.unit(request), cache)
    assert plan.workspaces == {memory.id}
    assert keys(plan, "task") == []


def test_a_workspace_is_cached_for_a_moment() -> None:
    memory, make = Memory(), create()
    cache = cached(memory, make)
    edit = memory.unit(EditTask(task_id=make.task_id, title="Later"))
    assert load_plan(edit, cache, NOW + CACHE_TTL).statement() is None
    late = load_plan(edit, cache, NOW + CACHE_TTL + timedelta(microseconds=1))
    assert keys(late, "task") == [str(make.task_id)]
