"""Engines and the two kinds of connection; who may write shows in the types.

A query takes a `ReadConnection`; only a `WriteConnection` may change anything, and
every one of them may also be read from (docs/decisions/0009-roles.md). Nothing depends
on a session, so that PgBouncer in transaction mode works.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, NewType
from uuid import uuid4

import asyncpg
from sqlalchemy import MetaData, TextClause
from sqlalchemy.dialects.postgresql.asyncpg import dialect
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


_DIALECT: Any = dialect()  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1024)
def _compiled(statement: TextClause) -> tuple[str, Sequence[str]]:
    """Return the statement as the driver reads it, and its parameters in order."""
    compiled = statement.compile(dialect=_DIALECT)
    return str(compiled), compiled.positiontup or ()


class Straight:
    """Single statements, each its own transaction, straight to the driver.

    Keeps up to half of the engine's connections: a statement costs one round trip and
    little else. Raises what the driver raises; the connection is then given up.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = autocommit(engine)
        self._kept: list[AsyncConnection] = []
        self._most = engine.pool.size() // 2  # type: ignore[attr-defined]

    async def row(self, statement: TextClause, values: Mapping[str, Any]) -> Any:
        """Return the one row that a statement gives."""
        sql, names = _compiled(statement)
        async with self._connection() as driver:
            return await driver.fetchrow(sql, *map(values.__getitem__, names))

    async def count(self, statement: TextClause, values: Mapping[str, Any]) -> int:
        """Return how many rows a statement's last part has written."""
        sql, names = _compiled(statement)
        async with self._connection() as driver:
            status = await driver.execute(sql, *map(values.__getitem__, names))
        return int(status.rpartition(" ")[2])

    async def close(self) -> None:
        """Give back what is kept; later statements open anew."""
        while self._kept:
            await self._kept.pop().close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        if self._kept:
            connection = self._kept.pop()
        else:
            connection = await self._engine.connect()
        try:
            opened = connection.sync_connection
            assert opened is not None
            driver: Any = opened.connection.driver_connection
            yield driver
        except BaseException:
            await connection.invalidate()
            await connection.close()
            raise
        if len(self._kept) < self._most:
            self._kept.append(connection)
        else:
            await connection.close()


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
