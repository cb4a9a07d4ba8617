"""The Merkle tree of a workspace's log, stored as the frontier of its right edge.

RFC 6962 section 2.1 and RFC 9162: `leaf = SHA-256(0x00 || bytes)`, `node = SHA-256(0x01
|| left || right)`, the root of nothing is `SHA-256("")`. The frontier holds the roots
of the perfect subtrees of the current size, largest first, 32 bytes each.
"""

import hashlib
from collections.abc import Iterable

HASH_BYTES = 32

Difference = tuple[int, str]
"""The sequence of the first event concerned, and what is wrong."""

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(frontier: bytes) -> list[bytes]:
    """Return the subtree roots of a stored frontier, largest first."""
    return [
        frontier[at : at + HASH_BYTES] for at in range(0, len(frontier), HASH_BYTES)
    ]


def advance(size: int, frontier: list[bytes], leaves: Iterable[bytes]) -> list[bytes]:
    """Return the frontier after appending leaf hashes to a tree of `size` leaves.

    Costs one node hash per leaf on average: a new leaf merges with as many perfect
    subtrees as the size has trailing one bits.
    """
    edge = list(frontier)
    for leaf in leaves:
        node, bits = leaf, size
        while bits & 1:
            node = node_hash(edge.pop(), node)
            bits >>= 1
        edge.append(node)
        size += 1
    return edge


def difference(size: int, edge: list[bytes], frontier: bytes) -> Difference | None:
    """Compare the frontier of `size` leaves with one that is stored, None if equal."""
    stored, first = split(frontier), 1
    for number, width in enumerate(_widths(size)):
        last = first + width - 1
        if stored[number : number + 1] != [edge[number]]:
            return first, f"the tree of events {first} to {last} is not the head's"
        first = last + 1
    if frontier == b"".join(edge):
        return None
    return size, f"the head's frontier is not one of {size} events"


def _widths(size: int) -> list[int]:
    """Return how many leaves each perfect subtree has, largest first."""
    bits = reversed(range(size.bit_length()))
    return [1 << bit for bit in bits if size >> bit & 1]


def root(frontier: list[bytes]) -> bytes:
    """Return the root of the whole tree: the frontier folded from the right."""
    if not frontier:
        return EMPTY_ROOT
    node = frontier[-1]
    for left in reversed(frontier[:-1]):
        node = node_hash(left, node)
    return node
