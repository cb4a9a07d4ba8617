"""What projects look like after what happened to them."""

from typing import Any

import pytest

from metacortex.kernel.decider import Change
from metacortex.queries.projects import ProjectRow
from tests.factories import (
    ProjectArchivedFactory,
    ProjectCreatedFactory,
    ProjectDeletedFactory,
    ProjectEditedFactory,
    ProjectRestoredFactory,
    ProjectRevertedFactory,
    ProjectUnarchivedFactory,
)
from tests.queries.spec import OWN, at, given

CREATED = ProjectCreatedFactory(name="Home")


def project(version: int, **fields: Any) -> ProjectRow:
    """Return the row of a project that is called Home, unless it is said otherwise."""
    plain: dict[str, Any] = {"name": "Home", "description": None, "colour": None}
    times = {"created_at": at(1), "updated_at": at(version)}
    return ProjectRow(id=OWN, version=version, **{**plain, **times, **fields})


def test_a_new_project_has_all_that_it_was_given() -> None:
    fields = {"description": "Repairs", "colour": "#cc6633"}
    given(ProjectCreatedFactory(name="Home", **fields)).then(project(1, **fields))


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (ProjectEditedFactory(), {"colour": "red"}),
        (ProjectArchivedFactory(), {"archived": True}),
        (ProjectDeletedFactory(), {"deleted": True}),
        (ProjectRevertedFactory(name=Change("Home", "House")), {"name": "House"}),
    ],
    ids=lambda it: type(it).__name__,
)
def test_a_change_shows_in_its_field(event: Any, fields: dict[str, Any]) -> None:
    given(CREATED, event).then(project(2, **fields))


def test_what_is_put_away_and_deleted_comes_back_as_it_was() -> None:
    given(
        CREATED,
        ProjectArchivedFactory(),
        ProjectUnarchivedFactory(),
        ProjectDeletedFactory(),
        ProjectRestoredFactory(),
    ).then(project(5))


def test_lists_filter_and_sort_by_columns_of_the_row() -> None:
    given(CREATED, ProjectArchivedFactory()).then_columns(
        name="Home", archived=True, deleted=False
    )
