"""Ranks: texts that order siblings, so that a move writes the one row that moved.

A rank is a fraction in base 62, its digits after the point; compared byte by byte, as
PostgreSQL does in collation "C", ranks are in the order of their values ("fractional
indexing"). None ends in the digit 0, so that between any two there is another one.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from metacortex.kernel.decider import Facts, Found

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
VALUES = {digit: value for value, digit in enumerate(DIGITS)}
BASE = len(DIGITS)

STEP = 8
"""Digits of which the last one counts down before the first sibling.

A rank of creation begins with some 5 * 10**9 in them: so many fit in front.
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
INSTANT = 15  # hexadecimal digits of the microseconds since 1970, up to the year 9999


def between(low: str | None, high: str | None) -> str:
    """Return a short rank after `low` and before `high`; None for no bound.

    Halves what is between two, so that it grows by a digit with every sixth rank put at
    one place. `low` must be less than `high`.
    """
    if low is None and high is not None:
        return _before(high)
    return _middle(low or "", high)


def _before(high: str) -> str:
    """Return a rank before the first: one step down, or half of what is left."""
    number = 0
    for digit in high[:STEP].ljust(STEP, "0"):
        number = number * BASE + VALUES[digit]
    if number <= 1:
        return _middle("", high)
    number -= 1
    digits = ""
    for _ in range(STEP):
        number, value = divmod(number, BASE)
        digits = DIGITS[value] + digits
    return digits.rstrip("0")


def _middle(low: str, high: str | None) -> str:
    found = ""
    for at in range(max(len(low), len(high or "")) + 1):
        lowest = VALUES[low[at]] if at < len(low) else 0
        highest = BASE if high is None else VALUES[high[at : at + 1] or "0"]
        if highest - lowest > 1:
            return found + DIGITS[(lowest + highest) // 2]
        if highest > lowest:
            high = None  # whatever follows the lower digit is below
        found += DIGITS[lowest]
    raise ValueError("there is no rank between two that are equal, or in reverse order")


def of_creation(created_at: datetime, id: UUID) -> str:
    """Return the rank of what was never moved: by creation, then by id.

    Hexadecimal digits are digits of base 62 in the same order; the last digit is there
    since no rank may end in 0.
    """
    return f"{_instant(created_at)}{id.hex}1"


def end_of(now: datetime) -> str:
    """Return what comes after every rank of creation up to an instant."""
    return _instant(now + _MICROSECOND)


def rank_of(found: Found) -> str:
    """Return the rank by which a stream sorts: its own, or that of its creation."""
    own: str | None = found.state.rank
    return own or of_creation(found.created_at, found.id)


def rank_beside(
    found: Sequence[Found], beside: UUID, id: UUID, facts: Facts, before: bool
) -> str | None:
    """Return a rank right before or after `beside`; None if `id` stands there already.

    `found` has `beside` and its nearest neighbours, in order.
    """
    at = [it.id for it in found].index(beside)
    own = rank_of(found[at])
    next_to = found[max(at - 1, 0) : at] if before else found[at + 1 : at + 2]
    if next_to and next_to[0].id == id:
        return None
    other = rank_of(next_to[0]) if next_to else None
    if before:
        return between(_floor(own, other), own)
    end = end_of(facts.now)  # so that what is created later comes after it
    return between(own, other or (end if own < end else None))


def _floor(high: str, low: str | None) -> str | None:
    """Return the nearest lower bound that is known for a rank right before `high`.

    Who was created, or moved to the end, in the same batch stands after whatever was
    there before, though nobody looked up what that is.
    """
    instant = high[:INSTANT]
    if len(high) > INSTANT and (low is None or low < instant):
        return instant
    return low


def _instant(at: datetime) -> str:
    return f"{(at - _EPOCH) // _MICROSECOND:0{INSTANT}x}"


def effective_sql(own: str, row: str = "") -> str:
    """Return the SQL of the rank by which a row sorts: `own`, or that of its creation.

    `row` is the prefix of its columns. To be compared in collation "C"; immutable, as
    indexes and generated columns want it.
    """
    since = f"{row}created_at - '1970-01-01 00:00:00+00'::timestamptz"
    instant = f"(extract(epoch from {since}) * 1000000)::bigint"
    return (
        f"coalesce({own}, (lpad(to_hex({instant}), {INSTANT}, '0')"
        f" || replace({row}id::text, '-', '')) || '1')"
    )
