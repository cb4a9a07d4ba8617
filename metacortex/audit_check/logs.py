"""What is found out about a log: part by part, and joined.

A part is what one process has read. `Log` joins neighbours and compares the tree
with the head, as it was when the check began.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from metacortex.events import merkle

SPAN = 2**15  # events: a perfect subtree, and a third of a second of one core
BACKWARDS = "recorded before the event in front of it"


class Found(NamedTuple):
    """The first event, or the place of one, that is not as it must be."""

    sequence: int
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about one workspace; `found` is None if all is well."""

    workspace_id: UUID
    events: int
    found: Found | None

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.workspace_id}: {self.events} events, as appended"
        return f"{self.workspace_id}: event {self.found.sequence}: {self.found.what}"

    def line(self) -> dict[str, Any]:
        """Return the verdict for programs; the last two are null if all is well."""
        sequence, what = self.found or (None, None)
        return {
            "workspace_id": str(self.workspace_id),
            "events": self.events,
            "sequence": sequence,
            "what": what,
        }


@dataclass(frozen=True, slots=True)
class Span:
    """Events of one workspace, `first` to `last`; `head` is the newest of its log."""

    workspace_id: UUID
    first: int
    last: int
    head: int


@dataclass(slots=True)
class Part:
    """What a span amounts to; its times are those of its first and its last event."""

    span: Span
    events: int = 0
    found: Found | None = None
    of_receipts: Found | None = None
    frontier: list[bytes] = field(default_factory=list)
    began: datetime | None = None
    ended: datetime | None = None

    def note(self, found: Found | None) -> None:
        """Keep what stands earliest in the log."""
        self.found = earlier(self.found, found)


def earlier(one: Found | None, other: Found | None) -> Found | None:
    if one is None or other is None:
        return one or other
    return min(one, other, key=lambda found: found.sequence)


@dataclass(frozen=True, slots=True)
class Head:
    """A head row, and the newest sequence of the log in the same snapshot."""

    workspace_id: UUID
    sequence: int
    recorded_at: datetime | None
    frontier: bytes
    newest: int

    def spans(self) -> Iterator[Span]:
        """Return what to read, in order; one span that is empty for an empty log."""
        for first in range(1, max(self.sequence, 1) + 1, SPAN):
            last = min(first + SPAN - 1, self.sequence)
            yield Span(self.workspace_id, first, last, self.sequence)


class Log:
    """Joins the parts of one workspace's log, which come in order."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.found: Found | None = None
        self.events = 0
        self._of_receipts: Found | None = None
        self._edge: list[bytes] = []
        self._ended: datetime | None = None
        self._spans = 0

    def join(self, part: Part) -> None:
        """Take the next part; what follows the first fault tells nothing."""
        self._of_receipts = self._of_receipts or part.of_receipts
        if self.found is not None:
            return
        if self._ended is not None and part.began is not None:
            if part.began < self._ended:
                self.found = Found(part.span.first, BACKWARDS)
                return
        self.found = part.found
        self.events += part.events
        self._ended = part.ended or self._ended
        if part.events == SPAN:  # a perfect subtree, as one leaf of a tree of spans
            self._edge = merkle.advance(self._spans, self._edge, part.frontier)
        else:
            self._edge = self._edge + part.frontier
        self._spans += 1

    def verdict(self) -> Verdict:
        """Compare the whole with the head."""
        found = earlier(self.found or self._against_head(), self._of_receipts)
        return Verdict(self.head.workspace_id, self.events, found)

    def _against_head(self) -> Found | None:
        head = self.head
        if head.recorded_at is None:
            return Found(1, "the workspace has no head")
        if head.newest > head.sequence:
            what = f"beyond the head, which is at {head.sequence}"
            return Found(head.sequence + 1, what)
        if head.sequence and self._ended != head.recorded_at:
            return Found(head.sequence, "not recorded when the head says")
        differs = merkle.difference(head.sequence, self._edge, head.frontier)
        return Found(*differs) if differs else None
