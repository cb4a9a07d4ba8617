"""What a body of JSON may be like, whatever it says: RFC 8259, made stricter.

No name twice in an object (RFC 7493, section 2.3), no deep nesting, no more members
than any object of ours has fields. The parser itself takes the last of two names.
"""

import json
from typing import Any

from metacortex.kernel.errors import Invalid, Malformed

DEPTH_LIMIT = 64
"""Of arrays and objects; ours stand six deep. Parsers of other languages stop there."""
MEMBERS_LIMIT = 200
"""Of one object: ours have some 20 fields, and each unknown one is an error to tell."""


def check(body: bytes, found: Any) -> None:
    """Check a body that was parsed. Raises Malformed, Invalid.

    Each string has two quotes, so that a body with more quotes than strings has lost
    some, with the first of two equal names: or a string holds a quote. Only such a body
    is parsed once more. Costs 2 µs for a usual body, in place of 6.
    """
    try:
        strings = _strings(found, 1)
    except Invalid as error:
        where = {"pointer": _widest(found) or ""}
        raise Invalid(error.code, source=where, meta=error.meta) from None
    if body.count(b'"') != 2 * strings:
        json.loads(body, object_pairs_hook=_distinct)


def _strings(found: Any, depth: int) -> int:
    """Return the number of strings in what was parsed, names of members too."""
    if depth > DEPTH_LIMIT and found.__class__ in (dict, list):
        raise Malformed("too_deep", meta={"limit": DEPTH_LIMIT})
    count, values = 0, found
    if found.__class__ is dict:
        if (count := len(found)) > MEMBERS_LIMIT:
            raise Invalid("too_many_fields", meta={"limit": MEMBERS_LIMIT})
        values = found.values()
    elif found.__class__ is not list:
        return 1 if found.__class__ is str else 0
    for value in values:
        kind = value.__class__
        if kind is str:
            count += 1
        elif kind is dict or kind is list:
            count += _strings(value, depth + 1)
    return count


def _widest(found: Any, path: str = "") -> str | None:
    """Return where the first object stands that has too many members."""
    if isinstance(found, dict) and len(found) > MEMBERS_LIMIT:
        return path
    steps = found.items() if isinstance(found, dict) else enumerate(found)
    inner = (
        _widest(value, f"{path}/{escaped(step)}")
        for step, value in steps
        if isinstance(value, dict | list)
    )
    return next((there for there in inner if there is not None), None)


def escaped(step: Any) -> str:
    """Return a step of a JSON pointer (RFC 6901)."""
    return str(step).replace("~", "~0").replace("/", "~1")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Malformed("duplicate_key")
    return found
