"""Laws of what commands do to other resources than the one they are about."""

from typing import Any
from uuid import UUID

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from metacortex.commands import projects, sections, tasks
from metacortex.commands.message import Answer, Unit
from metacortex.commands.tasks import DEPTH_LIMIT
from metacortex.kernel.decider import UNSET
from tests.commands.memory import Memory
from tests.commands.test_laws import (
    PROJECTS,
    SECTIONS,
    TASKS,
    after,
    check_rules,
    commands,
    every,
    histories,
    states,
    units,
)

SPINE = [UUID(int=n) for n in range(101, 101 + DEPTH_LIMIT - 2)]
NEAR_THE_END = [None, *SPINE[-2:], *TASKS]

# fmt: off
DEEP: list[list[Any]] = [
    every(tasks.CreateTask, task_id=TASKS, title=["Paint"], parent_id=NEAR_THE_END),
    every(tasks.MoveTask, task_id=[*TASKS, SPINE[0], SPINE[-1]],
          parent_id=[UNSET, *NEAR_THE_END]),
    every(tasks.DeleteTask, task_id=[*TASKS, SPINE[-1]]),
    every(tasks.RestoreTask, task_id=[*TASKS, SPINE[-1]]),
]
# fmt: on

deep = units(st.tuples(st.uuids(), st.one_of([st.sampled_from(it) for it in DEEP])))


@given(st.lists(deep, max_size=12))
def test_no_order_of_moves_leads_too_deep_or_in_a_circle(found: list[Unit]) -> None:
    memory = Memory(UUID(int=99))
    for id, above in zip(SPINE, [None, *SPINE], strict=False):
        memory.do(tasks.CreateTask(task_id=id, title="Bone", parent_id=above))
    memory.run(*found)
    check_rules(memory)
    assert memory.folded() == memory.states


DELETIONS: list[tuple[Any, Any]] = [
    *((tasks.DeleteTask(task_id=id), tasks.RestoreTask(task_id=id)) for id in TASKS),
    *(
        (sections.DeleteSection(section_id=id), sections.RestoreSection(section_id=id))
        for id in SECTIONS
    ),
    *(
        (projects.DeleteProject(project_id=id), projects.RestoreProject(project_id=id))
        for id in PROJECTS
    ),
]


@given(histories, st.sampled_from(DELETIONS))
@settings(max_examples=150)
def test_a_restoration_is_the_inverse_of_the_deletion(
    history: list[list[Unit]], pair: tuple[Any, Any]
) -> None:
    memory = after(history)
    was = states(memory)
    delete, restore = pair
    own = getattr(delete, next(iter(delete.__slots__)))
    assume(not any(_went_with(own, it) for it in was.values()))
    ((result,),) = memory.run(memory.unit(delete))
    if not isinstance(result, Answer) or not result.events:
        return
    check_rules(memory)
    memory.do(restore)
    assert states(memory) == was


def _went_with(own: UUID, state: Any) -> bool:
    names = ("deleted_with", "deleted_section_id")
    return any(getattr(state, name, None) == own for name in names)


FOLLOWED = {
    "tags",
    "project_id",
    "section_id",
    "deleted_section_id",
    "deleted",
    "deleted_with",
}


@given(histories, commands)
@settings(max_examples=200)
def test_what_is_put_away_only_follows_its_tree_and_its_tags(
    history: list[list[Unit]], command: Any
) -> None:
    memory = after(history)
    was = states(memory)
    own = next(iter(command.__slots__))
    memory.run(memory.unit(command))
    for (type, id), state in states(memory).items():
        before = was.get((type, id))
        if type != "task" or before is None or id == getattr(command, own):
            continue
        if _in_archive(before, was):
            assert _differing(before, state) <= {"tags"}
        elif before.archived:
            assert _differing(before, state) <= FOLLOWED


def _in_archive(task: Any, found: dict[tuple[str, UUID], Any]) -> bool:
    project = found.get(("project", task.project_id))
    return project is not None and project.archived


def _differing(one: Any, other: Any) -> set[str]:
    return {
        name for name in one.__slots__ if getattr(one, name) != getattr(other, name)
    }


@given(histories, st.sampled_from(TASKS))
def test_after_completing_along_nothing_is_waited_for(
    history: list[list[Unit]], task_id: UUID
) -> None:
    memory = after(history)
    complete = tasks.CompleteTask(task_id=task_id, subtasks="complete")
    ((result,),) = memory.run(memory.unit(complete))
    if not isinstance(result, Answer):
        return
    memory.do(tasks.ReopenTask(task_id=task_id))
    memory.do(tasks.CompleteTask(task_id=task_id, subtasks="require_done"))
