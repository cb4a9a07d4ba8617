"""Engines and the two kinds of connection; who may write shows in the types.

A query takes a `ReadConnection`; only a `WriteConnection` may change anything, and
every one of them may also be read from (docs/decisions/0009-roles.md). Nothing depends
on a session, so that PgBouncer in transaction mode works.
"""

from typing import Any, NewType
from uuid import uuid4

from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase

ReadConnection = NewType("ReadConnection", AsyncConnection)
WriteConnection = NewType("WriteConnection", ReadConnection)

POOL_TIMEOUT_S = 2.0  # longer would let requests pile up behind a dead database
STATEMENT_TIMEOUT_MS = 10_000  # no honest request of ours takes longer


class Table(DeclarativeBase):
    """Base of every declarative table; used as definitions, never as mapped objects."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def engine(
    url: str, *, pool_size: int = 10, pooler: bool = False, name: str = "metacortex"
) -> AsyncEngine:
    """Return an engine; `pooler` turns statement caches off for PgBouncer."""
    arguments: dict[str, Any] = {
        "timeout": POOL_TIMEOUT_S,
        "server_settings": {"application_name": name, "jit": "off"},
    }
    if pooler:
        arguments["server_settings"] = {}
        arguments["statement_cache_size"] = 0
        arguments["prepared_statement_cache_size"] = 0
        arguments["prepared_statement_name_func"] = lambda: f"__mc_{uuid4().hex}__"
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_recycle=1800,  # seconds: so that a failed-over primary is found again
        connect_args=arguments,
    )


def autocommit(engine: AsyncEngine) -> AsyncEngine:
    """Return a view of the engine for single statements: no BEGIN, no ROLLBACK."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


TRANSIENT = frozenset({"40001", "40P01", "55P03"})
"""Serialisation failure, deadlock, lock not available: the same again may succeed."""

UNREACHABLE = ("08", "53", "57P0", "58")
"""Connection lost, resources short, being shut down: another time it may succeed."""


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of whatever the driver raised, where there is one."""
    return getattr(getattr(error, "orig", error), "sqlstate", None)


def is_transient(error: BaseException) -> bool:
    """Tell whether running the transaction again is likely to succeed."""
    return sqlstate(error) in TRANSIENT


def is_unreachable(error: BaseException) -> bool:
    """Tell whether the database, not the statement, is the trouble."""
    if isinstance(error, (PoolTimeout, InterfaceError, OSError, TimeoutError)):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    state = sqlstate(error)
    return state is not None and state.startswith(UNREACHABLE)
