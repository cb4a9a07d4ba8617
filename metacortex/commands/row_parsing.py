"""Parsing many rows of JSON so that other threads run meanwhile."""

from collections.abc import Iterable
from itertools import chain
from typing import TypeVar

import orjson
from pydantic import TypeAdapter

from metacortex.commands.budget import FOUND_LIMIT, found_too_much

T = TypeVar("T")

LONG = 500_000
"""Characters from which on rows are parsed in parts: about 1,000 rows."""
PART = 500
"""Rows of a part: parsing them takes 5 ms, in which no other thread runs."""


def validated_rows(adapter: TypeAdapter[list[T]], found: str) -> Iterable[T]:
    """Return the rows of a JSON array. Raises Refused for more than `FOUND_LIMIT`."""
    if len(found) < LONG:
        return adapter.validate_json(found)
    rows = orjson.loads(found)
    if len(rows) > FOUND_LIMIT:
        raise found_too_much(len(rows))
    starts = range(0, len(rows), PART)
    parts = (adapter.validate_python(rows[at : at + PART]) for at in starts)
    return chain.from_iterable(parts)
