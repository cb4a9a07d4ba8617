"""The codec: what is written is read again; what is not known is not skipped.

That old data is read for ever is the matter of test_golden.py.
"""

from datetime import UTC, date, datetime, time
from typing import Any, Literal, get_args, get_origin, get_type_hints
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metacortex.events import codec
from metacortex.events.record import EventRecord, canonical
from metacortex.events.tasks import Due, TaskCompleted, TaskCreated, TaskEdited
from metacortex.kernel.decider import Change, Exchange
from metacortex.kernel.ids import new_id
from tests.events.golden import FOLDER
from tests.factories import OF, TaskEditedFactory, TaskMovedFactory
from tests.spec import NOW

TEXT = st.text(st.characters(exclude_categories=["Cs"]))  # UTF-8 has no surrogates

VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    UUID: st.uuids(),
    type(None): st.none(),
    date: st.dates(),
    time: st.times(),
    datetime: st.datetimes(timezones=st.just(UTC)),
}


def values_of(type: Any) -> st.SearchStrategy[Any]:
    """Return any values of a type that a field of an event may have."""
    args = get_args(type)
    match get_origin(type):
        case None if type in VALUES:
            return VALUES[type]
        case None:
            fields = get_type_hints(type).items()
            return st.builds(type, **{name: values_of(it) for name, it in fields})
        case origin if origin is Literal:
            return st.sampled_from(args)
        case origin if origin is tuple:
            return st.lists(values_of(args[0]), max_size=3).map(tuple)
        case origin if origin is Exchange:
            members = values_of(tuple[args[0], ...])  # type: ignore[valid-type]
            return st.builds(Exchange, members, members)
        case origin if origin is Change:
            return st.builds(Change, values_of(args[0]), values_of(args[0]))
        case _:
            return st.one_of([values_of(it) for it in args])


EVENTS = st.one_of([values_of(cls) for cls in codec.CLASSES.values()])


def golden(name: str, version: int) -> bytes:
    """Return the first golden data of a type at a schema version."""
    return (FOLDER / f"{name}.v{version}.json").read_bytes()


def test_values_come_back_as_what_they_were() -> None:
    id = UUID("01a20800-0000-7000-8000-000000000003")
    created: TaskCreated = codec.decode("task.created", 1, golden("task.created", 1))
    assert created.project_id == id
    assert created.tags == (UUID(int=id.int + 2), UUID(int=id.int + 3))
    assert created.due == Due(
        date=date(2026, 12, 1), time=time(9, 30), time_zone="Europe/Madrid"
    )
    done: TaskCompleted = codec.decode("task.completed", 1, golden("task.completed", 1))
    assert done.status == Change("blocked", "completed")
    assert done.completed_at == Change(None, datetime(2026, 11, 22, 23, tzinfo=UTC))


def test_a_field_change_is_written_from_and_to() -> None:
    event = TaskEditedFactory(priority=Change("low", "high"))
    assert codec.encode(event) == b'{"priority":{"from":"low","to":"high"}}'


def test_absent_and_null_differ() -> None:
    id = UUID(int=7)
    assert codec.encode(TaskMovedFactory(parent_id=Change(id, None))) == (
        b'{"parent_id":{"from":"00000000-0000-0000-0000-000000000007","to":null}}'
    )
    assert codec.decode("task.edited", 1, b"{}") == TaskEdited()


@given(EVENTS)
def test_an_event_comes_back_from_its_data(event: Any) -> None:
    name = codec.NAMES[type(event)]
    data = codec.encode(event)
    assert codec.decode(name, codec.VERSIONS[name], data) == event
    assert codec.decode(name, codec.VERSIONS[name], data.decode()) == event
    assert canonical(orjson.loads(data)) == data


@pytest.mark.parametrize("cls", codec.CLASSES.values())
def test_what_a_factory_makes_can_be_stored(cls: type[Any]) -> None:
    event = OF[cls]()
    name = codec.NAMES[cls]
    assert codec.decode(name, codec.VERSIONS[name], codec.encode(event)) == event


@pytest.mark.parametrize(
    ("name", "version"), [("task.exploded", 1), ("task.created", 2), ("Task", 1)]
)
def test_what_this_release_does_not_know_is_never_skipped(
    name: str, version: int
) -> None:
    with pytest.raises(codec.UnknownEvent, match=f"{name} version {version}"):
        codec.decode(name, version, b"{}")


def test_old_data_passes_the_upcasters_of_its_type_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def second(data: Any) -> Any:
        return {"comment_id": data["id"], "text": data["said"]}

    def third(data: Any) -> Any:
        return {"comment_id": data["comment_id"], "body": data["text"] + "!"}

    monkeypatch.setitem(codec.UPCASTERS, "task.commented", (second, third))
    monkeypatch.setitem(codec.VERSIONS, "task.commented", 3)
    id = str(new_id())
    data = {
        1: {"id": id, "said": "Hm"},
        2: {"comment_id": id, "text": "Hm"},
        3: {"comment_id": id, "body": "Hm!"},
    }
    read = [codec.decode("task.commented", n, canonical(it)) for n, it in data.items()]
    assert [event.body for event in read] == ["Hm!", "Hm!", "Hm!"]
    assert {event.comment_id for event in read} == {UUID(id)}


def test_a_record_is_read_with_its_event() -> None:
    data = golden("tag.created", 1)
    record = EventRecord(
        workspace_id=new_id(),
        sequence=1,
        event_id=new_id(),
        stream_type="tag",
        stream_id=new_id(),
        version=1,
        type="tag.created",
        schema_version=1,
        recorded_at=NOW,
        actor_type="user",
        actor_id="user_me",
        command_id=new_id(),
        command_type="tag.create",
        correlation_id="c",
        causation_id=None,
        data=data,
        context=b"{}",
        salt=b"",
        payload_hash=b"",
        leaf_hash=b"",
    )
    recorded = codec.read(record)
    assert recorded.record is record
    assert recorded.event == codec.decode("tag.created", 1, data)
