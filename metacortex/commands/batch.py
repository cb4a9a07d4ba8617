"""A batch in memory: decides unit after unit over the loaded states.

Pure but for the salts: it neither reads nor writes anything. Later commands see what
earlier ones did; what a refused unit did is taken back from its journal.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
from metacortex.commands.registry import DECIDER_OF, DECIDERS, NAMES, STREAM_OF
from metacortex.commands.repository import Head, Loaded, Stored
from metacortex.events import codec, merkle
from metacortex.events.record import SALT_BYTES, canonical, leaf, payload_hash
from metacortex.kernel.clock import rfc3339
from metacortex.kernel.decider import Elsewhere, Facts, Found, LookUp, Need, Stream
from metacortex.kernel.errors import (
    Invalid,
    MetaCortexError,
    UndoConflict,
    VersionConflict,
)
from metacortex.kernel.ids import event_id


@dataclass(frozen=True, slots=True)
class Planned:
    """A unit with the steps of each request: commands, or what an undo touches."""

    unit: Unit
    steps: Sequence[Sequence[Any]]

    def every_step(self) -> Iterator[Any]:
        """Return the steps of all requests, in order."""
        return (step for steps in self.steps for step in steps)


@dataclass(slots=True)
class _Space:
    """What is loaded of one workspace, with what the batch has done to it."""

    head: Head
    stored: dict[str, dict[UUID, Stored]] = field(default_factory=dict)
    states: dict[str, dict[UUID, Any]] = field(default_factory=dict)
    receipts: dict[UUID, Receipt] = field(default_factory=dict)

    def put(self, type: str, stored: Stored) -> Stored | None:
        """Replace a stream, and return what stood there."""
        before = self.stored.setdefault(type, {}).get(stored.id)
        self.stored[type][stored.id] = stored
        self.states.setdefault(type, {})[stored.id] = stored.state
        return before

    def put_back(self, type: str, id: UUID, before: Stored | None) -> None:
        """Undo a `put`."""
        if before is None:
            del self.stored[type][id], self.states[type][id]
        else:
            self.put(type, before)


class Batch:
    """Decides planned units and gathers the rows to be saved."""

    def __init__(self, loaded: Loaded, now: datetime) -> None:
        self._now = now
        self._spaces = {id: _Space(head) for id, head in loaded.heads.items()}
        for workspace_id, type, stored in loaded.states:
            self._spaces[workspace_id].put(type, stored)
        for receipt in loaded.receipts:
            self._spaces[receipt.workspace_id].receipts[receipt.command_id] = receipt
        self._changed: dict[tuple[UUID, str, UUID], None] = {}
        self._journal: list[Callable[[], None]] = []
        self.rows: list[dict[str, Any]] = []
        self.receipts: dict[tuple[UUID, UUID], Receipt] = {}
        self.results: list[list[Result]] = []
        self.unfinished = False
        self.workspace_of: dict[int, UUID] = {}

    def run(self, plan: Planned) -> None:
        """Decide a unit; its results are appended to `results`."""
        unit = plan.unit
        self._journal.clear()
        rows = len(self.rows)
        results: list[Result] = []
        for request, steps in zip(unit.requests, plan.steps, strict=True):
            result = self._run_one(request, steps)
            results.append(result)
            if isinstance(result, MetaCortexError) and unit.atomic:
                break
        failed = unit.atomic and isinstance(results[-1], MetaCortexError)
        if unit.dry or failed:
            self._take_back(rows)
        if failed and not unit.dry:
            refused = unit.requests[len(results) - 1]
            self._refuse(refused, results[-1])
        self.results.append(results)

    def _run_one(self, request: Request, steps: Sequence[Any]) -> Result:
        context = request.context
        space = self._spaces[context.workspace_id]
        seen = space.receipts.get(context.command_id)
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
        mark, rows = len(self._journal), len(self.rows)
        try:
            return self._decide(request, steps, space)
        except MetaCortexError as error:
            self._take_back(rows, mark)
            self._refuse(request, error)
            return error

    def _decide(self, request: Request, steps: Sequence[Any], space: _Space) -> Answer:
        refs: list[EventRef] = []
        own: tuple[str, UUID] | None = None
        for step in steps:
            stream = self._step(request, step, space, refs)
            if own is None or (isinstance(step, undo.Touched) and step.own):
                own = stream
        assert own is not None, "every request has a step"
        stored = space.stored[own[0]].get(own[1])
        outcome: Outcome = "applied" if refs else "unchanged"
        receipt = self._receipt(request, outcome, own, stored, refs, None)
        return Answer(
            receipt=receipt,
            stored=stored,
            sequence=space.head.sequence,
            events=refs,
        )

    def _step(
        self, request: Request, step: Any, space: _Space, refs: list[EventRef]
    ) -> tuple[str, UUID]:
        """Decide one command, append its events, and return its stream."""
        if isinstance(step, MetaCortexError):
            raise step
        if isinstance(step, undo.Touched):
            step = self._reverting(step, space)
        decider = DECIDER_OF[type(step)]
        stream_id = decider.stream_id(step)
        of_type = space.stored.setdefault(decider.stream_type, {})
        before = of_type.get(stream_id)
        _check_version(request.expected_version, before)
        facts = self._facts(request.context, decider.needs(step), space)
        state = None if before is None else before.state
        for decided in decider.decide(step, state, facts):
            if isinstance(decided, Elsewhere):
                refs.append(
                    self._append(request, decided.stream_id, decided.event, refs, space)
                )
            else:
                refs.append(self._append(request, stream_id, decided, refs, space))
        return decider.stream_type, stream_id

    def _reverting(self, step: undo.Touched, space: _Space) -> Any:
        stored = space.stored[step.stream_type][step.stream_id]
        try:
            changes = undo.back(step, stored.state, stored.version)
        except UndoConflict as conflict:
            self.unfinished = True
            self.workspace_of[id(conflict)] = space.head.workspace_id
            raise
        return DECIDERS[step.stream_type].revert(step.stream_id, changes)

    def _facts(self, context: Context, needs: Sequence[Need], space: _Space) -> Facts:
        streams: dict[Stream, Any] = {}
        found: dict[LookUp, tuple[Found, ...]] = {}
        for need in needs:
            if isinstance(need, Stream):
                streams[need] = space.states.get(need.type, {}).get(need.id)
            else:
                type, ids = repository.resolve(space.states, need)
                of_type = space.states.get(type, {})
                found[need] = tuple(Found(id, of_type[id]) for id in ids)
        return Facts(
            now=self._now, actor_id=context.actor_id, streams=streams, found=found
        )

    def _append(
        self,
        request: Request,
        stream_id: UUID,
        event: Any,
        refs: Sequence[EventRef],
        space: _Space,
    ) -> EventRef:
        type = STREAM_OF[event.__class__]
        before = space.stored.setdefault(type, {}).get(stream_id)
        at = space.head.recorded_at
        stored = self._evolved(type, stream_id, before, event, space.head)
        ref = self._record(request, type, stored, event, len(refs), space.head)
        key = (space.head.workspace_id, type, stream_id)
        new = key not in self._changed
        self._changed[key] = None
        space.put(type, stored)
        self._journal.append(
            lambda: self._unappend(space, type, stream_id, before, new, at)
        )
        return ref

    def _evolved(
        self, type: str, id: UUID, before: Stored | None, event: Any, head: Head
    ) -> Stored:
        at = max(self._now, head.recorded_at)
        evolve = DECIDERS[type].evolve
        if before is None:
            return Stored(id, 1, at, at, evolve(None, event))
        state = evolve(before.state, event)
        return Stored(id, before.version + 1, before.created_at, at, state)

    def _record(
        self,
        request: Request,
        type: str,
        stored: Stored,
        event: Any,
        ordinal: int,
        head: Head,
    ) -> EventRef:
        """Add the row of an event to the log, under the head's next sequence."""
        context = request.context
        name = codec.NAMES[event.__class__]
        head.sequence += 1
        head.recorded_at = max(self._now, head.recorded_at)
        data, about = codec.encode(event), _context_bytes(context)
        salt = os.urandom(SALT_BYTES)
        payload = payload_hash(salt, data, about)
        row: dict[str, Any] = {
            "workspace_id": context.workspace_id,
            "sequence": head.sequence,
            "event_id": event_id(context.command_id, ordinal),
            "stream_type": type,
            "stream_id": stored.id,
            "version": stored.version,
            "type": name,
            "schema_version": codec.VERSIONS[name],
            "recorded_at": rfc3339(head.recorded_at),
            "actor_type": context.actor_type,
            "actor_id": context.actor_id,
            "command_id": context.command_id,
            "command_type": NAMES[request.command.__class__],
            "correlation_id": context.correlation_id,
            "causation_id": context.causation_id,
        }
        hashed = merkle.leaf_hash(leaf(row, payload, row["recorded_at"]))
        row["data"] = orjson.Fragment(data)
        row["context"] = orjson.Fragment(about)
        row["salt"] = "\\x" + salt.hex()
        row["payload_hash"] = "\\x" + payload.hex()
        row["leaf_hash"] = "\\x" + hashed.hex()
        row["_leaf"] = hashed
        self.rows.append(row)
        return EventRef(
            id=row["event_id"],
            type=name,
            version=stored.version,
            sequence=head.sequence,
            stream_type=type,
            stream_id=stored.id,
        )

    def _unappend(
        self,
        space: _Space,
        type: str,
        id: UUID,
        before: Stored | None,
        new: bool,
        at: datetime,
    ) -> None:
        space.put_back(type, id, before)
        space.head.sequence -= 1
        space.head.recorded_at = at
        if new:
            del self._changed[space.head.workspace_id, type, id]

    def _receipt(
        self,
        request: Request,
        outcome: Outcome,
        own: tuple[str, UUID] | None,
        stored: Stored | None,
        refs: Sequence[EventRef],
        error: MetaCortexError | None,
    ) -> Receipt:
        context = request.context
        receipt = Receipt(
            workspace_id=context.workspace_id,
            command_id=context.command_id,
            type=NAMES[type(request.command)],
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
            recorded_at=self._now,
            correlation_id=context.correlation_id,
            request_id=context.request_id,
        )
        self._keep(receipt)
        return receipt

    def _keep(self, receipt: Receipt) -> None:
        space = self._spaces[receipt.workspace_id]
        before = space.receipts.get(receipt.command_id)
        key = (receipt.workspace_id, receipt.command_id)
        saved = self.receipts.get(key)
        space.receipts[receipt.command_id] = receipt
        self.receipts[key] = receipt
        self._journal.append(lambda: self._unkeep(space, key, before, saved))

    def _unkeep(
        self,
        space: _Space,
        key: tuple[UUID, UUID],
        before: Receipt | None,
        saved: Receipt | None,
    ) -> None:
        if before is None:
            del space.receipts[key[1]]
        else:
            space.receipts[key[1]] = before
        if saved is None:
            del self.receipts[key]
        else:
            self.receipts[key] = saved

    def _refuse(self, request: Request, error: Any) -> None:
        """Leave a receipt of the refusal, for the auditor."""
        if error.code != "idempotency_key_reused":
            self._receipt(request, "refused", None, None, (), error)

    def _take_back(self, rows: int, mark: int = 0) -> None:
        """Undo what was done since the journal and the rows had these lengths."""
        while len(self._journal) > mark:
            self._journal.pop()()
        del self.rows[rows:]

    def changed_states(self) -> Mapping[str, Sequence[tuple[UUID, Stored]]]:
        """Return the state rows to save, by stream type."""
        rows: dict[str, list[tuple[UUID, Stored]]] = {}
        for workspace_id, type, id in self._changed:
            stored = self._spaces[workspace_id].stored[type][id]
            rows.setdefault(type, []).append((workspace_id, stored))
        return rows

    def touched_heads(self) -> Sequence[Head]:
        """Advance the frontier and the turn of every head that is written."""
        leaves: dict[UUID, list[bytes]] = {}
        for row in self.rows:
            leaves.setdefault(row["workspace_id"], []).append(row.pop("_leaf"))
        written = {workspace_id for workspace_id, _ in self.receipts}
        heads = [self._spaces[id].head for id in sorted(written)]
        for head in heads:
            new = leaves.get(head.workspace_id, [])
            head.turn += 1
            size = head.sequence - len(new)
            head.frontier = merkle.advance(size, head.frontier, new)
        return heads


def _check_version(expected: int | None, stored: Stored | None) -> None:
    current = 0 if stored is None else stored.version
    if expected is not None and expected != current:
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
