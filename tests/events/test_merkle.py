"""The Merkle tree, against published vectors and against its plain definition."""

from hypothesis import given
from hypothesis import strategies as st

from metacortex.events import merkle
from tests.shared import vectors

VECTORS = vectors("merkle-constants/merkle_constants.json")
INPUTS = [bytes.fromhex(leaf) for leaf in VECTORS["leaf_inputs_hex"]]
LEAVES = [bytes.fromhex(leaf) for leaf in VECTORS["leaf_hashes"]]
ROOTS = [bytes.fromhex(root) for root in VECTORS["root_by_size"]]

leaf_lists = st.lists(st.binary(max_size=8).map(merkle.leaf_hash), max_size=70)


def naive_root(leaves: list[bytes]) -> bytes:
    """Return MTH as RFC 6962 section 2.1 defines it, from all leaf hashes."""
    if not leaves:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return merkle.node_hash(naive_root(leaves[:left]), naive_root(leaves[left:]))


def test_leaf_hashes_are_those_of_the_vectors() -> None:
    assert [merkle.leaf_hash(leaf) for leaf in INPUTS] == LEAVES


def test_roots_are_those_of_the_vectors_at_every_size() -> None:
    frontier: list[bytes] = []
    roots = [merkle.root(frontier)]
    for size, leaf in enumerate(LEAVES):
        frontier = merkle.advance(size, frontier, [leaf])
        roots.append(merkle.root(frontier))
    assert roots == ROOTS


def test_the_vectors_are_worth_something() -> None:
    assert len(INPUTS) == len(LEAVES) == 8
    assert len(ROOTS) == 9


@given(leaf_lists)
def test_the_frontier_has_the_root_of_the_whole_tree(leaves: list[bytes]) -> None:
    assert merkle.root(merkle.advance(0, [], leaves)) == naive_root(leaves)


@given(leaf_lists, leaf_lists)
def test_appending_in_two_turns_is_appending_at_once(
    first: list[bytes], second: list[bytes]
) -> None:
    frontier = merkle.advance(0, [], first)
    in_turns = merkle.advance(len(first), frontier, second)
    assert in_turns == merkle.advance(0, [], first + second)


@given(leaf_lists)
def test_the_frontier_has_one_root_for_each_bit_of_the_size(
    leaves: list[bytes],
) -> None:
    assert len(merkle.advance(0, [], leaves)) == len(leaves).bit_count()


@given(leaf_lists)
def test_a_stored_frontier_comes_back(leaves: list[bytes]) -> None:
    frontier = merkle.advance(0, [], leaves)
    assert merkle.split(b"".join(frontier)) == frontier


@given(leaf_lists.filter(bool), st.data())
def test_no_leaf_can_be_another(leaves: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leaves) - 1))
    forged = [*leaves[:at], merkle.leaf_hash(b"forged leaf"), *leaves[at + 1 :]]
    assert merkle.root(merkle.advance(0, [], forged)) != merkle.root(
        merkle.advance(0, [], leaves)
    )


def test_advancing_leaves_the_given_frontier_alone() -> None:
    frontier = [LEAVES[0]]
    merkle.advance(1, frontier, LEAVES[1:])
    assert frontier == [LEAVES[0]]


@given(st.lists(st.binary(max_size=8).map(merkle.leaf_hash), min_size=1), st.data())
def test_a_changed_leaf_is_within_the_subtree_that_is_named(
    leaves: list[bytes], data: st.DataObject
) -> None:
    size = len(leaves)
    stored = b"".join(merkle.advance(0, [], leaves))
    changed = data.draw(st.integers(0, size - 1))
    leaves[changed] = merkle.leaf_hash(leaves[changed])
    found = merkle.difference(size, merkle.advance(0, [], leaves), stored)
    assert found is not None
    first, what = found
    last = int(what.removesuffix(" is not the head's").rpartition(" ")[2])
    assert first <= changed + 1 <= last
    assert (last - first + 1) & (last - first) == 0, "a perfect subtree"


@given(leaf_lists)
def test_a_frontier_is_compared_with_nothing_left_over(leaves: list[bytes]) -> None:
    edge = merkle.advance(0, [], leaves)
    stored, size = b"".join(edge), len(leaves)
    assert merkle.difference(size, edge, stored) is None
    assert merkle.difference(size, edge, stored + b"more") is not None
    if stored:
        assert merkle.difference(size, edge, stored[:-1]) is not None
        assert merkle.difference(size, edge, b"") is not None
