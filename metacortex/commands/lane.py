"""The lane: a bounded queue in front of the bus that forms batches (group commit).

All units that wait become one batch; the lane never delays a batch to make it larger.
While one batch is being saved, the next is decided over its outcome (pipelining), and
saved and answered after it. Callers of a saved batch are answered once the statement of
the next batch has been sent, so that the database works meanwhile. All units of a
workspace go through the same lane of a process, those of a user in order of arrival.

A unit that takes long is taken out of its batch and runs apart, one at a time in a
process; its workspace waits for it, the others do not (docs/decisions/0023-turns.md).
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from uuid import UUID

import structlog

from metacortex.commands.bus import Bus, Prepared
from metacortex.commands.counting import BATCH, count, traced
from metacortex.commands.fair_queue import FairQueue, Waiting
from metacortex.commands.message import Answer, CommandRequest, Result, Unit
from metacortex.commands.session import SessionCache, StaleSession
from metacortex.commands.undo import Undo
from metacortex.kernel import tracing
from metacortex.kernel.driver_errors import (
    Meaning,
    is_unreachable,
    meaning,
    public,
    report,
)
from metacortex.kernel.errors import MetaCortexError, Overloaded, Refused, Unavailable

logger = structlog.get_logger(__name__)

RETRY_AFTER_S = 1  # about as long as a lane takes to drain a full queue
OVERLAP = 8  # units of half a batch: fewer do not pay for a statement of their own
CACHE_LIMIT = 2000  # rows and commands: beyond it the cache is emptied
CONTENDED_S = 1.0  # how long to lock heads first after a conflict with others

_Answered = tuple[Sequence[Waiting], Sequence[list[Result]]]


class Lane:
    """Several lanes over one bus; `committed` is called with changed workspaces."""

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
        alone = asyncio.Semaphore(1)
        self._lanes = [_Lane(bus, batch, committed, alone) for _ in range(lanes)]
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    @property
    def waiting(self) -> int:
        """The number of commands that are queued."""
        return sum(lane.queue.commands for lane in self._lanes)

    def start(self) -> None:
        """Start the tasks that serve the lanes; needs a running event loop."""
        self._tasks = [
            asyncio.create_task(lane.serve(), name=f"lane-{index}")
            for index, lane in enumerate(self._lanes)
        ]

    async def stop(self) -> None:
        """Refuse new units, finish the queued ones, then end."""
        self._closing = True
        for lane in self._lanes:
            lane.close()
        await asyncio.gather(*self._tasks)

    async def submit(self, unit: Unit) -> list[Result]:
        """Return one result per request. Raises Overloaded, Unavailable.

        A caller that disconnects does not cancel its commands: they are executed, and
        repeating one under the same command id returns its outcome.
        """
        if self._closing:
            raise Unavailable("shutting_down")
        lane = self._lanes[hash(unit.workspace_id) % len(self._lanes)]
        if not lane.queue.has_room(unit, self._capacity):
            raise Overloaded("overloaded", meta={"retry_after_s": RETRY_AFTER_S})
        if tracing.tracer is None:
            return count(unit, await lane.put(unit))
        with traced(unit):
            return count(unit, await lane.put(unit))

    async def send(self, request: CommandRequest) -> Answer:
        """Run one command as a unit of its own. Raises the error that refused it."""
        (result,) = await self.submit(Unit(requests=(request,)))
        if isinstance(result, MetaCortexError):
            raise result
        return result


class _Lane:
    """A queue and its server: at most one batch is being saved while one is decided."""

    def __init__(
        self,
        bus: Bus,
        batch: int,
        committed: Callable[[Iterable[UUID]], None],
        alone: asyncio.Semaphore,
    ) -> None:
        self.queue = FairQueue()
        self._alone = alone
        self._apart: dict[UUID, asyncio.Task[None]] = {}
        self._bus = bus
        self._batch = batch
        self._committed = committed
        self._wake = asyncio.Event()
        self._closing = False
        self._cache = SessionCache()
        self._saving: asyncio.Task[bool] | None = None
        self._contended_until = 0.0
        self._next_is_ready = False
        self._unanswered: _Answered = ((), ())

    def put(self, unit: Unit) -> asyncio.Future[list[Result]]:
        """Queue a unit; the future gets its results."""
        future: asyncio.Future[list[Result]] = asyncio.Future()
        self.queue.put((unit, future))
        self._wake.set()
        return future

    def close(self) -> None:
        """Let `serve` end when the queue is empty."""
        self._closing = True
        self._wake.set()

    async def serve(self) -> None:
        """Run queued units until closed."""
        while True:
            if not self.queue:
                if self._closing and not self._apart:
                    await self._saved()
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._run(self._next(min(self._size(), self._batch)))
            # callers that were just answered may send their next command: let them
            # run before the next batch is formed, or batches become ever smaller
            await asyncio.sleep(0)

    def _next(self, most: int) -> Sequence[Waiting]:
        """Return the next batch; an undo starts one, as it reads committed events."""
        taken = [self.queue.take()]
        commands = len(taken[0][0].requests)
        while self.queue:
            unit = self.queue.peek()
            commands += len(unit.requests)
            if commands > most or _has_undo(unit):
                break
            taken.append(self.queue.take())
        return taken

    def _size(self) -> int:
        """Return how many commands to take: all, or half if no batch is being saved."""
        waiting = self.queue.commands
        if self._idle and waiting >= 2 * OVERLAP:
            return (waiting + 1) // 2
        return waiting

    @property
    def _idle(self) -> bool:
        return self._saving is None or self._saving.done()

    async def _run(self, waiting: Sequence[Waiting]) -> None:
        """Decide a batch, and start to save it when the previous one is saved."""
        BATCH.observe(sum(len(unit.requests) for unit, _ in waiting))
        if self._cache.size > CACHE_LIMIT:
            await self._saved()
            self._cache = SessionCache()
        if _has_undo(waiting[0][0]):
            await self._saved()
        prepared = await self._prepare([unit for unit, _ in waiting])
        long: Sequence[Waiting] = ()
        if prepared is not None:
            waiting, long = self._kept(waiting, prepared)
        self._next_is_ready = prepared is not None
        saved = await self._saved()
        self._next_is_ready = False
        if saved and prepared is not None:
            self._saving = asyncio.create_task(self._save(prepared, waiting))
            self._answer(*self._unanswered)
            self._unanswered = ((), ())
        else:
            await self._run_locked(waiting)
        for one in long:
            self._run_apart(one, self._saving)

    def _kept(
        self, waiting: Sequence[Waiting], decided: Prepared
    ) -> tuple[Sequence[Waiting], Sequence[Waiting]]:
        """Return the units that were decided, and those that are to run apart.

        The others go back into the queue; its workspace waits for what runs apart.
        """
        if not decided.batch.postponed:
            return waiting, ()
        by_number = list(enumerate(waiting))
        postponed = decided.batch.postponed
        long = [it for number, it in by_number if postponed.get(number)]
        for one in long:
            self.queue.hold(_workspace(one))
            self._cache.forget(_workspace(one))
        later = (it for number, it in by_number if postponed.get(number) is False)
        self.queue.put_back(later)
        decided.leave_out()
        return [it for number, it in by_number if number not in postponed], long

    def _run_apart(
        self, waiting: Waiting, after: asyncio.Task[bool] | None = None
    ) -> None:
        """Begin to run a unit that takes long, behind what its workspace waits for."""
        task = asyncio.create_task(self._apart_from_others(waiting, after))
        self._apart[_workspace(waiting)] = task

    async def _apart_from_others(
        self, waiting: Waiting, after: asyncio.Task[bool] | None
    ) -> None:
        if after is not None:
            await asyncio.wait((after,))
        try:
            async with self._alone:
                results = await self._bus.execute([waiting[0]])
            self._answer([waiting], results)
        except Exception as error:
            self._fail([waiting], error, unknown=False)
        finally:
            del self._apart[_workspace(waiting)]
            self.queue.release(_workspace(waiting))
            self._wake.set()

    async def _prepare(self, units: Sequence[Unit]) -> Prepared | None:
        """Decide a batch; return None if it has to run under locks."""
        if asyncio.get_running_loop().time() < self._contended_until:
            return None
        try:
            try:
                saving = not self._idle
                return await self._bus.prepare(units, self._cache, saving=saving)
            except StaleSession:
                if self._idle:
                    self._cache = SessionCache()
                    return await self._bus.prepare(units, self._cache)
                self._lock_for_a_while()
        except Exception as error:
            logger.info("batch_not_prepared", error=repr(error))
        return None

    async def _saved(self) -> bool:
        """Wait for the batch that is being saved; return False if it ran again."""
        if self._saving is None:
            return True
        saved = await self._saving
        self._saving = None
        return saved

    async def _save(self, prepared: Prepared, waiting: Sequence[Waiting]) -> bool:
        """Save a batch and answer; return False if it could not be saved as decided.

        It has then run again under locks, before any later batch is saved.
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
            self._lock_for_a_while()
        except Exception as error:
            logger.info("batch_not_saved", error=repr(error))
            saved = saved or meaning(error) is Meaning.LOST
        await self._run_locked(waiting, unknown=saved)
        return False

    def _lock_for_a_while(self) -> None:
        loop = asyncio.get_running_loop()
        self._contended_until = loop.time() + CONTENDED_S

    async def _run_locked(
        self, waiting: Sequence[Waiting], *, unknown: bool = False
    ) -> None:
        """Run a batch under locks; if that fails as a whole, run its parts one by one.

        `unknown` tells that it may be saved already: then a failure says so.
        """
        self._cache = SessionCache()  # the cached state does not include this batch
        held = [it for it in waiting if self.queue.is_held(_workspace(it))]
        if held:
            waiting = [it for it in waiting if not self.queue.is_held(_workspace(it))]
            self.queue.put_back(held)
        if not waiting:
            return
        units = [unit for unit, _ in waiting]
        try:
            executed = await self._bus.execute_locked(units, quick=True)
        except Exception as error:
            parts = _apart(waiting, error)
            if len(parts) > 1:
                for part in parts:
                    await self._run_locked(part, unknown=unknown)
                return
            self._fail(waiting, error, unknown)
            return
        waiting, long = self._kept(waiting, executed)
        self._answer(waiting, executed.batch.results)
        for one in long:
            self._run_apart(one)

    def _answer(
        self, waiting: Sequence[Waiting], results: Sequence[list[Result]]
    ) -> None:
        changed = {
            result.receipt.workspace_id
            for unit in results
            for result in unit
            if isinstance(result, Answer) and result.events and not result.replayed
        }
        if changed:
            self._committed(changed)
        for (_, future), result in zip(waiting, results, strict=True):
            if not future.done():
                future.set_result(result)

    def _fail(
        self, waiting: Sequence[Waiting], error: Exception, unknown: bool
    ) -> None:
        unknown = unknown or isinstance(error, Unavailable)
        refused = isinstance(error, Refused) and not unknown
        if not refused:
            raised = error.__cause__ if isinstance(error, Unavailable) else error
            report(logger, "command_failed", raised or error, unknown=unknown)
        for _, future in waiting:
            if not future.done():
                told = error if refused else public(error)
                future.set_exception(
                    Unavailable("outcome_unknown") if unknown else told
                )


def _apart(
    waiting: Sequence[Waiting], error: Exception
) -> Collection[Sequence[Waiting]]:
    """Return the parts of a batch that failed which are worth trying by themselves.

    Units of one workspace wait for the same lock: they need not do so one by one.
    """
    if isinstance(error, Unavailable) or is_unreachable(error):
        return [waiting]
    if meaning(error) is not Meaning.BUSY:
        return [[one] for one in waiting]
    found: dict[UUID, list[Waiting]] = {}
    for one in waiting:
        found.setdefault(one[0].workspace_id, []).append(one)
    return found.values()


def _workspace(waiting: Waiting) -> UUID:
    return waiting[0].workspace_id


def _has_undo(unit: Unit) -> bool:
    return any(it.command.__class__ is Undo for it in unit.requests)
