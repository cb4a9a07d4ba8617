"""Ranks: there is always another one between two, and it stays short."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metacortex.kernel.ids import new_id
from metacortex.kernel.rank import DIGITS, between, end_of, of_creation

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
CREATED = st.builds(
    lambda minutes, id: of_creation(NOW + timedelta(minutes=minutes), UUID(int=id)),
    st.integers(-5, 5),
    st.integers(0, 2**128 - 1),
)
FRACTIONS = st.text(DIGITS, min_size=1, max_size=12).filter(lambda it: it[-1] != "0")
RANKS = CREATED | FRACTIONS


def test_digits_are_in_the_order_of_their_bytes() -> None:
    assert list(DIGITS) == sorted(DIGITS) and len(set(DIGITS)) == 62


@given(RANKS, RANKS)
def test_a_rank_stands_between_two_and_leaves_room(one: str, other: str) -> None:
    low, high = sorted((one, other))
    if low == high:
        with pytest.raises(ValueError):
            between(low, high)
        return
    found = between(low, high)
    assert low < found < high
    assert not found.endswith("0")
    assert len(found) <= max(len(low), len(high)) + 1


@given(RANKS)
def test_a_rank_stands_before_the_first_and_after_the_last(one: str) -> None:
    assert between(None, one) < one < between(one, None)
    assert not between(None, one).endswith("0")


def test_a_first_rank_needs_no_other() -> None:
    assert between(None, None) == "V"


@given(st.lists(st.tuples(st.integers(0, 1_000), st.booleans()), max_size=200))
def test_any_insertions_keep_the_order(places: list[tuple[int, bool]]) -> None:
    ranks = [of_creation(NOW, new_id())]
    for number, _ in places:
        at = number % (len(ranks) + 1)
        low = ranks[at - 1] if at else None
        ranks.insert(at, between(low, ranks[at] if at < len(ranks) else None))
    assert all(one < other for one, other in pairwise(ranks))


@pytest.mark.parametrize("side", ["before", "after"])
def test_ranks_at_one_place_grow_by_a_digit_with_every_sixth(side: str) -> None:
    low, high = of_creation(NOW, uuid4()), of_creation(NOW + timedelta(1), uuid4())
    for _ in range(1_200):
        found = between(low, high)
        low, high = (found, high) if side == "before" else (low, found)
    assert len(found) <= 48 + 1_200 / 5.9  # log2(62) is 5.95; of creation: 48


def test_ranks_before_the_first_do_not_grow() -> None:
    first = of_creation(NOW, uuid4())
    for _ in range(10_000):
        first, before = between(None, first), first
        assert first < before
    assert len(first) <= 8


def test_what_is_little_left_before_the_first_is_halved() -> None:
    first = "00000003"
    for _ in range(500):
        first, before = between(None, first), first
        assert first < before and not first.endswith("0")


@given(st.lists(st.tuples(st.integers(0, 3), st.uuids()), unique=True, max_size=20))
def test_ranks_of_creation_are_in_its_order_then_in_that_of_ids(
    born: list[tuple[int, UUID]],
) -> None:
    at = [(NOW + timedelta(microseconds=us), id) for us, id in born]
    assert sorted(at) == sorted(at, key=lambda it: of_creation(*it))


def test_the_end_comes_after_whatever_is_created_by_then() -> None:
    last = of_creation(NOW, UUID(int=2**128 - 1))
    assert last < end_of(NOW) < of_creation(NOW + timedelta(seconds=1), UUID(int=0))
