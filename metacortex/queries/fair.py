"""Reads of one workspace take some of the connections, never all of them.

A query that is slow, asked again and again, would otherwise hold every connection until
its timeout, and make all others wait for one.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import TextClause

from metacortex.kernel.database import Reader

KEY = "workspace"  # the name under which statements take it


class FairReader:
    """A reader in which each workspace has so many statements at a time; others wait.

    Those of one workspace go in the order in which they came.
    """

    def __init__(self, reader: Reader, most: int) -> None:
        self._reader = reader
        self._most = most
        self._running: dict[Any, int] = {}
        self._waiting: dict[Any, deque[asyncio.Future[None]]] = {}

    async def rows(
        self, statement: TextClause, values: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """Return the rows that a statement gives."""
        key = values.get(KEY)
        if not self._begin(key):
            await self._wait(key)
        try:
            return await self._reader.rows(statement, values)
        finally:
            self._pass_on(key)

    async def row(self, statement: TextClause, values: Mapping[str, Any]) -> Any:
        """Return the one row that a statement gives."""
        key = values.get(KEY)
        if not self._begin(key):
            await self._wait(key)
        try:
            return await self._reader.row(statement, values)
        finally:
            self._pass_on(key)

    def _begin(self, key: Any) -> bool:
        """Take a turn if there is one."""
        running = self._running.get(key, 0)
        if running >= self._most:
            return False
        self._running[key] = running + 1
        return True

    async def _wait(self, key: Any) -> None:
        """Wait until somebody hands their turn over."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # handed over just now
                self._pass_on(key)
            raise

    def _pass_on(self, key: Any) -> None:
        """Hand a turn to the next who still waits, or end it."""
        waiting = self._waiting.get(key)
        while waiting:
            future = waiting.popleft()
            if not future.done():
                future.set_result(None)
                return
        self._waiting.pop(key, None)
        if self._running[key] > 1:
            self._running[key] -= 1
        else:
            del self._running[key]
