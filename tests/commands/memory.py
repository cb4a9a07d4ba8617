"""A workspace in memory: what the bus keeps in tables, from batch to batch."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from metacortex.commands import undo
from metacortex.commands.batch import Batch, PlannedUnit, Step, step
from metacortex.commands.bus import fold
from metacortex.commands.message import Answer, CommandRequest, Context, Result, Unit
from metacortex.commands.receipts import Receipt
from metacortex.commands.registry import STREAM_OF
from metacortex.commands.repository import Head, Loaded, Stored
from metacortex.commands.session import SessionCache
from metacortex.events import codec
from metacortex.events.record import EventRecord, Recorded
from metacortex.kernel.errors import MetaCortexError, NotFound, Refused
from metacortex.kernel.ids import new_id
from tests.spec import ME, NOW

EPOCH = datetime.fromtimestamp(0, UTC)
HEX = ("salt", "payload_hash", "leaf_hash")
IDS = ("workspace_id", "event_id", "stream_id", "command_id")


@dataclass(slots=True)
class Memory:
    """One workspace: its head, log, states and receipts."""

    id: UUID = field(default_factory=new_id)
    head: Head = field(init=False)
    log: list[EventRecord] = field(default_factory=list)
    states: dict[tuple[str, UUID], Stored] = field(default_factory=dict)
    receipts: dict[UUID, Receipt] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.head = Head(self.id, 0, 0, EPOCH, [])

    def request(self, command: Any, **fields: Any) -> CommandRequest:
        """Return a request for the command; a key or a version may be named."""
        key = fields.pop("key", None) or new_id()
        expected = fields.pop("expected_version", None)
        context = Context(
            workspace_id=self.id,
            actor_id=ME,
            command_id=key,
            correlation_id=str(key),
            **fields,
        )
        return CommandRequest(
            command=command,
            context=context,
            fingerprint=hashlib.sha256(repr(command).encode()).digest(),
            expected_version=expected,
        )

    def unit(self, *commands: Any, **flags: bool) -> Unit:
        """Return a unit of commands, or of requests where more is to be said."""
        requests = [
            it if isinstance(it, CommandRequest) else self.request(it)
            for it in commands
        ]
        return Unit(requests=requests, **flags)

    def run(self, *units: Unit, now: datetime = NOW) -> list[list[Result]]:
        """Run units as one batch, and keep what it would save."""
        batch = self.decide(units, now)
        self.keep(batch)
        return batch.results

    def do(self, command: Any, **fields: Any) -> Answer:
        """Run one command, which must succeed."""
        (result,) = self.run(self.unit(self.request(command, **fields)))[0]
        assert isinstance(result, Answer), result
        return result

    def refuse(self, command: Any, **fields: Any) -> MetaCortexError:
        """Run one command, which must fail."""
        (result,) = self.run(self.unit(self.request(command, **fields)))[0]
        assert isinstance(result, MetaCortexError), result
        return result

    def undo(self, answer: Answer) -> Answer:
        """Undo what was answered, which must succeed."""
        return self.do(undo.Undo(command_id=answer.receipt.command_id))

    def decide(self, units: Iterable[Unit], now: datetime = NOW) -> Batch:
        """Run units as one batch, and keep nothing."""
        batch = Batch(SessionCache.of(self.loaded()), now)
        for unit in units:
            steps = [self._steps(request) for request in unit.requests]
            batch.run(PlannedUnit(unit, steps))
        return batch

    def loaded(self) -> Loaded:
        """Return all there is, as a batch loads it."""
        return Loaded(
            heads={self.id: replace(self.head)},
            receipts=list(self.receipts.values()),
            states=[(self.id, type, it) for (type, _), it in self.states.items()],
            stale=False,
        )

    def _steps(self, request: CommandRequest) -> Sequence[Step]:
        return [step(it) for it in self._asks(request)]

    def _asks(self, request: CommandRequest) -> Sequence[Any]:
        if not isinstance(request.command, undo.Undo):
            return [request.command]
        receipt = self.receipts.get(request.command.command_id)
        if receipt is None:
            return [NotFound("not_found")]
        try:
            return list(undo.touched(self.events_of(receipt), receipt.stream_id))
        except Refused as error:
            return [error]

    def events_of(self, receipt: Receipt) -> list[Recorded[Any]]:
        """Return the events that a receipt speaks of."""
        if receipt.first_sequence is None:
            return []
        records = self.log[receipt.first_sequence - 1 : receipt.last_sequence]
        return [codec.read(record) for record in records]

    def keep(self, batch: Batch) -> None:
        """Save what a batch produced, as the bus does."""
        changes = batch.close()
        if not changes.heads:
            return
        (self.head,) = changes.heads
        self.log += [record(row) for row in changes.rows]
        for type, rows in changes.states.items():
            for _, stored in rows:
                self.states[type, stored.id] = stored
        for receipt in changes.receipts:
            self.receipts[receipt.command_id] = receipt

    def state(self, id: UUID) -> Any:
        """Return the state of the one stream of this id."""
        (stored,) = (it for (_, own), it in self.states.items() if own == id)
        return stored.state

    def plain(self) -> dict[tuple[str, UUID], Any]:
        """Return the states of what lives, by stream: without versions and times."""
        return {
            stream: stored.state
            for stream, stored in self.states.items()
            if not stored.state.deleted
        }

    def dangling(self) -> list[tuple[UUID, str]]:
        """Return the live tasks that name something deleted, and what that is."""
        gone = {id for (_, id), it in self.states.items() if it.state.deleted}
        return [
            (id, name)
            for (type, id), task in self.plain().items()
            if type == "task"
            for name in ("parent_id", "project_id", "section_id", "tags")
            if gone.intersection(_ids(getattr(task, name)))
        ]

    def folded(self) -> dict[tuple[str, UUID], Stored]:
        """Return the states that the log amounts to."""
        streams: dict[tuple[str, UUID], list[EventRecord]] = {}
        for it in self.log:
            streams.setdefault((it.stream_type, it.stream_id), []).append(it)
        return {stream: fold(records) for stream, records in streams.items()}


def _ids(value: Any) -> tuple[UUID, ...]:
    return value if isinstance(value, tuple) else (value,)


def record(row: dict[str, Any]) -> EventRecord:
    """Return the record that the log reads back from a row."""
    values = orjson.loads(orjson.dumps(row, default=bytes.hex))
    values |= {name: UUID(values[name]) for name in IDS}
    values |= {name: bytes.fromhex(values[name]) for name in HEX}
    values["data"] = orjson.dumps(row["data"])
    values["context"] = orjson.dumps(row["context"])
    values["recorded_at"] = datetime.fromisoformat(values["recorded_at"])
    assert values.keys() == set(EventRecord._fields)
    assert STREAM_OF[codec.CLASSES[values["type"]]] == values["stream_type"]
    return EventRecord(**values)
