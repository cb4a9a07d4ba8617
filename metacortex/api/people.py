"""People in HTTP: oneself, and the members of a workspace."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypeAliasType

from metacortex.api.auth import Caller, Role
from metacortex.api.dependencies import CurrentRead
from metacortex.api.envelope import sequence_header
from metacortex.api.errors import Schema
from metacortex.api.fields import Body, Changes, Clean, ShownName, UserId, Zone
from metacortex.api.pages import PageParameters, list_query, send_page
from metacortex.api.routes import CommandRoute, ModuleRoutes
from metacortex.api.routing import Router
from metacortex.api.schemas import Envelope, PageMeta, QueryMeta, answer
from metacortex.api.services import USERS
from metacortex.commands import people as rules
from metacortex.commands.members import person_id
from metacortex.events import people as events
from metacortex.queries.people import ListMembers, PersonRow

PersonName = Annotated[ShownName, Field(max_length=rules.NAME_LIMIT)]
AvatarUrl = Annotated[
    str,
    StringConstraints(
        pattern=r"^https://[^\s/?#]+[^\s]*$",
        max_length=rules.AVATAR_LIMIT,
        strict=True,
    ),
    Clean,
]
WeekStart = TypeAliasType("WeekStart", events.WeekStart)
Theme = TypeAliasType("Theme", events.Theme)


class AddPersonBody(Body):
    """Somebody who may not have called yet."""

    user_id: UserId
    """The user id that their tokens will bear (claim sub)."""
    name: PersonName | None = None
    """What to call them until they say it themselves."""

    examples = {"user_id": "user_anna", "name": "Anna"}


class EditPersonBody(Changes):
    """What to change of oneself; what is not sent stays, null empties."""

    name: PersonName | None = None
    avatar_url: AvatarUrl | None = None
    """Its address begins with https."""
    time_zone: Zone | None = None
    """IANA time zone in which days end and deadlines pass; null for UTC."""
    week_start: WeekStart = "monday"
    theme: Theme = "system"

    examples = {"name": "Anna Rao", "time_zone": "Asia/Kolkata"}


class Me(Schema):
    """Who asks; what was never said is null, or the default."""

    id: str
    name: str | None
    avatar_url: str | None
    time_zone: str | None
    week_start: WeekStart
    theme: Theme
    workspace_id: UUID
    role: Role


class Member(Schema):
    """Somebody to whom tasks can be assigned.

    `role` is what their last token said, `member` before the first; `joined` tells
    whether there was one.
    """

    id: str
    name: str | None
    avatar_url: str | None
    role: Role
    joined: bool


PROFILE = ("name", "avatar_url", "time_zone", "week_start", "theme")
_UNSAID = rules.Person(user_id="", name=None)


def as_me(caller: Caller, person: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a caller with what they told about themselves."""
    said = person or {name: getattr(_UNSAID, name) for name in PROFILE}
    return {
        "id": caller.user_id,
        **{name: said[name] for name in PROFILE},
        "workspace_id": caller.workspace_id,
        "role": caller.role,
    }


def _edited(caller: Caller, row: PersonRow | None) -> Any:
    if row is None or row.deleted:
        return as_me(caller, None)
    return as_me(caller, {name: getattr(row, name) for name in PROFILE})


def _added(_: Caller, row: PersonRow | None) -> Any:
    assert row is not None, "whoever was added is there"
    return {
        "id": row.user_id,
        "name": row.name,
        "avatar_url": row.avatar_url,
        "role": Role.MEMBER,
        "joined": row.joined,
    }


def _own_id(caller: Caller, _: Body) -> UUID:
    return person_id(caller.workspace_id, caller.user_id)


def _id_of_added(caller: Caller, body: Body) -> UUID:
    assert isinstance(body, AddPersonBody)
    return person_id(caller.workspace_id, body.user_id)


MODULE = ModuleRoutes(
    stream_type="person",
    plural="people",
    row=PersonRow,
    description="Oneself, and who else is in the workspace.",
    commands=(
        CommandRoute(
            "person.add",
            "POST",
            "",
            AddPersonBody,
            "Introduce a member",
            201,
            errors=("already_exists",),
            at="/members",
            roles=(Role.OWNER,),
            target=_id_of_added,
            view=_added,
            answers=Member,
        ),
        CommandRoute(
            "person.edit",
            "PATCH",
            "",
            EditPersonBody,
            "Edit oneself",
            errors=("not_yourself",),
            at="/me",
            target=_own_id,
            view=_edited,
            answers=Me,
        ),
    ),
)

router = Router(tags=["people"])
_of_all = Router(roles=tuple(Role), tags=["people"])
_of_users = Router(roles=USERS, tags=["people"])


@_of_all.get(
    "/me",
    operation_id="getMe",
    summary="Oneself",
    response_model=Envelope[Me, QueryMeta],
)
async def get_me(read: CurrentRead, response: Response) -> Any:
    """The caller; whoever asks for themself is a member from then on."""
    await read.wait()
    caller = read.caller
    if caller.role in USERS:
        await read.services.saw(caller)
    sequence, person = await read.services.queries.person(
        caller.workspace_id, read.person_id
    )
    response.headers.update(sequence_header(sequence))
    return answer(as_me(caller, person), read.meta(sequence))


@_of_users.get(
    "/members",
    operation_id="listMembers",
    summary="Members of the workspace",
    response_model=Envelope[list[Member], PageMeta],
)
async def list_members(
    request: Request, read: CurrentRead, given: Annotated[PageParameters, Query()]
) -> Response:
    """Whoever has called or was introduced, by name."""
    query = list_query(ListMembers, read.caller.workspace_id, given.model_dump())
    return await send_page(request, read, query)


for _one in (_of_all, _of_users):
    router.include_router(_one)
