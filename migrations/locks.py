"""The table locks of a migration: all of them before it begins, or none for now.

Others come by the same tables in many orders: the bus and the sweep begin at
`events.heads`, the projector at `queries.checkpoints`, queries where they like. And
whoever comes while we wait for one table waits behind us, with those in hand that it
took before. So we wait for a moment only, far less than the second after which Postgres
looks for deadlocks and lets somebody fail; then we let go, everybody passes, and we try
again. In the order of `ordered` one of a few tries succeeds under full load.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import uniform
from typing import TypeVar

from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.console import say
from metacortex.kernel.driver_errors import sqlstate

T = TypeVar("T")

FIRST = ("events.heads", "queries.checkpoints")
"""Where those begin who write. The other way round, the sweep is always in the way."""

BEGINS = {"events": FIRST[0], "commands": FIRST[0], "queries": FIRST[1]}
"""By schema, the table at which whoever writes to it begins, if there is one."""

TRY_MS = 100  # for all locks of one try: nobody notices that everything stood still
BETWEEN_S = (0.02, 0.1)  # between tries, so that others pass, and not in step with us
WAIT_MS = 1_000  # tries of one attempt, and what a migration did not say it needs
ATTEMPTS = 60  # a minute and a half: longer than any statement of ours may take
PAUSE_S = (0.2, 0.6)  # between attempts, each a transaction
BUSY = ("55P03", "40P01")  # lock not available in time, deadlock

_TABLES = text(
    "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN"
    " ('events', 'commands', 'queries', 'workers')"
)
_HOLDERS = text(
    "SELECT DISTINCT a.application_name || ' ' || a.pid FROM pg_locks l"
    " JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.granted"
    " AND l.relation = to_regclass(:table) AND l.pid <> pg_backend_pid() ORDER BY 1"
)


@dataclass
class Busy(Exception):
    """A lock was not to be had in time: that of a table, or one of a statement's."""

    what: str
    is_table: bool = False


def wanted(connection: Connection, script: ScriptDirectory) -> list[str]:
    """Return the tables that the migrations to come alter, in the order of locking.

    A migration names them in `locks`; one that does not may alter any.
    """
    there = set(connection.scalars(_TABLES))
    found: set[str] = set()
    for revision in _to_come(connection, script):
        named = getattr(revision.module, "locks", None)
        found |= there if named is None else there & set(named)
    return ordered(found)


def _to_come(connection: Connection, script: ScriptDirectory) -> Sequence[Script]:
    current = MigrationContext.configure(connection).get_current_heads()
    return list(script.iterate_revisions("heads", current or "base"))


def ordered(tables: Iterable[str]) -> list[str]:
    """Return tables in the order of locking, with those at which others begin."""
    found = set(tables)
    schemas = {it.partition(".")[0] for it in found}
    found |= {BEGINS[it] for it in schemas & BEGINS.keys()}
    return sorted(found, key=lambda it: (*(it != first for first in FIRST), it))


def take(connection: Connection, tables: Sequence[str]) -> None:
    """Lock tables for this transaction. Raises Busy."""
    ends = time.monotonic() + WAIT_MS / 1_000
    while True:
        try:
            with connection.begin_nested():
                _try(connection, tables)
            break
        except Busy:  # the savepoint is gone, and with it every lock
            if time.monotonic() > ends:
                raise
            time.sleep(uniform(*BETWEEN_S))
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {WAIT_MS}")


def _try(connection: Connection, tables: Iterable[str]) -> None:
    ends = time.monotonic() + TRY_MS / 1_000
    for table in tables:
        left = max(1, int((ends - time.monotonic()) * 1_000))
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {left}")
        try:
            connection.exec_driver_sql(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        except DBAPIError as error:
            if sqlstate(error) in BUSY:
                raise Busy(table, is_table=True) from error
            raise


async def patiently(engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
    """Run work in a transaction, and again while its locks are not to be had.

    Raises CommandError after the last attempt, and whatever else the work raises.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        except Busy as busy:
            failed = busy
        except DBAPIError as error:
            if sqlstate(error) not in BUSY:
                raise
            failed = Busy((error.statement or "").partition("\n")[0])
        holders = await _holders(engine, failed)
        say(f"attempt {attempt} of {ATTEMPTS}: waits for {failed.what}{holders}")
        await asyncio.sleep(uniform(*PAUSE_S))
    raise CommandError(
        f"{failed.what} was in use at each of {ATTEMPTS} attempts{holders}; nothing was"
        " changed: end what holds it, or migrate when less is going on"
    )


async def _holders(engine: AsyncEngine, failed: Busy) -> str:
    """Name the connections that hold the table now; they may be others by then."""
    if not failed.is_table:
        return ""
    async with engine.connect() as connection:
        found = list(await connection.scalars(_HOLDERS, {"table": failed.what}))
    return f" (held by {', '.join(found)})" if found else ""
