"""Workspaces in memory: what is loaded of them, and what batches have done to them.

A `WorkspaceSession` is the identity map and the unit of work of one workspace; a
`SessionCache` holds those of a lane. A batch continues where the previous one ended,
even while that one is still being saved (docs/decisions/0002-lane.md). Only the lane's
own batches change what is cached. A write by anybody else shows in the head: in its
write count, or in its frontier if the log was restored and continued.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from metacortex.commands.message import Unit
from metacortex.commands.receipts import Receipt
from metacortex.commands.repository import Head, Loaded, Stored
from metacortex.commands.states import CREATED, States
from metacortex.commands.tables import LOOK_UPS
from metacortex.events import merkle
from metacortex.kernel.clock import rfc3339
from metacortex.kernel.decider import Need, Stream

CACHE_TTL = timedelta(seconds=1)
"""How long after its last batch a workspace is used without loading its head again.

Long enough for a client that sends one command after another, short enough that other
processes rarely write in between. If one does, the batch is decided again.
"""

Savepoint = tuple[int, int]
"""A point of a session's batch that it can be rolled back to."""


_Entry = tuple[str | None, UUID, Any, Any]
"""Undo journal: stream type, None for a receipt; id; value before; value after."""


class StaleSession(Exception):
    """Others have written to a cached workspace, or its log was restored."""


class WorkspaceSession:
    """One workspace: its loaded rows, and the write set of the current batch."""

    __slots__ = (
        "head",
        "base",
        "last_used",
        "stored",
        "states",
        "receipts",
        "recorded_at",
        "recorded_at_text",
        "rows",
        "leaves",
        "_journal",
    )

    def __init__(self, head: Head) -> None:
        self.head = self.base = head
        self.recorded_at = self.last_used = head.recorded_at
        self.stored: dict[str, dict[UUID, Stored]] = defaultdict(dict)
        self.states = States()
        self.receipts: dict[UUID, Receipt] = {}

    def satisfies(self, need: Need) -> bool:
        """Tell whether a need can be answered without loading anything."""
        if isinstance(need, Stream):
            return need.id in self.states[need.type]
        return LOOK_UPS[need.name].known(self.states, need.key)

    def has_receipt_of(self, unit: Unit) -> bool:
        """Tell whether one of a unit's commands has a receipt here."""
        known = self.receipts
        return any(it.context.command_id in known for it in unit.requests)

    def begin(self, now: datetime, text: str) -> None:
        """Begin a batch with an empty write set; `text` is `now` as RFC 3339.

        `recorded_at` is the time of all that the batch writes: `now`, but never before
        the workspace's last event, since the clocks of processes differ.
        """
        self.last_used = now
        self.recorded_at, self.recorded_at_text = now, text
        if self.head.recorded_at > now:
            self.recorded_at = self.head.recorded_at
            self.recorded_at_text = rfc3339(self.recorded_at)
        self.rows: list[dict[str, Any]] = []
        self.leaves: list[bytes] = []
        self._journal: list[_Entry] = []

    def add(self, type: str, stored: Stored) -> None:
        """Add a loaded stream; one that is cached already is newer and stays."""
        if stored.id not in self.stored[type]:
            self.stored[type][stored.id] = stored
            self.states.put(type, stored.id, stored.state)
            self.states[CREATED][stored.id] = stored.created_at

    def append(
        self,
        type: str,
        before: Stored | None,
        after: Stored,
        row: dict[str, Any],
        leaf: bytes,
    ) -> None:
        """Add an event with the head's next sequence; its stream becomes `after`."""
        id = after.id
        self._journal.append((type, id, before, after))
        self.stored[type][id] = after
        self.states.put(type, id, after.state)
        if before is None:
            self.states[CREATED][id] = after.created_at
        self.head.sequence += 1
        self.rows.append(row)
        self.leaves.append(leaf)

    def add_receipt(self, receipt: Receipt) -> None:
        """Add a receipt to the write set."""
        id = receipt.command_id
        self._journal.append((None, id, self.receipts.get(id), receipt))
        self.receipts[id] = receipt

    def savepoint(self) -> Savepoint:
        """Return the present point of the batch."""
        return len(self._journal), len(self.rows)

    def close(self) -> Head:
        """End a batch: advance the head past its events, and return it.

        `base` becomes the head before the batch.
        """
        head, leaves = self.head, self.leaves
        size = head.sequence - len(leaves)
        id, at, frontier = head.workspace_id, head.recorded_at, head.frontier
        self.base = Head(id, size, head.write_count, at, frontier)
        head.write_count += 1
        if leaves:
            head.frontier = merkle.advance(size, head.frontier, leaves)
            head.recorded_at = self.recorded_at
        return head

    def rollback_to(self, savepoint: Savepoint) -> None:
        """Undo everything since the savepoint."""
        journal, rows = savepoint
        for type, id, before, _ in reversed(self._journal[journal:]):
            if type is None:
                _restore(self.receipts, id, before)
            else:
                _restore(self.stored[type], id, before)
                if before is None:
                    self.states.remove(type, id)
                else:
                    self.states.put(type, id, before.state)
        self.head.sequence -= len(self.rows) - rows
        del self._journal[journal:], self.rows[rows:], self.leaves[rows:]

    def changed_streams(self) -> dict[str, list[Stored]]:
        """Return the streams of the write set as they now are, by type."""
        found: dict[str, list[Stored]] = {}
        for type, id, _, after in self._journal:
            if type is not None and self.stored[type][id] is after:
                found.setdefault(type, []).append(after)
        return found

    def new_receipts(self) -> list[Receipt]:
        """Return the receipts of the write set."""
        return [
            after
            for type, id, _, after in self._journal
            if type is None and self.receipts[id] is after
        ]


def _restore(items: dict[UUID, Any], id: UUID, before: Any) -> None:
    if before is None:
        del items[id]
    else:
        items[id] = before


class SessionCache:
    """The sessions of a lane, from one batch to the next.

    `saving` are the workspaces whose last batch may not be committed yet. `size` counts
    the cached rows and the commands that ran.
    """

    def __init__(self) -> None:
        self._sessions: dict[UUID, WorkspaceSession] = {}
        self.saving: frozenset[UUID] = frozenset()
        self.size = 0

    def __getitem__(self, workspace_id: UUID) -> WorkspaceSession:
        return self._sessions[workspace_id]

    def recent(self, workspace_id: UUID, now: datetime) -> WorkspaceSession | None:
        """Return a session that was used within `CACHE_TTL`; evict an older one.

        By this process's own clock, which may have been set back.
        """
        session = self._sessions.get(workspace_id)
        if session is not None and abs(now - session.last_used) > CACHE_TTL:
            del self._sessions[workspace_id]
            return None
        return session

    def forget(self, workspace_id: UUID) -> None:
        """Drop a workspace that others are about to write to."""
        self._sessions.pop(workspace_id, None)

    def merge(self, loaded: Loaded) -> None:
        """Add what was loaded. Raises StaleSession; the cache is unusable after that.

        It does not matter whether a statement ran before or after the previous batch
        was committed: the streams that the batch changed are cached, and stay.
        """
        for workspace_id, head in loaded.heads.items():
            session = self._sessions.setdefault(workspace_id, WorkspaceSession(head))
            if not head.same_as(session.head) and not (
                workspace_id in self.saving and head.same_as(session.base)
            ):
                raise StaleSession
        for workspace_id, type, stored in loaded.states:
            self._sessions[workspace_id].add(type, stored)
        for receipt in loaded.receipts:
            cached = self._sessions[receipt.workspace_id].receipts
            cached.setdefault(receipt.command_id, receipt)
        self.size += len(loaded.states) + len(loaded.receipts)

    @classmethod
    def of(cls, loaded: Loaded) -> "SessionCache":
        """Return a cache of what one statement loaded."""
        cache = cls()
        cache.merge(loaded)
        return cache
