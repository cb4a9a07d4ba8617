"""Projects: put away, deleted and brought back, with the tasks that are theirs."""

from typing import Any
from uuid import UUID

import pytest

from metacortex.events.projects import (
    ProjectArchived,
    ProjectCreated,
    ProjectDeleted,
    ProjectEdited,
    ProjectRestored,
    ProjectReverted,
    ProjectUnarchived,
)
from metacortex.events.tasks import TaskDeleted, TaskRestored
from metacortex.kernel.decider import Change, Elsewhere
from metacortex.kernel.ids import new_id
from tests.factories import (
    OFF,
    ON,
    ArchiveProjectFactory,
    CreateProjectFactory,
    DeleteProjectFactory,
    EditProjectFactory,
    ProjectArchivedFactory,
    ProjectCreatedFactory,
    ProjectDeletedFactory,
    RestoreProjectFactory,
    RevertFactory,
    TaskCreatedFactory,
    TaskDeletedFactory,
    UnarchiveProjectFactory,
)
from tests.spec import Given, given, when

PROJECT, TASK, SUBTASK = new_id(), new_id(), new_id()


def reverting(project_id: UUID = PROJECT) -> Any:
    """Return a part of an undo, of a project."""
    changes = {"colour": Change("red", None)}
    return RevertFactory(stream_type="project", stream_id=project_id, changes=changes)


EXISTING: list[Any] = [
    EditProjectFactory,
    ArchiveProjectFactory,
    UnarchiveProjectFactory,
    DeleteProjectFactory,
    RestoreProjectFactory,
    reverting,
]


def project(*events: Any, **fields: Any) -> Given:
    """Return a workspace with the project, and what happened to it."""
    born = ProjectCreatedFactory(**fields)
    return given(*(Elsewhere(PROJECT, it) for it in (born, *events)))


def with_tasks() -> Given:
    """Return the project with a live task, and one deleted before."""
    gone = TaskDeletedFactory(deleted_with=Change(None, SUBTASK))
    return given(
        *project().events,
        Elsewhere(TASK, TaskCreatedFactory(project_id=PROJECT)),
        Elsewhere(SUBTASK, TaskCreatedFactory(project_id=PROJECT, parent_id=TASK)),
        Elsewhere(SUBTASK, gone),
        Elsewhere(new_id(), TaskCreatedFactory(project_id=None)),
    )


def test_a_project_is_made_as_it_is_told() -> None:
    when(CreateProjectFactory(name="Home", description="All of it")).then(
        ProjectCreated(name="Home", description="All of it", colour=None)
    )


def test_an_id_is_used_once() -> None:
    create = CreateProjectFactory(project_id=PROJECT)
    project().when(create).then_refused("already_exists")
    project(ProjectDeletedFactory()).when(create).then_refused("already_exists")


def test_two_projects_may_bear_one_name() -> None:
    project(name="Home").when(CreateProjectFactory(name="Home")).then(
        ProjectCreated(name="Home", description=None, colour=None)
    )


def test_only_what_differs_is_edited() -> None:
    edit = EditProjectFactory(
        project_id=PROJECT, name="Home", description="The house", colour=None
    )
    project(name="Home", colour="red").when(edit).then(
        ProjectEdited(description=Change(None, "The house"), colour=Change("red", None))
    ).when(edit).then_nothing()


def test_a_project_is_put_away_once_and_taken_out_once() -> None:
    archive = ArchiveProjectFactory(project_id=PROJECT)
    unarchive = UnarchiveProjectFactory(project_id=PROJECT)
    project().when(unarchive).then_nothing().when(archive).then(
        ProjectArchived(archived=ON)
    ).when(archive).then_nothing().when(unarchive).then(
        ProjectUnarchived(archived=OFF)
    ).when(
        unarchive
    ).then_nothing()


@pytest.mark.parametrize(
    "factory", [EditProjectFactory, DeleteProjectFactory, reverting]
)
def test_an_archived_project_only_comes_out_again(factory: Any) -> None:
    project(ProjectArchivedFactory(), colour="red").when(
        factory(project_id=PROJECT)
    ).then_refused("project_archived")


def test_the_archiving_of_a_project_is_reverted() -> None:
    project(ProjectArchivedFactory()).when(
        RevertFactory(
            stream_type="project", stream_id=PROJECT, changes={"archived": OFF}
        )
    ).then(ProjectReverted(archived=OFF))


@pytest.mark.parametrize(
    "factory", [EditProjectFactory, ArchiveProjectFactory, UnarchiveProjectFactory]
)
def test_a_deleted_project_only_comes_back(factory: Any) -> None:
    project(ProjectDeletedFactory()).when(factory(project_id=PROJECT)).then_refused(
        "project_deleted"
    )


def test_a_project_goes_and_comes_back_with_its_tasks() -> None:
    delete = DeleteProjectFactory(project_id=PROJECT)
    restore = RestoreProjectFactory(project_id=PROJECT)
    with_tasks().when(delete).then_all(
        ProjectDeleted(deleted=ON),
        Elsewhere(TASK, TaskDeleted(deleted=ON, deleted_with=Change(None, PROJECT))),
    ).when(delete).then_nothing().when(restore).then_all(
        ProjectRestored(deleted=OFF),
        Elsewhere(TASK, TaskRestored(deleted=OFF, deleted_with=Change(PROJECT, None))),
    ).when(
        restore
    ).then_nothing()


@pytest.mark.parametrize("factory", EXISTING)
def test_an_unknown_project_is_not_found(factory: Any) -> None:
    when(factory()).then_refused("not_found")


def test_a_reverted_edit_puts_the_old_value_back() -> None:
    project(colour="red").when(
        RevertFactory(
            stream_type="project",
            stream_id=PROJECT,
            changes={"colour": Change("red", None)},
        )
    ).then(ProjectReverted(colour=Change("red", None)))


def test_the_birth_of_a_project_is_undone_while_it_has_no_live_task() -> None:
    undo = RevertFactory(
        stream_type="project", stream_id=PROJECT, changes={"deleted": ON}
    )
    project().when(undo).then(ProjectReverted(deleted=ON))
    with_tasks().when(undo).then_refused("undo_conflict", tasks=[str(TASK)])
