"""A batch: units decided in order, all or nothing, each command once."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import UniqueConstraint

from metacortex.commands.batch import Batch, PlannedUnit, step
from metacortex.commands.message import Answer, Unit
from metacortex.commands.repository import BatchChanges, Loaded
from metacortex.commands.session import SessionCache
from metacortex.events.log import LogTable
from metacortex.events.record import SALT_BYTES
from metacortex.kernel.errors import MetaCortexError, VersionConflict
from metacortex.kernel.ids import event_id, new_id
from tests.commands.memory import EPOCH, Memory, record
from tests.factories import (
    CommentTaskFactory,
    CompleteTaskFactory,
    CreateProjectFactory,
    CreateTagFactory,
    CreateTaskFactory,
    DeleteTaskFactory,
    EditTaskFactory,
    StartTaskFactory,
)
from tests.spec import ME, NOW

TASK, SUBTASK, KEY = new_id(), new_id(), new_id()


def code(result: Any) -> str | None:
    """Return the code of an error, None for an answer."""
    return result.code if isinstance(result, MetaCortexError) else None


def with_task() -> Memory:
    """Return a workspace with a pending task."""
    memory = Memory()
    memory.do(CreateTaskFactory(task_id=TASK, title="Paint"))
    return memory


def test_an_answer_tells_what_the_command_came_to() -> None:
    memory = with_task()
    answer = memory.do(StartTaskFactory(task_id=TASK), key=KEY, request_id="r-1")
    assert answer.sequence == 2
    assert answer.stored == memory.states["task", TASK]
    assert answer.stored and answer.stored.version == 2
    (event,) = answer.events
    assert (event.id, event.type) == (event_id(KEY, 0), "task.started")
    assert (event.version, event.sequence) == (2, 2)
    assert (event.stream_type, event.stream_id) == ("task", TASK)
    assert not answer.replayed


def test_a_receipt_tells_the_same_for_ever() -> None:
    memory = with_task()
    request = memory.request(StartTaskFactory(task_id=TASK), key=KEY, request_id="r-1")
    memory.run(memory.unit(request))
    receipt = memory.receipts[KEY]
    assert (receipt.workspace_id, receipt.command_id) == (memory.id, KEY)
    assert (receipt.type, receipt.outcome) == ("task.start", "applied")
    assert receipt.fingerprint == request.fingerprint
    assert (receipt.actor_type, receipt.actor_id) == ("user", ME)
    assert (receipt.stream_type, receipt.stream_id) == ("task", TASK)
    assert (receipt.version, receipt.error) == (2, None)
    assert (receipt.first_sequence, receipt.last_sequence) == (2, 2)
    assert (receipt.recorded_at, receipt.request_id) == (NOW, "r-1")


def test_a_record_holds_who_asked_and_in_the_course_of_what() -> None:
    memory = Memory()
    about = {
        "request_id": "r-1",
        "ip": "203.0.113.7",
        "user_agent": "curl",
        "session_id": "s-1",
        "client": "web/1",
    }
    memory.do(CreateTaskFactory(), key=KEY, causation_id="c-0", **about)
    (it,) = memory.log
    assert (it.actor_type, it.actor_id) == ("user", ME)
    assert (it.command_id, it.command_type) == (KEY, "task.create")
    assert (it.correlation_id, it.causation_id) == (str(KEY), "c-0")
    assert (it.event_id, it.recorded_at) == (UUID(event_id(KEY, 0)), NOW)
    assert orjson.loads(it.context) == about


def test_every_event_has_a_salt_of_its_own() -> None:
    memory = Memory()
    for _ in range(5):
        memory.do(CreateTaskFactory())
    salts = {it.salt for it in memory.log}
    assert len(salts) == 5
    assert {len(salt) for salt in salts} == {SALT_BYTES}


def test_what_changes_nothing_leaves_a_receipt_only() -> None:
    memory = with_task()
    memory.do(StartTaskFactory(task_id=TASK))
    answer = memory.do(StartTaskFactory(task_id=TASK), key=KEY)
    assert (answer.events, answer.sequence) == ([], 2)
    assert answer.stored and answer.stored.version == 2
    receipt = memory.receipts[KEY]
    assert (receipt.outcome, receipt.version) == ("unchanged", 2)
    assert (receipt.first_sequence, receipt.last_sequence) == (None, None)


def test_a_refusal_leaves_a_receipt_only() -> None:
    memory = with_task()
    memory.do(CompleteTaskFactory(task_id=TASK))
    assert code(memory.refuse(StartTaskFactory(task_id=TASK), key=KEY)) == (
        "invalid_transition"
    )
    receipt = memory.receipts[KEY]
    assert receipt.outcome == "refused"
    assert receipt.error and receipt.error["code"] == "invalid_transition"
    assert receipt.error["meta"] == {"status": "completed", "command": "start"}
    assert (receipt.stream_id, receipt.first_sequence) == (None, None)
    assert len(memory.log) == 2


def test_later_commands_of_a_batch_see_earlier_ones() -> None:
    memory = Memory()
    results = memory.run(
        memory.unit(CreateTaskFactory(task_id=TASK)),
        memory.unit(CreateTaskFactory(task_id=SUBTASK, parent_id=TASK)),
        memory.unit(CompleteTaskFactory(task_id=TASK, subtasks="complete")),
    )
    assert [code(result) for (result,) in results] == [None, None, None]
    assert memory.state(SUBTASK).status == "completed"
    assert [it.version for it in memory.log] == [1, 1, 2, 2]


def test_two_of_one_batch_do_not_get_the_same_name() -> None:
    memory = Memory()
    results = memory.run(
        memory.unit(CreateTagFactory(name="Errands")),
        memory.unit(CreateTagFactory(name="ERRANDS")),
    )
    assert [code(result) for (result,) in results] == [None, "name_taken"]


def test_one_refusal_takes_back_an_atomic_unit_and_names_itself() -> None:
    memory = Memory()
    first = memory.unit(
        memory.request(CreateTaskFactory(task_id=TASK)),
        memory.request(StartTaskFactory(task_id=SUBTASK), key=KEY),
        CreateTaskFactory(),
    )
    (results,) = memory.run(first)
    assert [code(result) for result in results] == [None, "not_found"]
    assert (memory.log, memory.states) == ([], {})
    assert memory.receipts.keys() == {KEY}
    assert memory.head.sequence == 0


def test_a_refused_unit_does_not_move_the_time_of_the_last_event() -> None:
    memory = Memory()
    memory.run(
        memory.unit(CreateTaskFactory(), StartTaskFactory(task_id=SUBTASK)),
        now=NOW,
    )
    assert memory.head.recorded_at == EPOCH


def test_a_refusal_stands_alone_where_items_do() -> None:
    memory = Memory()
    (results,) = memory.run(
        memory.unit(
            CreateTaskFactory(task_id=TASK),
            StartTaskFactory(task_id=SUBTASK),
            StartTaskFactory(task_id=TASK),
            atomic=False,
        )
    )
    assert [code(result) for result in results] == [None, "not_found", None]
    assert memory.state(TASK).status == "in_progress"
    assert [it.sequence for it in memory.log] == [1, 2]
    assert len(memory.receipts) == 3


def test_a_refused_unit_takes_nothing_of_its_neighbours() -> None:
    memory = with_task()
    memory.run(
        memory.unit(EditTaskFactory(task_id=TASK, title="One")),
        memory.unit(
            EditTaskFactory(task_id=TASK, title="Two"), StartTaskFactory(task_id=KEY)
        ),
        memory.unit(StartTaskFactory(task_id=TASK)),
    )
    assert memory.state(TASK).title == "One"
    assert memory.state(TASK).status == "in_progress"
    assert [it.sequence for it in memory.log] == [1, 2, 3]
    assert [it.version for it in memory.log] == [1, 2, 3]


@pytest.mark.parametrize("atomic", [True, False])
def test_a_dry_unit_is_decided_and_leaves_nothing(atomic: bool) -> None:
    memory = with_task()
    batch = memory.decide(
        [
            memory.unit(
                StartTaskFactory(task_id=TASK),
                CompleteTaskFactory(task_id=TASK),
                StartTaskFactory(task_id=TASK),
                atomic=atomic,
                dry=True,
            )
        ]
    )
    assert [code(it) for it in batch.results[0]] == [None, None, "invalid_transition"]
    assert batch.close() == BatchChanges([], [], [], {}, [])
    memory.run(memory.unit(StartTaskFactory(task_id=TASK), dry=True))
    assert memory.do(StartTaskFactory(task_id=TASK)).sequence == 2


def test_the_same_key_and_command_again_does_nothing() -> None:
    memory = with_task()
    say = CommentTaskFactory(task_id=TASK)
    first = memory.do(say, key=KEY)
    memory.do(StartTaskFactory(task_id=TASK))
    again = memory.do(say, key=KEY)
    assert again.replayed
    assert again.receipt == first.receipt
    assert again.sequence == first.sequence == 2
    assert len(memory.log) == 3


def test_the_same_key_twice_in_one_batch_is_one_command() -> None:
    memory = with_task()
    say = memory.request(CommentTaskFactory(task_id=TASK), key=KEY)
    one, two, three = memory.run(
        memory.unit(say, say), memory.unit(say), memory.unit(say, atomic=False)
    )
    answers = [it for it in (*one, *two, *three) if isinstance(it, Answer)]
    assert [it.replayed for it in answers] == [False, True, True, True]
    assert len(memory.log) == 2


def test_the_same_key_for_another_command_is_refused() -> None:
    memory = with_task()
    memory.do(StartTaskFactory(task_id=TASK), key=KEY)
    error = memory.refuse(CompleteTaskFactory(task_id=TASK), key=KEY)
    assert error.code == "idempotency_key_reused"
    assert error.source == {"header": "Idempotency-Key"}
    assert memory.receipts[KEY].type == "task.start"
    assert memory.receipts[KEY].outcome == "applied"


def test_a_refused_command_is_decided_anew() -> None:
    memory = Memory()
    start = StartTaskFactory(task_id=TASK)
    assert memory.refuse(start, key=KEY).code == "not_found"
    assert memory.refuse(start, key=KEY).code == "not_found"
    memory.do(CreateTaskFactory(task_id=TASK))
    assert not memory.do(start, key=KEY).replayed
    assert memory.receipts[KEY].outcome == "applied"
    assert memory.do(start, key=KEY).replayed


def test_a_refused_key_is_not_free_for_another_command() -> None:
    memory = with_task()
    memory.refuse(StartTaskFactory(task_id=SUBTASK), key=KEY)
    error = memory.refuse(StartTaskFactory(task_id=TASK), key=KEY)
    assert error.code == "idempotency_key_reused"


def test_what_a_unit_took_back_may_be_sent_again() -> None:
    memory = with_task()
    start = memory.request(StartTaskFactory(task_id=TASK), key=KEY)
    memory.run(memory.unit(start, StartTaskFactory(task_id=SUBTASK)))
    ((answer,),) = memory.run(memory.unit(start))
    assert isinstance(answer, Answer)
    assert not answer.replayed


def test_a_version_must_be_the_one_that_the_caller_saw() -> None:
    memory = with_task()
    memory.do(StartTaskFactory(task_id=TASK), expected_version=1)
    error = memory.refuse(DeleteTaskFactory(task_id=TASK), expected_version=1)
    assert isinstance(error, VersionConflict)
    assert error.meta == {"expected": 1, "current": 2}
    assert error.source == {"header": "If-Match"}


def test_time_never_goes_back() -> None:
    memory = with_task()
    memory.run(memory.unit(StartTaskFactory(task_id=TASK)), now=NOW - timedelta(days=1))
    assert [it.recorded_at for it in memory.log] == [NOW, NOW]
    assert memory.states["task", TASK].updated_at == NOW
    assert memory.head.recorded_at == NOW


def test_whatever_is_decided_by_a_slow_clock_has_the_time_of_the_log() -> None:
    memory = with_task()
    complete = memory.unit(CompleteTaskFactory(task_id=TASK, subtasks="leave"))
    refused = memory.unit(StartTaskFactory(task_id=TASK))
    unchanged = memory.unit(CompleteTaskFactory(task_id=TASK, subtasks="leave"))
    units = (complete, refused, unchanged)
    memory.run(*units, now=NOW - timedelta(hours=1))
    assert memory.state(TASK).completed_at == NOW
    kept = [memory.receipts[it.requests[0].context.command_id] for it in units]
    assert [it.outcome for it in kept] == ["applied", "refused", "unchanged"]
    assert [it.recorded_at for it in kept] == [NOW] * 3


def test_each_workspace_of_a_batch_has_its_own_time() -> None:
    ahead, other = with_task(), Memory()
    cache = SessionCache.of(ahead.loaded())
    cache.merge(other.loaded())
    early = NOW - timedelta(hours=1)
    batch = Batch(cache, early)
    make = other.request(CreateTaskFactory())
    complete = ahead.request(CompleteTaskFactory(task_id=TASK, subtasks="leave"))
    for request in (complete, make):
        batch.run(PlannedUnit(Unit(requests=[request]), [[step(request.command)]]))
    receipts = {it.command_id: it.recorded_at for it in batch.close().receipts}
    assert receipts[complete.context.command_id] == NOW
    assert receipts[make.context.command_id] == early


def test_a_turn_is_counted_for_every_batch_that_writes() -> None:
    memory = with_task()
    memory.refuse(StartTaskFactory(task_id=SUBTASK))
    memory.run(memory.unit(StartTaskFactory(task_id=TASK), dry=True))
    assert memory.head.write_count == 2


def test_workspaces_of_one_batch_do_not_meet() -> None:
    one, two = Memory(), Memory()
    tag = CreateTagFactory(name="Errands")
    heads = {memory.id: memory.head for memory in (one, two)}
    loaded = Loaded(heads=heads, receipts=[], states=[], stale=False)
    batch = Batch(SessionCache.of(loaded), NOW)
    for memory in (one, two, one):
        batch.run(PlannedUnit(memory.unit(memory.request(tag, key=KEY)), [[step(tag)]]))
    first, second, third = (result for (result,) in batch.results)
    assert isinstance(first, Answer) and isinstance(second, Answer)
    assert (first.sequence, second.sequence) == (1, 1)
    assert isinstance(third, Answer) and third.replayed
    changes = batch.close()
    assert [head.sequence for head in changes.heads] == [1, 1]
    assert {record(row).workspace_id for row in changes.rows} == {one.id, two.id}


def test_streams_of_two_types_may_bear_one_id() -> None:
    memory = Memory()
    for command in (
        CreateTaskFactory(task_id=KEY),
        CreateProjectFactory(project_id=KEY),
        CreateTagFactory(tag_id=KEY),
    ):
        memory.do(command)
    for constraint in LogTable.__table__.constraints:  # type: ignore[attr-defined]
        if isinstance(constraint, UniqueConstraint):
            names = list(constraint.columns.keys())
            rows = {tuple(getattr(it, name) for name in names) for it in memory.log}
            assert len(rows) == 3, names


def test_a_unit_belongs_to_the_workspace_of_its_requests() -> None:
    memory = Memory()
    unit: Unit = memory.unit(CreateTaskFactory())
    assert unit.workspace_id == memory.id
    assert unit.atomic and not unit.dry


def test_changes_are_recorded_from_and_to() -> None:
    memory = with_task()
    memory.do(EditTaskFactory(task_id=TASK, title="Varnish"))
    assert orjson.loads(memory.log[-1].data) == {
        "title": {"from": "Paint", "to": "Varnish"}
    }
