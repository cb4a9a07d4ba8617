"""The event record: an event with its envelope, and its leaf in the Merkle tree.

Formats: docs/audit.md, section "Leaf". Verification builds the leaf from the columns
again, so that it detects a change of any column.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import orjson

from metacortex.events import merkle
from metacortex.kernel.clock import rfc3339

E = TypeVar("E")

PAYLOAD_PREFIX = b"metacortex/payload/v1\n"
SALT_BYTES = 32  # as long as the hash: the content cannot be guessed by trial


class EventRecord(NamedTuple):
    """One row of the log; `data` and `context` are canonical JSON (RFC 8785).

    A tuple, since millions of them are made: a dataclass takes ten times as long.
    """

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


class Recorded(NamedTuple, Generic[E]):
    """A decoded event with its record, as projections take it."""

    record: EventRecord
    event: E


def canonical(value: Any) -> bytes:
    """Serialise as RFC 8785 requires; for ASCII keys and values without floats."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def payload_hash(salt: bytes, data: bytes, context: bytes) -> bytes:
    """Return the salted hash that commits to an event's content."""
    return hashlib.sha256(PAYLOAD_PREFIX + salt + data + b"\n" + context).digest()


_FIELDS = (
    "actor_id",
    "actor_type",
    "causation_id",
    "command_id",
    "command_type",
    "correlation_id",
    "event_id",
    "schema_version",
    "stream_id",
    "stream_type",
    "version",
    "type",
    "workspace_id",
)
_of_mapping = itemgetter(*_FIELDS)
_of_record = attrgetter(*_FIELDS)


def _leaf(values: Sequence[Any], payload: bytes, recorded_at: str) -> bytes:
    """Return canonical JSON of the values of `_FIELDS`.

    The keys stand in their order already: to sort them takes twice as long.
    """
    actor, actor_type, cause, command, command_type, correlation = values[:6]
    event, schema_version, stream, stream_type, version, type, workspace = values[6:]
    return orjson.dumps(
        {
            "actor": {"id": actor, "type": actor_type},
            "causation_id": cause,
            "command": {"id": command, "type": command_type},
            "correlation_id": correlation,
            "event_id": event,
            "payload_hash": payload.hex(),
            "recorded_at": recorded_at,
            "schema_version": schema_version,
            "stream": {"id": stream, "type": stream_type, "version": version},
            "type": type,
            "v": 1,
            "workspace_id": workspace,
        },
        default=str,  # the driver's subclass of UUID
    )


def leaf(fields: Mapping[str, Any], payload: bytes, recorded_at: str) -> bytes:
    """Return the canonical leaf of a record given as a mapping of its columns."""
    return _leaf(_of_mapping(fields), payload, recorded_at)


def leaf_of(record: EventRecord) -> bytes:
    """Return the canonical leaf of a stored record."""
    at = rfc3339(record.recorded_at)
    return _leaf(_of_record(record), record.payload_hash, at)


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
