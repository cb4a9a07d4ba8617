"""The Merkle tree of a workspace's log, stored as the frontier of its right edge.

RFC 6962 section 2.1 and RFC 9162: `leaf = SHA-256(0x00 || bytes)`, `node = SHA-256(0x01
|| left || right)`, the root of nothing is `SHA-256("")`. The frontier holds the roots
of the perfect subtrees of the current size, largest first, 32 bytes each.
"""

import hashlib
from collections.abc import Iterable

HASH_BYTES = 32

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


def root(frontier: list[bytes]) -> bytes:
    """Return the root of the whole tree: the frontier folded from the right."""
    if not frontier:
        return EMPTY_ROOT
    node = frontier[-1]
    for left in reversed(frontier[:-1]):
        node = node_hash(left, node)
    return node
