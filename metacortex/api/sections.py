"""Sections of projects in HTTP: request bodies and routes."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from metacortex.api.fields import Body, Changes, Id, Many, Nothing, ShownName, not_both
from metacortex.api.pages import ListParameters, ListRoute
from metacortex.api.routes import CommandRoute, ExampleStep, ModuleRoutes
from metacortex.commands import sections as rules
from metacortex.queries.sections import ListSections, SectionRow

SectionName = Annotated[ShownName, Field(max_length=rules.NAME_LIMIT)]
PROJECT = UUID("0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a03")  # in examples


class CreateSectionBody(Body):
    """A new section; an id is made unless one is given."""

    id: Id | None = None
    """An id chosen by the client; the server makes one without it."""
    name: SectionName
    project_id: Id
    """The project that it is a part of, for good."""

    examples = {"name": "Doing", "project_id": str(PROJECT)}


class EditSectionBody(Changes):
    """What to change; what is not sent stays."""

    name: SectionName = ""

    examples = {"name": "In progress"}


class MoveSectionBody(Body):
    """The section of the same project that it shall stand beside."""

    before: Id | None = None
    """The one that it shall stand right before."""
    after: Annotated[Id | None, AfterValidator(not_both)] = None
    """The one that it shall stand right after; not with `before`."""

    examples = {"before": None}


class SectionFilters(ListParameters):
    """Which sections; those of deleted projects are not shown."""

    project_id: Many[Id] = ()
    """In this project."""
    deleted: bool = False
    """true: only deleted ones; false: only others."""


_NOT_OPEN = ("section_deleted", "project_deleted", "project_archived")
_HOME = ExampleStep("project.create", PROJECT)

MODULE = ModuleRoutes(
    stream_type="section",
    plural="sections",
    row=SectionRow,
    description="Sections of projects: columns of a board.",
    commands=(
        CommandRoute(
            "section.create",
            "POST",
            "",
            CreateSectionBody,
            "Create a section",
            201,
            errors=(
                "already_exists",
                "unknown_reference",
                "project_deleted",
                "project_archived",
            ),
            example_after=[_HOME],
        ),
        CommandRoute(
            "section.edit",
            "PATCH",
            "/{id}",
            EditSectionBody,
            "Rename a section",
            errors=_NOT_OPEN,
            example_after=[_HOME],
        ),
        CommandRoute(
            "section.move",
            "POST",
            "/{id}/move",
            MoveSectionBody,
            "Move a section",
            errors=(*_NOT_OPEN, "not_a_sibling"),
            example_after=[_HOME],
        ),
        CommandRoute(
            "section.delete",
            "DELETE",
            "/{id}",
            Nothing,
            "Delete a section; its tasks stay in the project",
            errors=_NOT_OPEN,
            example_after=[_HOME],
        ),
        CommandRoute(
            "section.restore",
            "POST",
            "/{id}/restore",
            Nothing,
            "Restore a section with the tasks that were in it",
            errors=("project_deleted", "project_archived"),
            example_after=[_HOME, ExampleStep("section.delete")],
        ),
    ),
    listing=ListRoute(ListSections, SectionFilters, SectionRow, "List sections"),
)
