"""The queue of a lane: each workspace has its turn, and in it each of its users.

Whoever sends much waits behind their own commands, not everybody else behind them.
Units of one user in one workspace keep their order.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable
from uuid import UUID

from metacortex.commands.message import Result, Unit

Waiting = tuple[Unit, asyncio.Future[list[Result]]]
"""A unit, and who waits for its results."""

_Users = OrderedDict[str, deque[Waiting]]


class FairQueue:
    """Units by workspace and user, taken in turns (round robin).

    A workspace that is held keeps its units until it is released.
    """

    def __init__(self) -> None:
        self._ready: OrderedDict[UUID, _Users] = OrderedDict()
        self._held: dict[UUID, _Users] = {}
        self._of: dict[tuple[UUID, str], int] = {}
        self.commands = 0
        """The number of commands that wait, in whatever workspace."""

    def __bool__(self) -> bool:
        """Tell whether a unit may be taken."""
        return bool(self._ready)

    def has_room(self, unit: Unit, capacity: int) -> bool:
        """Tell whether a unit may be added to a queue of this many commands.

        A full queue still takes what is of somebody with less than an even share of it,
        up to twice as many: nobody can shut others out.
        """
        more = len(unit.requests)
        total = self.commands + more
        if total <= capacity or not self.commands:
            return True
        own = self._of.get(_sender(unit), 0)
        return total <= 2 * capacity and own + more <= capacity // (len(self._of) + 1)

    def put(self, waiting: Waiting) -> None:
        """Add a unit behind those of its user."""
        self._users_of(waiting[0]).setdefault(_user(waiting[0]), deque()).append(
            waiting
        )
        self._count(waiting[0], 1)

    def put_back(self, taken: Iterable[Waiting]) -> None:
        """Return units that were taken, before any others of their users."""
        for waiting in reversed(list(taken)):
            users, user = self._users_of(waiting[0]), _user(waiting[0])
            users.setdefault(user, deque()).appendleft(waiting)
            users.move_to_end(user, last=False)
            if waiting[0].workspace_id in self._ready:
                self._ready.move_to_end(waiting[0].workspace_id, last=False)
            self._count(waiting[0], 1)

    def peek(self) -> Unit:
        """Return the unit that `take` will return."""
        users = next(iter(self._ready.values()))
        return next(iter(users.values()))[0][0]

    def take(self) -> Waiting:
        """Return the next unit; its workspace and user go to the end of the line."""
        workspace_id, users = next(iter(self._ready.items()))
        user, queue = next(iter(users.items()))
        waiting = queue.popleft()
        if queue:
            users.move_to_end(user)
        else:
            del users[user]
        if users:
            self._ready.move_to_end(workspace_id)
        else:
            del self._ready[workspace_id]
        self._count(waiting[0], -1)
        return waiting

    def is_held(self, workspace_id: UUID) -> bool:
        """Tell whether a workspace's units have to wait."""
        return workspace_id in self._held

    def hold(self, workspace_id: UUID) -> None:
        """Let a workspace's units wait, those to come as well."""
        users = self._ready.pop(workspace_id, None)
        self._held[workspace_id] = OrderedDict() if users is None else users

    def release(self, workspace_id: UUID) -> None:
        """Let a workspace's units be taken again."""
        if users := self._held.pop(workspace_id):
            self._ready[workspace_id] = users

    def _users_of(self, unit: Unit) -> _Users:
        id = unit.workspace_id
        if (held := self._held.get(id)) is not None:
            return held
        return self._ready.setdefault(id, OrderedDict())

    def _count(self, unit: Unit, sign: int) -> None:
        sender, commands = _sender(unit), len(unit.requests)
        self.commands += sign * commands
        left = self._of.get(sender, 0) + sign * commands
        if left:
            self._of[sender] = left
        else:
            del self._of[sender]


def _user(unit: Unit) -> str:
    return unit.requests[0].context.actor_id


def _sender(unit: Unit) -> tuple[UUID, str]:
    return unit.workspace_id, _user(unit)
