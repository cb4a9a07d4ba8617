"""The lane in front of the bus: bounded, coalescing, isolating failures.

Whatever is waiting goes to the bus as one batch; the lane never waits for more to come.
A workspace always takes the same lane, so that its commands keep the order in which
they came (docs/decisions/0002-lane.md).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

import structlog

from metacortex.commands.bus import Bus
from metacortex.commands.message import Answer, Request, Result, Unit
from metacortex.kernel.database import is_unreachable
from metacortex.kernel.errors import MetaCortexError, Overloaded, Unavailable

logger = structlog.get_logger(__name__)

RETRY_AFTER_S = 1  # an overloaded lane drains a full queue in about this

_Waiting = tuple[Unit, asyncio.Future[list[Result]]]


class Lane:
    """Several lanes over one bus; `committed` is told which workspaces moved."""

    def __init__(
        self,
        bus: Bus,
        *,
        lanes: int = 2,
        capacity: int = 2000,
        batch: int = 256,
        committed: Callable[[Iterable[UUID]], None] = lambda workspaces: None,
    ) -> None:
        self._bus = bus
        self._capacity = capacity
        self._batch = batch
        self._committed = committed
        self._queues: list[deque[_Waiting]] = [deque() for _ in range(lanes)]
        self._wakes = [asyncio.Event() for _ in range(lanes)]
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many units wait for their batch."""
        return sum(map(len, self._queues))

    def start(self) -> None:
        """Begin to serve; needs a running event loop."""
        self._tasks = [
            asyncio.create_task(self._serve(queue, wake), name=f"lane-{index}")
            for index, (queue, wake) in enumerate(zip(self._queues, self._wakes))
        ]

    async def stop(self) -> None:
        """Refuse what comes, finish what waits, then end."""
        self._closing = True
        for wake in self._wakes:
            wake.set()
        await asyncio.gather(*self._tasks)

    async def submit(self, unit: Unit) -> list[Result]:
        """Return one result per request. Raises Overloaded, Unavailable.

        A caller that goes away does not take its command back: it is executed, and a
        repeat with the same command id tells what became of it.
        """
        if self._closing:
            raise Unavailable("shutting_down")
        index = hash(unit.workspace_id) % len(self._queues)
        queue = self._queues[index]
        if len(queue) >= self._capacity:
            raise Overloaded("overloaded", meta={"retry_after_s": RETRY_AFTER_S})
        future: asyncio.Future[list[Result]] = asyncio.Future()
        queue.append((unit, future))
        self._wakes[index].set()
        return await future

    async def send(self, request: Request) -> Answer:
        """Run one command of its own. Raises what refused it."""
        (result,) = await self.submit(Unit(requests=(request,)))
        if isinstance(result, MetaCortexError):
            raise result
        return result

    async def _serve(self, queue: deque[_Waiting], wake: asyncio.Event) -> None:
        while True:
            if not queue:
                if self._closing:
                    return
                wake.clear()
                await wake.wait()
                continue
            size = min(len(queue), self._batch)
            await self._run([queue.popleft() for _ in range(size)])
            # whoever was just answered may have more to say: let them, so that two
            # half batches in turn do not become a habit
            await asyncio.sleep(0)

    async def _run(self, waiting: Sequence[_Waiting]) -> None:
        """Run a batch; if it fails as a whole, only the guilty unit shall fail."""
        try:
            results = await self._bus.execute([unit for unit, _ in waiting])
        except Exception as error:
            if len(waiting) > 1 and not is_unreachable(error):
                for one in waiting:
                    await self._run([one])
                return
            self._fail(waiting, error)
            return
        self._tell(results)
        for (_, future), result in zip(waiting, results, strict=True):
            if not future.done():
                future.set_result(result)

    def _tell(self, results: Iterable[Sequence[Result]]) -> None:
        moved = {
            result.receipt.workspace_id
            for unit in results
            for result in unit
            if isinstance(result, Answer) and result.events and not result.replayed
        }
        if moved:
            self._committed(moved)

    def _fail(self, waiting: Sequence[_Waiting], error: Exception) -> None:
        if is_unreachable(error):
            logger.warning("database_unavailable", error=repr(error))
        else:
            logger.error("command_failed", exc_info=error)
        for _, future in waiting:
            if not future.done():
                future.set_exception(_public(error))


def _public(error: Exception) -> MetaCortexError:
    if is_unreachable(error):
        return Unavailable("database_unavailable")
    return MetaCortexError("internal_error")
