"""A batch in memory: decides its units in order, over the sessions of the workspaces.

It does no I/O and is deterministic except for the salts. Later commands see the effects
of earlier ones; the effects of a refused unit are rolled back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from metacortex.commands import undo
from metacortex.commands.budget import BATCH_EVENTS, Budget, TakesLong
from metacortex.commands.facts import facts_of
from metacortex.commands.message import Answer, CommandRequest, EventRef, Result, Unit
from metacortex.commands.receipts import Outcome, Receipt
from metacortex.commands.registry import DECIDER_OF, DECIDERS, STREAM_OF
from metacortex.commands.repository import BatchChanges, Stored
from metacortex.commands.rows import Rows, receipt
from metacortex.commands.session import Savepoint, SessionCache, WorkspaceSession
from metacortex.kernel.clock import rfc3339
from metacortex.kernel.decider import Decider, Elsewhere, Need, Revert, Stream
from metacortex.kernel.errors import (
    Invalid,
    MetaCortexError,
    Refused,
    UndoConflict,
    VersionConflict,
)


@dataclass(slots=True)
class Step:
    """One decision to make, with the needs of its rules.

    `action` is a command, what an undo has to revert, or an error that planning found.
    Only an error has no `stream`. `creates` says that the command is to create it.
    """

    action: Any
    needs: Sequence[Need]
    stream: Stream | None = None
    creates: bool = False


@dataclass(slots=True)
class PlannedUnit:
    """A unit with the steps of each of its requests."""

    unit: Unit
    steps: Sequence[Sequence[Step]]
    is_long: bool = False
    """It is known beforehand to be more than shares a batch; it has no steps then."""

    def all_steps(self) -> Iterator[Step]:
        """Return the steps of all requests, in order."""
        return (step for steps in self.steps for step in steps)

    def needs(self) -> Iterator[Need]:
        """Return the needs of all steps, in order."""
        return (need for step in self.all_steps() for need in step.needs)

    def keys(self) -> Sequence[tuple[UUID, UUID]]:
        """Return the workspace and the command id of each request."""
        unit = self.unit
        return [(unit.workspace_id, it.context.command_id) for it in unit.requests]


def step(action: Any) -> Step:
    """Return the step of a command, of what an undo has to revert, or of an error."""
    if isinstance(action, MetaCortexError):
        return Step(action, ())
    command = action.planned() if isinstance(action, undo.Touched) else action
    decider, stream = addressed(command)
    creates = command.__class__ in decider.creation_commands
    return Step(action, decider.needs(command), stream, creates)


def addressed(command: Any) -> tuple[Decider, Stream]:
    """Return the decider of a command, or of a part of an undo, and the stream."""
    if command.__class__ is Revert:
        return DECIDERS[command.stream_type], Stream(
            command.stream_type, command.stream_id
        )
    decider = DECIDER_OF[command.__class__]
    return decider, Stream(decider.stream_type, decider.stream_id(command))


class Batch:
    """Decides planned units and collects the write set."""

    def __init__(
        self, cache: SessionCache, now: datetime, *, quick: bool = False
    ) -> None:
        """Take as much as comes, or only what is `quick` to decide."""
        self._cache = cache
        self._clock, self._clock_text = now, rfc3339(now)
        self._sessions: dict[UUID, WorkspaceSession] = {}
        self._rows = Rows()
        self._quick = quick
        self._budget = Budget(quick=quick)
        self._events = 0
        self._held: set[UUID] = set()
        self.results: list[list[Result]] = []
        self.postponed: dict[int, bool] = {}
        """By number, the units that were not decided: whether to run them apart."""
        self.incomplete = False

    def run(self, planned: PlannedUnit) -> None:
        """Decide a unit; its results are appended to `results`, none if postponed."""
        workspace_id = planned.unit.workspace_id
        if workspace_id in self._held or self._is_full:
            self._postpone(workspace_id, apart=False)
            return
        session = self._session(workspace_id)
        savepoint = session.savepoint()
        self._budget = Budget(quick=self._quick)
        try:
            self._run(planned, session, savepoint)
        except TakesLong:
            session.rollback_to(savepoint)
            self._postpone(workspace_id, apart=True)
        self._events += self._budget.spent

    @property
    def _is_full(self) -> bool:
        return self._quick and self._events >= BATCH_EVENTS

    def _postpone(self, workspace_id: UUID, *, apart: bool) -> None:
        """Leave a unit for later, and with it the later ones of its workspace."""
        self.postponed[len(self.results)] = apart
        self.results.append([])
        self._held.add(workspace_id)

    def _run(
        self, planned: PlannedUnit, session: WorkspaceSession, savepoint: Savepoint
    ) -> None:
        unit = planned.unit
        if planned.is_long and self._quick:
            raise TakesLong
        results: list[Result] = []
        for request, steps in zip(unit.requests, planned.steps, strict=True):
            result = self._run_one(request, steps, session)
            results.append(result)
            if unit.atomic and isinstance(result, MetaCortexError):
                break
        failed = unit.atomic and isinstance(results[-1], MetaCortexError)
        if unit.dry or failed:
            session.rollback_to(savepoint)
        if failed and not unit.dry:
            self._refuse(unit.requests[len(results) - 1], results[-1], session)
        self.results.append(results)

    def _session(self, workspace_id: UUID) -> WorkspaceSession:
        session = self._sessions.get(workspace_id)
        if session is None:
            session = self._sessions[workspace_id] = self._cache[workspace_id]
            session.begin(self._clock, self._clock_text)
        return session

    def _run_one(
        self, request: CommandRequest, steps: Sequence[Step], session: WorkspaceSession
    ) -> Result:
        earlier = session.receipts.get(request.context.command_id)
        if earlier is not None:
            if earlier.fingerprint != request.fingerprint:
                return Invalid(
                    "idempotency_key_reused", source={"header": "Idempotency-Key"}
                )
            if earlier.outcome != "refused":
                if (refused := self._too_much_to_repeat(earlier)) is not None:
                    return refused
                self.incomplete = True
                sequence = earlier.last_sequence or session.head.sequence
                return Answer(
                    receipt=earlier, stored=None, sequence=sequence, replayed=True
                )
        savepoint = session.savepoint()
        try:
            self._budget.check_open()
            return self._decide(request, steps, session)
        except MetaCortexError as error:
            session.rollback_to(savepoint)
            self._refuse(request, error, session)
            return error

    def _too_much_to_repeat(self, earlier: Receipt) -> Refused | None:
        """Count the events that the answer to a repeat names, as if appended anew."""
        first, last = earlier.first_sequence, earlier.last_sequence
        events = 0 if first is None or last is None else last - first + 1
        try:
            self._budget.check_request(events)
        except Refused as error:
            return error
        self._budget.spent += events
        return None

    def _decide(
        self, request: CommandRequest, steps: Sequence[Step], session: WorkspaceSession
    ) -> Answer:
        refs: list[EventRef] = []
        own: tuple[str, UUID] | None = None
        if len(steps) > 1:
            self._budget.check(len(steps))
        try:
            for step in steps:
                stream = self._step(request, step, session, refs)
                if own is None or (
                    isinstance(step.action, undo.Touched) and step.action.own
                ):
                    own = stream
        finally:
            self._budget.spent += len(refs)
        assert own is not None, "every request has a step"
        stored = session.stored[own[0]].get(own[1])
        outcome: Outcome = "applied" if refs else "unchanged"
        made = receipt(
            request, outcome, session.recorded_at, own=own, stored=stored, refs=refs
        )
        session.add_receipt(made)
        return Answer(
            receipt=made, stored=stored, sequence=session.head.sequence, events=refs
        )

    def _step(
        self,
        request: CommandRequest,
        step: Step,
        session: WorkspaceSession,
        refs: list[EventRef],
    ) -> tuple[str, UUID]:
        """Decide one command, append its events, and return its stream."""
        command, needs = step.action, step.needs
        if step.stream is None:
            raise command
        type, stream_id = step.stream
        decider = DECIDERS[type]
        if isinstance(command, undo.Touched):
            command = self._reverting(command, session)
            needs = decider.needs(command)
        before = session.stored[type].get(stream_id)
        expected = request.expected_version
        if expected is not None and (before or step.creates):
            _check_version(expected, before)
        actor_id, budget = request.context.actor_id, self._budget
        facts = facts_of(needs, session, actor_id, budget.found)
        state = None if before is None else before.state
        decided_events = decider.decide(command, state, facts)
        budget.check(len(refs) + len(decided_events))
        for decided in decided_events:
            if isinstance(decided, Elsewhere):
                id, event = decided.stream_id, decided.event
                refs.append(self._append(request, id, event, len(refs), session))
            else:
                refs.append(
                    self._append(request, stream_id, decided, len(refs), session)
                )
        return type, stream_id

    def _reverting(self, touched: undo.Touched, session: WorkspaceSession) -> Revert:
        stored = session.stored[touched.stream_type][touched.stream_id]
        try:
            return touched.revert(stored.state, stored.version)
        except UndoConflict:
            self.incomplete = True
            raise

    def _append(
        self,
        request: CommandRequest,
        stream_id: UUID,
        event: Any,
        ordinal: int,
        session: WorkspaceSession,
    ) -> EventRef:
        """Append an event to its stream, and return its reference for the answer."""
        type = STREAM_OF[event.__class__]
        before = session.stored[type].get(stream_id)
        evolve = DECIDERS[type].evolve
        if before is None:
            stored = Stored(
                stream_id,
                1,
                session.recorded_at,
                session.recorded_at,
                evolve(None, event),
            )
        else:
            version, state = before.version + 1, evolve(before.state, event)
            stored = Stored(
                stream_id, version, before.created_at, session.recorded_at, state
            )
        row, leaf_hash = self._rows.event(
            request, type, stored, event, ordinal, session
        )
        session.append(type, before, stored, row, leaf_hash)
        return EventRef(
            id=row["event_id"],
            type=row["type"],
            version=stored.version,
            sequence=row["sequence"],
            stream_type=type,
            stream_id=stream_id,
        )

    def _refuse(
        self, request: CommandRequest, error: Any, session: WorkspaceSession
    ) -> None:
        """Add a receipt of the refusal, for audits."""
        if error.code != "idempotency_key_reused":
            session.add_receipt(
                receipt(request, "refused", session.recorded_at, error=error)
            )

    def close(self) -> BatchChanges:
        """Advance the heads and return the write set. May be called only once."""
        changes = BatchChanges([], [], [], {}, [])
        for workspace_id, session in self._sessions.items():
            if new_receipts := session.new_receipts():
                changes.heads.append(session.close())
                changes.bases.append(session.base)
                changes.rows += session.rows
                changes.receipts += new_receipts
                for type, stored in session.changed_streams().items():
                    rows = changes.states.setdefault(type, [])
                    rows += [(workspace_id, it) for it in stored]
        return changes


def _check_version(expected: int, stored: Stored | None) -> None:
    current = 0 if stored is None else stored.version
    if expected != current:
        raise VersionConflict(
            "version_conflict",
            source={"header": "If-Match"},
            meta={"expected": expected, "current": current},
        )
