"""Whose address a request has: the peer's, unless a proxy of ours says otherwise."""

import pytest

from metacortex.api.proxies import Proxies, network_of, parsed

PROXIES = Proxies(("10.0.0.0/8", "fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # anybody may say so
        ("127.0.0.1", "198.51.100.7", "127.0.0.1"),  # this machine's, too
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7, 10.2.0.1", "198.51.100.7"),
        ("10.0.0.1", "10.3.0.1, 10.2.0.1", "10.3.0.1"),
        ("10.0.0.1", "198.51.100.7, <script>", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "9" * 262_144, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("::ffff:10.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("fe80::1%any text", None, "fe80::1"),
        ("a socket", None, None),
        (None, "198.51.100.7", None),
    ],
)
def test_the_address_of_a_request(
    peer: str | None, forwarded: str | None, client: str | None
) -> None:
    assert PROXIES.client(peer, forwarded) == client


def test_a_subscriber_has_a_whole_network() -> None:
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::")
    assert network_of("2001:db8:1:2::") != network_of("2001:db8:1:3::")
    assert network_of("192.0.2.1") == "192.0.2.1"


def test_near_is_this_machine_and_its_proxies() -> None:
    assert [PROXIES.is_near(it) for it in ("127.0.0.1", "::1", "10.0.0.1", None)]
    assert not PROXIES.is_near("192.0.2.1")
    assert parsed("not one") is None
