"""The development issuer: Clerk-shaped session tokens without Clerk.

Its tokens have exactly the shape of Clerk's version 2 and go through the verifier that
production uses, so that nothing about the door is pretended in development. Production
never starts one.
"""

import base64
import contextlib
import os
import re
import secrets
import time
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from metacortex.api.auth import Role

SESSION_CATEGORY = "cl_B7d4PD111AAA"  # what Clerk's header `cat` says of sessions
NOT_BEFORE_S = 10  # Clerk dates tokens back by this much, for clocks that are behind
TTL_S = 12 * 3600  # a day's work; the verifier must be told to allow it

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class LocalIssuer:
    """Signs tokens with a key of its own, which it makes at first use and keeps.

    Several processes may share the data folder; whoever comes first makes the key.
    """

    def __init__(self, data_dir: Path, issuer_url: str) -> None:
        """Touch nothing yet; the URL is both the tokens' issuer and their party."""
        self._path = data_dir / "issuer" / "key.pem"
        self._url = issuer_url

    def jwks(self) -> dict[str, Any]:
        """Return the public key as a JWKS."""
        numbers = self._key.public_key().public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self._kid,
            "n": _base64url(numbers.n),
            "e": _base64url(numbers.e),
        }
        return {"keys": [key]}

    def token(
        self,
        user: str,
        workspace: str | None = None,
        role: Role | None = None,
        *,
        ttl_s: int = TTL_S,
        now: float | None = None,
    ) -> str:
        """Return a session token; a role left out means owner.

        Raises ValueError for a name that cannot stand in an id, for a member of no
        workspace, and for a lifetime below one second. `now` is in epoch seconds.
        """
        if ttl_s < 1:
            raise ValueError("A token lives for one second at least.")
        issued = int(time.time() if now is None else now)
        claims = {
            "azp": self._url,
            "exp": issued + ttl_s,
            "fva": [0, -1],  # signed in just now, with one factor
            "iat": issued,
            "iss": self._url,
            "jti": secrets.token_hex(10),
            "nbf": issued - NOT_BEFORE_S,
            "sid": f"sess_{secrets.token_hex(12)}",
            "sts": "active",
            "sub": f"user_{checked_name(user, 'user')}",
            "v": 2,
            **_standing(workspace, role or Role.OWNER),
        }
        header = {"cat": SESSION_CATEGORY, "kid": self._kid}
        return jwt.encode(claims, self._key, algorithm="RS256", headers=header)

    @cached_property
    def _key(self) -> RSAPrivateKey:
        if not self._path.exists():
            _make(self._path)
        key = load_pem_private_key(self._path.read_bytes(), password=None)
        if not isinstance(key, RSAPrivateKey):
            raise ValueError(f"{self._path} is not an RSA key: remove it")
        return key

    @cached_property
    def _kid(self) -> str:
        public = self._key.public_key()
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"ins_local_{sha256(der).hexdigest()[:16]}"


def _standing(workspace: str | None, role: Role) -> dict[str, Any]:
    """Return the claims that say where the user acts, and as what."""
    if workspace is not None:
        name = checked_name(workspace, "workspace")
        active = {"id": f"org_{name}", "slg": name.lower(), "rol": role.value}
        return {"o": {**active, "per": "", "fpm": ""}}
    if role is Role.MEMBER:
        raise ValueError("A member needs a workspace to be a member of.")
    if role is Role.OWNER:
        return {}
    return {"metadata": {"metacortex_role": role.value}}


def checked_name(name: str, what: str) -> str:
    """Return a short name as it is. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"The {what} name must be 1 to 64 letters, digits, hyphens or underscores."
        )
    return name


def _base64url(number: int) -> str:
    size = (number.bit_length() + 7) // 8
    return base64.urlsafe_b64encode(number.to_bytes(size)).rstrip(b"=").decode()


def _make(path: Path) -> None:
    """Write a new key at the path, whole or not at all, unless another was faster."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_private(draft, pem)
        with contextlib.suppress(FileExistsError):  # then theirs is the key
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
