"""All settings of an installation, in one frozen object.

Only composition roots (the API's application, the workers, the CLI, the migrations, the
benchmarks) read them and hand plain values on; import-linter holds everything else to
that. `docs/settings.md` is made from the descriptions below.
"""

import os
import re
from base64 import b64decode
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+asyncpg"
SERVICES_FILE = "services.env"
WEAK_PASSWORDS = frozenset(
    {"postgres", "metacortex", "password", "secret", "changeme", "admin"}
)
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})
CLERK_HOST = re.compile(r"([a-z0-9-]+(?:\.[a-z0-9-]+)+)\$")  # in a publishable key
CLERK_DEVELOPMENT = ".clerk.accounts.dev"  # keys of Clerk's development instances


def database_url(value: str) -> str:
    """Return the URL for SQLAlchemy's asyncpg dialect, whatever Postgres form came in.

    Hosting providers hand out libpq's `sslmode=`, which asyncpg calls `ssl=`.
    Raises ValueError, without repeating the URL: it may hold a password.
    """
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError("is not a database URL") from None
    if url.drivername not in {"postgres", "postgresql", DRIVER}:
        raise ValueError("must begin with postgresql+asyncpg:// or postgresql://")
    query = {("ssl" if k == "sslmode" else k): v for k, v in url.query.items()}
    return url.set(drivername=DRIVER, query=query).render_as_string(hide_password=False)


def redis_url(value: str) -> str:
    """Return a Redis URL as it is. Raises ValueError, without repeating it."""
    parts = urlsplit(value)
    named = parts.path if parts.scheme == "unix" else parts.hostname
    if parts.scheme not in {"redis", "rediss", "unix"} or not named:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return value


def clerk_frontend_host(key: str) -> str:
    """Return the host of the Frontend API that Clerk's publishable key names.

    The key is `pk_test_` or `pk_live_`, then the base64 of the host and a `$`.
    Raises ValueError.
    """
    prefix, encoded = key[: len("pk_test_")], key[len("pk_test_") :]
    if prefix in ("pk_test_", "pk_live_"):
        padded = encoded + "=" * (-len(encoded) % 4)
        try:
            named = b64decode(padded, validate=True).decode("ascii")
        except ValueError:
            named = ""
        if found := CLERK_HOST.fullmatch(named):
            return found[1]
    raise ValueError("is not a publishable key of Clerk (pk_live_… or pk_test_…)")


def _publishable_key(key: str | None) -> str | None:
    if key is not None:
        clerk_frontend_host(key)
    return key


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class UnsafeSettings(Exception):
    """Production refuses to run like this; each line is a problem with its remedy."""


DatabaseUrl = Annotated[str, BeforeValidator(database_url)]
RedisUrl = Annotated[str, AfterValidator(redis_url)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """What an installation is told; every name is an environment variable.

    Fields with an alias are read under that name, all others with the prefix
    `METACORTEX_`. Lists are written with commas.
    """

    model_config = SettingsConfigDict(
        env_prefix="METACORTEX_",
        env_ignore_empty=True,  # an empty variable is an unset one
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # URLs hold passwords
        populate_by_name=True,
    )

    environment: Literal["production", "development", "test"] = Field(
        "production",
        validation_alias="ENVIRONMENT",
        description="Where this runs. Unset means production, the strict one.",
    )
    database_url: DatabaseUrl = Field(
        "postgresql+asyncpg://metacortex_app@localhost:5432/metacortex",
        validation_alias="DATABASE_URL",
        repr=False,
        description="Database for commands, as the role metacortex_app.",
    )
    database_read_url: DatabaseUrl | None = Field(
        None,
        validation_alias="DATABASE_READ_URL",
        repr=False,
        description="Database for queries, a replica if there is one. "
        "Unset: DATABASE_URL.",
    )
    database_owner_url: DatabaseUrl | None = Field(
        None,
        validation_alias="DATABASE_OWNER_URL",
        repr=False,
        description="Database for migrations, as a role that may become "
        "metacortex_owner. Unset: DATABASE_URL.",
    )
    database_projector_url: DatabaseUrl | None = Field(
        None,
        validation_alias="DATABASE_PROJECTOR_URL",
        repr=False,
        description="Database for projections, as the role metacortex_projector. "
        "Unset: DATABASE_URL.",
    )
    database_auditor_url: DatabaseUrl | None = Field(
        None,
        validation_alias="DATABASE_AUDITOR_URL",
        repr=False,
        description="Database for audit questions, as the role metacortex_auditor. "
        "Unset: DATABASE_URL.",
    )
    redis_url: RedisUrl = Field(
        "redis://localhost:6379/0",
        validation_alias="REDIS_URL",
        repr=False,
        description="Redis for wake-ups: redis://, rediss:// or unix://. "
        "It may be emptied or down; nothing is lost.",
    )
    data_dir: Path = Field(
        Path(".metacortex"),
        description="Folder of the embedded services and of services.env, "
        "which `metacortex up` writes and every other command reads.",
    )
    host: str = Field("127.0.0.1", description="Address that the API listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port of the API.")
    database_pooler: bool = Field(
        False,
        description="True behind PgBouncer in transaction mode: "
        "statements are then not named, and not kept prepared.",
    )
    database_pool_size: int = Field(
        10, ge=1, description="Connections per process and database URL."
    )
    cors_origins: Names = Field(
        (), description="Origins of browsers that may call, with commas."
    )
    token_issuer: str | None = Field(
        None, description="The only issuer of tokens that is believed (claim iss)."
    )
    token_jwks_url: str | None = Field(
        None, description="Where the issuer publishes its signing keys."
    )
    token_public_key: str | None = Field(
        None,
        description="The issuer's public key (PEM), instead of token_jwks_url: "
        "tokens are then verified without a network.",
    )
    token_authorized_parties: Names = Field(
        (), description="Frontends whose tokens are taken (claim azp), with commas."
    )
    token_allow_missing_party: bool = Field(
        False, description="Take tokens that name no party (no claim azp)."
    )
    clerk_publishable_key: Annotated[str | None, AfterValidator(_publishable_key)] = (
        Field(
            None,
            description="Clerk's publishable key, handed to browsers that sign in with "
            "it; its host is allowed in the app's content policy.",
        )
    )
    lane_count: int = Field(
        2, ge=1, description="Command lanes per process; a workspace keeps to one."
    )
    lane_capacity: int = Field(
        2000, ge=1, description="Commands that may wait in a lane; beyond it, 503."
    )
    lane_batch: int = Field(
        256, ge=1, description="Most commands that share one transaction."
    )
    body_limit_bytes: int = Field(
        1_048_576, ge=1, description="Largest request body; beyond it, 413."
    )
    wait_default_s: float = Field(
        2.0, ge=0, description="Seconds a query waits for the sequence it asks for."
    )
    wait_limit_s: float = Field(
        10.0, ge=0, description="Most seconds that a client may ask a query to wait."
    )
    worker_threads: int = Field(4, ge=1, description="Threads of a worker process.")
    sweep_interval_s: float = Field(
        1.0,
        gt=0,
        description="Seconds between two looks for workspaces that lag: "
        "the longest delay that a lost wake-up causes.",
    )
    projector_turn_s: float = Field(
        0.25, gt=0, description="Seconds of one projector turn; the rest queues again."
    )
    projector_batch: int = Field(
        1000, ge=1, description="Most events that one projector transaction applies."
    )
    shutdown_grace_s: float = Field(
        10.0, ge=0, description="Seconds that work in flight has to end at shutdown."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least important level that is logged."
    )
    log_format: Literal["json", "console"] = Field(
        "json", description="json: one object a line. console: for people."
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port on which a worker or scheduler serves its metrics, "
        "to every address. Unset: none.",
    )
    docs_enabled: bool | None = Field(
        None, description="Serve /docs. Unset: everywhere but in production."
    )

    @model_validator(mode="after")
    def _waits_agree(self) -> Self:
        if self.wait_default_s > self.wait_limit_s:
            raise ValueError("wait_default_s must not exceed wait_limit_s")
        return self

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @property
    def serves_docs(self) -> bool:
        return (
            not self.is_production if self.docs_enabled is None else self.docs_enabled
        )

    @property
    def clerk_host(self) -> str | None:
        """The Frontend API of Clerk, where browsers sign in with it."""
        key = self.clerk_publishable_key
        return None if key is None else clerk_frontend_host(key)

    @property
    def read_url(self) -> str:
        return self.database_read_url or self.database_url

    @property
    def owner_url(self) -> str:
        return self.database_owner_url or self.database_url

    @property
    def projector_url(self) -> str:
        return self.database_projector_url or self.database_url

    @property
    def auditor_url(self) -> str:
        return self.database_auditor_url or self.database_url

    @property
    def local_data(self) -> Path | None:
        """Folder of the data if `metacortex up` keeps the database there."""
        host = make_url(self.database_url).host
        is_local = host is None or host in LOCAL_HOSTS
        return self.data_dir if is_local and self.data_dir.is_dir() else None

    def checked(self) -> Self:
        """Return these settings, fit for whatever this installation runs.

        Raises UnsafeSettings. Every process goes through here before it connects to
        anything: what a command writes with unsafe settings stays written.
        """
        if problems := self.problems():
            listed = "\n".join(problems)
            raise UnsafeSettings(f"production refuses to start like this:\n{listed}")
        return self

    def problems(self) -> list[str]:
        """Say what makes a start in production unsafe, each with its remedy.

        Empty outside production: there the local issuer and open doors are the point.
        """
        if not self.is_production:
            return []
        return [
            *self._token_problems(),
            *self._origin_problems(),
            *self._database_problems(),
        ]

    def _token_problems(self) -> list[str]:
        return [
            *_issuer_problems(self.token_issuer),
            *_key_problems(self.token_public_key, self.token_jwks_url),
            *_party_problems(self.token_authorized_parties),
        ]

    def _origin_problems(self) -> list[str]:
        return [
            f"The CORS origin {origin!r} is not one https:// origin: "
            "list exact https origins in METACORTEX_CORS_ORIGINS."
            for origin in self.cors_origins
            if "*" in origin or not origin.startswith("https://")
        ]

    def _database_problems(self) -> list[str]:
        urls = {
            "DATABASE_URL": self.database_url,
            "DATABASE_READ_URL": self.database_read_url,
            "DATABASE_OWNER_URL": self.database_owner_url,
            "DATABASE_PROJECTOR_URL": self.database_projector_url,
            "DATABASE_AUDITOR_URL": self.database_auditor_url,
        }
        return [
            f"The password in {name} is missing or well known: "
            f"put a long random one into {name}."
            for name, url in urls.items()
            if url is not None and _is_weak(make_url(url))
        ]


def variable(name: str) -> str:
    """Return the environment variable of a field, or of an alias."""
    field = Settings.model_fields.get(name)
    if field is None:
        return name
    return str(field.validation_alias or f"METACORTEX_{name.upper()}")


def mistakes(error: ValidationError) -> list[str]:
    """Say which variables cannot be read and why; never their values: see passwords."""
    return [
        f"{variable(str(it['loc'][0])) if it['loc'] else 'settings'}: "
        f"{it['msg'].removeprefix('Value error, ')}"
        for it in error.errors()
    ]


def _issuer_problems(issuer: str | None) -> list[str]:
    if issuer is None:
        return [
            "No token issuer is named: set METACORTEX_TOKEN_ISSUER to the Clerk "
            "Frontend API URL."
        ]
    parts = urlsplit(issuer)
    if parts.scheme != "https":
        return [
            "The token issuer is not an https:// URL: set METACORTEX_TOKEN_ISSUER "
            "to the production instance."
        ]
    host = parts.hostname or ""
    if host in LOCAL_HOSTS or host.endswith((".localhost", CLERK_DEVELOPMENT)):
        return [
            "The token issuer is a development instance, whose tokens anyone may "
            "make: set METACORTEX_TOKEN_ISSUER to the production instance."
        ]
    return []


def _key_problems(public_key: str | None, jwks_url: str | None) -> list[str]:
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


def _party_problems(parties: tuple[str, ...]) -> list[str]:
    if parties:
        return []
    return [
        "Tokens made for any frontend would be taken: list yours in "
        "METACORTEX_TOKEN_AUTHORIZED_PARTIES."
    ]


def _is_weak(url: URL) -> bool:
    if url.host is None and "host" in url.query:
        return False  # a Unix socket: the kernel says who calls
    password = (url.password or "").lower()
    return not password or password in WEAK_PASSWORDS or password == url.username


def load_settings(**overrides: Any) -> Settings:
    """Read the settings: overrides, then the environment, then services.env.

    services.env counts whole or not at all: where a database is named that is not the
    file's, the file tells of another installation. Otherwise a forgotten folder
    could turn a production database into a development one.
    """
    folder = Path(
        overrides.get("data_dir")
        or os.environ.get("METACORTEX_DATA_DIR", ".metacortex")
    )
    file = folder / SERVICES_FILE
    named = overrides.get("database_url") or os.environ.get("DATABASE_URL")
    if named and dotenv_values(file).get("DATABASE_URL") != named:
        return Settings(**overrides)
    return Settings(**{"_env_file": file, **overrides})
