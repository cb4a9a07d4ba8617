"""Laws that hold after any commands in any order, however they are batched."""

from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from metacortex.commands import projects, sections, tags, tasks
from metacortex.commands.message import Answer, Unit
from metacortex.commands.tasks import DEPTH_LIMIT
from metacortex.commands.undo import Undo
from metacortex.events import merkle
from metacortex.events.record import leaf_of, payload_hash
from metacortex.kernel.decider import UNSET
from metacortex.kernel.errors import MetaCortexError
from metacortex.kernel.ids import event_id, new_id
from tests.commands.memory import Memory

# Few ids, so that commands meet; fixed ones, so that a failure can be run again.
TAGS = [UUID(int=n) for n in range(1, 4)]
PROJECTS = [UUID(int=n) for n in range(11, 13)]
SECTIONS = [UUID(int=n) for n in range(15, 17)]
TASKS = [UUID(int=n) for n in range(21, 26)]
KEYS = [UUID(int=n) for n in range(31, 43)]
SPACE = UUID(int=99)

NAMES = ["Errands", "ERRANDS", "Chores"]
WORDS = ["Paint", "Varnish"]
SOME_TAGS = [(), (TAGS[0],), (TAGS[1],), (TAGS[1], TAGS[0])]
ANYWHERE = [UNSET, None, *PROJECTS]


def every(cls: type[Any], **values: Any) -> list[Any]:
    """Return commands of a class with every combination of the fields' values."""
    combined = product(*values.values())
    return [cls(**dict(zip(values, it, strict=True))) for it in combined]


# fmt: off
POOLS: list[list[Any]] = [
    every(tags.CreateTag, tag_id=TAGS, name=NAMES),
    every(tags.EditTag, tag_id=TAGS, name=[UNSET, *NAMES], colour=[UNSET, None, "red"]),
    every(tags.DeleteTag, tag_id=TAGS),
    every(tags.MergeTag, tag_id=TAGS, into=TAGS),
    every(projects.CreateProject, project_id=PROJECTS, name=NAMES),
    every(projects.EditProject, project_id=PROJECTS, name=NAMES),
    every(projects.ArchiveProject, project_id=PROJECTS),
    every(projects.UnarchiveProject, project_id=PROJECTS),
    every(projects.DeleteProject, project_id=PROJECTS),
    every(projects.RestoreProject, project_id=PROJECTS),
    every(sections.CreateSection, section_id=SECTIONS, name=WORDS, project_id=PROJECTS),
    every(sections.EditSection, section_id=SECTIONS, name=WORDS),
    every(sections.MoveSection, section_id=SECTIONS, after=SECTIONS),
    every(sections.DeleteSection, section_id=SECTIONS),
    every(sections.RestoreSection, section_id=SECTIONS),
    every(tasks.MoveTask, task_id=TASKS, section_id=[None, *SECTIONS],
          project_id=ANYWHERE),
    every(tasks.CreateTask, task_id=TASKS, title=WORDS, project_id=ANYWHERE,
          parent_id=[None, *TASKS], tags=[UNSET, *SOME_TAGS]),
    every(tasks.EditTask, task_id=TASKS, title=[UNSET, *WORDS], add_tags=SOME_TAGS,
          remove_tags=SOME_TAGS),
    every(tasks.StartTask, task_id=TASKS),
    every(tasks.BlockTask, task_id=TASKS, reason=WORDS),
    every(tasks.UnblockTask, task_id=TASKS),
    every(tasks.CompleteTask, task_id=TASKS,
          subtasks=["leave", "complete", "require_done"]),
    every(tasks.ReopenTask, task_id=TASKS),
    every(tasks.CancelTask, task_id=TASKS),
    every(tasks.MoveTask, task_id=TASKS, project_id=ANYWHERE,
          parent_id=[UNSET, None, *TASKS]),
    every(tasks.MoveTask, task_id=TASKS, before=TASKS),
    every(tasks.MoveTask, task_id=TASKS, after=TASKS, parent_id=[UNSET, None]),
    every(tasks.ArchiveTask, task_id=TASKS),
    every(tasks.UnarchiveTask, task_id=TASKS),
    every(tasks.DeleteTask, task_id=TASKS),
    every(tasks.RestoreTask, task_id=TASKS),
    every(tasks.CommentTask, task_id=TASKS, comment_id=TASKS[:2], body=WORDS),
    every(tasks.EditComment, task_id=TASKS, comment_id=TASKS[:2], text=WORDS),
    every(tasks.DeleteComment, task_id=TASKS, comment_id=TASKS[:2]),
]
# fmt: on

commands = st.one_of([st.sampled_from(pool) for pool in POOLS])
undos = st.sampled_from(every(Undo, command_id=KEYS))

FURNITURE: list[Any] = [
    tags.CreateTag(tag_id=TAGS[0], name="Errands"),
    projects.CreateProject(project_id=PROJECTS[0], name="Home"),
    projects.CreateProject(project_id=PROJECTS[1], name="Work"),
    sections.CreateSection(
        section_id=SECTIONS[0], name="Doing", project_id=PROJECTS[0]
    ),
    sections.CreateSection(section_id=SECTIONS[1], name="Done", project_id=PROJECTS[0]),
    tasks.CreateTask(
        task_id=TASKS[0],
        title="Paint",
        project_id=PROJECTS[0],
        section_id=SECTIONS[0],
    ),
    tasks.CreateTask(
        task_id=TASKS[1], title="Paint", parent_id=TASKS[0], tags=(TAGS[0],)
    ),
    tasks.CreateTask(
        task_id=TASKS[2], title="Sand", parent_id=TASKS[1], project_id=PROJECTS[1]
    ),
]
"""Where every history begins, so that most commands find something."""


def unit(requests: list[tuple[UUID, Any]], kind: int) -> Unit:
    """Return a unit of keys and commands; one in six is dry, half are atomic."""
    memory = Memory(SPACE)
    found = [memory.request(command, key=key) for key, command in requests]
    return memory.unit(*found, atomic=kind % 2 == 0, dry=kind == 5)


def units(requests: st.SearchStrategy[Any]) -> st.SearchStrategy[Unit]:
    """Return units of one to three of these requests."""
    found = st.lists(requests, min_size=1, max_size=3)
    return st.builds(unit, found, st.integers(0, 5))


repeating = units(st.tuples(st.sampled_from(KEYS), commands | undos))
distinct = units(st.tuples(st.builds(new_id), commands))

histories = st.lists(st.lists(repeating, min_size=1, max_size=4), max_size=5)
found_units = st.lists(distinct, min_size=1, max_size=10)


def begun() -> Memory:
    """Return the workspace that every history begins with."""
    memory = Memory(SPACE)
    for key, command in enumerate(FURNITURE):
        memory.do(command, key=UUID(int=key))
    return memory


def after(history: list[list[Unit]]) -> Memory:
    """Return the workspace after batches of units."""
    memory = begun()
    for batch in history:
        memory.run(*batch)
    return memory


def failed(results: list[Any]) -> bool:
    """Tell whether the last result, the one that ends a unit, is an error."""
    return isinstance(results[-1], MetaCortexError)


def facts(memory: Memory) -> list[dict[str, Any]]:
    """Return the log without what is drawn at random."""
    drawn = {"salt": b"", "payload_hash": b"", "leaf_hash": b""}
    return [it._asdict() | drawn for it in memory.log]


@given(histories)
@settings(max_examples=150)
def test_what_is_kept_agrees_with_itself(history: list[list[Unit]]) -> None:
    memory = after(history)
    assert memory.folded() == memory.states
    check_numbers(memory)
    check_hashes(memory)
    check_receipts(memory)
    check_rules(memory)


def check_numbers(memory: Memory) -> None:
    """Sequences and versions have no gaps, and time does not go back."""
    assert [it.sequence for it in memory.log] == list(range(1, len(memory.log) + 1))
    assert memory.head.sequence == len(memory.log)
    assert memory.head.recorded_at == memory.log[-1].recorded_at
    seen: Counter[tuple[str, UUID]] = Counter()
    for it in memory.log:
        seen[it.stream_type, it.stream_id] += 1
        assert it.version == seen[it.stream_type, it.stream_id]


def check_hashes(memory: Memory) -> None:
    """The frontier is that of a tree over the leaves of the records."""
    for it in memory.log:
        assert it.payload_hash == payload_hash(it.salt, it.data, it.context)
        assert it.leaf_hash == merkle.leaf_hash(leaf_of(it))
    leaves = [it.leaf_hash for it in memory.log]
    assert memory.head.frontier == merkle.advance(0, [], leaves)


def check_receipts(memory: Memory) -> None:
    """Every record has its command's receipt, and they tell the same."""
    assert {it.command_id for it in memory.log} <= memory.receipts.keys()
    for receipt in memory.receipts.values():
        found = [it for it in memory.log if it.command_id == receipt.command_id]
        ids = [UUID(event_id(receipt.command_id, n)) for n in range(len(found))]
        assert [it.event_id for it in found] == ids
        assert (receipt.outcome == "applied") == bool(found)
        assert (receipt.outcome == "refused") == (receipt.error is not None)
        ends = (found[0].sequence, found[-1].sequence) if found else (None, None)
        assert (receipt.first_sequence, receipt.last_sequence) == ends


def check_rules(memory: Memory) -> None:
    """No order of commands leads around a rule."""
    live = memory.plain()
    keys = [it.name_key for (type, _), it in live.items() if type == "tag"]
    assert len(keys) == len(set(keys))
    assert memory.dangling() == []
    for (type, id), stored in memory.states.items():
        if type == "task":
            task = stored.state
            assert 1 <= levels(memory, id) <= DEPTH_LIMIT
            assert (task.deleted_with is not None) == task.deleted
            check_section(memory, task)
            assert (task.completed_at is not None) == (task.status == "completed")
            assert (task.blocked_reason is not None) == (task.status == "blocked")


def check_section(memory: Memory, task: Any) -> None:
    """A task stands in a live section of its project, or remembers a deleted one."""
    if task.section_id is not None:
        section = memory.states["section", task.section_id].state
        assert not section.deleted and section.project_id == task.project_id
        assert task.deleted_section_id is None
    if task.deleted_section_id is not None:
        assert memory.states["section", task.deleted_section_id].state.deleted


def levels(memory: Memory, task_id: UUID) -> int:
    """Return the level a task stands on; fails on a cycle."""
    path: list[UUID] = []
    at: UUID | None = task_id
    while at is not None:
        assert at not in path
        path.append(at)
        at = memory.states["task", at].state.parent_id
    return len(path)


@given(found_units)
def test_refused_and_dry_units_might_as_well_not_have_come(found: list[Unit]) -> None:
    one, other = begun(), begun()
    results = one.run(*found)
    kept = [
        unit
        for unit, result in zip(found, results, strict=True)
        if not unit.dry and not (unit.atomic and failed(result))
    ]
    other.run(*kept)
    assert facts(one) == facts(other)
    assert one.states == other.states
    applied = {key for key, it in one.receipts.items() if it.outcome != "refused"}
    assert {key: one.receipts[key] for key in applied} == {
        key: it for key, it in other.receipts.items() if it.outcome != "refused"
    }


@given(found_units)
def test_a_refused_atomic_unit_leaves_one_receipt(found: list[Unit]) -> None:
    memory = begun()
    for unit in found:
        before = memory.receipts.keys()
        known = set(before)
        (results,) = memory.run(unit)
        new = [memory.receipts[key] for key in memory.receipts if key not in known]
        if unit.dry:
            assert new == []
        elif unit.atomic and failed(results):
            (receipt,) = new
            guilty = unit.requests[len(results) - 1]
            assert receipt.command_id == guilty.context.command_id
            assert receipt.outcome == "refused"
        else:
            assert len(new) == len(unit.requests)


@given(found_units)
def test_how_units_are_batched_makes_no_difference(found: list[Unit]) -> None:
    together, apart = begun(), begun()
    at_once = together.run(*found)
    one_by_one = [results for unit in found for results in apart.run(unit)]
    assert [codes(results) for results in at_once] == [
        codes(results) for results in one_by_one
    ]
    assert facts(together) == facts(apart)
    assert together.states == apart.states
    assert together.receipts == apart.receipts


def codes(results: list[Any]) -> list[str | None]:
    """Return the code of every refusal, None for an answer."""
    return [getattr(result, "code", None) for result in results]


@given(histories)
def test_a_key_that_took_effect_does_nothing_more(history: list[list[Unit]]) -> None:
    memory = after(history)
    before = (list(memory.log), dict(memory.states), dict(memory.receipts))
    requests = [it for batch in history for unit in batch for it in unit.requests]
    for request in requests:
        receipt = memory.receipts.get(request.context.command_id)
        if receipt is None:
            continue
        other = replace(request, fingerprint=b"another")
        ((reused,),) = memory.run(memory.unit(other))
        assert codes([reused]) == ["idempotency_key_reused"]
        same = receipt.fingerprint == request.fingerprint
        if same and receipt.outcome != "refused":
            ((again,),) = memory.run(memory.unit(request))
            assert isinstance(again, Answer) and again.replayed
            assert again.receipt == receipt
    assert (memory.log, memory.states, memory.receipts) == before


@given(histories, commands)
@settings(max_examples=200)
def test_what_was_just_done_can_be_undone_and_redone(
    history: list[list[Unit]], command: Any
) -> None:
    memory = after(history)
    was, lived = states(memory), memory.plain()
    ((result,),) = memory.run(memory.unit(command))
    if isinstance(result, MetaCortexError) or not result.events:
        return
    became, lives = states(memory), memory.plain()
    undone = memory.undo(result)
    assert memory.plain() == lived
    assert was.items() <= states(memory).items()
    memory.undo(undone)
    assert memory.plain() == lives
    assert states(memory) == became


def states(memory: Memory) -> dict[tuple[str, UUID], Any]:
    """Return the states of all there is, deleted or not."""
    return {stream: stored.state for stream, stored in memory.states.items()}
