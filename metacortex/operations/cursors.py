"""Cursors of the operators' lists: the last row's key, and what the list was of."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from metacortex.kernel.errors import Malformed

Key = tuple[Any, ...]


def encode(filters: Mapping[str, Any], key: Sequence[Any]) -> str:
    """Return the cursor after a row, by its key, of the list that these filter."""
    raw = orjson.dumps([_mark(filters), *map(str, key)])
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(
    cursor: str | None, filters: Mapping[str, Any], types: Sequence[type]
) -> Key | None:
    """Return the key in a cursor, None without one. Raises Malformed."""
    if cursor is None:
        return None
    source = {"parameter": "cursor"}
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        mark, *values = orjson.loads(base64.b64decode(padded, b"-_", validate=True))
        texts = [_text(value) for value in values]
        found = tuple(_READ[it](v) for it, v in zip(types, texts, strict=True))
    except (ValueError, TypeError) as error:
        raise Malformed("bad_cursor", source=source) from error
    if mark != _mark(filters):
        raise Malformed("cursor_mismatch", source=source)
    return found


def _instant(value: str) -> datetime:
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("an instant needs an offset")
    return found


def _whole(value: str) -> int:
    found = int(value)
    if not 0 <= found < 2**63:
        raise ValueError("not a bigint of Postgres")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError("not a text of Postgres")
    return value


_READ: Mapping[type, Any] = {datetime: _instant, int: _whole, str: str, UUID: UUID}


def _mark(filters: Mapping[str, Any]) -> str:
    """Return what lists share whose cursors may be exchanged."""
    parts = repr(sorted(filters.items())).encode()
    return hashlib.sha256(parts).hexdigest()[:16]
