"""The rules of people: who introduces whom, and who may change what of whom."""

from typing import Any

import pytest

from metacortex.commands.people import EditPerson
from metacortex.kernel.decider import Change, Elsewhere
from metacortex.kernel.ids import new_id
from tests.factories import (
    OFF,
    ON,
    AddPersonFactory,
    CreateTaskFactory,
    EditPersonFactory,
    EditTaskFactory,
    PersonCreatedFactory,
    PersonEditedFactory,
    PersonRevertedFactory,
    RevertFactory,
    TaskCreatedFactory,
)
from tests.spec import ME, given, when

BEN = "user_ben"
INTRODUCED = PersonCreatedFactory(user_id=BEN, name="Ben")


def revert(**fields: Any) -> Any:
    """Return what an undo asks of a person."""
    return RevertFactory(**{"stream_type": "person", "changes": {}, **fields})


def test_somebody_is_introduced_with_a_name() -> None:
    when(AddPersonFactory(user_id=BEN, name="Ben")).then(INTRODUCED)


def test_nobody_is_introduced_twice() -> None:
    again = AddPersonFactory(user_id=BEN)
    given(INTRODUCED).when(again).then_refused("already_exists")


def test_who_was_taken_back_can_be_introduced_again() -> None:
    gone = PersonRevertedFactory(name=None, deleted=ON)
    back = PersonEditedFactory(name=Change("Ben", "Benno"), joined=None, deleted=OFF)
    add = AddPersonFactory(user_id=BEN, name="Benno")
    given(INTRODUCED, gone).when(add).then(back)


def test_the_first_thing_told_makes_the_person() -> None:
    told = EditPerson(person_id=new_id(), time_zone="Asia/Kolkata")
    when(told).then(
        PersonCreatedFactory(user_id=ME, name=None),
        PersonEditedFactory(
            name=None, time_zone=Change(None, "Asia/Kolkata"), joined=ON
        ),
    )


def test_what_equals_the_default_tells_nothing() -> None:
    when(EditPerson(person_id=new_id(), theme="system")).then_nothing()


def test_who_was_introduced_takes_over() -> None:
    given(INTRODUCED).when(EditPersonFactory(name="Benno"), actor_id=BEN).then(
        PersonEditedFactory(name=Change("Ben", "Benno"), joined=ON)
    )


def test_nobody_edits_another() -> None:
    given(INTRODUCED).when(EditPersonFactory()).then_refused("not_yourself")


def test_an_introduction_is_taken_back_until_they_join() -> None:
    undone = PersonRevertedFactory(name=None, deleted=ON)
    undo = revert(creation=True)
    given(INTRODUCED).when(undo).then(undone)
    joined = PersonEditedFactory(name=Change("Ben", "Benno"), joined=ON)
    given(INTRODUCED, joined).when(undo).then_refused("not_yourself")
    given(INTRODUCED, joined).when(undo, actor_id=BEN).then(undone)


def test_only_they_take_their_own_edit_back() -> None:
    joined = PersonEditedFactory(name=Change("Ben", "Benno"), joined=ON)
    back = revert(changes={"name": Change("Benno", "Ben"), "joined": OFF})
    given(INTRODUCED, joined).when(back).then_refused("not_yourself")
    given(INTRODUCED, joined).when(back, actor_id=BEN).then(
        PersonRevertedFactory(name=Change("Benno", "Ben"), joined=OFF)
    )


def test_what_is_not_there_is_not_taken_back() -> None:
    when(revert(creation=True)).then_refused("not_found")


def test_who_was_introduced_can_be_assigned_before_their_first_call() -> None:
    there = Elsewhere(new_id(), INTRODUCED)
    create = CreateTaskFactory(title="Paint", assignee_id=BEN)
    created = TaskCreatedFactory(title="Paint", assignee_id=BEN)
    given(there).when(create).then(created)
    when(create).then_refused("member_unknown", pointer="/assignee_id")


@pytest.mark.parametrize("there", [True, False])
def test_who_was_taken_back_can_not(there: bool) -> None:
    id = new_id()
    gone = Elsewhere(id, PersonRevertedFactory(name=None, deleted=ON))
    events = [Elsewhere(id, INTRODUCED), *([] if there else [gone])]
    edit = EditTaskFactory(title="Paint", assignee_id=BEN)
    outcome = given(*events, TaskCreatedFactory(title="Paint")).when(edit)
    assert (outcome.error is None) == there
