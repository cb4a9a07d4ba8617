"""The lane in front of the bus: bounded, coalescing, isolating failures.

Whatever is waiting goes to the bus as one batch; the lane never waits for more to come.
While one batch is being saved, the next is decided on top of it; it is saved, and
answered, only after that. What is saved is answered when the next batch is on its way,
so that the database is at work while callers go on. A workspace always takes the same
lane, so that its commands keep the order in which they came
(docs/decisions/0002-lane.md).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from uuid import UUID

import structlog

from metacortex.commands.bus import Bus, Prepared
from metacortex.commands.counting import BATCH, count
from metacortex.commands.message import Answer, Request, Result, Unit
from metacortex.commands.space import Spaces, Stale
from metacortex.commands.undo import Undo
from metacortex.kernel.driver_errors import (
    Meaning,
    is_unreachable,
    meaning,
    public,
    report,
)
from metacortex.kernel.errors import MetaCortexError, Overloaded, Unavailable

logger = structlog.get_logger(__name__)

RETRY_AFTER_S = 1  # an overloaded lane drains a full queue in about this
OVERLAP = 8  # units that are worth a batch of their own, so that two can overlap
HELD = 2000  # states and commands in memory after which everything is loaded anew
CONTENDED_S = 1.0  # how long the heads are locked first after somebody came between

_Waiting = tuple[Unit, asyncio.Future[list[Result]]]
_Answered = tuple[Sequence[_Waiting], Sequence[list[Result]]]


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
        self._capacity = capacity
        self._lanes = [_Lane(bus, batch, committed) for _ in range(lanes)]
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many units wait for their batch."""
        return sum(len(lane.queue) for lane in self._lanes)

    def start(self) -> None:
        """Begin to serve; needs a running event loop."""
        self._tasks = [
            asyncio.create_task(lane.serve(), name=f"lane-{index}")
            for index, lane in enumerate(self._lanes)
        ]

    async def stop(self) -> None:
        """Refuse what comes, finish what waits, then end."""
        self._closing = True
        for lane in self._lanes:
            lane.close()
        await asyncio.gather(*self._tasks)

    async def submit(self, unit: Unit) -> list[Result]:
        """Return one result per request. Raises Overloaded, Unavailable.

        A caller that goes away does not take its command back: it is executed, and a
        repeat with the same command id tells what became of it.
        """
        if self._closing:
            raise Unavailable("shutting_down")
        lane = self._lanes[hash(unit.workspace_id) % len(self._lanes)]
        if len(lane.queue) >= self._capacity:
            raise Overloaded("overloaded", meta={"retry_after_s": RETRY_AFTER_S})
        return count(unit, await lane.put(unit))

    async def send(self, request: Request) -> Answer:
        """Run one command of its own. Raises what refused it."""
        (result,) = await self.submit(Unit(requests=(request,)))
        if isinstance(result, MetaCortexError):
            raise result
        return result


class _Lane:
    """A queue and whoever serves it: at most one batch being saved, one decided."""

    def __init__(
        self, bus: Bus, batch: int, committed: Callable[[Iterable[UUID]], None]
    ) -> None:
        self.queue: deque[_Waiting] = deque()
        self._bus = bus
        self._batch = batch
        self._committed = committed
        self._wake = asyncio.Event()
        self._closing = False
        self._spaces = Spaces()
        self._saving: asyncio.Task[bool] | None = None
        self._contended_until = 0.0
        self._next_is_ready = False
        self._unanswered: _Answered = ((), ())

    def put(self, unit: Unit) -> asyncio.Future[list[Result]]:
        """Let a unit wait for its results."""
        future: asyncio.Future[list[Result]] = asyncio.Future()
        self.queue.append((unit, future))
        self._wake.set()
        return future

    def close(self) -> None:
        """Let `serve` end when nothing waits any more."""
        self._closing = True
        self._wake.set()

    async def serve(self) -> None:
        """Run what waits, until closed."""
        while True:
            if not self.queue:
                if self._closing:
                    await self._saved()
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._run(self._next(min(self._size(), self._batch)))
            # whoever was just answered may have more to say: let them, so that ever
            # smaller batches in turn do not become a habit
            await asyncio.sleep(0)

    def _next(self, most: int) -> Sequence[_Waiting]:
        """Return what comes next; an undo begins a batch, as it reads what is saved."""
        taken = [self.queue.popleft()]
        while len(taken) < most and not _undoes(self.queue[0][0]):
            taken.append(self.queue.popleft())
        return taken

    def _size(self) -> int:
        """Return how many to take: all, or half if nothing is being saved meanwhile."""
        waiting = len(self.queue)
        if self._idle and waiting >= 2 * OVERLAP:
            return (waiting + 1) // 2
        return waiting

    @property
    def _idle(self) -> bool:
        return self._saving is None or self._saving.done()

    async def _run(self, waiting: Sequence[_Waiting]) -> None:
        """Decide a batch, and begin to save it once the one before is saved."""
        BATCH.observe(len(waiting))
        if self._spaces.weight > HELD:
            await self._saved()
            self._spaces = Spaces()
        if _undoes(waiting[0][0]):
            await self._saved()
        prepared = await self._prepare([unit for unit, _ in waiting])
        self._next_is_ready = prepared is not None
        saved = await self._saved()
        self._next_is_ready = False
        if saved and prepared is not None:
            self._saving = asyncio.create_task(self._save(prepared, waiting))
            self._answer(*self._unanswered)
            self._unanswered = ((), ())
        else:
            await self._run_locked(waiting)

    async def _prepare(self, units: Sequence[Unit]) -> Prepared | None:
        """Decide a batch; None if that has to be done under locks."""
        if asyncio.get_running_loop().time() < self._contended_until:
            return None
        try:
            try:
                saving = not self._idle
                return await self._bus.prepare(units, self._spaces, saving=saving)
            except Stale:
                if self._idle:
                    self._spaces = Spaces()
                    return await self._bus.prepare(units, self._spaces)
                self._contend()
        except Exception as error:
            logger.info("batch_not_prepared", error=repr(error))
        return None

    async def _saved(self) -> bool:
        """Wait for the batch that is being saved; tell whether all went well."""
        if self._saving is None:
            return True
        saved = await self._saving
        self._saving = None
        return saved

    async def _save(self, prepared: Prepared, waiting: Sequence[_Waiting]) -> bool:
        """Save a batch and answer; False if what was decided came to nothing.

        Then it has been run again, under locks, before anything that came after it.
        """
        saved = False
        try:
            saved = await self._bus.commit(prepared)
            if saved:
                results = await self._bus.finish(prepared)
                if self._next_is_ready:
                    self._unanswered = (waiting, results)
                else:
                    self._answer(waiting, results)
                return True
            self._contend()
        except Exception as error:
            logger.info("batch_not_saved", error=repr(error))
            saved = saved or meaning(error) is Meaning.LOST
        await self._run_locked(waiting, unknown=saved)
        return False

    def _contend(self) -> None:
        loop = asyncio.get_running_loop()
        self._contended_until = loop.time() + CONTENDED_S

    async def _run_locked(
        self, waiting: Sequence[_Waiting], *, unknown: bool = False
    ) -> None:
        """Run a batch; if it fails as a whole, only the guilty unit shall fail.

        `unknown` tells that it may be saved already: then a failure says so.
        """
        self._spaces = Spaces()  # what is known was decided without this batch
        try:
            results = await self._bus.execute([unit for unit, _ in waiting])
        except Exception as error:
            parts = _apart(waiting, error)
            if len(parts) > 1:
                for part in parts:
                    await self._run_locked(part, unknown=unknown)
                return
            self._fail(waiting, error, unknown)
            return
        self._answer(waiting, results)

    def _answer(
        self, waiting: Sequence[_Waiting], results: Sequence[list[Result]]
    ) -> None:
        moved = {
            result.receipt.workspace_id
            for unit in results
            for result in unit
            if isinstance(result, Answer) and result.events and not result.replayed
        }
        if moved:
            self._committed(moved)
        for (_, future), result in zip(waiting, results, strict=True):
            if not future.done():
                future.set_result(result)

    def _fail(
        self, waiting: Sequence[_Waiting], error: Exception, unknown: bool
    ) -> None:
        unknown = unknown or isinstance(error, Unavailable)
        raised = error.__cause__ if isinstance(error, Unavailable) else error
        report(logger, "command_failed", raised or error, unknown=unknown)
        for _, future in waiting:
            if not future.done():
                told = Unavailable("outcome_unknown") if unknown else public(error)
                future.set_exception(told)


def _apart(
    waiting: Sequence[_Waiting], error: Exception
) -> Collection[Sequence[_Waiting]]:
    """Return the parts of a batch that failed which are worth trying by themselves.

    Units of one workspace wait for the same lock: they need not do so one by one.
    """
    if isinstance(error, Unavailable) or is_unreachable(error):
        return [waiting]
    if meaning(error) is not Meaning.BUSY:
        return [[one] for one in waiting]
    found: dict[UUID, list[_Waiting]] = {}
    for one in waiting:
        found.setdefault(one[0].workspace_id, []).append(one)
    return found.values()


def _undoes(unit: Unit) -> bool:
    return any(it.command.__class__ is Undo for it in unit.requests)
