"""What the driver's errors mean: one table, by SQLSTATE and by class.

Whatever decides on an error of the database asks here: what a client is told, whether a
read is tried once more, what the log says (docs/decisions/0010-errors.md).
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from metacortex.kernel.errors import CODES, MetaCortexError


class Meaning(Enum):
    """The code that clients get, and whether a read is tried once more."""

    def __init__(self, code: str, again: bool) -> None:
        self.code = code
        self.again = again

    LOST = ("database_unavailable", True)
    """A connection broke: it may only have been an old one, the pool has others."""
    AWAY = ("database_unavailable", False)
    """No connection is to be had, or the server is short of something."""
    BUSY = ("workspace_busy", True)
    """Others hold the lock, or a conflict was resolved against us."""
    TIMEOUT = ("query_timeout", False)
    """Cancelled for its length; the same again would take as long."""
    POOLED = ("internal_error", False)
    """A pooler gave the session to another client: POOLER_REMEDY."""


STATES: Mapping[str, Meaning] = {
    "08": Meaning.LOST,
    "08001": Meaning.AWAY,  # the client cannot connect
    "08004": Meaning.AWAY,  # the server rejects the connection
    "25P03": Meaning.LOST,  # idle in a transaction for too long: hung up
    "25P04": Meaning.TIMEOUT,  # transaction_timeout
    "26000": Meaning.POOLED,  # there is no such prepared statement
    "40001": Meaning.BUSY,  # serialization failure
    "40P01": Meaning.BUSY,  # deadlock
    "42P05": Meaning.POOLED,  # there is a prepared statement of this name
    "53": Meaning.AWAY,  # out of memory, of disk or of connections
    "55P03": Meaning.BUSY,  # lock_timeout
    "57014": Meaning.TIMEOUT,  # statement_timeout, or cancelled by an operator
    "57P0": Meaning.LOST,  # shut down, crashed, or ended by an operator
    "57P03": Meaning.AWAY,  # starting up or shutting down
    "58": Meaning.AWAY,  # errors of the server's operating system
}
"""By the beginning of an SQLSTATE; the longest one that fits is in force."""

CLASSES: tuple[tuple[type[BaseException], Meaning | None], ...] = (
    (ValueError, None),  # asyncpg's InterfaceError for a value of the wrong type is one
    (asyncpg.TargetServerAttributeNotMatched, Meaning.AWAY),  # a primary, for one
    (asyncpg.InternalClientError, Meaning.LOST),  # its state when the server hangs up
    (asyncpg.InterfaceError, Meaning.LOST),  # the connection is closed
    (PoolTimeout, Meaning.AWAY),
    (OSError, Meaning.AWAY),  # of connecting; later the driver wraps what breaks
)
"""By class, for what has no SQLSTATE; the first one that fits is in force."""

STARTUP = "unsupported startup parameter"  # PgBouncer's words; its SQLSTATE is 08P01

POOLER_REMEDY = (
    "behind a pooler in transaction mode, as PgBouncer's, set"
    " METACORTEX_DATABASE_POOLER=true"
)


def cause(error: BaseException) -> BaseException:
    """Return what the driver raised, without what SQLAlchemy made of it."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return error
    return error.orig.__cause__ or error.orig


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of whatever the driver raised, where there is one."""
    return getattr(cause(error), "sqlstate", None)


def meaning(error: BaseException) -> Meaning | None:
    """Return what an error means; None if it is not the database's state."""
    raised = cause(error)
    state = sqlstate(error)
    if state == "08P01" and STARTUP in str(raised):
        return Meaning.POOLED
    for length in range(len(state or ""), 1, -1):
        if state is not None and (found := STATES.get(state[:length])) is not None:
            return found
    for kind, of_kind in CLASSES:
        if isinstance(raised, kind):
            return of_kind
    broken = isinstance(error, DBAPIError) and error.connection_invalidated
    return Meaning.LOST if broken else None


def is_unreachable(error: BaseException) -> bool:
    """Tell whether the database, not the statement, is the trouble."""
    return meaning(error) in (Meaning.LOST, Meaning.AWAY)


def worth_another(error: BaseException) -> bool:
    """Tell whether the same again, on another connection, may succeed at once."""
    found = meaning(error)
    return found is not None and found.again


def remedy(error: BaseException) -> str | None:
    """Return what an operator has to set, where that is the trouble."""
    return POOLER_REMEDY if meaning(error) is Meaning.POOLED else None


def public(error: BaseException) -> MetaCortexError:
    """Return what a client is told."""
    found = meaning(error)
    code = "internal_error" if found is None else found.code
    return CODES[code][0](code)


def report(logger: Any, event: str, error: BaseException, **about: Any) -> None:
    """Log an error: a line where the table knows it, the traceback where not."""
    found = meaning(error)
    if found is None:
        logger.error(event, exc_info=error, **about)
    elif found is Meaning.POOLED:
        logger.error(event, error=repr(cause(error)), remedy=POOLER_REMEDY, **about)
    else:
        logger.warning(event, code=found.code, error=repr(cause(error)), **about)
