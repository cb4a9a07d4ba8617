"""What answers look like where no row says it: schemas for the OpenAPI document.

Nothing is built from these; answers are bytes by then. The tests hold real answers
against them.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from metacortex.api.bodies import without_defaults
from metacortex.api.modules import MODULES
from metacortex.kernel.errors import CODES

if TYPE_CHECKING:  # which modules there are is no matter of types
    Row = Any
    StreamType = str
else:
    Row = Union[tuple(module.row for module in MODULES)]
    StreamType = Literal[tuple(module.stream_type for module in MODULES)]


class Shape(BaseModel):
    """Base of all shapes: what has no default is always there, and nothing else is.

    A default only says that the field may be missing.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra=without_defaults)


class Error(Shape):
    """What was wrong, and with what: a header, a parameter, a pointer into the body."""

    code: Annotated[str, Field(json_schema_extra={"enum": sorted(CODES)})]
    status: int
    title: str
    detail: str
    meta: dict[str, Any]
    source: dict[Literal["header", "parameter", "pointer"], str] = {}


class Actor(Shape):
    """Who did it."""

    type: str
    id: str


class CommandRef(Shape):
    """The command by which it was done."""

    type: str
    id: UUID


class StreamRef(Shape):
    """What it was done to."""

    type: str
    id: UUID


class Activity(Shape):
    """A line of the task log; a birth's changes have no `from`."""

    event_id: UUID
    sequence: int
    version: int
    type: str
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
    """An event record: the line of the log, what was hashed, and its hashes in hex."""

    schema_version: int
    data: dict[str, Any] | None
    context: dict[str, Any] | None
    salt: str | None
    payload_hash: str
    leaf_hash: str


class Refusal(Shape):
    """Why a command was refused."""

    code: str
    detail: str
    meta: dict[str, Any]


class Receipt(Shape):
    """What became of a command; what is null did not come about."""

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


class ByStatus(Shape):
    """Tasks in each state."""

    pending: int
    in_progress: int
    blocked: int
    completed: int
    cancelled: int


class ByPriority(Shape):
    """Tasks of each priority."""

    low: int
    medium: int
    high: int
    urgent: int


class TaskStats(Shape):
    """Counts of the tasks that are not deleted."""

    total: int
    open: int
    overdue: int
    by_status: ByStatus
    by_priority: ByPriority


class Changed(Shape):
    """A resource that changed, as it is now."""

    type: StreamType
    id: UUID
    sequence: int
    data: Row


class ErrorCode(Shape):
    """A code that an error may have."""

    code: str
    status: int
    title: str


class StateMachine(Shape):
    """By command and present state: the state after it, null where it is refused."""

    states: list[str]
    transitions: dict[str, dict[str, str | None]]


class StateMachines(Shape):
    """By stream type."""

    task: StateMachine


class Meta(Shape):
    """What every answer says of itself."""

    request_id: str


class EventRef(Shape):
    """An event that a command appended."""

    id: UUID
    type: str
    version: int
    sequence: int


class Decided(Shape):
    """What a command's answer says of it; `replayed`: it had been answered before."""

    command_id: UUID
    sequence: int
    version: int | None
    events: list[EventRef]
    replayed: bool


class CommandMeta(Meta, Decided):
    """What the answer to a command says of it."""


class QueryMeta(Meta):
    """The sequence shown; `stale` if a lenient client asked for a later one."""

    sequence: int
    stale: Literal[True] = True


class PageMeta(QueryMeta):
    """Which page it is, and of how many rows."""

    page: int | None
    per_page: int
    total: int
    next_cursor: str | None


class ChangesMeta(QueryMeta):
    """Where to go on, and whether there is something already."""

    next_since: int
    more: bool


class BatchMeta(Meta):
    """The last sequence, unless nothing was kept."""

    dry_run: bool
    sequence: int = 0


class Empty(Shape):
    """Nothing to say."""


class BatchResult(Shape):
    """What one command of a batch came to, as if it had come alone."""

    id: str
    status: int
    data: Row | None
    meta: Decided | Empty
    errors: list[Error]


class BatchResults(Shape):
    """In the order of the commands."""

    results: list[BatchResult]
