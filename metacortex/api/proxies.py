"""Which address a request comes from: the peer's, or what a trusted proxy says of it.

Anybody may send `X-Forwarded-For`. It counts only where the peer is a proxy of ours,
and then from the right: each proxy appends whom it saw, so the first address from there
that is no proxy of ours is the client, and everything left of it is hearsay.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

LONGEST = 64  # characters; an IPv6 address with brackets and port takes 47
KEPT = 4_096  # addresses worked out; a frontend's connections come back
HOPS = 20  # proxies in a row; nobody has so many


class Proxies:
    """The proxies that are trusted, as networks."""

    def __init__(self, networks: Sequence[str]) -> None:
        """Take CIDRs, or single addresses. Raises ValueError."""
        self._networks = tuple(ip_network(it) for it in networks)
        self.client = lru_cache(KEPT)(self._client)
        """Return the client's address, None if there is none (a Unix socket)."""

    def trusts(self, address: Address | None) -> bool:
        """Tell whether an address is that of a trusted proxy."""
        return address is not None and any(
            address in network for network in self._networks
        )

    def is_near(self, host: str | None) -> bool:
        """Tell whether a peer is this machine, or a trusted proxy."""
        address = parsed(host)
        return address is None or address.is_loopback or self.trusts(address)

    def _client(self, peer: str | None, forwarded: str | None) -> str | None:
        found = parsed(peer)
        if forwarded is not None and self.trusts(found):
            for part in reversed(forwarded.rsplit(",", HOPS)[-HOPS:]):
                address = parsed(part)
                if address is None:
                    break
                found = address
                if not self.trusts(address):
                    break
        return None if found is None else str(found)


def parsed(text: str | None) -> Address | None:
    """Return an address, with or without a port; None for anything else.

    IPv4 in IPv6 is IPv4. A zone, which may be any text, is left out.
    """
    if text is None or len(text) > LONGEST:
        return None
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def network_of(address: str | None) -> str:
    """Return what one subscriber has: an IPv4 address, an IPv6 network of 64 bits."""
    found = parsed(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((int(found) >> 64 << 64, 64)))
    return str(found)
