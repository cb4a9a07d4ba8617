"""The one repository of the write side: whatever a batch needs, in one statement.

It makes one statement that reads heads, receipts and states and another that writes
log, heads, states and receipts, and nothing unless every head is still what it was
when it was read. The bus owns the transaction, or lets each statement be its own.

A statement sees one snapshot, taken before it waited for the locks that it was asked to
take: `Loaded.stale` says when another transaction wrote in between, and the bus then
reads again under the lock it holds.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter
from sqlalchemy import TextClause, text

from metacortex.commands import receipts
from metacortex.commands.receipts import Receipt
from metacortex.commands.tables import LOOK_UPS, STATES
from metacortex.events import log
from metacortex.events.merkle import split
from metacortex.kernel.decider import LookUp, Need, Stream, names_of


@dataclass(slots=True)
class Head:
    """A workspace's head as it was read, then as a batch leaves it."""

    workspace_id: UUID
    sequence: int
    turn: int
    recorded_at: datetime
    frontier: list[bytes]

    def is_at(self, other: "Head") -> bool:
        """Tell whether both stand at the same point of the same log and receipts."""
        return (
            self.turn == other.turn
            and self.sequence == other.sequence
            and self.frontier == other.frontier
        )


@dataclass(slots=True)
class Stored:
    """A stream's state with what every state row has."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    state: Any


@dataclass(slots=True)
class Loaded:
    """What one statement read, by workspace."""

    heads: dict[UUID, Head]
    receipts: list[Receipt]
    states: list[tuple[UUID, str, Stored]]
    stale: bool


@dataclass(slots=True)
class BatchChanges:
    """What a batch did: heads, rows for the log, states by stream type, receipts.

    `bases` are the heads as the batch found them, in the order of `heads`.
    """

    heads: list[Head]
    bases: list[Head]
    rows: list[dict[str, Any]]
    states: dict[str, list[tuple[UUID, Stored]]]
    receipts: list[Receipt]


Unborn = tuple[UUID, Stream]
"""A workspace, and a stream that was taken not to exist in it."""

_ROW = tuple[UUID, UUID, int, datetime, datetime, Any]
_ADAPTERS: Mapping[str, TypeAdapter[list[_ROW]]] = {
    type: TypeAdapter(
        list[tuple[UUID, UUID, int, datetime, datetime, table.state]]  # type: ignore
    )
    for type, table in STATES.items()
}
_HEADS = TypeAdapter(list[tuple[UUID, int, int, datetime, str]])

_HEAD_CTE = (
    "found AS (SELECT workspace_id, sequence, turn, recorded_at, frontier"
    " FROM events.heads WHERE workspace_id = ANY (CAST(:workspaces AS uuid[]))"
    " ORDER BY workspace_id{})"
)
_HEAD_LIST = (
    "SELECT json_agg(json_build_array(workspace_id, sequence, turn, recorded_at,"
    " encode(frontier, 'hex')))::text FROM found"
)
_STATES = (
    "json_agg(json_build_array(s.workspace_id, s.id, s.version, s.created_at,"
    " s.updated_at, s))::text"
)
_SEEN = (
    "SELECT sum(turn)::bigint FROM events.heads"
    " WHERE workspace_id = ANY (CAST(:workspaces AS uuid[]))"
)


@lru_cache(maxsize=512)
def _reading(names: frozenset[str], lock: bool) -> TextClause:
    """Return the statement for these kinds of needs: stream types and look-ups."""
    ctes = [_HEAD_CTE.format(" FOR UPDATE" if lock else "")]
    sources = defaultdict[str, list[str]](list)
    for name in sorted(names):
        tag = name.replace(".", "_")
        keys = f"unnest(CAST(:{tag}_w AS uuid[]), CAST(:{tag}_k AS text[]))"
        ctes.append(f"{tag}_keys(w, k) AS (SELECT * FROM {keys})")
        if name in STATES:
            sources[name].append(f"SELECT w, k::uuid FROM {tag}_keys")
            continue
        look_up = LOOK_UPS[name]
        sql = look_up.sql.replace("keys", f"{tag}_keys").replace("self", tag)
        ctes.append(f"{tag} AS ({sql})")
        sources[look_up.finds].append(f"SELECT workspace_id, id FROM {tag}")
    columns = [f"({_HEAD_LIST})", f"({_SEEN})", f"({receipts.FIND})"]
    for type in sorted(sources):
        wanted = " UNION ".join(sources[type])
        columns.append(
            f"(SELECT {_STATES} FROM ({wanted}) AS k(w, i) CROSS JOIN LATERAL"
            f" (SELECT * FROM {STATES[type].name} t"
            " WHERE t.workspace_id = k.w AND t.id = k.i LIMIT 1) s)"
        )
    return text(f"WITH RECURSIVE {', '.join(ctes)} SELECT {', '.join(columns)}")


@dataclass(frozen=True, slots=True)
class Reading:
    """A statement with its values, and how to understand the row that it gives."""

    statement: TextClause
    values: Mapping[str, Any]
    types: Sequence[str]

    def loaded(self, row: Sequence[Any]) -> Loaded:
        """Return what the row holds."""
        heads = {
            id: Head(id, sequence, turn, at, split(bytes.fromhex(frontier)))
            for id, sequence, turn, at, frontier in _HEADS.validate_json(row[0] or "[]")
        }
        states = [
            stored
            for type, found in zip(self.types, row[3:])
            for stored in _parse(type, found)
        ]
        stale = sum(head.turn for head in heads.values()) != (row[1] or 0)
        return Loaded(heads, receipts.parse(row[2]), states, stale)


def reading(
    workspaces: Iterable[UUID],
    commands: Iterable[tuple[UUID, UUID]],
    needs: Iterable[tuple[UUID, Need]],
    *,
    lock: bool = False,
) -> Reading:
    """Return what reads heads, receipts and all that the needs name, in one round trip.

    `lock` keeps others from writing to these workspaces until the transaction ends.
    """
    wanted = defaultdict[str, dict[tuple[UUID, str], None]](dict)
    for workspace, need in needs:
        if isinstance(need, Stream):
            wanted[need.type][workspace, str(need.id)] = None
        else:
            wanted[need.name][workspace, str(need.key)] = None
    pairs = list(commands)
    values: dict[str, Any] = {
        "workspaces": sorted(workspaces),
        "receipt_workspaces": [workspace for workspace, _ in pairs],
        "receipt_ids": [command for _, command in pairs],
    }
    for name, keys in wanted.items():
        tag = name.replace(".", "_")
        values[f"{tag}_w"] = [workspace for workspace, _ in keys]
        values[f"{tag}_k"] = [key for _, key in keys]
    statement = _reading(frozenset(wanted), lock)
    types = {name if name in STATES else LOOK_UPS[name].finds for name in wanted}
    return Reading(statement, values, sorted(types))


def _parse(type: str, found: str | None) -> list[tuple[UUID, str, Stored]]:
    return [
        (workspace_id, type, Stored(id, version, created_at, updated_at, state))
        for workspace_id, id, version, created_at, updated_at, state in (
            _ADAPTERS[type].validate_json(found or "[]")
        )
    ]


@lru_cache(maxsize=64)
def _upsert(type: str) -> str:
    table = STATES[type]
    meta = ("workspace_id", "id", "version", "created_at", "updated_at")
    columns = (*meta, *names_of(table.state))
    names = ", ".join(columns)
    sets = ", ".join(
        f"{name} = excluded.{name}"
        for name in columns
        if name not in ("workspace_id", "id", "created_at")
    )
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM"
        f" json_populate_recordset(NULL::{table.name}, CAST(:{type} AS json))"
        f" WHERE {log.UNMOVED}"
        f" ON CONFLICT (workspace_id, id) DO UPDATE SET {sets}"
    )


@lru_cache(maxsize=64)
def _writing(
    types: tuple[str, ...], log_too: bool, first: bool, unborn: bool
) -> TextClause:
    if first:
        conditions = receipts.UNSEEN + (log.UNBORN if unborn else "")
    else:
        conditions = ""
    parts = [receipts.GIVEN, log.HELD.format(conditions)]
    parts.append(f"receipt AS ({receipts.SAVE})")
    if log_too:
        parts.append(f"appended AS ({log.APPEND})")
    parts += [f"{type}_saved AS ({_upsert(type)})" for type in types]
    return text(f"WITH {', '.join(parts)} {log.ADVANCE}")


@dataclass(frozen=True, slots=True)
class Writing:
    """A statement with its values, which nothing that happens later can change.

    It writes all of it and counts `heads` rows, or writes nothing, if a head has moved
    since it was read.
    """

    heads: int
    statement: TextClause
    values: Mapping[str, str]


def writing(
    changes: BatchChanges, *, first: bool = False, unborn: Iterable[Unborn] = ()
) -> Writing:
    """Return what writes all changes, in one round trip.

    `first`: and nothing of it if one of the commands has a receipt already, or one of
    the streams `unborn` exists.
    """
    types = tuple(sorted(changes.states))
    values = {
        "heads": _json(list(map(_head_row, changes.heads, changes.bases))),
        "receipts": _json(changes.receipts),
    }
    if changes.rows:
        values["log"] = _json(changes.rows)
    for type in types:
        values[type] = _json([_state_row(*it) for it in changes.states[type]])
    absent = [
        {"workspace": workspace, "type": type, "id": id}
        for workspace, (type, id) in unborn
    ]
    if absent:
        values["unborn"] = _json(absent)
    statement = _writing(types, bool(changes.rows), first, bool(absent))
    return Writing(len(changes.heads), statement, values)


def _json(rows: Any) -> str:
    return orjson.dumps(rows, default=_bytea).decode()


def _bytea(value: Any) -> str:
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    raise TypeError


def _head_row(head: Head, base: Head) -> dict[str, Any]:
    return {
        "workspace_id": head.workspace_id,
        "sequence": head.sequence,
        "turn": head.turn,
        "recorded_at": head.recorded_at,
        "frontier": b"".join(head.frontier),
        "from_sequence": base.sequence,
        "from_frontier": b"".join(base.frontier),
    }


def _state_row(workspace_id: UUID, stored: Stored) -> dict[str, Any]:
    state = stored.state
    row = {name: getattr(state, name) for name in names_of(state.__class__)}
    row["workspace_id"] = workspace_id
    row["id"] = stored.id
    row["version"] = stored.version
    row["created_at"] = stored.created_at
    row["updated_at"] = stored.updated_at
    return row


def resolve(
    states: Mapping[str, Mapping[UUID, Any]], look_up: LookUp
) -> tuple[str, Sequence[UUID]]:
    """Answer a look-up from what is loaded: the stream type and the ids it finds."""
    table = LOOK_UPS[look_up.name]
    return table.finds, list(table.resolve(states, look_up.key))
