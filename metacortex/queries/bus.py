"""The door to the read side: pages, single resources, and resources as they were.

Every answer says which sequence it shows. A page depends on nothing but its query and
that sequence, so pages are kept and sent again while the checkpoint stands still.
"""

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.events import log
from metacortex.kernel.database import ReadConnection, Reader, autocommit, driver_pool
from metacortex.kernel.errors import Lagging, NotFound
from metacortex.queries import activity, comments, fold, page, people, task_stats
from metacortex.queries.activity import ChangesPage
from metacortex.queries.fair import FairReader
from metacortex.queries.page import ListQuery, Page
from metacortex.queries.past import PastTasks
from metacortex.queries.registry import PROJECTIONS
from metacortex.queries.tasks import ListTasks
from metacortex.queries.watermarks import Watermark, Watermarks

FAIR_SHARE = 0.4  # of the connections, for one workspace: two leave some to others
KEPT_BYTES = 32 * 1024 * 1024  # of pages; a tenth of what a process may take
PAGE_BYTES = 1_000  # what a page takes besides what it says


@dataclass(frozen=True, slots=True)
class Freshness:
    """The sequence that an answer must show, and what to do if it does not."""

    sequence: int = 0
    wait_s: float = 2.0
    lenient: bool = False


class Queries:
    """Answers queries of one process over one engine (a replica's, for instance)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = autocommit(engine)
        direct: Reader = driver_pool(engine)
        size: int = engine.pool.size()  # type: ignore[attr-defined]
        self._reader: Reader = FairReader(direct, max(1, int(size * FAIR_SHARE)))
        self.watermarks = Watermarks(direct)
        self._past = PastTasks(self._engine, self._reader)
        self.zones = people.Zones(self._reader)
        self._kept: OrderedDict[Hashable, Page] = OrderedDict()
        self._kept_bytes = 0

    async def shown(self, workspace_id: UUID, fresh: Freshness) -> Watermark:
        """Return what is shown, having waited if need be. Raises Lagging."""
        if fresh.sequence == 0:
            return await self.watermarks.shown(workspace_id)
        shown = await self.watermarks.wait(workspace_id, fresh.sequence, fresh.wait_s)
        if shown.sequence < fresh.sequence and not fresh.lenient:
            meta = {"asked": fresh.sequence, "shown": shown.sequence}
            raise Lagging("read_model_lagging", meta=meta)
        return shown

    async def page(self, query: ListQuery, key: Hashable, shown: Watermark) -> Page:
        """Return a page; `key` names the query, `shown` is what was just seen.

        Raises Malformed for a cursor of another query, Invalid for too long a past.
        """
        if isinstance(query, ListTasks) and query.as_of is not None:
            return await self._past.page(query)
        kept = self._kept.get(key)
        if kept is not None and kept.shown == shown and query.timeless:
            self._kept.move_to_end(key)
            return kept
        found = await page.fetch(self._reader, query)
        if query.timeless:
            self._keep(key, found)
        return found

    def _keep(self, key: Hashable, found: Page) -> None:
        before = self._kept.pop(key, None)
        self._kept_bytes -= _weight(key, before) if before else 0
        self._kept[key] = found
        self._kept_bytes += _weight(key, found)
        while self._kept_bytes > KEPT_BYTES:
            self._kept_bytes -= _weight(*self._kept.popitem(last=False))

    async def one(
        self, stream_type: str, workspace_id: UUID, id: UUID
    ) -> tuple[int, bytes]:
        """Return the sequence shown, and a resource. Raises NotFound."""
        statement = _one(PROJECTIONS[stream_type].table)
        values = {"workspace": workspace_id, "id": id}
        sequence, found = await self._reader.row(statement, values)
        if found is None:
            raise NotFound("not_found")
        return sequence, found.encode()

    async def comment(
        self, workspace_id: UUID, task_id: UUID, id: UUID
    ) -> tuple[int, bytes]:
        """Return the sequence shown, and a comment of a task. Raises NotFound."""
        return await comments.one(self._reader, workspace_id, task_id, id)

    async def past(
        self,
        stream_type: str,
        workspace_id: UUID,
        id: UUID,
        *,
        version: int | None = None,
        as_of: datetime | None = None,
    ) -> tuple[int, bytes]:
        """Return a resource as it was, with the sequence of its last event by then.

        Folded from the log itself, so it never lags. Raises NotFound.
        """
        async with self._engine.connect() as connection:
            records = await log.read_stream(
                ReadConnection(connection),
                workspace_id,
                stream_type,
                id,
                version=version or log.ANY_VERSION,
                until=as_of,
            )
        if not records or (version is not None and records[-1].version != version):
            raise NotFound("not_found")
        row: Any = fold.fold(records)
        return records[-1].sequence, fold.document(stream_type, row)

    async def person(
        self, workspace_id: UUID, person_id: UUID
    ) -> tuple[int, Mapping[str, Any] | None]:
        """Return the sequence shown, and a person if they told anything."""
        return await people.one(self._reader, workspace_id, person_id)

    async def task_stats(
        self,
        workspace_id: UUID,
        now: datetime,
        time_zone: str | None,
        person_id: UUID,
    ) -> tuple[int, bytes]:
        """Return the sequence shown, and counts of tasks as of a zone, or a person's.

        That of before is taken at first, and the counts tell whether it still is.
        """
        asked = time_zone or self.zones.last(workspace_id, person_id)
        shown, found, own = await task_stats.stats(
            self._reader, workspace_id, now, asked, person_id
        )
        if time_zone is None and own != asked:
            self.zones.keep(workspace_id, person_id, Watermark(shown), own)
            shown, found, _ = await task_stats.stats(
                self._reader, workspace_id, now, own, person_id
            )
        return shown, found

    async def changes(self, workspace_id: UUID, since: int, limit: int) -> ChangesPage:
        """Return the resources that changed after a sequence."""
        return await activity.changes_since(self._reader, workspace_id, since, limit)

    async def thin(
        self, workspace_id: UUID, after: int, limit: int
    ) -> list[tuple[int, str, str]]:
        """Return the next events in short, for a stream of them."""
        return await activity.thin_after(self._reader, workspace_id, after, limit)


def _weight(key: Hashable, page: Page) -> int:
    """Return about how many bytes it takes to keep a page, empty ones too."""
    return PAGE_BYTES + len(repr(key)) + len(page.documents)


@lru_cache
def _one(table: str) -> TextClause:
    return text(
        "SELECT coalesce((SELECT sequence FROM queries.checkpoints"
        f" WHERE workspace_id = :workspace), 0), (SELECT document::text FROM {table}"
        " WHERE workspace_id = :workspace AND id = :id)"
    )
