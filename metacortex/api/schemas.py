"""Schemas of what answers hold, for the OpenAPI document and ordinary endpoints.

Lean handlers send bytes that Postgres built; the schemas of those are only declared
here, and the tests compare real answers with them.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from types import UnionType
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    create_model,
    model_validator,
)
from typing_extensions import TypeVar

from metacortex.api import fields as api_fields
from metacortex.api.errors import ApiError, Schema
from metacortex.events import tasks as events
from metacortex.events.codec import CLASSES
from metacortex.queries.tables import KEPT

REQUEST_ID: ContextVar[str] = ContextVar("request_id")
"""Id of the request that is being answered; set by the middleware."""


def resource(row: type[Any], name: str) -> type[Schema]:
    """Return the schema of a read row: every field is always present."""
    assert is_dataclass(row)
    hints = get_type_hints(row)
    found: dict[str, Any] = {
        item.name: (_named(hints[item.name]), ...)
        for item in fields(row)
        if item.name not in KEPT
    }
    return create_model(name, __base__=Schema, __doc__=row.__doc__, **found)


def _named(hint: Any) -> Any:
    """Return a type with what has a name in the document in place of its parts."""
    if hint in _NAMED:
        return _NAMED[hint]
    if get_origin(hint) in (Union, UnionType):
        return Union[tuple(_named(part) for part in get_args(hint))]
    return hint


_NAMED: dict[Any, Any] = {
    events.Status: api_fields.TaskStatus,
    events.Priority: api_fields.Priority,
}
_NAMED[events.Due] = resource(events.Due, "Due")

_EVENTS = {name: name for name in sorted(CLASSES)}
EventType: Any = Enum("EventType", _EVENTS, type=str)  # type: ignore[misc]
"""The name of an event on disk, such as `task.completed`."""


class Meta(Schema):
    """Data about any answer."""

    request_id: str


class QueryMeta(Meta):
    """The sequence that the answer shows.

    `stale` is there where a lenient client asked for a later one.
    """

    sequence: int
    stale: Literal[True] = True


class PageMeta(QueryMeta):
    """Which page it is, and of how many rows; `total` is null if not counted."""

    page: int | None
    per_page: int
    total: int | None
    next_cursor: str | None


class ChangesMeta(QueryMeta):
    """Where to continue, and whether there is more already."""

    next_since: int
    more: bool


D = TypeVar("D")
M = TypeVar("M", default=Meta)

_SUFFIXES: Mapping[str, str] = {
    "PageMeta": "Page",
    "CursorMeta": "Page",
    "CommandMeta": "Result",
}


def _schema_name(type: Any) -> str:
    """Return a name for a type: `list[Task]` is `Task`, since the suffix says it."""
    if get_origin(type) is list:
        return _schema_name(get_args(type)[0])
    name: str = getattr(type, "__name__", str(type))
    parts = [_schema_name(part) for part in get_args(type) if part is not Ellipsis]
    return name[:1].upper() + name[1:] + "".join(parts)


def _meta(meta: Any) -> dict[str, Any]:
    given = meta.model_dump(exclude_unset=True) if isinstance(meta, BaseModel) else meta
    return {"request_id": REQUEST_ID.get(""), **(given or {})}


class Envelope(BaseModel, Generic[D, M]):
    """The envelope around every JSON answer.

    An endpoint may return one, to set `meta`; whatever else it returns becomes `data`.
    """

    model_config = ConfigDict(extra="forbid")

    data: D
    meta: M
    errors: Annotated[list[ApiError], Field(max_length=0)]

    @model_validator(mode="before")
    @classmethod
    def _wrap(cls, given: Any) -> Any:
        """Wrap what is no envelope yet."""
        data, meta = given, None
        if isinstance(given, Envelope):
            data, meta = given.data, given.meta
        return {"data": data, "meta": _meta(meta), "errors": []}


@lru_cache(maxsize=None)
def enveloped(data: Any, meta: Any = Meta) -> type[Envelope[Any, Any]]:
    """Return the envelope around a type, with a name such as `TaskPage`."""
    suffix = _SUFFIXES.get(meta.__name__, "Envelope")
    return create_model(
        _schema_name(data) + suffix,
        __base__=Envelope[data, meta],
        __doc__="The envelope of an answer.",
    )


def named_envelope(model: type[Envelope[Any, Any]]) -> type[Envelope[Any, Any]]:
    """Return `Envelope[…]` with a name; one that has a name already is returned."""
    args = model.__pydantic_generic_metadata__["args"]
    if not args:
        return model
    return enveloped(*args)


def answer(data: Any, meta: Any = None) -> Envelope[Any, Any]:
    """Return an envelope around data, for an endpoint to return."""
    return Envelope[Any, Any].model_construct(data=data, meta=meta, errors=[])


class Actor(Schema):
    """Who did it."""

    type: str
    id: str


class CommandRef(Schema):
    """The command that did it."""

    type: str
    id: UUID


class StreamRef(Schema):
    """What it was done to."""

    type: str
    id: UUID


class Activity(Schema):
    """An entry of the task log; changes of a creation have no `from`."""

    event_id: UUID
    sequence: int
    version: int
    type: EventType
    recorded_at: AwareDatetime
    actor: Actor
    command: CommandRef
    stream: StreamRef
    correlation_id: str
    causation_id: str | None
    request_id: str | None
    summary: str
    changes: dict[str, dict[Literal["from", "to"], Any]]
    details: dict[str, Any]


class AuditEvent(Activity):
    """An event record: the log entry, the hashed content, and the hashes in hex."""

    schema_version: int
    data: dict[str, Any] | None
    context: dict[str, Any] | None
    salt: str | None
    payload_hash: str
    leaf_hash: str


class StreamedEvent(Schema):
    """The `data` of a server-sent event: what happened to what."""

    event_id: UUID
    stream: StreamRef
    version: int
    sequence: int
    actor_id: str
    changed_fields: list[str]


class Refusal(Schema):
    """Why a command was refused."""

    code: str
    detail: str
    meta: dict[str, Any]


class Receipt(Schema):
    """The outcome of a command; what did not come about is null."""

    command_id: UUID
    type: str
    outcome: Literal["applied", "unchanged", "refused"]
    actor: Actor
    stream: StreamRef | None
    version: int | None
    first_sequence: int | None
    last_sequence: int | None
    recorded_at: AwareDatetime
    correlation_id: str
    request_id: str | None
    error: Refusal | None


class CommandEntry(Schema):
    """What was done; `title` is what it was done to is called now.

    `undoable`: it changed something and is in force; later changes may still stand in
    the way. `undone_by` is the undo that took it back.
    """

    id: UUID
    type: str
    recorded_at: AwareDatetime
    outcome: Literal["applied", "unchanged", "refused"]
    actor: Actor
    stream: StreamRef | None
    title: str | None
    undoable: bool
    undone_by: UUID | None


class AuditCommand(CommandEntry):
    """A command with all that its receipt holds."""

    version: int | None
    first_sequence: int | None
    last_sequence: int | None
    correlation_id: str
    request_id: str | None
    error: Refusal | None


class ClientMeta(Schema):
    """What a client must know before anybody has signed in."""

    version: str
    issuer: Literal["clerk", "development", "other"]
    clerk_publishable_key: str | None
    environment: Literal["production", "development", "test"]
    features: list[str]


class ByStatus(Schema):
    """Tasks in each state."""

    pending: int
    in_progress: int
    blocked: int
    completed: int
    cancelled: int


class ByPriority(Schema):
    """Tasks of each priority."""

    low: int
    medium: int
    high: int
    urgent: int


class TaskStats(Schema):
    """Counts of the tasks that are not deleted."""

    total: int
    open: int
    overdue: int
    by_status: ByStatus
    by_priority: ByPriority


class ErrorCode(Schema):
    """A code that an error may have; `http_error` takes any status."""

    code: str
    status: int
    title: str


class StateMachine(Schema):
    """By command and present state: the state after it, null where it is refused."""

    states: list[str]
    transitions: dict[str, dict[str, str | None]]


class StateMachines(Schema):
    """By stream type."""

    task: StateMachine


class EventRef(Schema):
    """An event that a command appended."""

    id: UUID
    type: EventType
    version: int
    sequence: int


class Outcome(Schema):
    """What a command did; `replayed`: this is the answer that it got before."""

    command_id: UUID
    sequence: int
    version: int | None
    events: list[EventRef]
    replayed: bool


class CommandMeta(Meta, Outcome):
    """What the command did."""


class BatchMeta(Meta):
    """The sequence that was reached, unless nothing was written."""

    dry_run: bool
    sequence: int = 0


class More(Schema):
    """Whether there are more errors than are told; absent where there are not."""

    more: bool = False


class Liveness(Schema):
    """The process runs."""

    status: Literal["ok"]


class Check(Schema):
    """Whether a part answers, and what it said."""

    status: Literal["ok", "failing"]
    detail: str


class Readiness(Schema):
    """Whether the service can work, and the check of each part by name."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: dict[str, Check]
