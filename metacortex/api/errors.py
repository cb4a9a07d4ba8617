"""The one table from errors to HTTP status, and how an error is described."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Literal, Union
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, create_model
from typing_extensions import TypeAliasType

from metacortex.api.fields import without_defaults
from metacortex.kernel.errors import (
    CODES,
    Forbidden,
    Gone,
    HeadersTooLarge,
    Invalid,
    Malformed,
    MetaCortexError,
    NotFound,
    RateLimited,
    Refused,
    Several,
    TargetTooLong,
    TooLarge,
    TooSlow,
    Unauthenticated,
    Unavailable,
    Unsupported,
    VersionConflict,
    WrongMethod,
)

STATUS: dict[type[MetaCortexError], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    WrongMethod: 405,
    TooSlow: 408,
    Refused: 409,
    Gone: 410,
    VersionConflict: 412,
    TooLarge: 413,
    TargetTooLong: 414,
    Unsupported: 415,
    Invalid: 422,
    RateLimited: 429,
    HeadersTooLarge: 431,
    Unavailable: 503,
    MetaCortexError: 500,
}


class HttpError(MetaCortexError):
    """What an endpoint refused with an `HTTPException`, and its status."""

    def __init__(self, status: int, detail: str = "") -> None:  # noqa: B042
        super().__init__("http_error", detail)
        self.status = status
        self.title = _phrase(status)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # a status that is not registered
        return CODES["http_error"][1]


def status_of_class(cls: type[MetaCortexError]) -> int:
    """Return the status of the nearest ancestor that the table names."""
    return next(STATUS[base] for base in cls.__mro__ if base in STATUS)


def status_of(error: MetaCortexError) -> int:
    """Return the status of an error; several take that of the first."""
    first = error.errors[0] if isinstance(error, Several) else error
    return (
        first.status if isinstance(first, HttpError) else status_of_class(type(first))
    )


def describe(error: MetaCortexError) -> dict[str, Any]:
    """Return an error as answers carry it; what the client sent is not echoed."""
    found: dict[str, Any] = {
        "code": error.code,
        "status": status_of(error),
        "title": error.title,
        "detail": error.detail,
        "meta": error.meta,
    }
    if error.source:
        found["source"] = dict(error.source)
    return found


def codes_of(status: int) -> list[str]:
    """Return the codes that answer with a status, sorted."""
    return sorted(
        code for code, (cls, _) in CODES.items() if status_of_class(cls) == status
    )


def catalogue() -> list[dict[str, Any]]:
    """Return every code with its status and title, by code."""
    return [
        {"code": code, "status": status_of_class(cls), "title": title}
        for code, (cls, title) in sorted(CODES.items())
    ]


class Schema(BaseModel):
    """Base of the schemas of answers: no other fields than these.

    A field without a default is always present; a default only says that the field
    may be absent.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra=without_defaults)


class LimitMeta(Schema):
    """The limit that was passed; `depth` is that of the tree."""

    limit: int
    depth: int = 0


class VersionMeta(Schema):
    """The version that was named, and the one that there is."""

    expected: int
    current: int


class SequenceMeta(Schema):
    """The sequence that was asked for, and the one that is visible."""

    asked: int
    shown: int


class ResyncMeta(Schema):
    """The sequence that was named, and that of the last event there is."""

    since: int
    head: int


class OpenSubtasksMeta(Schema):
    """Tasks that stand in the way: some of their ids, and how many there are."""

    tasks: list[UUID]
    count: int


class LaterChange(Schema):
    """A later event that changed the same field."""

    event_id: UUID
    type: str
    version: int
    sequence: int
    command_id: UUID


class ChangedStream(Schema):
    """The resource that changed since."""

    type: str
    id: UUID


class UndoConflictMeta(Schema):
    """Later changes of the same fields, or subtasks that came since."""

    stream: ChangedStream = ChangedStream(type="task", id=UUID(int=0))
    after_version: int = 0
    fields: list[str] = []
    later: list[LaterChange] = []
    tasks: list[UUID] = []
    count: int = 0


class TransitionMeta(Schema):
    """The state of the task, and the command that it does not take."""

    status: str
    command: str


class RelatedMeta(Schema):
    """The resource that is archived, deleted, unknown or taken, if not the target."""

    id: UUID = UUID(int=0)
    project_id: UUID = UUID(int=0)
    parent_id: UUID = UUID(int=0)
    tag_id: UUID = UUID(int=0)


class CycleMeta(Schema):
    """The ids from the task down to itself."""

    path: list[UUID]


class EventsMeta(Schema):
    """How many events there may be, and how many there are."""

    limit: int
    events: int


class RoleMeta(Schema):
    """The roles that may do this; nothing if the token's role is unknown."""

    roles: list[str] = []


class RetryMeta(Schema):
    """Seconds after which to send the request again; absent: one second."""

    retry_after_s: int = 1


class RateMeta(Schema):
    """What is limited, and the seconds after which to ask again.

    `limit` is how much of it a window takes, `window_s` how long that is.
    """

    limit_of: str
    limit: int
    window_s: int
    retry_after_s: int


ErrorMeta: Mapping[str, type[Schema]] = {
    "body_too_large": LimitMeta,
    "headers_too_large": LimitMeta,
    "target_too_long": LimitMeta,
    "rate_limited": RateMeta,
    "too_many_tags": LimitMeta,
    "too_many_events": EventsMeta,
    "too_much_at_once": EventsMeta,
    "depth_exceeded": LimitMeta,
    "too_deep": LimitMeta,
    "too_many_streams": LimitMeta,
    "too_many_fields": LimitMeta,
    "version_conflict": VersionMeta,
    "read_model_lagging": SequenceMeta,
    "resync_required": ResyncMeta,
    "open_subtasks": OpenSubtasksMeta,
    "undo_conflict": UndoConflictMeta,
    "invalid_transition": TransitionMeta,
    "name_taken": RelatedMeta,
    "parent_archived": RelatedMeta,
    "parent_deleted": RelatedMeta,
    "project_archived": RelatedMeta,
    "project_deleted": RelatedMeta,
    "tag_deleted": RelatedMeta,
    "unknown_reference": RelatedMeta,
    "cycle_detected": CycleMeta,
    "role_required": RoleMeta,
    "overloaded": RetryMeta,
}
"""What `meta` holds, by code; nothing for the others."""


class NoMeta(Schema):
    """Nothing more to say."""


class _Error(Schema):
    status: int
    title: str
    detail: str
    source: dict[Literal["header", "parameter", "pointer"], str] = {}


def literal(values: Iterable[str]) -> Any:
    """Return the type of these strings."""
    return Literal[tuple(sorted(values))]


def _error(name: str, codes: Iterable[str], meta: type[Schema]) -> Any:
    return create_model(
        name,
        __base__=_Error,
        __doc__=f"An error whose `meta` is: {(meta.__doc__ or '').rstrip('.')}.",
        code=(literal(codes), ...),
        meta=(meta, ...),
    )


def _errors() -> Iterable[Any]:
    """Return one schema for each form of `meta`, together with its codes."""
    yield _error("PlainError", CODES.keys() - ErrorMeta.keys(), NoMeta)
    for meta in dict.fromkeys(ErrorMeta.values()):
        codes = [code for code, one in ErrorMeta.items() if one is meta]
        yield _error(meta.__name__.removesuffix("Meta") + "Error", codes, meta)


_union: Any = Union[tuple(_errors())]
ApiError: Any = TypeAliasType(
    "ApiError", Annotated[_union, Field(discriminator="code")]
)
"""What was wrong, and where: a header, a parameter, a JSON pointer into the body."""
