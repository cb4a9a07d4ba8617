"""Projects in HTTP: request bodies and routes."""

from typing import Annotated

from pydantic import Field

from metacortex.api.fields import Body, Changes, Clean, Colour, Id, Nothing, ShownName
from metacortex.api.pages import ListParameters, ListRoute, Search
from metacortex.api.routes import CommandRoute, ExampleStep, ModuleRoutes
from metacortex.commands import projects as rules
from metacortex.queries.projects import ListedProject, ListProjects, ProjectRow

ProjectName = Annotated[ShownName, Field(max_length=rules.NAME_LIMIT)]
Description = Annotated[
    str, Clean, Field(max_length=rules.DESCRIPTION_LIMIT, strict=True)
]


class CreateProjectBody(Body):
    """A new project; an id is made unless one is given."""

    id: Id | None = None
    """An id chosen by the client; the server makes one without it."""
    name: ProjectName
    description: Description | None = None
    """Markdown."""
    colour: Colour | None = None
    """Such as #cc6633."""

    examples = {"name": "Move house", "colour": "#cc6633"}


class EditProjectBody(Changes):
    """What to change; what is not sent stays."""

    name: ProjectName = ""
    description: Description | None = None
    """Markdown."""
    colour: Colour | None = None
    """Such as #cc6633."""

    examples = {"description": "Everything about the move"}


class ProjectFilters(ListParameters):
    """Which projects."""

    q: Search | None = None
    """Words to search for; "a phrase", or, -excluded; the last may go on."""
    archived: bool | None = None
    """true: only archived ones; false: only others; both without it."""
    deleted: bool = False
    """true: only deleted ones; false: only others."""


_NOT_OPEN = ("project_deleted", "project_archived")

MODULE = ModuleRoutes(
    stream_type="project",
    plural="projects",
    row=ProjectRow,
    description="Projects: what tasks belong to.",
    commands=(
        CommandRoute(
            "project.create",
            "POST",
            "",
            CreateProjectBody,
            "Create a project",
            201,
            errors=("already_exists",),
        ),
        CommandRoute(
            "project.edit",
            "PATCH",
            "/{id}",
            EditProjectBody,
            "Edit a project",
            errors=_NOT_OPEN,
        ),
        CommandRoute(
            "project.archive",
            "POST",
            "/{id}/archive",
            Nothing,
            "Archive a project",
            errors=_NOT_OPEN,
        ),
        CommandRoute(
            "project.unarchive",
            "POST",
            "/{id}/unarchive",
            Nothing,
            "Take a project out of the archive",
            errors=_NOT_OPEN,
            example_after=[ExampleStep("project.archive")],
        ),
        CommandRoute(
            "project.delete",
            "DELETE",
            "/{id}",
            Nothing,
            "Delete a project and its tasks",
            errors=_NOT_OPEN,
        ),
        CommandRoute(
            "project.restore",
            "POST",
            "/{id}/restore",
            Nothing,
            "Restore a project with what was deleted along",
            errors=("project_archived", "project_deleted", "parent_deleted"),
            example_after=[ExampleStep("project.delete")],
        ),
    ),
    listing=ListRoute(
        ListProjects,
        ProjectFilters,
        ListedProject,
        "List projects with task counts",
        example={"open_tasks": 3, "completed_tasks": 1},
    ),
)
