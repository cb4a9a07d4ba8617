"""Callers of several lanes who meet in few workspaces, and what they were answered.

Each waits for its answer before it goes on, and asks again, with the same ids, where
it got none. What a caller does next comes from its own seeded dice; what that meets is
the scheduler's choice. tests/integration/answers.py compares all that they were
answered with the tables.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import tags, tasks
from metacortex.commands.lane import Lane
from metacortex.commands.message import Answer, CommandRequest, Result, Unit
from metacortex.kernel.errors import MetaCortexError, Overloaded, Unavailable
from metacortex.kernel.ids import derived
from tests.integration.walking import request, unit

SPACES = 3
HOT = 3  # tasks that everybody edits in each workspace
NAMES = 4  # names that everybody wants for tags
WATCH = 4  # one in so many answers is looked up by another connection at once
RETRY_S = 0.05

_SEEN = text(
    "SELECT (SELECT sequence FROM events.heads WHERE workspace_id = :w),"
    " (SELECT count(*) FROM events.log WHERE workspace_id = :w"
    " AND event_id = ANY (CAST(:events AS uuid[]))),"
    " (SELECT count(*) FROM commands.receipts WHERE workspace_id = :w"
    " AND outcome <> 'refused' AND command_id = ANY (CAST(:commands AS uuid[])))"
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A unit and its answer; `again` if that is not the first time it was sent."""

    caller: int
    unit: Unit
    results: Sequence[Result]
    again: bool

    @property
    def answers(self) -> list[tuple[CommandRequest, Answer]]:
        """What was accepted, and kept."""
        if self.unit.dry or (self.unit.atomic and self.refusals):
            return []
        pairs = zip(self.unit.requests, self.results)
        return [(it, found) for it, found in pairs if isinstance(found, Answer)]

    @property
    def refusals(self) -> list[tuple[CommandRequest, MetaCortexError]]:
        """What was refused."""
        pairs = zip(self.unit.requests, self.results)
        return [
            (it, found) for it, found in pairs if isinstance(found, MetaCortexError)
        ]


class Crowd:
    """What all callers share: the lanes, the workspaces, and what was said."""

    def __init__(self, lanes: Sequence[Lane], witness: AsyncEngine) -> None:
        self.lanes = lanes
        self.spaces = [uuid4() for _ in range(SPACES)]
        self.sent: list[Sent] = []
        self.watched = 0
        self.disturbed = False
        self._witness = witness
        self._looking = asyncio.Semaphore(4)  # fewer than the witness has connections

    async def settle(self) -> None:
        """Make what everybody will meet at."""
        for space in self.spaces:
            born: list[Any] = [tags.CreateTag(tag_id=tag_of(space), name="Shared")]
            born += [tasks.CreateTask(task_id=id, title="Hot") for id in hot(space)]
            await self.submit(-1, self.lanes[0], unit(space, *born))

    async def act(self, callers: int, enough: Callable[[int], bool]) -> None:
        """Let everybody act until `enough` of a caller's own steps is true."""
        async with asyncio.TaskGroup() as group:
            for number in range(callers):
                group.create_task(Caller(self, number).live(enough))

    async def submit(
        self, caller: int, lane: Lane, asked: Unit, again: bool = False
    ) -> list[Result]:
        """Send a unit until it is answered, as a client does with its ids."""
        while True:
            try:
                results = await lane.submit(asked)
                break
            except (Unavailable, Overloaded):
                again = self.disturbed = True
                await asyncio.sleep(RETRY_S)
        sent = Sent(caller, asked, results, again)
        self.sent.append(sent)
        if len(self.sent) % WATCH == 0 and sent.answers:
            await self._watch(sent)
        return results

    async def _watch(self, sent: Sent) -> None:
        """Assert that others see what somebody was just told."""
        answers = [answer for _, answer in sent.answers]
        events = [event.id for answer in answers for event in answer.events]
        commands = [answer.receipt.command_id for answer in answers]
        values = {"w": sent.unit.workspace_id, "events": events, "commands": commands}
        async with self._looking, self._witness.connect() as connection:
            row = (await connection.execute(_SEEN, values)).one()
        assert row[0] >= max(answer.sequence for answer in answers)
        assert tuple(row[1:]) == (len(events), len(commands))
        self.watched += 1


def hot(space: UUID) -> list[UUID]:
    """Return the tasks that everybody edits."""
    return [derived(space, f"hot {number}") for number in range(HOT)]


def tag_of(space: UUID) -> UUID:
    """Return the tag that everybody renames."""
    return derived(space, "shared tag")


class Caller:
    """One of the crowd, with a favourite workspace and a favourite lane."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self._crowd = crowd
        self._number = number
        self._dice = Random(number)
        self._space = crowd.spaces[number % len(crowd.spaces)]
        self._lane = crowd.lanes[number % len(crowd.lanes)]
        self._known: dict[UUID, int] = {}  # versions, as last heard
        self._last = request(self._space, tasks.StartTask(task_id=hot(self._space)[0]))
        self._steps: Sequence[Callable[[], Awaitable[Any]]] = (
            *([self._create] * 3),
            *([self._edit] * 3),
            *([self._careful] * 3),
            self._stale,
            self._nothing,
            self._refused,
            self._tag,
            self._rename,
            self._repeat,
            self._twins,
            self._rivals,
            self._all,
            self._each,
            self._dry,
            self._hurry,
            self._vanish,
        )

    async def live(self, enough: Callable[[int], bool]) -> None:
        """Take every kind of step in some order, then again in another."""
        number = 0
        while not enough(number):
            if number % len(self._steps) == 0:
                order = self._dice.sample(self._steps, len(self._steps))
            await order[number % len(self._steps)]()
            number += 1

    async def _ask(self, *commands: Any, **more: Any) -> list[Result]:
        asked = unit(self._space, *commands, **more)
        self._last = asked.requests[0]
        return await self._submit(asked, self._lane)

    async def _submit(
        self, asked: Unit, lane: Lane, again: bool = False
    ) -> list[Result]:
        results = await self._crowd.submit(self._number, lane, asked, again)
        for result in results:
            if isinstance(result, Answer) and result.stored:
                self._known[result.stored.id] = result.stored.version
        return results

    async def _create(self) -> None:
        await self._ask(_birth())

    async def _edit(self) -> None:
        await self._ask(self._change())

    async def _careful(self) -> None:
        """Edit at the version last heard of, which others may have passed."""
        edit = self._change()
        known = self._known.get(edit.task_id, 1)
        await self._one(request(self._space, edit, expected_version=known))

    async def _stale(self) -> None:
        """Edit at a version that there never was."""
        asked = request(self._space, self._change(), expected_version=10**6)
        (result,) = await self._one(asked)
        assert getattr(result, "code", "") == "version_conflict"

    async def _nothing(self) -> None:
        """Ask twice for what needs doing once."""
        birth = _birth()
        await self._ask(birth)
        edit = tasks.EditTask(task_id=birth.task_id, title="Same")
        for events in (1, 0):
            (result,) = await self._ask(edit)
            assert isinstance(result, Answer)
            assert result.replayed or len(result.events) == events

    async def _refused(self) -> None:
        (result,) = await self._ask(_impossible())
        assert getattr(result, "code", "") == "not_found"

    async def _tag(self) -> None:
        await self._ask(tags.CreateTag(tag_id=uuid4(), name=self._name()))

    async def _rename(self) -> None:
        await self._ask(tags.EditTag(tag_id=tag_of(self._space), name=self._name()))

    async def _repeat(self) -> None:
        """Send the last command again, by another way."""
        await self._one(self._last, self._other())

    async def _twins(self) -> None:
        """Send one command by all ways at once, twice by each."""
        twin = request(self._space, _birth())
        ways = [*self._crowd.lanes, *self._crowd.lanes]
        await asyncio.gather(*(self._one(twin, it) for it in ways))

    async def _rivals(self) -> None:
        """Send two commands with one key by two ways at once: one is refused."""
        key = uuid4()
        rivals = [request(self._space, _birth(), key) for _ in range(2)]
        ways = (self._lane, self._other())
        found = await asyncio.gather(*map(self._one, rivals, ways))
        codes = sorted(getattr(result, "code", "") for (result,) in found)
        assert codes == ["", "idempotency_key_reused"]

    async def _all(self) -> None:
        """All or nothing, of commands that build on one another."""
        await self._group(atomic=True)

    async def _each(self) -> None:
        await self._group(atomic=False)

    async def _group(self, *, atomic: bool) -> None:
        birth = _birth()
        edit = tasks.EditTask(task_id=birth.task_id, title="Edited at once")
        bad = [_impossible()] if self._dice.random() < 0.5 else []
        await self._ask(birth, *bad, edit, self._change(), atomic=atomic)

    async def _dry(self) -> None:
        await self._ask(_birth(), self._change(), dry=True)
        self._last = request(self._space, self._change())
        self._known.clear()  # what was never kept is no version to build on

    async def _hurry(self) -> None:
        """Do not wait for the answer before the next: one lane keeps the order."""
        birth = _birth()
        edits = [tasks.EditTask(task_id=birth.task_id, title=it) for it in "abc"]
        asked = [request(self._space, it) for it in (birth, *edits)]
        found = await asyncio.gather(*map(self._one, asked))
        if not self._crowd.disturbed:
            assert all(isinstance(result, Answer) for (result,) in found)

    async def _vanish(self) -> None:
        """Go away in mid-flight, then ask elsewhere what became of it."""
        asked = request(self._space, _birth())
        going = asyncio.create_task(self._lane.submit(Unit(requests=[asked])))
        for _ in range(self._dice.randrange(1, 6)):
            await asyncio.sleep(0)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        await self._submit(Unit(requests=[asked]), self._other(), again=True)

    async def _one(
        self, asked: CommandRequest, lane: Lane | None = None
    ) -> list[Result]:
        return await self._submit(Unit(requests=[asked]), lane or self._lane)

    def _change(self) -> tasks.EditTask:
        id = self._dice.choice(hot(self._space))
        return tasks.EditTask(task_id=id, title=f"Of {self._number} {uuid4()}")

    def _name(self) -> str:
        return f"Name {self._dice.randrange(NAMES)}"

    def _other(self) -> Lane:
        return self._dice.choice([it for it in self._crowd.lanes if it != self._lane])


def _birth() -> tasks.CreateTask:
    return tasks.CreateTask(task_id=uuid4(), title="Buy milk")


def _impossible() -> tasks.CompleteTask:
    return tasks.CompleteTask(task_id=uuid4())
