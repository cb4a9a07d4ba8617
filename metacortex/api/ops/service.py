"""What the operators' endpoints work with, one of each in a process."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.api.ops.broadcaster import Broadcaster
from metacortex.kernel.database import Reader
from metacortex.operations.observer import Observer
from metacortex.operations.operator_actions import OperatorActions

CHECKED_S = 10.0  # the checks log in everywhere, and read a sample of the log

Checks = Callable[[], Awaitable[Sequence[dict[str, Any]]]]


@dataclass(slots=True, kw_only=True)
class Operations:
    """The operators' services of a process; `ask` runs all checks."""

    reads: Reader
    """The primary: an operator sees at once what he did."""
    engines: Mapping[str, AsyncEngine]
    """Those of the process, by what they are for."""
    operator_actions: OperatorActions
    observer: Observer
    broadcaster: Broadcaster
    ask: Checks
    _asked: tuple[float, Sequence[dict[str, Any]]] | None = None
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def checks(self) -> Sequence[dict[str, Any]]:
        """Return what the checks found, at most ten seconds ago."""
        async with self._one:
            now = time.monotonic()
            if self._asked is None or now - self._asked[0] > CHECKED_S:
                self._asked = (now, await self.ask())
            return self._asked[1]
