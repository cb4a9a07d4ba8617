"""Tags in HTTP: request bodies and routes."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from metacortex.api.fields import Body, Changes, Colour, Id, Nothing, ShownName
from metacortex.api.pages import ListParameters, ListRoute, Search
from metacortex.api.routes import CommandRoute, ExampleStep, ModuleRoutes
from metacortex.commands import tags as rules
from metacortex.queries.tags import ListTags, TagRow

OTHER = UUID("0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a01")  # in examples
TagName = Annotated[ShownName, Field(max_length=rules.NAME_LIMIT)]


class CreateTagBody(Body):
    """A new tag; an id is made unless one is given."""

    id: Id | None = None
    """An id chosen by the client; the server makes one without it."""
    name: TagName
    """No other tag's, whatever its case."""
    colour: Colour | None = None
    """Such as #cc6633."""

    examples = {"name": "errand", "colour": "#3366cc"}


class EditTagBody(Changes):
    """What to change; what is not sent stays."""

    name: TagName = ""
    """No other tag's, whatever its case."""
    colour: Colour | None = None
    """Such as #cc6633."""

    examples = {"name": "errands"}


class MergeTagBody(Body):
    """The tag that takes the place of this one."""

    into: Id

    examples = {"into": str(OTHER)}


class TagFilters(ListParameters):
    """Which tags."""

    q: Search | None = None
    """Words to search for; "a phrase", or, -excluded; the last may go on."""
    deleted: bool = False
    """true: only deleted ones; false: only others."""


MODULE = ModuleRoutes(
    stream_type="tag",
    plural="tags",
    row=TagRow,
    description="Tags: labels of tasks.",
    commands=(
        CommandRoute(
            "tag.create",
            "POST",
            "",
            CreateTagBody,
            "Create a tag",
            201,
            errors=("already_exists", "name_taken"),
        ),
        CommandRoute(
            "tag.edit",
            "PATCH",
            "/{id}",
            EditTagBody,
            "Rename or recolour a tag",
            errors=("tag_deleted", "name_taken"),
        ),
        CommandRoute(
            "tag.delete",
            "DELETE",
            "/{id}",
            Nothing,
            "Delete a tag",
            errors=("tag_deleted",),
        ),
        CommandRoute(
            "tag.merge",
            "POST",
            "/{id}/merge",
            MergeTagBody,
            "Merge a tag",
            errors=("tag_deleted", "merge_into_itself", "unknown_reference"),
            example_after=[
                ExampleStep("tag.create", OTHER),
                ExampleStep("tag.edit", OTHER),
            ],
        ),
    ),
    listing=ListRoute(ListTags, TagFilters, TagRow, "List tags"),
)
