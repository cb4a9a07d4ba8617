"""The modules that have routes, and the schemas that follow from all of them.

A new module adds one name to `MODULES`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union

from pydantic import Field, create_model
from typing_extensions import TypeAliasType

from metacortex.api import people, projects, sections, tags, tasks
from metacortex.api.errors import ApiError, Schema, literal
from metacortex.api.fields import Body, Id
from metacortex.api.routes import CommandRoute, ModuleRoutes
from metacortex.api.schemas import More, Outcome

MODULES: tuple[ModuleRoutes, ...] = (
    tasks.MODULE,
    projects.MODULE,
    sections.MODULE,
    tags.MODULE,
    people.MODULE,
)

COMMANDS: Mapping[str, CommandRoute] = {
    command.name: command for module in MODULES for command in module.commands
}
"""By the command's name on disk, for batches."""

VERSION_LIMIT = 2**31 - 1
KEY = r"^[!-~]{1,255}$"


def _union(name: str, types: list[Any], discriminator: str | None = None) -> Any:
    """Return a union that has a name in the document."""
    union: Any = Union[tuple(types)]
    if discriminator:
        union = Annotated[union, Field(discriminator=discriminator)]
    return TypeAliasType(name, union)


Resource = _union("Resource", [module.schema for module in MODULES])
"""Any resource."""


def _changed(module: ModuleRoutes) -> Any:
    return create_model(
        f"{module.noun}Changed",
        __base__=Schema,
        __doc__=f"A {module.stream_type} that changed, as it is now.",
        type=(literal([module.stream_type]), ...),
        id=(Id, ...),
        sequence=(int, ...),
        data=(module.schema, ...),
    )


Changed = _union("Changed", [_changed(module) for module in MODULES], "type")
"""A resource that changed, as it is now."""


def _batch_command(route: CommandRoute) -> Any:
    """Return the schema of a command in a batch: that of its route, and its type."""
    stream_type, _, verb = route.name.partition(".")
    target: dict[str, Any] = {"target": (Id, ...)} if route.path else {}
    needs = any(field.is_required() for field in route.body.model_fields.values())
    return create_model(
        f"{verb.title().replace('_', '')}{stream_type.capitalize()}Command",
        __base__=Body,
        __doc__=f"{route.summary}, in a batch.",
        __cls_kwargs__={"use_attribute_docstrings": False},  # no source: 1 s of a start
        id=(Annotated[str, Field(pattern=KEY, description=ITEM_ID)], ...),
        type=(literal([route.name]), ...),
        **target,
        expected_version=(Annotated[int, Field(ge=0, le=VERSION_LIMIT)] | None, None),
        args=(route.body, ... if needs else None),
    )


ITEM_ID = "Its idempotency key: a UUID, or any 1 to 255 characters."

BatchCommand = _union(
    "BatchCommand", [_batch_command(route) for route in COMMANDS.values()], "type"
)
"""One command of a batch, by its type."""


class BatchRequest(Body):
    """Commands in order; `all` or none of them, or each on its own."""

    atomicity: Literal["all", "per_item"] = "all"
    commands: Annotated[
        list[BatchCommand],  # type: ignore[valid-type]
        Field(min_length=1, max_length=100),
    ]


class BatchResult(Schema):
    """What one command of a batch came to, as if it had come alone."""

    id: str
    status: int
    data: Resource | None  # type: ignore[valid-type]
    meta: Outcome | More
    errors: list[ApiError]


class BatchResults(Schema):
    """In the order of the commands."""

    results: list[BatchResult]
