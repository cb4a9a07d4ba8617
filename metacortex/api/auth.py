"""Who is asking: verifies Clerk session tokens and nothing that merely looks like one.

One Clerk instance key signs session tokens, template tokens, services tokens and OAuth
access tokens alike, so a good signature proves little; what makes a session token is
checked here claim by claim (Clerk's guide "Session tokens", versions 1 and 2; RFC 8725,
"JWT best current practices"). Fails closed: what is not known is refused.
"""

import json
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from math import inf
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.utils import base64url_decode

from metacortex.api.keys import KeySource
from metacortex.api.roles import Role as Role
from metacortex.api.roles import workspace_of as workspace_of
from metacortex.kernel.errors import Forbidden, Unauthenticated

LEEWAY_S = 5  # the clock skew that Clerk's own libraries allow
MAX_LIFETIME_S = 900  # Clerk's sessions last 60 s; hours would outlive any revocation
MAX_TOKEN = 8192  # characters; Clerk keeps tokens below 4 kB to fit a cookie
CACHED_TOKENS = 1024  # about 1 MB; a token lives a minute
CACHED_S = 60  # so that a withdrawn key stops working within a minute

CATEGORIES = (None, "cl_B7d4PD111AAA", "cl_I7d4PD111III")
"""Header `cat` of a session token: none (before the roll-out), session, no class."""

_BEARER = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/-]+=*)")  # RFC 6750, section 2.1
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_USER = re.compile(r"user_[A-Za-z0-9_-]{1,64}")
_SESSION = re.compile(r"sess_[A-Za-z0-9_-]{1,64}")
_ORGANISATION = re.compile(r"org_[A-Za-z0-9_-]{1,64}")


ORGANISATION_ROLES = {
    "owner": Role.OWNER,
    "admin": Role.OWNER,
    "member": Role.MEMBER,
    "basic_member": Role.MEMBER,
    "auditor": Role.AUDITOR,
    "operator": Role.OPERATOR,
}
PERSONAL_ROLES = {"auditor": Role.AUDITOR, "operator": Role.OPERATOR}
"""By the claim `metadata.metacortex_role`, which the instance's owner alone can set."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and where; `organisation_id` is None in a person's own workspace."""

    user_id: str
    workspace_id: UUID
    role: Role
    session_id: str | None
    organisation_id: str | None
    expires_at: float = field(default=inf, compare=False)
    """When the token ends, in epoch seconds."""


def bearer(header: str | None) -> str:
    """Return the token of an `Authorization` header; raises Unauthenticated."""
    if not header or header[:6].lower() != "bearer":
        raise Unauthenticated("token_missing")
    match = _BEARER.fullmatch(header)
    if match is None:
        raise _invalid("The Authorization header is not a bearer token.")
    return match[1]


def _invalid(detail: str) -> Unauthenticated:
    return Unauthenticated("token_invalid", detail)


class Verifier:
    """Turns a token into a caller; a token seen before costs a hash.

    Not for use from several threads at once.
    """

    def __init__(
        self,
        *,
        issuer: str,
        keys: KeySource,
        authorized_parties: Collection[str] = (),
        allow_missing_party: bool = False,
        max_lifetime_s: int = MAX_LIFETIME_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take any party where none are authorized; `clock` gives epoch seconds."""
        self._issuer = issuer
        self._keys = keys
        self._parties = frozenset(authorized_parties)
        self._allow_missing_party = allow_missing_party or not self._parties
        self._max_lifetime_s = max_lifetime_s
        self._clock = clock
        self._seen: dict[bytes, tuple[float, Caller]] = {}

    def verify(self, token: str) -> Caller:
        """Raise Unauthenticated, Forbidden (unknown role) or Unavailable (no keys)."""
        if len(token) > MAX_TOKEN or not token.isascii():
            raise _invalid("This is not a JSON Web Token.")
        now = self._clock()
        digest = sha256(token.encode()).digest()
        until, caller = self._seen.get(digest, (0.0, None))
        if caller is not None and now < until:
            return caller
        header, claims = self._decode(token)
        _check_kind(header, claims)
        self._check_times(claims, now)
        self._check_party(claims)
        caller = _caller(claims)
        self._remember(digest, min(claims["exp"] + LEEWAY_S, now + CACHED_S), caller)
        return caller

    def _remember(self, digest: bytes, until: float, caller: Caller) -> None:
        self._seen.pop(digest, None)
        if len(self._seen) >= CACHED_TOKENS:
            del self._seen[next(iter(self._seen))]  # the oldest; it ends first anyway
        self._seen[digest] = (until, caller)

    def _decode(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return header and claims as signed; times are ours to check, by our clock."""
        if not _TOKEN.fullmatch(token):
            raise _invalid("This is not a JSON Web Token.")
        try:
            complete = jwt.decode_complete(
                token,
                self._key(jwt.get_unverified_header(token).get("kid")),
                algorithms=["RS256"],
                issuer=self._issuer,
                options={
                    "require": ["iss", "exp", "iat", "nbf", "sub", "sid"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            _check_unique(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise _invalid("The token is not one of our issuer.") from error
        return complete["header"], complete["payload"]

    def _key(self, kid: Any) -> RSAPublicKey:
        key = self._keys.find(kid) if isinstance(kid, str) else None
        if key is None:
            raise _invalid("The token is signed with a key that is not known.")
        return key

    def _check_times(self, claims: Mapping[str, Any], now: float) -> None:
        issued, begins, ends = (claims[name] for name in ("iat", "nbf", "exp"))
        if not all(type(instant) is int for instant in (issued, begins, ends)):
            raise _invalid("The token's times are not whole seconds.")
        if now >= ends + LEEWAY_S:
            raise Unauthenticated("token_expired")
        if max(issued, begins) > now + LEEWAY_S:
            raise _invalid("The token is not valid yet.")
        if not issued < ends <= issued + self._max_lifetime_s or begins >= ends:
            raise _invalid("The token does not live as long as sessions do.")

    def _check_party(self, claims: Mapping[str, Any]) -> None:
        party = claims.get("azp")
        if party is None and self._allow_missing_party:
            return
        if self._parties and str(party) not in self._parties:
            raise _invalid("The token was made for another party.")


def _check_unique(token: str) -> None:
    """Raise ValueError for a name that stands twice: readers take one or the other."""
    for part in token.split(".")[:2]:
        json.loads(base64url_decode(part), object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _check_kind(header: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    """Raise Unauthenticated for whatever else the issuer's key may have signed."""
    if header.get("typ") != "JWT" or header.get("cat") not in CATEGORIES:
        raise _invalid("The token is not a session token.")
    if "aud" in claims or not _is_id(_USER, claims["sub"]):
        raise _invalid("The token is not that of a person.")
    if not _is_id(_SESSION, claims["sid"]):
        raise _invalid("The token names no session.")
    if claims.get("sts", "active") != "active":
        raise _invalid("The sign-in is not finished.")
    if claims.get("act") is not None:  # the log must name who really acted
        raise _invalid("Acting in another person's name is not possible.")


def _is_id(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _caller(claims: Mapping[str, Any]) -> Caller:
    user, session = claims["sub"], claims["sid"]
    active = _organisation(claims)
    if active is None:
        role = _personal_role(claims)
        return Caller(user, workspace_of(user), role, session, None, claims["exp"])
    organisation, name = active
    role = _role(ORGANISATION_ROLES, name.removeprefix("org:"))
    return Caller(
        user, workspace_of(organisation), role, session, organisation, claims["exp"]
    )


def _organisation(claims: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return id and role name of the active organisation, if there is one."""
    version = claims.get("v", 1)
    if version not in (1, 2) or (version == 1 and "o" in claims):
        raise _invalid("The token's version is not known.")
    if version == 2:
        active = claims.get("o")
    elif (organisation := claims.get("org_id")) is not None:
        active = {"id": organisation, "rol": claims.get("org_role")}
    else:
        active = None
    if active is None:
        return None
    if not isinstance(active, dict) or not _is_id(_ORGANISATION, active.get("id")):
        raise _invalid("The token's organisation is not one.")
    return active["id"], str(active.get("rol"))


def _personal_role(claims: Mapping[str, Any]) -> Role:
    metadata = claims.get("metadata")
    name = metadata.get("metacortex_role") if isinstance(metadata, dict) else None
    return Role.OWNER if name is None else _role(PERSONAL_ROLES, str(name))


def _role(roles: Mapping[str, Role], name: str) -> Role:
    if name not in roles:
        raise Forbidden("role_required", "The token's role is not known here.")
    return roles[name]
