"""All settings of an installation, in one frozen object.

Only composition roots (the API's application, the workers, the CLI, the migrations, the
benchmarks) read them and hand plain values on; import-linter holds everything else to
that. `docs/settings.md` is made from the descriptions below.
"""

import os
import re
from base64 import b64decode
from ipaddress import ip_network
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

from metacortex import production

DRIVER = "postgresql+asyncpg"
SERVICES_FILE = "services.env"
CLERK_HOST = re.compile(r"([a-z0-9-]+(?:\.[a-z0-9-]+)+)\$")  # in a publishable key


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


def _bind(value: str | None) -> str | None:
    """Return an address with a port as it is. Raises ValueError."""
    if value is not None and not re.fullmatch(r"[^\s/]+:[0-9]{1,5}", value):
        raise ValueError("must be an address and a port, such as 127.0.0.1:9100")
    return value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    """Return networks as they are. Raises ValueError."""
    for one in value:
        ip_network(one)
    return value


DatabaseUrl = Annotated[str, BeforeValidator(database_url)]
RedisUrl = Annotated[str, AfterValidator(redis_url)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Networks = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_networks)
]


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
    trusted_proxies: Networks = Field(
        (),
        description="Networks (CIDR) of the proxies before the API, with commas: only "
        "from them X-Forwarded-For and X-Forwarded-Proto are taken.",
    )
    head_timeout_s: float = Field(
        10.0, gt=0, description="Seconds in which the headers of a request arrive."
    )
    body_timeout_s: float = Field(
        30.0, gt=0, description="Seconds in which the body of a request arrives."
    )
    body_min_rate: int = Field(
        1_000,
        ge=0,
        description="Bytes a second that a body brings at least, after its first five "
        "seconds.",
    )
    idle_timeout_s: float = Field(
        75.0,
        gt=0,
        description="Seconds that a connection is kept without a request; more than "
        "the proxy before it, which must be the one that closes.",
    )
    connection_limit: int = Field(
        1_000, ge=1, description="Most open connections of an API process."
    )
    connection_limit_per_address: int = Field(
        100, ge=1, description="Most open connections of one address."
    )
    limit_near_connections: bool = Field(
        False,
        description="Count connections of this machine and of trusted proxies, too.",
    )
    rate_limits: bool | None = Field(
        None,
        description="Limit how much a user may ask in a minute. "
        "Unset: in production only.",
    )
    rate_commands: int = Field(
        10_000,
        ge=1,
        description="Events that the commands of a user append in a minute.",
    )
    rate_queries: int = Field(6_000, ge=1, description="Queries of a user in a minute.")
    rate_searches: int = Field(
        1_500, ge=5, description="Searches of a user in a minute, each counted as five."
    )
    rate_exports: int = Field(10, ge=1, description="Exports of a user in a minute.")
    rate_streams: int = Field(
        60, ge=1, description="Streams that a user opens in a minute."
    )
    rate_failed_attempts: int = Field(
        300,
        ge=1,
        description="Requests with a bad token, or none, of an address in a minute.",
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
    metrics_bind: Annotated[str | None, AfterValidator(_bind)] = Field(
        None,
        description="Address and port, as 10.0.0.5:9100, on which an API process "
        "serves /metrics to whoever asks. Unset: none. In production the path of the "
        "API itself wants the operator's role.",
    )
    otel_endpoint: str | None = Field(
        None,
        description="Where traces are sent, by OTLP over HTTP: http://localhost:4318, "
        "say. Unset: none are made. Needs the extra otel.",
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
    def limits_rates(self) -> bool:
        return self.is_production if self.rate_limits is None else self.rate_limits

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
        """Folder of the database's files if `metacortex up` keeps them, else None.

        It is that database if its server was started with the socket that the URL
        names: at the other end of any other URL there may be a tunnel or a pooler.
        """
        folder = self.data_dir / "postgres"
        host = make_url(self.database_url).query.get("host")
        try:
            started_with = (folder / "postmaster.opts").read_text()
        except OSError:
            return None
        here = host is not None and f"unix_socket_directories={host}" in started_with
        return folder if here else None

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
            *production.origin_problems(self.cors_origins),
            *production.password_problems(self._urls()),
            *production.typo_problems(_unknown_names()),
        ]

    def _token_problems(self) -> list[str]:
        return [
            *production.issuer_problems(self.token_issuer),
            *production.key_problems(self.token_public_key, self.token_jwks_url),
            *production.party_problems(
                self.token_authorized_parties, self.token_allow_missing_party
            ),
        ]

    def warnings(self) -> list[str]:
        """Say what is unwise and yet no reason not to start; empty elsewhere."""
        if not self.is_production:
            return []
        return [
            *production.database_warnings(make_url(self.database_url), self._urls()),
            *production.key_warnings(self.token_issuer, self.token_jwks_url),
            *production.name_warnings(_unknown_names()),
        ]

    def _urls(self) -> dict[str, URL | None]:
        found = {
            "DATABASE_URL": self.database_url,
            "DATABASE_READ_URL": self.database_read_url,
            "DATABASE_OWNER_URL": self.database_owner_url,
            "DATABASE_PROJECTOR_URL": self.database_projector_url,
            "DATABASE_AUDITOR_URL": self.database_auditor_url,
        }
        return {name: make_url(it) if it else None for name, it in found.items()}


def _unknown_names() -> dict[str, str]:
    known = {variable(name) for name in Settings.model_fields}
    return production.unknown_names(os.environ, known)


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
