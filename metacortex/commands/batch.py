"""A batch in memory: decides its units in order, over the sessions of the workspaces.

It does no I/O and is deterministic except for the salts. Later commands see the effects
of earlier ones; the effects of a refused unit are rolled back.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from metacortex.commands import repository, undo
from metacortex.commands.message import (
    Answer,
    CommandRequest,
    Context,
    EventRef,
    Result,
    Unit,
)
from metacortex.commands.receipts import Outcome, Receipt
from metacortex.commands.registry import DECIDER_OF, DECIDERS, NAMES, STREAM_OF
from metacortex.commands.repository import BatchChanges, Stored
from metacortex.commands.session import SessionCache, WorkspaceSession
from metacortex.events import codec, merkle
from metacortex.events.record import SALT_BYTES, canonical, leaf, payload_hash
from metacortex.kernel.clock import rfc3339
from metacortex.kernel.decider import (
    Decider,
    Elsewhere,
    Facts,
    Found,
    LookUp,
    Need,
    Revert,
    Stream,
)
from metacortex.kernel.errors import (
    Invalid,
    MetaCortexError,
    UndoConflict,
    VersionConflict,
)
from metacortex.kernel.ids import event_id

SALTS = 64  # drawn at once: a call of os.urandom costs more than its bytes


@dataclass(frozen=True, slots=True)
class Step:
    """One decision to make, with the needs of its rules.

    `action` is a command, what an undo has to revert, or an error that planning found.
    `creates` is the stream that the command is to create.
    """

    action: Any
    needs: Sequence[Need]
    creates: Stream | None = None


@dataclass(frozen=True, slots=True)
class PlannedUnit:
    """A unit with the steps of each of its requests."""

    unit: Unit
    steps: Sequence[Sequence[Step]]

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
    creates = stream if command.__class__ in decider.creation_commands else None
    return Step(action, decider.needs(command), creates)


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

    def __init__(self, cache: SessionCache, now: datetime) -> None:
        self._cache = cache
        self._clock, self._clock_text = now, rfc3339(now)
        self._sessions: dict[UUID, WorkspaceSession] = {}
        self._salts = b""
        self.results: list[list[Result]] = []
        self.incomplete = False

    def run(self, planned: PlannedUnit) -> None:
        """Decide a unit; its results are appended to `results`."""
        unit = planned.unit
        session = self._session(unit.workspace_id)
        savepoint = session.savepoint()
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
                self.incomplete = True
                sequence = earlier.last_sequence or session.head.sequence
                return Answer(
                    receipt=earlier, stored=None, sequence=sequence, replayed=True
                )
        savepoint = session.savepoint()
        try:
            return self._decide(request, steps, session)
        except MetaCortexError as error:
            session.rollback_to(savepoint)
            self._refuse(request, error, session)
            return error

    def _decide(
        self, request: CommandRequest, steps: Sequence[Step], session: WorkspaceSession
    ) -> Answer:
        refs: list[EventRef] = []
        own: tuple[str, UUID] | None = None
        for step in steps:
            stream = self._step(request, step, session, refs)
            if own is None or (
                isinstance(step.action, undo.Touched) and step.action.own
            ):
                own = stream
        assert own is not None, "every request has a step"
        stored = session.stored[own[0]].get(own[1])
        outcome: Outcome = "applied" if refs else "unchanged"
        receipt = self._receipt(
            request, outcome, own, stored, refs, None, session.recorded_at
        )
        session.add_receipt(receipt)
        return Answer(
            receipt=receipt, stored=stored, sequence=session.head.sequence, events=refs
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
        if isinstance(command, MetaCortexError):
            raise command
        if isinstance(command, undo.Touched):
            command = self._reverting(command, session)
            needs = DECIDERS[command.stream_type].needs(command)
        decider, (type, stream_id) = addressed(command)
        before = session.stored[type].get(stream_id)
        expected = request.expected_version
        if expected is not None and (
            before or command.__class__ in decider.creation_commands
        ):
            _check_version(expected, before)
        facts = self._facts(request.context, needs, session)
        state = None if before is None else before.state
        for decided in decider.decide(command, state, facts):
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

    def _facts(
        self, context: Context, needs: Sequence[Need], session: WorkspaceSession
    ) -> Facts:
        streams: dict[Stream, Any] = {}
        found: dict[LookUp, tuple[Found, ...]] = {}
        for need in needs:
            if isinstance(need, Stream):
                streams[need] = session.states[need.type].get(need.id)
            else:
                type, ids = repository.resolve(session.states, need)
                of_type = session.states[type]
                found[need] = tuple(Found(id, of_type[id]) for id in ids)
        return Facts(
            now=session.recorded_at,
            actor_id=context.actor_id,
            streams=streams,
            found=found,
        )

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
        row, leaf_hash = self._row(request, type, stored, event, ordinal, session)
        session.append(type, before, stored, row, leaf_hash)
        return EventRef(
            id=row["event_id"],
            type=row["type"],
            version=stored.version,
            sequence=row["sequence"],
            stream_type=type,
            stream_id=stream_id,
        )

    def _row(
        self,
        request: CommandRequest,
        type: str,
        stored: Stored,
        event: Any,
        ordinal: int,
        session: WorkspaceSession,
    ) -> tuple[dict[str, Any], bytes]:
        """Return the log row of an event, with the next sequence, and its leaf hash."""
        context, command = request.context, request.command.__class__
        name = codec.NAMES[event.__class__]
        data, context_data = codec.encode(event), _context_bytes(context)
        salt = self._salt()
        payload = payload_hash(salt, data, context_data)
        row: dict[str, Any] = {
            "workspace_id": context.workspace_id,
            "sequence": session.head.sequence + 1,
            "event_id": event_id(context.command_id, ordinal),
            "stream_type": type,
            "stream_id": stored.id,
            "version": stored.version,
            "type": name,
            "schema_version": codec.VERSIONS[name],
            "recorded_at": session.recorded_at_text,
            "actor_type": context.actor_type,
            "actor_id": context.actor_id,
            "command_id": context.command_id,
            "command_type": NAMES[command],
            "correlation_id": context.correlation_id,
            "causation_id": context.causation_id,
            "data": orjson.Fragment(data),
            "context": orjson.Fragment(context_data),
            "salt": salt,
            "payload_hash": payload,
        }
        leaf_hash = merkle.leaf_hash(leaf(row, payload, session.recorded_at_text))
        row["leaf_hash"] = leaf_hash
        return row, leaf_hash

    def _salt(self) -> bytes:
        if not self._salts:
            self._salts = os.urandom(SALTS * SALT_BYTES)
        salt, self._salts = self._salts[:SALT_BYTES], self._salts[SALT_BYTES:]
        return salt

    def _receipt(
        self,
        request: CommandRequest,
        outcome: Outcome,
        own: tuple[str, UUID] | None,
        stored: Stored | None,
        refs: Sequence[EventRef],
        error: MetaCortexError | None,
        at: datetime,
    ) -> Receipt:
        context = request.context
        return Receipt(
            workspace_id=context.workspace_id,
            command_id=context.command_id,
            type=NAMES[request.command.__class__],
            fingerprint=request.fingerprint,
            actor_type=context.actor_type,
            actor_id=context.actor_id,
            outcome=outcome,
            error=None if error is None else _error(error),
            stream_type=own[0] if own else None,
            stream_id=own[1] if own else None,
            version=stored.version if stored else None,
            first_sequence=refs[0].sequence if refs else None,
            last_sequence=refs[-1].sequence if refs else None,
            recorded_at=at,
            correlation_id=context.correlation_id,
            request_id=context.request_id,
        )

    def _refuse(
        self, request: CommandRequest, error: Any, session: WorkspaceSession
    ) -> None:
        """Add a receipt of the refusal, for audits."""
        if error.code != "idempotency_key_reused":
            receipt = self._receipt(
                request, "refused", None, None, (), error, session.recorded_at
            )
            session.add_receipt(receipt)

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


def _context_bytes(context: Context) -> bytes:
    return canonical(
        {
            "client": context.client,
            "ip": context.ip,
            "request_id": context.request_id,
            "session_id": context.session_id,
            "user_agent": context.user_agent,
        }
    )


def _error(error: MetaCortexError) -> dict[str, Any]:
    return {"code": error.code, "detail": error.detail, "meta": error.meta}
