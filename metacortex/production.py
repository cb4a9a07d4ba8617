"""What makes a start in production unsafe, and what is only worth a warning.

Plain functions over plain values: `Settings.problems` and `Settings.warnings` ask them.
Each line names the setting that mends it, and repeats no password.
"""

from collections.abc import Collection, Iterable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from sqlalchemy.engine import URL

WEAK_PASSWORDS = frozenset({"passwordpassword", "changemechangeme", "administrator"})
SHORTEST_PASSWORD = 12  # characters; `openssl rand -hex 32` makes 64
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})
CLERK_DEVELOPMENT = ".clerk.accounts.dev"  # keys of Clerk's development instances
SUPERUSERS = frozenset({"postgres", "root"})
PREFIX = "METACORTEX_"
TYPO = 2  # letters in which a mistyped name differs; more is another name
OTHER_NAMES = frozenset(
    {"METACORTEX_POSTGRES_BIN", "METACORTEX_SHARED", "METACORTEX_COMPLETE"}
)
"""Variables that are ours and no settings: of tests, development and shells."""


def is_local(host: str) -> bool:
    """Tell whether a host is this machine or one of a private network."""
    name = host.rstrip(".").lower()
    try:
        address = ip_address(name)
    except ValueError:
        return name in LOCAL_HOSTS or name.endswith((".localhost", ".local"))
    return not address.is_global


def issuer_problems(issuer: str | None) -> list[str]:
    """Say what is wrong with the issuer of tokens."""
    if issuer is None:
        return [
            "No token issuer is named: set METACORTEX_TOKEN_ISSUER to the Clerk "
            "Frontend API URL."
        ]
    parts = urlsplit(issuer)
    host = (parts.hostname or "").rstrip(".").lower()
    if parts.scheme != "https" or not host:
        return [
            "The token issuer is not an https:// URL: set METACORTEX_TOKEN_ISSUER "
            "to the production instance."
        ]
    if is_local(host) or host.endswith(CLERK_DEVELOPMENT):
        return [
            "The token issuer is a development instance, whose tokens anyone may "
            "make: set METACORTEX_TOKEN_ISSUER to the production instance."
        ]
    return []


def key_problems(public_key: str | None, jwks_url: str | None) -> list[str]:
    """Say what is wrong with the keys that verify tokens."""
    if public_key is None and jwks_url is None:
        return [
            "No key can verify tokens: set METACORTEX_TOKEN_JWKS_URL or "
            "METACORTEX_TOKEN_PUBLIC_KEY."
        ]
    if jwks_url is not None and not jwks_url.startswith("https://"):
        return [
            "Signing keys would be fetched without TLS: set "
            "METACORTEX_TOKEN_JWKS_URL to an https:// URL."
        ]
    return []


def party_problems(parties: Collection[str], allow_missing: bool) -> list[str]:
    """Say what is wrong with whose tokens are taken."""
    found = []
    if not parties:
        found.append(
            "Tokens made for any frontend would be taken: list yours in "
            "METACORTEX_TOKEN_AUTHORIZED_PARTIES."
        )
    if allow_missing:
        found.append(
            "Tokens that name no frontend would be taken: leave "
            "METACORTEX_TOKEN_ALLOW_MISSING_PARTY unset."
        )
    found += [
        f"The authorized party {party!r} is not one https:// origin: list exact ones "
        "in METACORTEX_TOKEN_AUTHORIZED_PARTIES."
        for party in parties
        if not is_origin(party)
    ]
    return found


def origin_problems(origins: Iterable[str]) -> list[str]:
    """Say which origins are not what a browser would send."""
    return [
        f"The CORS origin {origin!r} is not one https:// origin: "
        "list exact https origins in METACORTEX_CORS_ORIGINS."
        for origin in origins
        if not is_origin(origin)
    ]


def is_origin(text: str) -> bool:
    """Tell whether a text is one https origin, exactly as browsers write it."""
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return False
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return bool(host) and "*" not in host and text == f"https://{host}{port}"


def password_problems(urls: Mapping[str, URL | None]) -> list[str]:
    """Say which passwords are missing, short or well known, by variable."""
    return [
        f"The password in {name} is missing, well known or shorter than "
        f"{SHORTEST_PASSWORD} characters: put a long random one into {name}."
        for name, url in urls.items()
        if url is not None and _is_weak(url)
    ]


def _hosts(url: URL) -> list[str]:
    """Return where a URL leads; folders are those of sockets."""
    asked = url.query.get("host", ())
    listed = [asked] if isinstance(asked, str) else list(asked)
    found = [it for one in listed for it in one.split(",") if it]
    return found or [url.host or "localhost"]


def _is_weak(url: URL) -> bool:
    if all(host.startswith("/") for host in _hosts(url)):
        return False  # a Unix socket: the kernel says who calls
    asked = url.query.get("password", "")
    given = url.password or (asked if isinstance(asked, str) else "")
    password = str(given).lower()
    if len(password) < SHORTEST_PASSWORD or len(set(password)) == 1:
        return True
    return password in WEAK_PASSWORDS or password == url.username


def database_warnings(app: URL, urls: Mapping[str, URL | None]) -> list[str]:
    """Say what is unwise about the databases' URLs."""
    found = [
        f"{name} turns TLS off to another machine: leave sslmode=disable out."
        for name, url in urls.items()
        if url is not None
        and "disable" in (url.query.get("ssl"), url.query.get("sslmode"))
        and not all(it.startswith("/") or is_local(it) for it in _hosts(url))
    ]
    if app.username in SUPERUSERS:
        found.append(
            f"DATABASE_URL logs in as {app.username}, who may rewrite the log: "
            "use the role metacortex_app."
        )
    return found


def key_warnings(issuer: str | None, jwks_url: str | None) -> list[str]:
    """Say where keys come from another host than tokens."""
    if issuer is None or jwks_url is None:
        return []
    if urlsplit(issuer).hostname == urlsplit(jwks_url).hostname:
        return []
    return [
        "METACORTEX_TOKEN_JWKS_URL is of another host than METACORTEX_TOKEN_ISSUER: "
        "whoever owns it makes tokens."
    ]


def unknown_names(given: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Return variables of ours that are no settings, with the setting each resembles.

    The empty text where there is none: others, as Kubernetes, make such names, too.
    """
    ours = {it for it in given if it.startswith(PREFIX)} - OTHER_NAMES - set(known)
    return {
        name: next((it for it in sorted(known) if _differ(name, it) <= TYPO), "")
        for name in sorted(ours)
    }


def _differ(one: str, other: str) -> int:
    """Return in how many letters two names differ (Levenshtein), at most `TYPO` + 1."""
    if abs(len(one) - len(other)) > TYPO:
        return TYPO + 1
    before = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, wanted in enumerate(other, 1):
            change = before[column - 1] + (letter != wanted)
            now.append(min(before[column] + 1, now[-1] + 1, change))
        before = now
    return before[-1]


def typo_problems(names: Mapping[str, str]) -> list[str]:
    """Say which variables look like mistyped settings."""
    return [
        f"{name} is no setting: it may be meant to be {meant}."
        for name, meant in names.items()
        if meant
    ]


def name_warnings(names: Mapping[str, str]) -> list[str]:
    """Say which variables are no settings, and resemble none."""
    return [
        f"{name} is no setting of ours." for name, like in names.items() if not like
    ]
