"""Workspaces in memory: what is loaded of them, and what batches have done to it.

A batch goes on where the one before ended, even while that one is still being saved
(docs/decisions/0002-lane.md): what a `Spaces` knows is only ever replaced by what its
own batches did, and any foreign write shows in the head: in its turn, or, where the
log went back and was continued, in its frontier.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from metacortex.commands.message import Unit
from metacortex.commands.receipts import Receipt
from metacortex.commands.repository import Head, Loaded, Stored
from metacortex.commands.tables import CREATED, LOOK_UPS
from metacortex.events import merkle
from metacortex.kernel.clock import rfc3339
from metacortex.kernel.decider import Need, Stream

TRUSTED = timedelta(seconds=1)
"""How long after its last batch a workspace is taken to be as we left it.

Long enough for whoever sends one command after another, short enough that another
process rarely comes between; what comes between costs time, and nothing else.
"""

Mark = tuple[int, int]
"""A point in a space's batch to go back to."""


_Entry = tuple[str | None, UUID, Any, Any]
"""A stream's type, or None for a receipt; its id; what was there, and what is now."""


class Stale(Exception):
    """A workspace is not as it was left: written to by others, or gone back."""


class Space:
    """One workspace, with what the current batch is to save of it."""

    __slots__ = (
        "head",
        "base",
        "used",
        "stored",
        "states",
        "receipts",
        "at",
        "at_text",
        "rows",
        "leaves",
        "_journal",
    )

    def __init__(self, head: Head) -> None:
        self.head = self.base = head
        self.at = self.used = head.recorded_at
        self.stored: dict[str, dict[UUID, Stored]] = defaultdict(dict)
        self.states: dict[str, dict[UUID, Any]] = defaultdict(dict)
        self.receipts: dict[UUID, Receipt] = {}

    def knows(self, need: Need) -> bool:
        """Tell whether nothing has to be loaded for a need."""
        if isinstance(need, Stream):
            return need.id in self.states[need.type]
        return LOOK_UPS[need.name].known(self.states, need.key)

    def has_seen(self, unit: Unit) -> bool:
        """Tell whether one of a unit's commands has a receipt here."""
        seen = self.receipts
        return any(it.context.command_id in seen for it in unit.requests)

    def begin(self, now: datetime, text: str) -> None:
        """Begin a batch, `text` being its instant; what was done before is known.

        `at` is the instant of all that the batch writes: never before the last event,
        whatever this process's clock says.
        """
        self.used = now
        self.at, self.at_text = now, text
        if self.head.recorded_at > now:
            self.at = self.head.recorded_at
            self.at_text = rfc3339(self.at)
        self.rows: list[dict[str, Any]] = []
        self.leaves: list[bytes] = []
        self._journal: list[_Entry] = []

    def add(self, type: str, stored: Stored) -> None:
        """Add a loaded stream, unless it is known already."""
        if stored.id not in self.stored[type]:
            self.stored[type][stored.id] = stored
            self.states[type][stored.id] = stored.state
            self.states[CREATED][stored.id] = stored.created_at

    def append(
        self,
        type: str,
        before: Stored | None,
        after: Stored,
        row: dict[str, Any],
        leaf: bytes,
    ) -> None:
        """Add an event, under the head's next sequence, and what its stream now is."""
        id = after.id
        self._journal.append((type, id, before, after))
        self.stored[type][id] = after
        self.states[type][id] = after.state
        if before is None:
            self.states[CREATED][id] = after.created_at
        self.head.sequence += 1
        self.rows.append(row)
        self.leaves.append(leaf)

    def keep(self, receipt: Receipt) -> None:
        """Add a receipt to what is to be saved."""
        id = receipt.command_id
        self._journal.append((None, id, self.receipts.get(id), receipt))
        self.receipts[id] = receipt

    def mark(self) -> Mark:
        """Return the point that the batch has reached."""
        return len(self._journal), len(self.rows)

    def close(self) -> Head:
        """End a batch: advance the head over what it appended, and return it.

        `base` is the head as the batch found it.
        """
        head, leaves = self.head, self.leaves
        size = head.sequence - len(leaves)
        id, at, frontier = head.workspace_id, head.recorded_at, head.frontier
        self.base = Head(id, size, head.turn, at, frontier)
        head.turn += 1
        if leaves:
            head.frontier = merkle.advance(size, head.frontier, leaves)
            head.recorded_at = self.at
        return head

    def take_back(self, mark: Mark) -> None:
        """Undo whatever was done since."""
        journal, rows = mark
        for type, id, before, _ in reversed(self._journal[journal:]):
            if type is None:
                _put_back(self.receipts, id, before)
            else:
                _put_back(self.stored[type], id, before)
                _put_back(self.states[type], id, before and before.state)
        self.head.sequence -= len(self.rows) - rows
        del self._journal[journal:], self.rows[rows:], self.leaves[rows:]

    def changed(self) -> dict[str, list[Stored]]:
        """Return the streams to save, as they now are, by type."""
        found: dict[str, list[Stored]] = {}
        for type, id, _, after in self._journal:
            if type is not None and self.stored[type][id] is after:
                found.setdefault(type, []).append(after)
        return found

    def kept(self) -> list[Receipt]:
        """Return the receipts to save."""
        return [
            after
            for type, id, _, after in self._journal
            if type is None and self.receipts[id] is after
        ]


def _put_back(items: dict[UUID, Any], id: UUID, before: Any) -> None:
    if before is None:
        del items[id]
    else:
        items[id] = before


class Spaces:
    """The workspaces of a chain of batches; `weight` says how much is held of them.

    `unsaved` are those whose last batch may not be saved yet.
    """

    def __init__(self) -> None:
        self._spaces: dict[UUID, Space] = {}
        self.unsaved: frozenset[UUID] = frozenset()
        self.weight = 0

    def __getitem__(self, workspace_id: UUID) -> Space:
        return self._spaces[workspace_id]

    def trusted(self, workspace_id: UUID, now: datetime) -> Space | None:
        """Return a workspace as a recent batch left it; forget it if none is recent.

        Recent by our own clock, which may be behind the log's, and may be set.
        """
        space = self._spaces.get(workspace_id)
        if space is not None and abs(now - space.used) > TRUSTED:
            del self._spaces[workspace_id]
            return None
        return space

    def absorb(self, loaded: Loaded) -> None:
        """Add what was loaded. Raises Stale; nothing known may be used after that.

        What was read before the previous batch was saved is as good as what was read
        after it: the streams that it changed are known, and stay as they are.
        """
        for workspace_id, head in loaded.heads.items():
            space = self._spaces.setdefault(workspace_id, Space(head))
            if not head.is_at(space.head) and not (
                workspace_id in self.unsaved and head.is_at(space.base)
            ):
                raise Stale
        for workspace_id, type, stored in loaded.states:
            self._spaces[workspace_id].add(type, stored)
        for receipt in loaded.receipts:
            of_space = self._spaces[receipt.workspace_id].receipts
            of_space.setdefault(receipt.command_id, receipt)
        self.weight += len(loaded.states) + len(loaded.receipts)

    @classmethod
    def of(cls, loaded: Loaded) -> "Spaces":
        """Return what one load found."""
        spaces = cls()
        spaces.absorb(loaded)
        return spaces
