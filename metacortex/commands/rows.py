"""The rows of a batch: log rows with their hashes, and receipts."""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from metacortex.commands.message import CommandRequest, Context, EventRef
from metacortex.commands.receipts import Outcome, Receipt
from metacortex.commands.registry import NAMES
from metacortex.commands.repository import Stored
from metacortex.commands.session import WorkspaceSession
from metacortex.events import codec, merkle
from metacortex.events.record import SALT_BYTES, canonical, leaf, payload_hash
from metacortex.kernel.errors import MetaCortexError
from metacortex.kernel.ids import event_id

SALTS = 64  # drawn at once: a call of os.urandom costs more than its bytes


class Rows:
    """Makes the log rows of a batch; only the salts are not determined."""

    def __init__(self) -> None:
        self._salts = _salts()
        self._context: Context | None = None
        self._context_data = b""
        self._event: Any = None
        self._event_data = b""

    def event(
        self,
        request: CommandRequest,
        type: str,
        stored: Stored,
        event: Any,
        ordinal: int,
        session: WorkspaceSession,
    ) -> tuple[dict[str, Any], bytes]:
        """Return the log row of an event, with the next sequence, and its leaf hash."""
        context, command = request.context, request.command.__class__
        name = codec.NAMES[event.__class__]
        if context is not self._context:
            self._context, self._context_data = context, _small(_context_bytes(context))
        if event is not self._event:  # a tree is deleted by one event for all of it
            self._event, self._event_data = event, _small(codec.encode(event))
        data, context_data = self._event_data, self._context_data
        salt = next(self._salts)
        payload = payload_hash(salt, data, context_data)
        row: dict[str, Any] = {
            "workspace_id": context.workspace_id,
            "sequence": session.head.sequence + 1,
            "event_id": event_id(context.command_id, ordinal),
            "stream_type": type,
            "stream_id": stored.id,
            "version": stored.version,
            "type": name,
            "schema_version": codec.VERSIONS[name],
            "recorded_at": session.recorded_at_text,
            "actor_type": context.actor_type,
            "actor_id": context.actor_id,
            "command_id": context.command_id,
            "command_type": NAMES[command],
            "correlation_id": context.correlation_id,
            "causation_id": context.causation_id,
            "data": orjson.Fragment(data),
            "context": orjson.Fragment(context_data),
            "salt": salt,
            "payload_hash": payload,
        }
        leaf_hash = merkle.leaf_hash(leaf(row, payload, session.recorded_at_text))
        row["leaf_hash"] = leaf_hash
        return row, leaf_hash


def _salts() -> Iterator[bytes]:
    while True:
        drawn = os.urandom(SALTS * SALT_BYTES)
        for at in range(0, len(drawn), SALT_BYTES):
            yield drawn[at : at + SALT_BYTES]


def receipt(
    request: CommandRequest,
    outcome: Outcome,
    at: datetime,
    *,
    own: tuple[str, UUID] | None = None,
    stored: Stored | None = None,
    refs: Sequence[EventRef] = (),
    error: MetaCortexError | None = None,
) -> Receipt:
    """Return the receipt of a command about its `own` stream, or of its refusal."""
    context = request.context
    return Receipt(
        workspace_id=context.workspace_id,
        command_id=context.command_id,
        type=NAMES[request.command.__class__],
        fingerprint=request.fingerprint,
        actor_type=context.actor_type,
        actor_id=context.actor_id,
        outcome=outcome,
        error=None if error is None else _error(error),
        stream_type=own[0] if own else None,
        stream_id=own[1] if own else None,
        version=stored.version if stored else None,
        first_sequence=refs[0].sequence if refs else None,
        last_sequence=refs[-1].sequence if refs else None,
        recorded_at=at,
        correlation_id=context.correlation_id,
        request_id=context.request_id,
    )


def _small(data: bytes) -> bytes:
    """Return a copy: orjson leaves its buffer of 4 kB to what it returns."""
    return bytes(memoryview(data))


def _context_bytes(context: Context) -> bytes:
    return canonical(
        {
            "client": context.client,
            "ip": context.ip,
            "request_id": context.request_id,
            "session_id": context.session_id,
            "user_agent": context.user_agent,
        }
    )


def _error(error: MetaCortexError) -> dict[str, Any]:
    return {"code": error.code, "detail": error.detail, "meta": error.meta}
