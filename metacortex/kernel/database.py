"""Engines and the kinds of connection; who may write shows in the types.

A query takes a `ReadConnection`, or a `Reader` where it is hot; only a
`WriteConnection`, a `DriverConnection` or a `DriverPool` may change anything, and every
one of them may also be read from (docs/decisions/0009-roles.md). Nothing depends on a
session, so that PgBouncer in transaction mode works.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import lru_cache
from typing import Any, NewType, Protocol

from sqlalchemy import Engine, MetaData, TextClause, event
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase

READS = {"plan_cache_mode": "force_custom_plan", "work_mem": "32MB"}
"""For lists: a plan for the workspace that is asked for, whatever the others are like,
and room for the places of 1,000,000 rows, else a search reads pages in vain."""

ReadConnection = NewType("ReadConnection", AsyncConnection)
WriteConnection = NewType("WriteConnection", ReadConnection)

POOL_TIMEOUT_S = 2.0  # longer would let requests pile up behind a dead database
STATEMENT_S = 10  # of metacortex_app; migrations set it on the role
PLANNED_ROWS = 500  # with as many, no other index than the right one looks as cheap


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
    url: str,
    *,
    pool_size: int = 10,
    pooler: bool = False,
    name: str = "metacortex",
    session: Mapping[str, str] | None = None,
) -> AsyncEngine:
    """Return an engine; `pooler` is for one behind PgBouncer in transaction mode.

    Statements have no names then. The driver sends no Sync between the Parse and the
    Execute of one, so that the pooler keeps both on one session, transaction or not.
    `session` are settings of Postgres, which such a pooler cannot pass on.
    """
    arguments: dict[str, Any] = {
        "timeout": POOL_TIMEOUT_S,
        "server_settings": {"application_name": name, "jit": "off", **(session or {})},
    }
    if pooler:
        arguments["server_settings"] = {}
        arguments["statement_cache_size"] = 0
        arguments["prepared_statement_cache_size"] = 0
        arguments["prepared_statement_name_func"] = str  # gives the empty name
    made = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_recycle=1800,  # seconds: so that a failed-over primary is found again
        connect_args=arguments,
    )
    event.listen(made.sync_engine, "checkout", _check_alive)
    return made


def driver_arguments(url: str, *, pooler: bool, name: str) -> dict[str, Any]:
    """Return what the driver's own `connect` takes for a URL of ours."""
    found: dict[str, Any] = DIALECT.create_connect_args(make_url(url))[1]
    if pooler:
        return {**found, "timeout": POOL_TIMEOUT_S, "statement_cache_size": 0}
    settings = {"application_name": name, "jit": "off"}
    return {**found, "timeout": POOL_TIMEOUT_S, "server_settings": settings}


def _check_alive(connection: Any, record: object, proxy: object) -> None:
    """Invalidate the pool when a connection is found closed.

    A restarted server closed them all.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


def autocommit(engine: AsyncEngine) -> AsyncEngine:
    """Return a view of the engine for single statements: no BEGIN, no ROLLBACK."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


DIALECT: Any = dialect()  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1024)
def _compiled(statement: TextClause) -> tuple[str, Sequence[str]]:
    """Return the statement as the driver reads it, and its parameters in order."""
    compiled = statement.compile(dialect=DIALECT)
    return str(compiled), compiled.positiontup or ()


class Reader(Protocol):
    """Reads through the driver, without SQLAlchemy. Raises what the driver raises."""

    async def rows(
        self, statement: TextClause, values: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """Return the rows that a statement gives."""

    async def row(self, statement: TextClause, values: Mapping[str, Any]) -> Any:
        """Return the one row that a statement gives."""


class DriverConnection:
    """A connection of the driver: a statement costs one round trip and little else.

    Raises what the driver raises.
    """

    __slots__ = ("_driver",)

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    async def rows(
        self, statement: TextClause, values: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """Return the rows that a statement gives."""
        sql, names = _compiled(statement)
        found: list[Any] = await self._driver.fetch(sql, *[values[it] for it in names])
        return found

    async def row(self, statement: TextClause, values: Mapping[str, Any]) -> Any:
        """Return the one row that a statement gives."""
        sql, names = _compiled(statement)
        return await self._driver.fetchrow(sql, *[values[it] for it in names])

    async def write(self, statement: TextClause, values: Mapping[str, Any]) -> int:
        """Write; return how many rows the statement's last part has written."""
        sql, names = _compiled(statement)
        status = await self._driver.execute(sql, *[values[it] for it in names])
        return int(status.rpartition(" ")[2])

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """Return a transaction around what follows."""
        found: AbstractAsyncContextManager[Any] = self._driver.transaction()
        return found


class Plans:
    """Has statements planned anew on their connection as what is written doubles.

    Postgres keeps the plan of a prepared statement until a table is analyzed, which is
    a minute later at the earliest. A plan for empty tables may use any index, or none:
    a batch then reads all rows of its workspace once for each of its commands.
    """

    def __init__(self) -> None:
        self._written = 0

    def wrote(self, rows: int) -> None:
        """Count rows that were written."""
        self._written += rows

    async def refresh(self, connection: AsyncConnection) -> None:
        """Discard the plans of a connection that were made for much smaller tables."""
        opened = connection.sync_connection
        assert opened is not None
        planned = opened.info.setdefault("metacortex_planned", self._written)
        if self._written >= 2 * planned + PLANNED_ROWS:
            await _driver(connection).execute("DISCARD PLANS")
            opened.info["metacortex_planned"] = self._written


class DriverPool:
    """Driver connections of an engine; up to half of the pool's stay checked out, idle.

    A statement is its own transaction, unless it is inside one from `begin`. After an
    error the connection is discarded. The idle ones are closed when the engine is
    disposed of.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.plans = Plans()
        self._engine = autocommit(engine)
        self._idle: list[AsyncConnection] = []
        self._max_idle = engine.pool.size() // 2  # type: ignore[attr-defined]
        event.listen(engine.sync_engine, "engine_disposed", self._close)

    @property
    def spare(self) -> int:
        """How many more connections are to be had at once, without waiting."""
        pool: Any = self._engine.pool
        taken: int = pool.checkedout() - len(self._idle)
        return int(pool.size()) - taken

    async def rows(
        self, statement: TextClause, values: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """Return the rows that a statement gives."""
        async with self._connection() as direct:
            return await direct.rows(statement, values)

    async def row(self, statement: TextClause, values: Mapping[str, Any]) -> Any:
        """Return the one row that a statement gives."""
        async with self._connection() as direct:
            return await direct.row(statement, values)

    async def write(self, statement: TextClause, values: Mapping[str, Any]) -> int:
        """Write; return how many rows the statement's last part has written."""
        async with self._connection() as direct:
            return await direct.write(statement, values)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[DriverConnection]:
        """Give a connection in a transaction of its own."""
        async with self._connection() as direct, direct.transaction():
            yield direct

    def _close(self, engine: Engine) -> None:
        while self._idle:
            connection = self._idle.pop().sync_connection
            assert connection is not None
            connection.detach()
            connection.close()

    async def _alive(self) -> AsyncConnection:
        """Return a connection that is not known to be closed."""
        while self._idle:
            connection = self._idle.pop()
            if not _driver(connection).is_closed():
                return connection
            await connection.invalidate()
            await connection.close()
        return await self._engine.connect()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[DriverConnection]:
        pool = self._engine.pool
        connection = await self._alive()
        try:
            await self.plans.refresh(connection)
            yield DriverConnection(_driver(connection))
        except BaseException:
            await connection.invalidate()
            await connection.close()
            raise
        if self._engine.pool is not pool:  # disposed of: nobody would close it
            await connection.invalidate()
            await connection.close()
        elif len(self._idle) < self._max_idle:
            self._idle.append(connection)
        else:
            await connection.close()


def _driver(connection: AsyncConnection) -> Any:
    opened = connection.sync_connection
    assert opened is not None
    return opened.connection.driver_connection


def driver_pool(engine: AsyncEngine) -> DriverPool:
    """Return the direct pool of an engine, always the same one."""
    found: DriverPool | None = engine.get_execution_options().get("driver_pool")
    if found is None:
        found = DriverPool(engine)
        engine.update_execution_options(driver_pool=found)
    return found
