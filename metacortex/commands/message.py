"""What goes into the lane and what comes out of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from metacortex.commands.receipts import Receipt
from metacortex.commands.repository import Stored
from metacortex.kernel.errors import MetaCortexError


@dataclass(slots=True, kw_only=True)
class Context:
    """Who asks, and in the course of what; stored with every event."""

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
class Request:
    """One command with its context; `fingerprint` tells requests apart."""

    command: Any
    context: Context
    fingerprint: bytes
    expected_version: int | None = None


@dataclass(slots=True, kw_only=True)
class Unit:
    """Commands of one workspace that stay together, in order.

    Atomic: a refusal takes back the whole unit. Dry: everything is decided and
    nothing kept.
    """

    requests: Sequence[Request]
    atomic: bool = True
    dry: bool = False

    @property
    def workspace_id(self) -> UUID:
        """The workspace that all requests of the unit belong to."""
        return self.requests[0].context.workspace_id


@dataclass(slots=True, kw_only=True)
class EventRef:
    """An event that a command appended, as answers name it."""

    id: str
    type: str
    version: int
    sequence: int
    stream_type: str
    stream_id: UUID


@dataclass(slots=True, kw_only=True)
class Answer:
    """What a command came to: its receipt, the resource after it, the sequence."""

    receipt: Receipt
    stored: Stored | None
    sequence: int
    events: Sequence[EventRef] = field(default=())
    replayed: bool = False


Result = Answer | MetaCortexError
"""One per request; an error of an atomic unit stands at the request it concerns."""
