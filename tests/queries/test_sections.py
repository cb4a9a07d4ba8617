"""Rows of sections: what events amount to."""

from metacortex.kernel.decider import Change
from metacortex.queries.sections import SectionRow
from tests.factories import (
    SectionCreatedFactory,
    SectionDeletedFactory,
    SectionEditedFactory,
    SectionMovedFactory,
    SectionRestoredFactory,
)
from tests.queries.spec import OWN, at, given


def test_a_section_is_as_it_was_left() -> None:
    born = SectionCreatedFactory(name="Doing")
    given(
        born,
        SectionEditedFactory(name=Change("Doing", "Done")),
        SectionMovedFactory(rank=Change(None, "V")),
        SectionDeletedFactory(),
        SectionRestoredFactory(),
    ).then(
        SectionRow(
            id=OWN,
            version=5,
            name="Done",
            project_id=born.project_id,
            rank="V",
            created_at=at(1),
            updated_at=at(5),
        )
    )
