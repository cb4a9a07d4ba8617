"""The token issuer's public keys: given beforehand, or fetched and kept fresh.

Only RSA keys that are strong and meant for signatures are taken (RFC 7517, RFC 7518).
No request ever waits for a fetch, and no token, however forged, causes one by itself.
"""

import asyncio
import base64
import contextlib
import random
import re
import time
from collections.abc import Mapping
from http.client import HTTPMessage
from ipaddress import ip_address
from typing import IO, Any, Protocol
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import orjson
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import load_der_public_key
from jwt import PyJWK, PyJWTError

from metacortex.kernel.errors import Unavailable

log = structlog.get_logger(__name__)

MAX_KEYS = 16
MAX_JWKS = 64 * 1024  # bytes; 16 keys of 4,096 bits are 13 kB
MIN_KEY_BITS = 2048  # RFC 7518, section 3.3
REFRESH_S = 300.0  # as often as Clerk's own libraries
COOLDOWN_S = 30.0  # between two fetches, whatever happens: forged tokens cost nothing
STALE_S = 86_400.0  # keys change rarely; an issuer down for a day is no reason to stop
CONNECT_S = 2.0  # for connecting and for each read
FETCH_S = 5.0  # for the whole answer
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

_PEM = re.compile(r"-+BEGIN PUBLIC KEY-+([A-Za-z0-9+/=\s]+)-+END PUBLIC KEY-+")


class KeySource(Protocol):
    """Where the issuer's public keys come from."""

    def find(self, kid: str) -> RSAPublicKey | None:
        """Return the key of this id; raises Unavailable when no keys are known."""


class StaticKeys:
    """Keys that are known beforehand: a JWKS, or one PEM, which serves every key id."""

    def __init__(self, source: Mapping[str, Any] | str) -> None:
        """Raise ValueError when nothing in the source can verify tokens."""
        self._only = read_pem(source) if isinstance(source, str) else None
        self._keys = {} if isinstance(source, str) else read_jwks(source)

    def find(self, kid: str) -> RSAPublicKey | None:
        return self._only or self._keys.get(kid)


class JwksKeys:
    """Keys that the issuer publishes, kept fresh by a task of the running loop.

    An issuer that is down or answers nonsense changes nothing for a day. A key id that
    is not known wakes the task, which never fetches twice within the cooldown.
    """

    def __init__(
        self, url: str, *, refresh_s: float = REFRESH_S, cooldown_s: float = COOLDOWN_S
    ) -> None:
        """Raise ValueError unless the URL is https, or http on this machine."""
        self._url = _trusted(url)
        self._refresh_s = refresh_s
        self._cooldown_s = cooldown_s
        self._keys: dict[str, RSAPublicKey] = {}
        self._loaded_at: float | None = None
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def age_s(self) -> float | None:
        """How long ago the keys were fetched, or None if never."""
        return None if self._loaded_at is None else time.monotonic() - self._loaded_at

    def find(self, kid: str) -> RSAPublicKey | None:
        if self.age_s is None or self.age_s > STALE_S:
            raise Unavailable("keys_unavailable")
        key = self._keys.get(kid)
        if key is None:
            self._wanted.set()
        return key

    async def start(self) -> None:
        """Fetch once, then keep fetching; an issuer that is down does not raise."""
        fresh = await self._refresh()
        self._task = asyncio.create_task(self._run(fresh))

    async def stop(self) -> None:
        """End the task; the keys stay as they are."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, fresh: bool) -> None:
        while True:
            await asyncio.sleep(self._cooldown_s)
            if fresh:
                await self._until_wanted()
            self._wanted.clear()
            fresh = await self._refresh()

    async def _until_wanted(self) -> None:
        wait_s = self._refresh_s * random.uniform(0.9, 1.1)  # processes spread out
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):  # wait_for of 3.11 may lose a cancel
                await self._wanted.wait()

    async def _refresh(self) -> bool:
        try:
            body = await asyncio.to_thread(fetch, self._url)
            self._keys = read_jwks(orjson.loads(body))
        except Exception as error:  # whatever the network brings, the task goes on
            log.warning("keys_not_refreshed", error=repr(error), age_s=self.age_s)
            return False
        self._loaded_at = time.monotonic()
        return True


def read_pem(text: str) -> RSAPublicKey:
    """Read a public key, also one pasted on a single line; raises ValueError."""
    match = _PEM.fullmatch(text.replace("\\n", "\n").strip())
    if match is None:
        raise ValueError("the key is not a PEM public key")
    der = base64.b64decode("".join(match[1].split()), validate=True)
    key = load_der_public_key(der)
    if not isinstance(key, RSAPublicKey) or not _is_strong(key.public_numbers()):
        raise ValueError("the key is not a strong one: RSA of 2,048 bits or more")
    return key


def read_jwks(document: Any) -> dict[str, RSAPublicKey]:
    """Return the usable keys by id; raises ValueError if none, or one id twice."""
    offers = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(offers, list) or len(offers) > MAX_KEYS:
        raise ValueError("this is not a JWKS of at most 16 keys")
    found = [(offer["kid"], _public_key(offer)) for offer in offers if _verifies(offer)]
    keys = {kid: key for kid, key in found if _is_strong(key.public_numbers())}
    if not keys:
        raise ValueError("no key of the JWKS can verify tokens")
    if len({kid for kid, _ in found}) < len(found):
        raise ValueError("two keys of the JWKS have the same id")
    return keys


def _verifies(offer: Any) -> bool:
    """A key for RS256 signatures; one that shows its private half is compromised."""
    return (
        isinstance(offer, dict)
        and offer.get("kty") == "RSA"
        and offer.get("use", "sig") == "sig"
        and offer.get("alg", "RS256") == "RS256"
        and "verify" in (offer.get("key_ops") or ["verify"])
        and isinstance(offer.get("kid"), str)
        and PRIVATE_MEMBERS.isdisjoint(offer)
    )


def _public_key(offer: dict[str, Any]) -> RSAPublicKey:
    """Return the key of a JWK (RFC 7517). Raises ValueError."""
    try:
        key = PyJWK(offer, algorithm="RS256").key
    except (PyJWTError, TypeError) as error:
        raise ValueError("a key of the JWKS is malformed") from error
    assert isinstance(key, RSAPublicKey), "private members were refused before"
    return key


def _is_strong(numbers: RSAPublicNumbers) -> bool:
    long = numbers.n.bit_length() >= MIN_KEY_BITS
    return long and numbers.e == 65537 and not _is_roca(numbers.n)


def _powers(prime: int) -> frozenset[int]:
    """Return what the powers of 65537 leave when they are divided by a prime."""
    found, power = set(), 1
    while power not in found:
        found.add(power)
        power = power * 65537 % prime
    return frozenset(found)


_PRIMES = (
    *(3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73),
    *(79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157),
    *(163, 167),
)
_POWERS = {prime: _powers(prime) for prime in _PRIMES}


def _is_roca(modulus: int) -> bool:
    """Tell whether a key has the form of a library whose keys can be factored.

    Its primes are powers of 65537 modulo the product of small primes (CVE-2017-15361;
    Nemec et al., "The Return of Coppersmith's Attack", section 3.2). Of other keys, one
    in some 2^30 has it by chance.
    """
    return all(modulus % prime in powers for prime, powers in _POWERS.items())


def _trusted(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return url
    raise ValueError("keys are fetched over https only, or http on this machine")


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow nothing: the answer then counts as the error that it is."""


def fetch(url: str) -> bytes:
    """Return the body at the URL, at most 64 KiB; raises OSError or ValueError.

    Blocks for some seconds at worst: call it in a thread.
    """
    proxies: dict[str, str] | None = (
        {} if _is_loopback(urlsplit(url).hostname or "") else None
    )
    opener = build_opener(_NoRedirects, ProxyHandler(proxies))
    deadline = time.monotonic() + FETCH_S
    body = b""
    with opener.open(url, timeout=CONNECT_S) as response:
        while chunk := response.read1(MAX_JWKS + 1 - len(body)):
            body += chunk
            if len(body) > MAX_JWKS:
                raise ValueError("the answer is larger than 64 KiB")
            if time.monotonic() > deadline:
                raise TimeoutError("the answer takes too long")
    return body
