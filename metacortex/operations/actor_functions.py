"""What each actor does, but for `project`, which is a turn of the projector."""

from collections.abc import Callable, Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.operations import imports, retention
from metacortex.operations.actors import (
    DELETE_OLD,
    IMPORT,
    REBUILD,
    RETRY_PROJECTION,
    VERIFY,
)
from metacortex.operations.jobs import Job, Work
from metacortex.queries.projector import Projector

TOLD = 5  # differences that the run's error names; `metacortex rebuild` names all


class Differs(Exception):
    """The read tables are not what the log makes of them; the message says where."""


class ActorFunctions:
    """The work, with what it needs."""

    def __init__(
        self,
        *,
        projector: Projector,
        keeping: AsyncEngine,
        writes: AsyncEngine,
        wake: Callable[[UUID], None],
    ) -> None:
        """`keeping` is the projector's database, `writes` that of commands.

        `wake` is told of workspaces that commands moved; it may block.
        """
        self._projector = projector
        self._keeping, self._writes, self._wake = keeping, writes, wake

    def work(self) -> Mapping[str, Work]:
        """Return what to do, by actor."""
        return {
            REBUILD: self._rebuild,
            VERIFY: self._verify,
            RETRY_PROJECTION: self._retry,
            IMPORT: self._import,
            DELETE_OLD: self._delete_old,
        }

    async def _rebuild(self, job: Job) -> None:
        await self._projector.rebuild(job.id("workspace_id"), job.progress)

    async def _verify(self, job: Job) -> None:
        found = await self._projector.verify(
            job.id("workspace_id"), progress=job.progress
        )
        if found:
            more = f", and {len(found) - TOLD} more" if len(found) > TOLD else ""
            raise Differs("; ".join(found[:TOLD]) + more)

    async def _retry(self, job: Job) -> None:
        await self._projector.retry(job.id("workspace_id"))

    async def _import(self, job: Job) -> None:
        moved = await imports.run(self._keeping, self._writes, job)
        if moved is not None:
            self._wake(moved)

    async def _delete_old(self, job: Job) -> None:
        await retention.delete_old(self._keeping)
