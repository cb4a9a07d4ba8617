"""The messages of the lane: units of command requests go in, results come out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from metacortex.commands.receipts import Receipt
from metacortex.commands.repository import Stored
from metacortex.kernel.errors import MetaCortexError


@dataclass(slots=True, kw_only=True)
class Context:
    """Who sends a command, and what it belongs to; stored with every event."""

    workspace_id: UUID
    actor_id: str
    command_id: UUID
    correlation_id: str
    actor_type: str = "user"
    causation_id: str | None = None
    request_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    session_id: str | None = None
    client: str | None = None


@dataclass(slots=True, kw_only=True)
class CommandRequest:
    """A command with its context. Repeats of a request have equal fingerprints."""

    command: Any
    context: Context
    fingerprint: bytes
    expected_version: int | None = None


@dataclass(slots=True, kw_only=True)
class Unit:
    """Commands of one workspace that are executed together, in order.

    Atomic: a refusal rolls back the whole unit. Dry: everything is decided and
    nothing is saved.
    """

    requests: Sequence[CommandRequest]
    atomic: bool = True
    dry: bool = False

    @property
    def workspace_id(self) -> UUID:
        """The workspace that all requests of the unit belong to."""
        return self.requests[0].context.workspace_id


@dataclass(slots=True, kw_only=True)
class EventRef:
    """A reference to an event that a command appended."""

    id: str
    type: str
    version: int
    sequence: int
    stream_type: str
    stream_id: UUID


@dataclass(slots=True, kw_only=True)
class Answer:
    """The outcome of a command: its receipt, the resource after it, the sequence."""

    receipt: Receipt
    stored: Stored | None
    sequence: int
    events: Sequence[EventRef] = field(default=())
    replayed: bool = False


Result = Answer | MetaCortexError
"""One per request, up to the one that an atomic unit fails at."""
