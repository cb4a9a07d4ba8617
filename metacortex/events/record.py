"""The event record: an event with its envelope, and its leaf in the Merkle tree.

Formats: docs/audit.md, section "Leaf". Verification builds the leaf from the columns
again, so that it detects a change of any column.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson

from metacortex.events import merkle
from metacortex.kernel.clock import rfc3339

E = TypeVar("E")

PAYLOAD_PREFIX = b"metacortex/payload/v1\n"
SALT_BYTES = 32  # as long as the hash: the content cannot be guessed by trial


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """One row of the log; `data` and `context` are canonical JSON (RFC 8785)."""

    workspace_id: UUID
    sequence: int
    event_id: UUID
    stream_type: str
    stream_id: UUID
    version: int
    type: str
    schema_version: int
    recorded_at: datetime
    actor_type: str
    actor_id: str
    command_id: UUID
    command_type: str
    correlation_id: str
    causation_id: str | None
    data: bytes
    context: bytes
    salt: bytes
    payload_hash: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Recorded(Generic[E]):
    """A decoded event with its record, as projections take it."""

    record: EventRecord
    event: E


def canonical(value: Any) -> bytes:
    """Serialise as RFC 8785 requires; for ASCII keys and values without floats."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def payload_hash(salt: bytes, data: bytes, context: bytes) -> bytes:
    """Return the salted hash that commits to an event's content."""
    return hashlib.sha256(PAYLOAD_PREFIX + salt + data + b"\n" + context).digest()


def leaf(fields: Mapping[str, Any], payload: bytes, recorded_at: str) -> bytes:
    """Return the canonical leaf of a record given as a mapping of its columns."""
    return canonical(
        {
            "actor": {"id": fields["actor_id"], "type": fields["actor_type"]},
            "causation_id": fields["causation_id"],
            "command": {"id": fields["command_id"], "type": fields["command_type"]},
            "correlation_id": fields["correlation_id"],
            "event_id": fields["event_id"],
            "payload_hash": payload.hex(),
            "recorded_at": recorded_at,
            "schema_version": fields["schema_version"],
            "stream": {
                "id": fields["stream_id"],
                "type": fields["stream_type"],
                "version": fields["version"],
            },
            "type": fields["type"],
            "v": 1,
            "workspace_id": fields["workspace_id"],
        }
    )


_NAMES: tuple[str, ...] = EventRecord.__slots__
_values = attrgetter(*_NAMES)


def leaf_of(record: EventRecord) -> bytes:
    """Return the canonical leaf of a stored record."""
    fields = dict(zip(_NAMES, _values(record), strict=True))
    return leaf(fields, record.payload_hash, rfc3339(record.recorded_at))


PAYLOAD_ALTERED = "the payload hash does not match salt, data and context"
LEAF_ALTERED = "the leaf hash does not match the columns"


def mismatch(record: EventRecord) -> str | None:
    """Say which stored hash differs from what the columns amount to, None if none."""
    payload = payload_hash(record.salt, record.data, record.context)
    if payload != record.payload_hash:
        return PAYLOAD_ALTERED
    if merkle.leaf_hash(leaf_of(record)) != record.leaf_hash:
        return LEAF_ALTERED
    return None
