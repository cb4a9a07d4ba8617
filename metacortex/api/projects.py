"""Projects in HTTP: request bodies and routes."""

from typing import Annotated

from pydantic import Field

from metacortex.api.bodies import Body, Clean, Colour, Id, Name, Nothing, Parameters
from metacortex.api.routes import Command, Listing, Module, PageParameters, Search
from metacortex.commands import projects as rules
from metacortex.queries.projects import ListedProject, ListProjects, ProjectRow

ProjectName = Annotated[Name, Field(max_length=rules.NAME_LIMIT)]
Description = Annotated[
    str, Clean, Field(max_length=rules.DESCRIPTION_LIMIT, strict=True)
]


class CreateProjectBody(Body):
    """A new project; an id is made unless one is given."""

    id: Id | None = None
    name: ProjectName
    description: Description | None = None
    colour: Colour | None = None

    examples = {"name": "Move house", "colour": "#cc6633"}


class EditProjectBody(Body):
    """What to change; what is not sent stays."""

    name: ProjectName = ""
    description: Description | None = None
    colour: Colour | None = None

    examples = {"description": "Everything about the move"}


class ProjectFilters(PageParameters, Parameters):
    """Which projects."""

    q: Search | None = None
    archived: bool | None = None
    deleted: bool = False


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
