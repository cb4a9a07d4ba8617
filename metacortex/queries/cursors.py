"""Cursors: the keys of the last row shown, and the condition of standing behind it."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import orjson

from metacortex.kernel.errors import Malformed

Key = tuple[str, str, bool]
"""Of a sort key: expression, type, and whether it descends."""


def encoded(mark: str, last: str) -> str:
    """Return the cursor behind a row, of whose keys `last` is the JSON array."""
    raw = orjson.dumps([mark, *orjson.loads(last)])
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(cursor: str | None, mark: str, keys: Sequence[Key]) -> Sequence[str] | None:
    """Return the keys of a cursor. Raises Malformed if it is not of this query."""
    if cursor is None:
        return None
    source = {"parameter": "cursor"}
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = orjson.loads(base64.b64decode(padded, b"-_", validate=True))
    except ValueError as error:
        raise Malformed("bad_cursor", source=source) from error
    if not isinstance(found, list) or not all(isinstance(it, str) for it in found):
        raise Malformed("bad_cursor", source=source)
    if found[:1] != [mark]:
        raise Malformed("cursor_mismatch", source=source)
    if len(found) != len(keys) + 1 or not all(map(_fits, found[1:], keys)):
        raise Malformed("bad_cursor", source=source)
    return found[1:]


# Python reads more than this: eight digits without a colon, for one
_TIME = r"[0-9]{4}(-[0-9]{2}){2} [0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,6})?"
_FORMS: Mapping[str, tuple[re.Pattern[str], Callable[[str], object]]] = {
    "bigint": (re.compile(r"-?[0-9]{1,18}"), int),
    "float8": (re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?(e-?[0-9]{1,2})?"), float),
    "timestamp": (re.compile(_TIME), datetime.fromisoformat),
    "smallint": (re.compile(r"-?[0-9]{1,4}"), int),
    "text": (re.compile(r"[^\x00]*"), str),
    "timestamptz": (
        re.compile(_TIME + r"[+-](0[0-9]|1[0-5])(:[0-5][0-9])?"),
        datetime.fromisoformat,
    ),
    "uuid": (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), UUID),
}
"""By type, how Postgres writes its values, and what else must accept them."""

_EXTREMES = ("infinity", "-infinity")


def _fits(value: str, key: Key) -> bool:
    """Tell whether a cursor's value is one that Postgres takes for the key."""
    form, parse = _FORMS[key[1]]
    if key[1] == "timestamp" and value in _EXTREMES:
        return True
    try:
        return form.fullmatch(value) is not None and parse(value) is not None
    except ValueError:
        return False


def beyond(keys: Sequence[Key]) -> str:
    """Return the condition of standing after `:k0, :k1, …`, which starts in an index.

    Rows are compared where all keys have one direction; in a mixed order the first key
    says where to start, and the others are compared one by one. Of rows Postgres
    estimates how many are beyond by the first key alone: none where all that follow
    have the same, and so it would read them all. A sub-select hides the value from it.
    """
    directions = {down for _, _, down in keys}
    if len(directions) == 1:
        left = ", ".join(sql for sql, _, _ in keys)
        first, *others = (_value_of(n, type) for n, (_, type, _) in enumerate(keys))
        right = ", ".join((f"(SELECT {first})", *others))
        return f"({left}) {'<' if True in directions else '>'} ({right})"
    sql, type, down = keys[0]
    start = f"{sql} {'<=' if down else '>='} {_value_of(0, type)}"
    return f"{start} AND ({_one_by_one(keys)})"


def _value_of(index: int, type: str) -> str:
    """Return a value of the cursor as the type of its key."""
    return f"CAST(CAST(:k{index} AS text) AS {type})"


def _one_by_one(keys: Sequence[Key], index: int = 0) -> str:
    """Return the condition of standing after `:k0, :k1, …` in a mixed order."""
    sql, type, down = keys[index]
    bound = _value_of(index, type)
    step = f"{sql} {'<' if down else '>'} {bound}"
    if index + 1 == len(keys):
        return step
    return f"{step} OR ({sql} = {bound} AND ({_one_by_one(keys, index + 1)}))"
