"""A batch in memory: decides unit after unit over what is known of the workspaces.

Pure but for the salts: it neither reads nor writes anything. Later commands see what
earlier ones did; what a refused unit did is taken back.
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
    Context,
    EventRef,
    Request,
    Result,
    Unit,
)
from metacortex.commands.receipts import Outcome, Receipt
from metacortex.commands.registry import DECIDERS, NAMES, STREAM_OF, addressed
from metacortex.commands.repository import BatchChanges, Stored
from metacortex.commands.space import Space, Spaces
from metacortex.events import codec, merkle
from metacortex.events.record import SALT_BYTES, canonical, leaf, payload_hash
from metacortex.kernel.clock import rfc3339
from metacortex.kernel.decider import (
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

SALTS = 64  # drawn at once: asking the system costs more than the bytes


@dataclass(frozen=True, slots=True)
class Step:
    """Something to decide, with what its rules read: a command or part of an undo.

    An error stands where planning found that there is nothing to decide. `born` is the
    stream that the command is to begin.
    """

    asks: Any
    needs: Sequence[Need]
    born: Stream | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A unit with the steps of each request."""

    unit: Unit
    steps: Sequence[Sequence[Step]]

    def all_steps(self) -> Iterator[Step]:
        """Return the steps of all requests, in order."""
        return (step for steps in self.steps for step in steps)

    def needs(self) -> Iterator[Need]:
        """Return what all steps need, in order."""
        return (need for step in self.all_steps() for need in step.needs)

    def keys(self) -> Sequence[tuple[UUID, UUID]]:
        """Return the workspace and the command id of each request."""
        unit = self.unit
        return [(unit.workspace_id, it.context.command_id) for it in unit.requests]


def step(asks: Any) -> Step:
    """Return the step of a command, of what an undo touches, or of an error."""
    if isinstance(asks, MetaCortexError):
        return Step(asks, ())
    command = asks.planned() if isinstance(asks, undo.Touched) else asks
    decider, stream = addressed(command)
    born = stream if command.__class__ in decider.births else None
    return Step(asks, decider.needs(command), born)


class Batch:
    """Decides planned units and gathers what is to be saved."""

    def __init__(self, spaces: Spaces, now: datetime) -> None:
        self._spaces = spaces
        self._clock, self._clock_text = now, rfc3339(now)
        self._begun: dict[UUID, Space] = {}
        self._salts = b""
        self.results: list[list[Result]] = []
        self.unfinished = False

    def run(self, plan: Planned) -> None:
        """Decide a unit; its results are appended to `results`."""
        unit = plan.unit
        space = self._space(unit.workspace_id)
        mark = space.mark()
        results: list[Result] = []
        for request, steps in zip(unit.requests, plan.steps, strict=True):
            result = self._run_one(request, steps, space)
            results.append(result)
            if unit.atomic and isinstance(result, MetaCortexError):
                break
        failed = unit.atomic and isinstance(results[-1], MetaCortexError)
        if unit.dry or failed:
            space.take_back(mark)
        if failed and not unit.dry:
            self._refuse(unit.requests[len(results) - 1], results[-1], space)
        self.results.append(results)

    def _space(self, workspace_id: UUID) -> Space:
        space = self._begun.get(workspace_id)
        if space is None:
            space = self._begun[workspace_id] = self._spaces[workspace_id]
            space.begin(self._clock, self._clock_text)
        return space

    def _run_one(self, request: Request, steps: Sequence[Step], space: Space) -> Result:
        seen = space.receipts.get(request.context.command_id)
        if seen is not None:
            if seen.fingerprint != request.fingerprint:
                return Invalid(
                    "idempotency_key_reused", source={"header": "Idempotency-Key"}
                )
            if seen.outcome != "refused":
                self.unfinished = True
                sequence = seen.last_sequence or space.head.sequence
                return Answer(
                    receipt=seen, stored=None, sequence=sequence, replayed=True
                )
        mark = space.mark()
        try:
            return self._decide(request, steps, space)
        except MetaCortexError as error:
            space.take_back(mark)
            self._refuse(request, error, space)
            return error

    def _decide(self, request: Request, steps: Sequence[Step], space: Space) -> Answer:
        refs: list[EventRef] = []
        own: tuple[str, UUID] | None = None
        for step in steps:
            stream = self._step(request, step, space, refs)
            if own is None or (isinstance(step.asks, undo.Touched) and step.asks.own):
                own = stream
        assert own is not None, "every request has a step"
        stored = space.stored[own[0]].get(own[1])
        outcome: Outcome = "applied" if refs else "unchanged"
        receipt = self._receipt(request, outcome, own, stored, refs, None, space.at)
        space.keep(receipt)
        return Answer(
            receipt=receipt, stored=stored, sequence=space.head.sequence, events=refs
        )

    def _step(
        self, request: Request, step: Step, space: Space, refs: list[EventRef]
    ) -> tuple[str, UUID]:
        """Decide one command, append its events, and return its stream."""
        command, needs = step.asks, step.needs
        if isinstance(command, MetaCortexError):
            raise command
        if isinstance(command, undo.Touched):
            command = self._reverting(command, space)
            needs = DECIDERS[command.stream_type].needs(command)
        decider, (type, stream_id) = addressed(command)
        before = space.stored[type].get(stream_id)
        expected = request.expected_version
        if expected is not None and (before or command.__class__ in decider.births):
            _check_version(expected, before)
        facts = self._facts(request.context, needs, space)
        state = None if before is None else before.state
        for decided in decider.decide(command, state, facts):
            if isinstance(decided, Elsewhere):
                id, event = decided.stream_id, decided.event
                refs.append(self._append(request, id, event, len(refs), space))
            else:
                refs.append(self._append(request, stream_id, decided, len(refs), space))
        return type, stream_id

    def _reverting(self, touched: undo.Touched, space: Space) -> Revert:
        stored = space.stored[touched.stream_type][touched.stream_id]
        try:
            return touched.revert(stored.state, stored.version)
        except UndoConflict:
            self.unfinished = True
            raise

    def _facts(self, context: Context, needs: Sequence[Need], space: Space) -> Facts:
        streams: dict[Stream, Any] = {}
        found: dict[LookUp, tuple[Found, ...]] = {}
        for need in needs:
            if isinstance(need, Stream):
                streams[need] = space.states[need.type].get(need.id)
            else:
                type, ids = repository.resolve(space.states, need)
                of_type = space.stored[type]
                found[need] = tuple(
                    Found(id, of_type[id].state, of_type[id].created_at) for id in ids
                )
        return Facts(
            now=space.at, actor_id=context.actor_id, streams=streams, found=found
        )

    def _append(
        self, request: Request, stream_id: UUID, event: Any, ordinal: int, space: Space
    ) -> EventRef:
        """Append an event, and return how answers name it."""
        type = STREAM_OF[event.__class__]
        before = space.stored[type].get(stream_id)
        evolve = DECIDERS[type].evolve
        if before is None:
            stored = Stored(stream_id, 1, space.at, space.at, evolve(None, event))
        else:
            version, state = before.version + 1, evolve(before.state, event)
            stored = Stored(stream_id, version, before.created_at, space.at, state)
        row, hashed = self._row(request, type, stored, event, ordinal, space)
        space.append(type, before, stored, row, hashed)
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
        request: Request,
        type: str,
        stored: Stored,
        event: Any,
        ordinal: int,
        space: Space,
    ) -> tuple[dict[str, Any], bytes]:
        """Return the row of an event under the head's next sequence, and its leaf."""
        context, command = request.context, request.command.__class__
        name = codec.NAMES[event.__class__]
        data, about = codec.encode(event), _context_bytes(context)
        salt = self._salt()
        payload = payload_hash(salt, data, about)
        row: dict[str, Any] = {
            "workspace_id": context.workspace_id,
            "sequence": space.head.sequence + 1,
            "event_id": event_id(context.command_id, ordinal),
            "stream_type": type,
            "stream_id": stored.id,
            "version": stored.version,
            "type": name,
            "schema_version": codec.VERSIONS[name],
            "recorded_at": space.at_text,
            "actor_type": context.actor_type,
            "actor_id": context.actor_id,
            "command_id": context.command_id,
            "command_type": NAMES[command],
            "correlation_id": context.correlation_id,
            "causation_id": context.causation_id,
            "data": orjson.Fragment(data),
            "context": orjson.Fragment(about),
            "salt": salt,
            "payload_hash": payload,
        }
        hashed = merkle.leaf_hash(leaf(row, payload, space.at_text))
        row["leaf_hash"] = hashed
        return row, hashed

    def _salt(self) -> bytes:
        if not self._salts:
            self._salts = os.urandom(SALTS * SALT_BYTES)
        salt, self._salts = self._salts[:SALT_BYTES], self._salts[SALT_BYTES:]
        return salt

    def _receipt(
        self,
        request: Request,
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

    def _refuse(self, request: Request, error: Any, space: Space) -> None:
        """Leave a receipt of the refusal, for the auditor."""
        if error.code != "idempotency_key_reused":
            receipt = self._receipt(request, "refused", None, None, (), error, space.at)
            space.keep(receipt)

    def close(self) -> BatchChanges:
        """Advance the heads, once, and return all that is to be saved."""
        changes = BatchChanges([], [], [], {}, [])
        for workspace_id, space in self._begun.items():
            if kept := space.kept():
                changes.heads.append(space.close())
                changes.bases.append(space.base)
                changes.rows += space.rows
                changes.receipts += kept
                for type, stored in space.changed().items():
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
