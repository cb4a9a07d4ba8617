"""The roles of an installation: who owns, who writes, who projects, who audits.

The owner cannot log in; migrations become it. The other three log in with whatever
password their URLs carry (docs/decisions/0009-roles.md).
"""

from collections.abc import Iterable

from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from metacortex.grants import APP, AUDITOR, OWNER, PROJECTOR
from metacortex.kernel.database import STATEMENT_S

UTC = {"timezone": "UTC"}  # answers say Z, whatever zone the server is in
LIMITS = {
    APP: {
        **UTC,
        "statement_timeout": f"{STATEMENT_S}s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "10s",
    },
    PROJECTOR: {
        **UTC,
        "lock_timeout": "30s",  # a rebuild waits for the turn that holds the checkpoint
        "idle_in_transaction_session_timeout": "10s",  # a batch is folded in below 1 s
    },
    AUDITOR: {
        **UTC,
        "statement_timeout": "60s",
        "default_transaction_read_only": "on",
    },
}
"""By role that logs in: how long it may hold things up, and its time zone."""


class MissingRoles(CommandError):
    """The roles are not there, and the migrating user may not create them."""


def ensure_roles(connection: Connection, urls: Iterable[str]) -> None:
    """Create missing roles, with the passwords of the URLs that log in as them.

    Raises MissingRoles.
    """
    missing = _missing(connection)
    if missing and not _may_create(connection):
        raise MissingRoles(
            f"create the roles {', '.join(missing)} as a superuser, or let "
            "DATABASE_OWNER_URL log in as a user with CREATEROLE"
        )
    passwords = {make_url(url).username: make_url(url).password for url in urls}
    for role in missing:
        _create(connection, role, passwords.get(role))


def _missing(connection: Connection) -> list[str]:
    known = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
    return [role for role in (OWNER, *LIMITS) if role not in known]


def _may_create(connection: Connection) -> bool:
    sql = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    return bool(connection.scalar(text(sql)))


def _create(connection: Connection, role: str, password: str | None) -> None:
    login = "NOLOGIN" if role == OWNER else "LOGIN"
    secret = ""
    if password is not None:
        quoted = connection.scalar(text("SELECT quote_literal(:p)"), {"p": password})
        secret = f" PASSWORD {quoted}"
    connection.exec_driver_sql(f"CREATE ROLE {role} {login}{secret}")


PATH = "pg_catalog, pg_temp"
"""Where names without a schema are looked up: nowhere that anybody could add to."""


def apply_limits(connection: Connection) -> None:
    """Give each role its timeouts and its search path, where we may."""
    if not _may_create(connection):
        return
    for role in (OWNER, *LIMITS):
        connection.exec_driver_sql(f"ALTER ROLE {role} SET search_path = {PATH}")
    for role, limits in LIMITS.items():
        for name, value in limits.items():
            connection.exec_driver_sql(f"ALTER ROLE {role} SET {name} = '{value}'")
