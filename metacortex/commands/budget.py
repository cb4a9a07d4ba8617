"""How many events a command and a request may append, and a batch of the lane.

The first two are limits that clients meet (`too_much_at_once`). The others only say
where something is decided: what takes longer than a moment is run apart, so that the
other commands of the lane need not wait for it (docs/decisions/0023-turns.md).
"""

from metacortex.kernel.errors import Refused

COMMAND_EVENTS = 10_000
"""Half a second of deciding and 40 MB; the trees that people make are far smaller."""
REQUEST_EVENTS = 20_000
"""Two of the largest commands: a batch can delete a tree and restore another one."""
QUICK_EVENTS = 200
"""Of a unit that shares a batch: about 10 ms of deciding. More is run apart."""
QUICK_FOUND = 2_000
"""Streams that the look-ups of such a unit may find: about 5 ms."""
BATCH_EVENTS = 512
"""Of a batch that the lane decides in one piece: about 20 ms."""
FOUND_LIMIT = 20_000
"""Streams that one command may have to look at, such as a tree: they take 60 MB."""

_IN_PARTS = "Do it in parts: to some of the subtasks, tasks or tags at a time."
_IN_REQUESTS = "Send the commands in several requests."


class TakesLong(Exception):
    """A unit is more than a batch may be held up by."""


class Budget:
    """What one unit may append; `quick` if it shares a batch with others.

    What is refused later counts as well, for it was worked for. Once a request is over
    its limit, all of its further commands are refused: they may rely on that one.
    """

    __slots__ = ("spent", "_quick", "_found", "_over")

    def __init__(self, *, quick: bool) -> None:
        self.spent = 0
        self._quick = quick
        self._found = 0
        self._over = 0

    def check_open(self) -> None:
        """Refuse a command after the one that was too much for the request."""
        if self._over:
            raise _too_much(self._over, REQUEST_EVENTS, _IN_REQUESTS)

    def check(self, events: int) -> None:
        """Check what the present command comes to. Raises Refused, TakesLong."""
        if events > COMMAND_EVENTS:
            raise command_too_much(events)
        self.check_request(events)

    def check_request(self, events: int) -> None:
        """Check what the request comes to. Raises Refused, TakesLong."""
        total = self.spent + events
        if total > REQUEST_EVENTS:
            self._over = total
            raise _too_much(total, REQUEST_EVENTS, _IN_REQUESTS)
        if self._quick and total > QUICK_EVENTS:
            raise TakesLong

    def found(self, streams: int) -> None:
        """Count what look-ups found. Raises TakesLong."""
        self._found += streams
        if self._quick and self._found > QUICK_FOUND:
            raise TakesLong


def command_too_much(events: int) -> Refused:
    """Return the refusal of a command that would append this many events."""
    return _too_much(events, COMMAND_EVENTS, _IN_PARTS)


def found_too_much(streams: int) -> Refused:
    """Return the refusal of a command that has to look at this many streams."""
    return Refused(
        "too_much_at_once",
        f"It is about more than {FOUND_LIMIT:,} resources. {_IN_PARTS}",
        meta={"limit": FOUND_LIMIT, "events": streams},
    )


def _too_much(events: int, limit: int, instead: str) -> Refused:
    return Refused(
        "too_much_at_once",
        f"It comes to {events:,} events; {limit:,} is the limit. {instead}",
        meta={"limit": limit, "events": events},
    )
