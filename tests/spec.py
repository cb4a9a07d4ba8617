"""Given, when, then: rules as specifications, without a database.

Events of the command's own stream stand bare, those of other streams as `Elsewhere`,
in what is given as in what is expected. Facts come from what was given, through the
look-ups that the bus uses. A decision must tell the truth: every change it carries
starts from the value that is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from metacortex.commands import repository
from metacortex.commands.batch import addressed
from metacortex.commands.registry import DECIDERS, STREAM_OF
from metacortex.commands.states import CREATED, States
from metacortex.commands.tables import Member
from metacortex.kernel.decider import (
    Change,
    Elsewhere,
    Facts,
    Found,
    LookUp,
    Need,
    Stream,
    changes_of,
)
from metacortex.kernel.errors import MetaCortexError
from metacortex.kernel.ids import new_id
from metacortex.kernel.rank import of_creation

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ME = "user_me"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to, to be compared with what it should come to."""

    before: "Given"
    own: UUID
    decided: Sequence[Any]
    error: MetaCortexError | None

    def then(self, *events: Any) -> "Given":
        """Expect exactly these events, in this order."""
        assert self.error is None, self.error
        assert list(self.decided) == list(events)
        return self.before.followed_by(self.own, events)

    def then_all(self, *events: Any) -> "Given":
        """Expect exactly these events; the order between streams is no rule."""
        assert self.error is None, self.error
        decided, wanted = _placed(self.own, self.decided), _placed(self.own, events)
        assert len(decided) == len(wanted), decided
        assert all(event in decided for event in wanted), decided
        return self.before.followed_by(self.own, decided)

    def then_nothing(self) -> "Given":
        """Expect success that changes nothing."""
        return self.then()

    def then_refused(
        self, code: str, *, pointer: str | None = None, **meta: Any
    ) -> "Given":
        """Expect an error of this code, with this pointer and at least this meta."""
        assert self.error is not None, f"not refused: {self.decided}"
        assert self.error.code == code
        assert self.error.source == ({"pointer": pointer} if pointer else None)
        assert meta.items() <= self.error.meta.items(), self.error.meta
        return self.before


@dataclass(frozen=True, slots=True)
class Given:
    """What happened so far; bare events belong to the stream of the next command."""

    events: tuple[Any, ...] = ()

    def when(
        self,
        command: Any,
        *,
        now: datetime = NOW,
        actor_id: str = ME,
        members: Sequence[str] = (),
    ) -> Outcome:
        """Decide the command, with these facts besides what was given."""
        decider, (_, own) = addressed(command)
        before = Given(_placed(own, self.events))
        states = before.states()
        states["member"] = {new_id(): Member(user_id=user) for user in members}
        facts = _facts(decider.needs(command), states, now, actor_id)
        state = states[decider.stream_type].get(own)
        try:
            return Outcome(before, own, decider.decide(command, state, facts), None)
        except MetaCortexError as error:
            return Outcome(before, own, (), error)

    def followed_by(self, own: UUID, events: Sequence[Any]) -> "Given":
        """Return all events together; each change must start from what is there."""
        after = Given(self.events + _placed(own, events))
        after.states()
        return after

    def states(self) -> States:
        """Fold the events, stream by stream; each of them must be an `Elsewhere`."""
        states = States()
        for it in self.events:
            type = STREAM_OF[it.event.__class__]
            state = states[type].get(it.stream_id)
            states[CREATED].setdefault(it.stream_id, born(len(states[CREATED])))
            _check_true(state, it.event)
            states.put(type, it.stream_id, DECIDERS[type].evolve(state, it.event))
        return states


def given(*events: Any) -> Given:
    """Begin a specification with what happened before."""
    return Given(events)


def when(command: Any, **facts: Any) -> Outcome:
    """Begin a specification in an empty workspace."""
    return Given().when(command, **facts)


def born(number: int) -> datetime:
    """Return when the stream of a number, from 0, began: one a minute."""
    return NOW + timedelta(minutes=number - 1_000)


def to_the_end(task_id: UUID) -> Change[str | None]:
    """Return the change of rank of a task that was never moved, and now comes last."""
    return Change(None, of_creation(NOW, task_id))


def _placed(own: UUID, events: Sequence[Any]) -> tuple[Elsewhere, ...]:
    return tuple(
        it if isinstance(it, Elsewhere) else Elsewhere(own, it) for it in events
    )


def _check_true(state: Any, event: Any) -> None:
    for name, change in changes_of(event).items():
        assert getattr(state, name) == change.old, f"{event}: {name} was not so"
        assert change.old != change.new, f"{event}: {name} does not change"


def _facts(
    needs: Sequence[Need], states: States, now: datetime, actor_id: str
) -> Facts:
    streams: dict[Stream, Any] = {}
    found: dict[LookUp, tuple[Found, ...]] = {}
    for need in needs:
        if isinstance(need, Stream):
            streams[need] = states[need.type].get(need.id)
        else:
            type, ids = repository.resolve(states, need)
            created = states[CREATED]
            found[need] = tuple(
                Found(id, states[type][id], created.get(id, NOW)) for id in ids
            )
    return Facts(now=now, actor_id=actor_id, streams=streams, found=found)
