"""Undo: the compensating events of a command, worked out from its own events.

What a command changed is put back field by field, if each field still has the value
that the command gave it; otherwise the undo is refused and the later changes are named.
A field that is a set, as tags are, is put back member by member: others may have come
and gone since.
Nothing is rewritten (docs/decisions/0008-undo.md).

The way of an undo: the handler in `api/commands.py`; `planned` here, from what the log
says that the command did; `commands/batch.py`, which asks `Touched.revert` for the
message once the states are known; `decide` and `evolve` of the module; `project` of its
read side.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from metacortex.commands import receipts
from metacortex.commands.budget import COMMAND_EVENTS, command_too_much
from metacortex.commands.receipts import Receipt
from metacortex.events import codec
from metacortex.events.record import EventRecord, Recorded
from metacortex.kernel.database import ReadConnection
from metacortex.kernel.decider import (
    Change,
    Exchange,
    Revert,
    changes_of,
    exchanges_of,
)
from metacortex.kernel.errors import NotFound, Refused, UndoConflict

UNDO = "command.undo"
REVERT = "command.revert"  # part of an undo; no record bears it


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """Take a command back. A repeat is refused: the values are no longer its own."""

    command_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What a command did to one stream, first value to last, field by field.

    `own` marks the stream that the command itself was about.
    """

    stream_type: str
    stream_id: UUID
    version: int
    created: bool
    by_undo: bool
    own: bool
    changes: Mapping[str, Change[Any]]
    exchanges: Mapping[str, Exchange[Any]]

    def planned(self) -> Revert:
        """Return the message that puts the stream back if nothing happened since."""
        return self._message(
            {name: Change(it.new, it.old) for name, it in self.changes.items()}
        )

    def revert(self, state: Any, version: int) -> Revert:
        """Return the message that puts the stream back as it now is.

        Raises UndoConflict.
        """
        moved = [
            name
            for name, it in self.changes.items()
            if _moved(getattr(state, name), it)
        ]
        moved += [
            name
            for name, it in self.exchanges.items()
            if _exchanged(getattr(state, name), it)
        ]
        if self.created and version != self.version:
            moved = ["created"]
        if moved:
            raise UndoConflict("undo_conflict", meta=_where(self, moved))
        planned = self.planned()
        return self._message(
            {
                name: _member_by_member(getattr(state, name), it) if _is_set(it) else it
                for name, it in planned.changes.items()
            }
        )

    def _message(self, changes: Mapping[str, Change[Any]]) -> Revert:
        return Revert(
            stream_type=self.stream_type,
            stream_id=self.stream_id,
            changes={} if self.created else changes,
            creation=self.created,
            cascaded=not self.own,
            exchanges={
                name: Exchange(it.added, it.removed)
                for name, it in self.exchanges.items()
                if not self.created
            },
        )


async def events_to_undo(
    reader: ReadConnection, workspace_id: UUID, undo: Undo
) -> tuple[Receipt, int]:
    """Return the receipt of what an undo takes back, and how many events it has.

    Raises NotFound, Refused.
    """
    receipt = await receipts.find(reader, workspace_id, undo.command_id)
    if receipt is None:
        raise NotFound("not_found")
    if receipt.first_sequence is None or receipt.last_sequence is None:
        raise Refused("not_undoable")
    events = receipt.last_sequence - receipt.first_sequence + 1
    if events > COMMAND_EVENTS:
        raise command_too_much(events)
    return receipt, events


def planned(records: Iterable[EventRecord], own: UUID | None) -> Sequence[Touched]:
    """Return what an undo puts back, in order. Raises Refused."""
    return touched((codec.read(record) for record in records), own)


def touched(
    events: Iterable[Recorded[Any]], own: UUID | None = None
) -> Sequence[Touched]:
    """Return what the events of one command did, in the order of undoing it.

    Raises Refused where nothing was changed that could be put back.
    """
    streams: dict[tuple[str, UUID], list[Recorded[Any]]] = {}
    for event in events:
        key = (event.record.stream_type, event.record.stream_id)
        streams.setdefault(key, []).append(event)
    found = [
        _touched(of_stream, own=key[1] == own) for key, of_stream in streams.items()
    ]
    undoable = [it for it in found if it.created or it.changes or it.exchanges]
    if not undoable:
        raise Refused("not_undoable")
    return _ordered(undoable)


def _ordered(streams: Sequence[Touched]) -> Sequence[Touched]:
    """Return them so that nothing is put back into what is not there.

    What comes back to life comes first, parents before children; what goes goes last,
    children before parents. Commands delete parents first, undoing goes the other way.
    """
    born = [it for it in streams if _alive_after(it) is True]
    if any(stream.by_undo for stream in born):
        born.reverse()
    gone = [it for it in streams if _alive_after(it) is False]
    rest = [it for it in streams if _alive_after(it) is None]
    return [*born, *rest, *reversed(gone)]


def _alive_after(stream: Touched) -> bool | None:
    """Tell whether undoing brings a stream back, takes it away, or neither."""
    if stream.created:
        return False
    change = stream.changes.get("deleted")
    return None if change is None else not change.old


def _touched(events: Sequence[Recorded[Any]], *, own: bool) -> Touched:
    changes: dict[str, Change[Any]] = {}
    exchanges: dict[str, Exchange[Any]] = {}
    for event in events:
        for name, exchange in exchanges_of(event.event).items():
            exchanges[name] = _followed(exchanges.get(name, Exchange()), exchange)
        for name, change in changes_of(event.event).items():
            oldest = changes[name].old if name in changes else change.old
            changes[name] = Change(oldest, change.new)
    last = events[-1].record
    return Touched(
        stream_type=last.stream_type,
        stream_id=last.stream_id,
        version=last.version,
        created=events[0].record.version == 1,
        by_undo=last.command_type == UNDO,
        own=own,
        changes={name: it for name, it in changes.items() if it.old != it.new},
        exchanges={name: it for name, it in exchanges.items() if it != Exchange()},
    )


def _followed(first: Exchange[Any], then: Exchange[Any]) -> Exchange[Any]:
    """Return what two exchanges, one after the other, come to."""
    removed = {*first.removed, *then.removed} - ({*first.added} | {*then.added})
    added = ({*first.added, *then.added}) - ({*first.removed} | {*then.removed})
    return Exchange(tuple(sorted(removed)), tuple(sorted(added)))


def _exchanged(now: tuple[Any, ...], exchange: Exchange[Any]) -> bool:
    """Tell whether a set is no longer what the exchange made it."""
    lost = not {*exchange.added} <= {*now}
    return lost or not {*exchange.removed}.isdisjoint(now)


def _is_set(change: Change[Any]) -> bool:
    return isinstance(change.old, tuple)


def _moved(now: Any, change: Change[Any]) -> bool:
    """Tell whether a value is no longer what the change made it."""
    if not _is_set(change):
        return bool(now != change.new)
    came = set(change.new) - set(change.old)
    went = set(change.old) - set(change.new)
    return not came <= set(now) or not went.isdisjoint(now)


def _member_by_member(now: tuple[Any, ...], change: Change[Any]) -> Change[Any]:
    """Return the change that does to a set as it is now what was to be done."""
    if now == change.old:
        return change
    kept = tuple(it for it in now if it in change.new or it not in change.old)
    return Change(now, (*kept, *(it for it in change.new if it not in change.old)))


def _where(stream: Touched, names: Sequence[str]) -> dict[str, Any]:
    return {
        "stream": {"type": stream.stream_type, "id": str(stream.stream_id)},
        "after_version": stream.version,
        "fields": list(names),
    }


def later(
    events: Iterable[Recorded[Any]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the events that changed any of the fields, as a conflict names them."""
    return [
        {
            "event_id": str(event.record.event_id),
            "type": event.record.type,
            "version": event.record.version,
            "sequence": event.record.sequence,
            "command_id": str(event.record.command_id),
        }
        for event in events
        if "created" in names or _touches(event.event, names)
    ]


def _touches(event: Any, names: Sequence[str]) -> bool:
    return any(
        item.name in names and getattr(event, item.name) is not None
        for item in fields(event)
    )
