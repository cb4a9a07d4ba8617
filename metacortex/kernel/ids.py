"""Identifiers: UUID version 7 for new ones, version 5 for derived ones (RFC 9562)."""

from datetime import datetime
from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid5, uuid7

NAMESPACE = UUID("6d657461-636f-5274-8578-2f6576656e74")
"""Of version 5; changing it would change every derived id."""


def new_id() -> UUID:
    """Return a fresh UUID version 7 (RFC 9562), ordered within this process."""
    return uuid7()


def first_id(at: datetime) -> UUID:
    """Return the lowest UUID version 7 of a millisecond: what is made then is above."""
    return UUID(int=int(at.timestamp() * 1_000) << 80 | 7 << 76 | 2 << 62)


def derived(parent: UUID, name: object) -> UUID:
    """Return the one UUID version 5 of `name` below `parent`."""
    return uuid5(parent, str(name))


def event_id(command_id: UUID, ordinal: int) -> str:
    """Return the id of the event number `ordinal` (from 0) of a command, as text."""
    return str(uuid_utils.uuid5(uuid_utils.UUID(bytes=command_id.bytes), str(ordinal)))
