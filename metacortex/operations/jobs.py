"""Jobs in a worker process: messages that name runs, and what claims and ends them."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import dramatiq
import structlog
from dramatiq.middleware import Middleware, SkipMessage

from metacortex.kernel import tracing
from metacortex.kernel.driver_errors import report
from metacortex.operations.actors import ACTORS, JOB_QUEUES, Actor
from metacortex.operations.error_reports import failure
from metacortex.operations.recorder import Recorder
from metacortex.operations.runs import Claimed, Ended
from metacortex.wakeups import NAMESPACE, Broker

logger = structlog.get_logger(__name__)

THREADS = 2  # one long job holds up no other; both share the worker's event loop
POLL_MS = 500  # how often an idle thread looks whether it is to stop


class TimeLimitExceeded(Exception):
    """The job took longer than its actor may."""


class Interrupted(Exception):
    """The worker shuts down; the next attempt goes on elsewhere."""


@dataclass(frozen=True, slots=True)
class Job:
    """What an actor is handed."""

    run: Claimed
    progress: Callable[[int, int], None]

    def id(self, name: str) -> UUID:
        """Return an argument that is an id."""
        return UUID(self.run.arguments[name])


Work = Callable[[Job], Awaitable[None]]


def message(run_id: UUID, actor: str, queue: str) -> "dramatiq.Message[None]":
    """Return the message that names a run: always the same one."""
    return dramatiq.Message(
        queue_name=queue,
        actor_name=actor,
        args=(),
        kwargs={"run_id": str(run_id)},
        options={"redis_message_id": str(run_id)},
        message_id=str(run_id),
    )


def send(broker: Broker, runs: Iterable[tuple[UUID, str, str]]) -> None:
    """Send runs (id, actor, queue) of which Redis holds no message; it blocks.

    A message is held until a worker is done with it.
    """
    wanted = list(runs)
    look = broker.client.pipeline(transaction=False)
    for id, _, queue in wanted:
        look.hexists(f"{NAMESPACE}:{queue}.msgs", str(id))
    for (id, actor, queue), held in zip(wanted, look.execute(), strict=True):
        if not held:
            broker.do_enqueue(queue, str(id), message(id, actor, queue).encode())


class ClaimRuns(Middleware):
    """Claims a run before its actor is called, and says how it ended afterwards."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._here = threading.local()

    def current(self) -> Claimed:
        """Return the run of this thread."""
        run: Claimed = self._here.run
        return run

    def before_process_message(self, broker: Any, message: Any) -> None:
        """Claim. Raises SkipMessage if the run is not to be had; it is sent again."""
        self._here.run = None
        if message.actor_name not in ACTORS:  # a later release's; its workers get it
            raise SkipMessage("this release has no such actor")
        try:
            run = self._recorder.claim(UUID(message.kwargs["run_id"]))
        except Exception as error:
            report(logger, "claim_failed", error)
            raise SkipMessage("the database does not answer") from None
        if run is None:
            raise SkipMessage("it is not to be had")
        self._here.run, self._here.begun = run, time.perf_counter()

    def after_process_message(
        self,
        broker: Any,
        message: Any,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Note the end."""
        run: Claimed | None = self._here.run
        if run is None:
            return
        ms = (time.perf_counter() - self._here.begun) * 1_000
        self._here.run = None
        if exception is None:
            self._recorder.ended(Ended(run, "succeeded", ms))
            return
        how = "interrupted" if isinstance(exception, Interrupted) else "failed"
        kept = failure(run.actor.name, exception)
        self._recorder.ended(Ended(run, how, ms, kept))  # type: ignore[arg-type]


class JobWorker:
    """Dramatiq's threads around work that runs in our event loop."""

    def __init__(
        self,
        make_broker: Callable[[list[Middleware]], Broker],
        recorder: Recorder,
        work: Mapping[str, Work],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._recorder = recorder
        self._claims = ClaimRuns(recorder)
        self.broker = make_broker([self._claims])
        self._going: set[Future[None]] = set()
        for name, does in work.items():
            self._declare(ACTORS[name], does)
        self._worker = dramatiq.Worker(
            self.broker,
            queues=set(JOB_QUEUES),
            worker_threads=THREADS,
            worker_timeout=POLL_MS,
        )

    def _declare(self, actor: Actor, work: Work) -> None:
        def run(run_id: str) -> None:
            self._wait_for(work, self._claims.current())

        declare = dramatiq.actor(
            actor_name=actor.name, queue_name=actor.queue, broker=self.broker
        )
        declare(run)

    def _wait_for(self, work: Work, run: Claimed) -> None:
        """Run in the event loop while one of Dramatiq's threads waits for it."""

        def progress(done: int, total: int) -> None:
            self._recorder.progress(run.id, done, total)

        async def working() -> None:
            if tracing.tracer is None:
                await work(Job(run, progress))
                return
            with tracing.job(run.actor.name, run.id, run.attempt, run.correlation_id):
                await work(Job(run, progress))

        going = asyncio.run_coroutine_threadsafe(working(), self._loop)
        self._going.add(going)
        try:
            going.result(run.actor.time_limit_s)
        except TimeoutError:
            if going.done():
                raise  # the job's own
            going.cancel()
            limit = f"{run.actor.time_limit_s:g} s are over"
            raise TimeLimitExceeded(limit) from None
        except CancelledError:
            raise Interrupted("the worker shuts down") from None
        finally:
            self._going.discard(going)

    def start(self) -> None:
        """Begin to serve."""
        self._worker.start()

    async def stop(self, grace_s: float) -> None:
        """Take nothing new; what is not done after half the time goes on elsewhere."""
        stopping = asyncio.create_task(
            asyncio.to_thread(self._worker.stop, int(grace_s * 1_000))
        )
        await asyncio.wait({stopping}, timeout=grace_s / 2)
        for going in list(self._going):
            going.cancel()
        await stopping
        self.broker.close()
