"""What the log says of the events at which workspaces are parked, and what helps.

Types and hashes only: an operator does not see what users wrote.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from metacortex.events import log
from metacortex.events.record import EventRecord, mismatch
from metacortex.kernel.database import Reader

_CHECK = "run `metacortex audit check`"


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event that could not be projected; without a type, the log lacks it."""

    event_type: str | None
    matches_hashes: bool | None

    @classmethod
    def of(cls, record: EventRecord | None) -> "ParkedEvent":
        """Return what a record shows of itself."""
        if record is None:
            return cls(None, None)
        kind = f"{record.type} v{record.schema_version}"
        return cls(kind, mismatch(record) is None)

    @property
    def remedy(self) -> str:
        """What has to be done before a retry or a rebuild helps."""
        if self.event_type is None:
            return f"{_CHECK}, restore the event, which the log lacks, from a backup"
        if not self.matches_hashes:
            return (
                f"{_CHECK}, restore the event, which was altered after it was written"
            )
        return "deploy the release that knows the event, or mend the defect"


async def parked_events(
    reads: Reader, checkpoints: Sequence[tuple[UUID, int]]
) -> dict[UUID, ParkedEvent]:
    """Return the event after each workspace's checkpoint, by workspace."""
    if not checkpoints:
        return {}
    records, _ = await log.read_after(reads, checkpoints, 1)
    wanted = dict(checkpoints)
    found = {
        it.workspace_id: it
        for it in records
        if it.sequence == wanted[it.workspace_id] + 1
    }
    return {id: ParkedEvent.of(found.get(id)) for id in wanted}
