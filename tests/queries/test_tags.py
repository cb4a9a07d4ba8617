"""What tags look like after what happened to them."""

from typing import Any

import pytest

from metacortex.kernel.decider import Change
from metacortex.kernel.ids import new_id
from metacortex.queries.tags import TagRow
from tests.factories import (
    ON,
    TagCreatedFactory,
    TagDeletedFactory,
    TagMergedFactory,
    TagRecolouredFactory,
    TagRenamedFactory,
    TagRevertedFactory,
)
from tests.queries.spec import OWN, at, given

OTHER = new_id()
CREATED = TagCreatedFactory(name="Errands")


def tag(version: int, **fields: Any) -> TagRow:
    """Return the row of a tag that is called Errands, unless it is said otherwise."""
    plain: dict[str, Any] = {"name": "Errands", "colour": None}
    times = {"created_at": at(1), "updated_at": at(version)}
    return TagRow(id=OWN, version=version, **{**plain, **times, **fields})


def test_a_new_tag_has_all_that_it_was_given() -> None:
    given(TagCreatedFactory(name="Errands", colour="red")).then(tag(1, colour="red"))


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (TagRenamedFactory(name=Change("Errands", "Chores")), {"name": "Chores"}),
        (TagRecolouredFactory(), {"colour": "red"}),
        (TagDeletedFactory(), {"deleted": True}),
        (
            TagMergedFactory(deleted=ON, merged_into=Change(None, OTHER)),
            {"deleted": True, "merged_into": OTHER},
        ),
        (TagRevertedFactory(colour=Change(None, "blue")), {"colour": "blue"}),
    ],
    ids=lambda it: type(it).__name__,
)
def test_a_change_shows_in_its_field(event: Any, fields: dict[str, Any]) -> None:
    given(CREATED, event).then(tag(2, **fields))


def test_lists_filter_and_sort_by_columns_of_the_row() -> None:
    given(CREATED, TagDeletedFactory()).then_columns(name="Errands", deleted=True)
