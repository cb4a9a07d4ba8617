"""What people look like after what happened to them."""

from typing import Any

from metacortex.kernel.decider import Change
from metacortex.queries.people import PersonRow
from tests.factories import (
    ON,
    PersonCreatedFactory,
    PersonEditedFactory,
    PersonRevertedFactory,
)
from tests.queries.spec import OWN, at, given

CREATED = PersonCreatedFactory(user_id="user_ben", name="Ben")


def person(version: int, **fields: Any) -> PersonRow:
    """Return the row of a person who is called Ben, unless it is said otherwise."""
    plain: dict[str, Any] = {"user_id": "user_ben", "name": "Ben"}
    times = {"created_at": at(1), "updated_at": at(version)}
    return PersonRow(id=OWN, version=version, **{**plain, **times, **fields})


def test_who_was_introduced_has_a_name_and_the_defaults() -> None:
    given(CREATED).then(person(1, week_start="monday", theme="system", joined=False))


def test_an_edit_and_its_undo_show_in_their_fields() -> None:
    zone = PersonEditedFactory(
        name=None, time_zone=Change(None, "Asia/Kolkata"), joined=ON
    )
    given(CREATED, zone).then(person(2, time_zone="Asia/Kolkata", joined=True))
    gone = PersonRevertedFactory(name=None, deleted=ON)
    given(CREATED, gone).then(person(2, deleted=True))


def test_lists_find_by_columns_of_the_row() -> None:
    given(CREATED).then_columns(user_id="user_ben", name="Ben", deleted=False)
