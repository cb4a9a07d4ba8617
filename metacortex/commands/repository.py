"""The repository of the write side: one statement loads a batch, one saves it.

Loading reads heads, receipts and states. Saving writes log, heads, states and
receipts, or nothing if a head has changed since it was read. The bus owns the
transaction, or lets each statement be its own.

A statement that locks heads sees the other tables as of its snapshot, which is taken
before it waits for the locks. `Loaded.stale` says that another transaction wrote in
between; the bus then loads again under the locks that it holds.
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
from metacortex.commands.budget import FOUND_LIMIT
from metacortex.commands.receipts import Receipt
from metacortex.commands.row_parsing import validated_rows
from metacortex.commands.states import States
from metacortex.commands.tables import LOOK_UPS, STATES
from metacortex.events import log
from metacortex.events.merkle import split
from metacortex.kernel.decider import LookUp, Need, Stream, names_of


@dataclass(slots=True)
class Head:
    """A workspace's head: as it was read, later as the batch leaves it."""

    workspace_id: UUID
    sequence: int
    write_count: int
    recorded_at: datetime
    frontier: list[bytes]

    def same_as(self, other: "Head") -> bool:
        """Tell whether both are of the same log, and no write came between them."""
        return (
            self.write_count == other.write_count
            and self.sequence == other.sequence
            and self.frontier == other.frontier
        )


@dataclass(slots=True)
class Stored:
    """A row of a state table: the state and the columns that all of these have."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    state: Any


@dataclass(slots=True)
class Loaded:
    """What one statement loaded; `stale` says that its parts may not fit together."""

    heads: dict[UUID, Head]
    receipts: list[Receipt]
    states: list[tuple[UUID, str, Stored]]
    stale: bool


@dataclass(slots=True)
class BatchChanges:
    """The write set of a batch: heads, log rows, states by stream type, receipts.

    `bases` are the heads before the batch, in the order of `heads`.
    """

    heads: list[Head]
    bases: list[Head]
    rows: list[dict[str, Any]]
    states: dict[str, list[tuple[UUID, Stored]]]
    receipts: list[Receipt]


AssumedAbsent = tuple[UUID, Stream]
"""A workspace, and a stream that a batch assumed not to exist in it."""

_ROW = tuple[UUID, UUID, int, datetime, datetime, Any]
_ADAPTERS: Mapping[str, TypeAdapter[list[_ROW]]] = {
    type: TypeAdapter(
        list[tuple[UUID, UUID, int, datetime, datetime, table.state]]  # type: ignore
    )
    for type, table in STATES.items()
}
_HEADS = TypeAdapter(list[tuple[UUID, int, int, datetime, str]])

_HEADS_FOUND = """
found_heads AS (
    SELECT workspace_id, sequence, write_count, recorded_at, frontier
    FROM events.heads
    WHERE workspace_id = ANY (CAST(:workspaces AS uuid[]))
    ORDER BY workspace_id
)"""
"""CTE: the heads of the workspaces."""

_HEADS_FOUND_AND_LOCKED = """
found_heads AS (
    SELECT workspace_id, sequence, write_count, recorded_at, frontier
    FROM events.heads
    WHERE workspace_id = ANY (CAST(:workspaces AS uuid[]))
    ORDER BY workspace_id
    FOR UPDATE
)"""
"""CTE: the heads as they are when the locks are held, whatever the snapshot shows."""

_HEADS_JSON = """
SELECT json_agg(json_build_array(
    workspace_id, sequence, write_count, recorded_at, encode(frontier, 'hex')
))::text
FROM found_heads"""

_WRITE_COUNT_IN_SNAPSHOT = """
SELECT sum(write_count)::bigint
FROM events.heads
WHERE workspace_id = ANY (CAST(:workspaces AS uuid[]))"""
"""Differs from the sum over `found_heads` if others wrote before they were locked."""


def _parameter(need: str) -> str:
    """Return a kind of need as a part of identifiers in SQL."""
    return need.replace(".", "_")


def _look_up_cte(name: str) -> str:
    """Return the CTE of a look-up, which selects workspaces and ids.

    Inside it, `keys` are the keys that are asked for and `self` is the look-up's own
    result so far, as `LOOK_UPS` has them.
    """
    cte = _parameter(name)
    return f"""
{cte} AS (
    WITH RECURSIVE
    keys (w, k) AS (
        SELECT *
        FROM unnest(CAST(:{cte}_workspaces AS uuid[]), CAST(:{cte}_keys AS text[]))
    ),
    self AS ({LOOK_UPS[name].sql})
    SELECT workspace_id, id FROM self
)"""


def _stream_ids(type: str) -> str:
    """Return the select of the streams that are asked for by their ids."""
    needed = _parameter(type)
    return f"""
SELECT *
FROM unnest(CAST(:{needed}_workspaces AS uuid[]), CAST(:{needed}_keys AS uuid[]))"""


def _states_json(type: str, ids: Sequence[str]) -> str:
    """Return the select of states as one JSON array, by what selects their ids.

    LATERAL with LIMIT makes it one index look-up per id, whatever Postgres estimates.
    """
    return f"""
SELECT json_agg(json_build_array(
    state.workspace_id, state.id, state.version,
    state.created_at, state.updated_at, state
))::text
FROM ({" UNION ".join(ids)}) AS needed (workspace_id, id)
CROSS JOIN LATERAL (
    SELECT *
    FROM {STATES[type].name} stored
    WHERE stored.workspace_id = needed.workspace_id
      AND stored.id = needed.id
    LIMIT 1
) state"""


@lru_cache(maxsize=512)
def _load_sql(needs: frozenset[str], lock: bool) -> TextClause:
    """Return the statement for these kinds of needs: stream types and look-ups."""
    ctes = [_HEADS_FOUND_AND_LOCKED if lock else _HEADS_FOUND]
    ids = defaultdict[str, list[str]](list)
    for name in sorted(needs):
        if name in STATES:
            ids[name].append(_stream_ids(name))
        else:
            ctes.append(_look_up_cte(name))
            cte = _parameter(name)
            found = f"(SELECT workspace_id, id FROM {cte} LIMIT {FOUND_LIMIT + 1})"
            ids[LOOK_UPS[name].finds].append(found)
    columns = [_HEADS_JSON, _WRITE_COUNT_IN_SNAPSHOT, receipts.FIND_RECEIPTS]
    columns += [_states_json(type, ids[type]) for type in sorted(ids)]
    selected = ",".join(f"({column}\n)" for column in columns)
    return text(f"WITH {','.join(ctes)}\nSELECT {selected}")


@dataclass(frozen=True, slots=True)
class LoadStatement:
    """A statement with its values, and how to parse the row that it returns."""

    statement: TextClause
    values: Mapping[str, Any]
    types: Sequence[str]

    def loaded(self, row: Sequence[Any]) -> Loaded:
        """Parse the row. Raises Refused for more than `FOUND_LIMIT` streams."""
        heads = {
            id: Head(id, sequence, writes, at, split(bytes.fromhex(frontier)))
            for id, sequence, writes, at, frontier in _HEADS.validate_json(
                row[0] or "[]"
            )
        }
        states = [
            stored
            for type, found in zip(self.types, row[3:])
            for stored in _parse(type, found)
        ]
        stale = sum(head.write_count for head in heads.values()) != (row[1] or 0)
        return Loaded(heads, receipts.parse(row[2]), states, stale)


def load_statement(
    workspaces: Iterable[UUID],
    commands: Iterable[tuple[UUID, UUID]],
    needs: Iterable[tuple[UUID, Need]],
    *,
    lock: bool = False,
) -> LoadStatement:
    """Return the statement that loads heads, receipts and states in one round trip.

    Receipts by workspace and command id, states by workspace and need. With `lock`,
    nobody else can write to these workspaces until the transaction ends.
    """
    keys = defaultdict[str, dict[tuple[UUID, str], None]](dict)
    for workspace, need in needs:
        if isinstance(need, Stream):
            keys[need.type][workspace, str(need.id)] = None
        else:
            keys[need.name][workspace, str(need.key)] = None
    pairs = list(commands)
    values: dict[str, Any] = {
        "workspaces": sorted(workspaces),
        "receipt_workspaces": [workspace for workspace, _ in pairs],
        "receipt_ids": [command for _, command in pairs],
    }
    for name, of_need in keys.items():
        parameter = _parameter(name)
        values[f"{parameter}_workspaces"] = [workspace for workspace, _ in of_need]
        values[f"{parameter}_keys"] = [key for _, key in of_need]
    types = {name if name in STATES else LOOK_UPS[name].finds for name in keys}
    return LoadStatement(_load_sql(frozenset(keys), lock), values, sorted(types))


def _parse(type: str, found: str | None) -> list[tuple[UUID, str, Stored]]:
    return [
        (workspace_id, type, Stored(id, version, created_at, updated_at, state))
        for workspace_id, id, version, created_at, updated_at, state in (
            validated_rows(_ADAPTERS[type], found or "[]")
        )
    ]


def _save_states_cte(type: str) -> str:
    """Return the CTE that saves the states of the JSON array `:{type}`."""
    table = STATES[type]
    meta = ("workspace_id", "id", "version", "created_at", "updated_at")
    columns = (*meta, *names_of(table.state))
    names = ", ".join(columns)
    updates = ", ".join(
        f"{name} = excluded.{name}"
        for name in columns
        if name not in ("workspace_id", "id", "created_at")
    )
    return f"""
saved_{type} AS (
    INSERT INTO {table.name} ({names})
    SELECT {names}
    FROM json_populate_recordset(NULL::{table.name}, CAST(:{type} AS json))
    WHERE {log.GUARD_PASSED}
    ON CONFLICT (workspace_id, id) DO UPDATE
    SET {updates}
)"""


@lru_cache(maxsize=64)
def _save_sql(
    types: tuple[str, ...], events: bool, new_commands: bool, absent: bool
) -> TextClause:
    """Return the statement that saves states of these types, and events if any.

    `new_commands` and `absent` say which conditions the guard has besides the heads.
    """
    conditions = []
    if new_commands:
        conditions.append(receipts.COMMANDS_UNKNOWN)
    if absent:
        conditions.append(log.STREAMS_ABSENT)
    ctes = [
        log.NEW_HEADS,
        log.LOCKED_HEADS,
        receipts.NEW_RECEIPTS,
        log.guard(*conditions),
        f"\nsaved_receipts AS ({receipts.SAVE_RECEIPTS}\n)",
    ]
    if events:
        ctes.append(f"\nappended_events AS ({log.APPEND_EVENTS}\n)")
    ctes += map(_save_states_cte, types)
    return text(f"WITH {','.join(ctes)}{log.ADVANCE_HEADS}")


@dataclass(frozen=True, slots=True)
class SaveStatement:
    """A statement with its values; these no longer change when the batch does.

    Its row count is `heads` if it has written, or 0 if its guard failed and it has
    written nothing. `rows` are the receipts and events that it writes.
    """

    heads: int
    rows: int
    statement: TextClause
    values: Mapping[str, str]


def save_statement(
    changes: BatchChanges,
    *,
    new_commands: bool = False,
    assumed_absent: Iterable[AssumedAbsent] = (),
) -> SaveStatement:
    """Return the statement that saves a batch in one round trip.

    It writes nothing if a head has changed since it was read; nor, with
    `new_commands`, if one of the commands has a receipt already; nor if one of the
    streams `assumed_absent` exists.
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
        {"workspace_id": workspace_id, "type": type, "id": id}
        for workspace_id, (type, id) in assumed_absent
    ]
    if absent:
        values["assumed_absent"] = _json(absent)
    sql = _save_sql(types, bool(changes.rows), new_commands, bool(absent))
    rows = len(changes.receipts) + len(changes.rows)
    return SaveStatement(len(changes.heads), rows, sql, values)


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
        "write_count": head.write_count,
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


def resolve(states: States, look_up: LookUp) -> tuple[str, Sequence[UUID]]:
    """Return what a look-up finds among loaded states: the stream type and the ids."""
    table = LOOK_UPS[look_up.name]
    return table.finds, list(table.resolve(states, look_up.key))
