"""Tags in HTTP: request bodies and routes."""

from typing import Annotated

from pydantic import Field

from metacortex.api.bodies import Body, Changes, Colour, Id, Name, Nothing
from metacortex.api.routes import Command, Listing, ListParameters, Module, Search
from metacortex.commands import tags as rules
from metacortex.queries.tags import ListTags, TagRow

TagName = Annotated[Name, Field(max_length=rules.NAME_LIMIT)]


class CreateTagBody(Body):
    """A new tag; an id is made unless one is given."""

    id: Id | None = None
    """One of the client's own; one is made without it."""
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

    examples = {"into": "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6a01"}


class TagFilters(ListParameters):
    """Which tags."""

    q: Search | None = None
    """Words to be found; "in a row", or, -without."""
    deleted: bool = False
    """Deleted ones instead of the others."""


MODULE = Module(
    stream_type="tag",
    plural="tags",
    row=TagRow,
    commands=(
        Command("tag.create", "POST", "", CreateTagBody, "Create a tag", 201),
        Command("tag.edit", "PATCH", "/{id}", EditTagBody, "Rename or recolour a tag"),
        Command("tag.delete", "DELETE", "/{id}", Nothing, "Delete a tag"),
        Command("tag.merge", "POST", "/{id}/merge", MergeTagBody, "Merge a tag"),
    ),
    listing=Listing(ListTags, TagFilters, TagRow, "List tags"),
)
