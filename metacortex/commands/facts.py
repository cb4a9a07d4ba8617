"""The facts of one decision, resolved from what a session holds when a rule asks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from metacortex.commands import repository
from metacortex.commands.session import WorkspaceSession
from metacortex.kernel.decider import Facts, Found, LookUp, Need, Stream


class _LookUps(Mapping[LookUp, tuple[Found, ...]]):
    """What look-ups find, worked out once each; only those that are needed.

    Nothing changes while a rule decides, so it does not matter when it asks.
    """

    __slots__ = ("_needs", "_session", "_counted", "_found")

    def __init__(
        self,
        needs: Sequence[Need],
        session: WorkspaceSession,
        counted: Callable[[int], None],
    ) -> None:
        self._needs = needs
        self._session = session
        self._counted = counted
        self._found: dict[LookUp, tuple[Found, ...]] = {}

    def __getitem__(self, look_up: LookUp) -> tuple[Found, ...]:
        found = self._found.get(look_up)
        if found is None:
            if look_up not in self._needs:
                raise KeyError(look_up)
            found = self._found[look_up] = self._resolved(look_up)
            self._counted(len(found))
        return found

    def _resolved(self, look_up: LookUp) -> tuple[Found, ...]:
        type, ids = repository.resolve(self._session.states, look_up)
        stored = self._session.stored[type]
        return tuple(Found(id, stored[id].state, stored[id].created_at) for id in ids)

    def __iter__(self) -> Iterator[LookUp]:
        return (need for need in self._needs if isinstance(need, LookUp))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def facts_of(
    needs: Sequence[Need],
    session: WorkspaceSession,
    actor_id: str,
    counted: Callable[[int], None],
) -> Facts:
    """Return what a rule may use; `counted` is told how much each look-up found."""
    streams: dict[Stream, Any] = {
        need: session.states[need.type].get(need.id)
        for need in needs
        if isinstance(need, Stream)
    }
    return Facts(
        now=session.recorded_at,
        actor_id=actor_id,
        streams=streams,
        found=_LookUps(needs, session, counted),
    )
