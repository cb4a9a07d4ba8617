"""`metacortex rebuild`: workspaces one after the other, or shared by some processes.

A process is bounded by its interpreter, at half of what two cores can do; workspaces
have nothing to do with each other.
"""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from metacortex import describe as descriptions
from metacortex.kernel.driver_errors import meaning
from metacortex.kernel.gc_tuning import tune_gc
from metacortex.queries.projector import Projector
from metacortex.settings import Settings

Line = tuple[UUID, dict[str, Any]]
"""A workspace, and what became of it."""


async def rebuilt(projector: Projector, id: UUID, verify: bool) -> dict[str, Any]:
    """Rebuild or compare a workspace; say how many events, or what differs.

    Or why it cannot be folded. Raises what the database does.
    """
    try:
        if verify:
            return {"differences": await projector.verify(id)}
        return {"events": await projector.rebuild(id)}
    except Exception as error:
        if meaning(error) is not None or isinstance(error, DBAPIError):
            raise
        return {"error": repr(error)}  # an event that this release cannot fold


async def in_turn(
    projector: Projector, ids: Sequence[UUID], verify: bool
) -> AsyncIterator[Line]:
    """Take one workspace after the other; one that fails holds up no other."""
    for id in ids:
        yield id, await rebuilt(projector, id, verify)


async def in_processes(
    settings: Settings, ids: Sequence[UUID], verify: bool, processes: int
) -> AsyncIterator[Line]:
    """Let some processes take them, each the next one; in the order of their ends."""
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(settings,),
    ) as pool:
        tasks = [loop.run_in_executor(pool, _one, id, verify) for id in ids]
        try:
            for done in asyncio.as_completed(tasks):
                yield await done
        finally:
            for task in tasks:
                task.cancel()


_here: dict[str, Any] = {}
"""Of a process that rebuilds: its event loop and its projector."""


def _begin(settings: Settings) -> None:
    tune_gc()
    _here["runner"] = asyncio.Runner()
    database = descriptions.database(settings, settings.projector_url)
    _here["projector"] = Projector(database)


def _one(id: UUID, verify: bool) -> Line:
    found = _here["runner"].run(rebuilt(_here["projector"], id, verify))
    return id, found
