"""Projects in HTTP: request bodies and routes."""

from typing import Annotated

from pydantic import Field

from metacortex.api.bodies import Body, Changes, Clean, Colour, Id, Name, Nothing
from metacortex.api.routes import Command, Listing, ListParameters, Module, Search
from metacortex.commands import projects as rules
from metacortex.queries.projects import ListedProject, ListProjects, ProjectRow

ProjectName = Annotated[Name, Field(max_length=rules.NAME_LIMIT)]
Description = Annotated[
    str, Clean, Field(max_length=rules.DESCRIPTION_LIMIT, strict=True)
]


class CreateProjectBody(Body):
    """A new project; an id is made unless one is given."""

    id: Id | None = None
    """One of the client's own; one is made without it."""
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
    """Words to be found; "in a row", or, -without."""
    archived: bool | None = None
    """Only archived ones, or only others; both without it."""
    deleted: bool = False
    """Deleted ones instead of the others."""


MODULE = Module(
    stream_type="project",
    plural="projects",
    row=ProjectRow,
    commands=(
        Command(
            "project.create", "POST", "", CreateProjectBody, "Create a project", 201
        ),
        Command("project.edit", "PATCH", "/{id}", EditProjectBody, "Edit a project"),
        Command(
            "project.archive", "POST", "/{id}/archive", Nothing, "Archive a project"
        ),
        Command(
            "project.unarchive",
            "POST",
            "/{id}/unarchive",
            Nothing,
            "Take a project out of the archive",
        ),
        Command(
            "project.delete",
            "DELETE",
            "/{id}",
            Nothing,
            "Delete a project and its tasks",
        ),
        Command(
            "project.restore",
            "POST",
            "/{id}/restore",
            Nothing,
            "Restore a project with what was deleted along",
        ),
    ),
    listing=Listing(
        ListProjects, ProjectFilters, ListedProject, "List projects with task counts"
    ),
)
