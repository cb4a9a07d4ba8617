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
        workspace_id, user = sender = _sender(waiting[0])
        users = self._users_of(workspace_id)
        queue = users.get(user)
        if queue is None:
            queue = users[user] = deque()
        queue.append(waiting)
        self._count(sender, len(waiting[0].requests))

    def put_back(self, taken: Iterable[Waiting]) -> None:
        """Return units that were taken, before any others of their users."""
        for waiting in reversed(list(taken)):
            workspace_id, user = sender = _sender(waiting[0])
            users = self._users_of(workspace_id)
            users.setdefault(user, deque()).appendleft(waiting)
            users.move_to_end(user, last=False)
            if workspace_id in self._ready:
                self._ready.move_to_end(workspace_id, last=False)
            self._count(sender, len(waiting[0].requests))

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
        self._count((workspace_id, user), -len(waiting[0].requests))
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

    def _users_of(self, workspace_id: UUID) -> _Users:
        users = self._ready.get(workspace_id)
        if users is None and (users := self._held.get(workspace_id)) is None:
            users = self._ready[workspace_id] = OrderedDict()
        return users

    def _count(self, sender: tuple[UUID, str], commands: int) -> None:
        self.commands += commands
        left = self._of.get(sender, 0) + commands
        if left:
            self._of[sender] = left
        else:
            del self._of[sender]


def _sender(unit: Unit) -> tuple[UUID, str]:
    context = unit.requests[0].context
    return context.workspace_id, context.actor_id
