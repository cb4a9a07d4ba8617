"""The bytes that are hashed: canonical JSON, payload commitment and leaf, frozen."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from metacortex.events.merkle import leaf_hash
from metacortex.events.record import (
    LEAF_ALTERED,
    PAYLOAD_ALTERED,
    EventRecord,
    canonical,
    leaf_of,
    mismatch,
    payload_hash,
)
from metacortex.kernel.clock import rfc3339
from metacortex.kernel.ids import derived, event_id
from tests.shared import data

MAX_INTEGER = 2**53 - 1  # the largest that every JSON reader keeps exact

texts = st.text(st.characters(exclude_categories=["Cs"]))
keys = st.text(st.characters(codec="ascii"))
scalars = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,  # deeper ones take seconds and show nothing new
)

DATA = b'{"priority":{"from":"low","to":"high"}}'
CONTEXT = b'{"ip":"203.0.113.7","request_id":null}'
SALT = bytes(range(32))

PAYLOAD = "c28ef2103668700db68175b6d0116273f8f5cf190fc125ea40a2569ba0dd5442"
LEAF = (
    '{"actor":{"id":"user_zoë","type":"user"},"causation_id":null,"command"'
    ':{"id":"01a20800-0000-7000-8000-00000000000d","type":"task.edit"},"cor'
    'relation_id":"c-1","event_id":"01a20800-0000-7000-8000-00000000000b","'
    'payload_hash":"c28ef2103668700db68175b6d0116273f8f5cf190fc125ea40a2569'
    'ba0dd5442","recorded_at":"2026-11-22T23:00:00.000000Z","schema_version'
    '":1,"stream":{"id":"01a20800-0000-7000-8000-00000000000c","type":"task'
    '","version":7},"type":"task.edited","v":1,"workspace_id":"01a20800-000'
    '0-7000-8000-00000000000a"}'
).encode()
LEAF_HASH = "33c7ec6c8d74ed4a42107c99dbdbba3568bf311a4484f0ea59c49337612a63bf"


@given(values)
def test_canonical_bytes_are_those_of_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(values)
def test_canonical_bytes_are_read_back_and_hold_no_raw_newline(value: Any) -> None:
    assert orjson.loads(canonical(value)) == value
    assert b"\n" not in canonical(value)


@pytest.mark.parametrize("name", ["arrays", "french", "unicode"])
def test_published_vectors_come_out_to_the_byte(name: str) -> None:
    written = bytes.fromhex(data(f"vectors/jcs/testdata/outhex/{name}.txt"))
    assert canonical(orjson.loads(data(f"vectors/jcs/testdata/input/{name}.json"))) == (
        written
    )


@pytest.mark.parametrize("name", ["weird", "values", "structures"])
def test_strings_of_the_vectors_with_floats_or_odd_keys_are_escaped_alike(
    name: str,
) -> None:
    found = strings(orjson.loads(data(f"vectors/jcs/testdata/input/{name}.json")))
    assert found
    assert canonical(found) == rfc8785.dumps(found)


def strings(value: Any) -> list[str]:
    """Return all strings within a value, keys too."""
    match value:
        case str():
            return [value]
        case list():
            return [text for item in value for text in strings(item)]
        case dict():
            return [text for item in value.items() for text in strings(list(item))]
        case _:
            return []


def record() -> EventRecord:
    """Return a record whose every column is fixed."""
    return EventRecord(
        workspace_id=UUID("01A20800-0000-7000-8000-00000000000A"),
        sequence=42,
        event_id=UUID("01a20800-0000-7000-8000-00000000000b"),
        stream_type="task",
        stream_id=UUID("01a20800-0000-7000-8000-00000000000c"),
        version=7,
        type="task.edited",
        schema_version=1,
        recorded_at=datetime(2026, 11, 22, 23, 0, tzinfo=UTC),
        actor_type="user",
        actor_id="user_zoë",
        command_id=UUID("01a20800-0000-7000-8000-00000000000d"),
        command_type="task.edit",
        correlation_id="c-1",
        causation_id=None,
        data=DATA,
        context=CONTEXT,
        salt=SALT,
        payload_hash=payload_hash(SALT, DATA, CONTEXT),
        leaf_hash=b"",
    )


def test_the_payload_commitment_is_frozen() -> None:
    preimage = b"metacortex/payload/v1\n" + SALT + DATA + b"\n" + CONTEXT
    assert payload_hash(SALT, DATA, CONTEXT) == hashlib.sha256(preimage).digest()
    assert payload_hash(SALT, DATA, CONTEXT).hex() == PAYLOAD


def test_the_leaf_is_frozen() -> None:
    assert leaf_of(record()) == LEAF
    assert leaf_hash(leaf_of(record())).hex() == LEAF_HASH


def test_a_leaf_is_rfc_8785_itself() -> None:
    assert rfc8785.dumps(orjson.loads(LEAF)) == LEAF


NOT_IN_THE_LEAF = {"sequence", "data", "context", "salt", "leaf_hash"}
"""The sequence is the leaf's place; the rest is committed to, or what comes out."""

EDITED: dict[str, Any] = {
    "workspace_id": UUID(int=1),
    "event_id": UUID(int=1),
    "stream_type": "tag",
    "stream_id": UUID(int=1),
    "version": 8,
    "type": "task.started",
    "schema_version": 2,
    "recorded_at": datetime(2026, 11, 22, 23, 0, 0, 1, tzinfo=UTC),
    "actor_type": "system",
    "actor_id": "user_zoe",
    "command_id": UUID(int=1),
    "command_type": "task.start",
    "correlation_id": "c-2",
    "causation_id": "c-1",
    "payload_hash": bytes(32),
}


def test_every_column_is_in_the_leaf_or_committed_to() -> None:
    columns = set(EventRecord._fields)
    assert EDITED.keys() | NOT_IN_THE_LEAF == columns


@pytest.mark.parametrize("column", EDITED)
def test_editing_a_column_breaks_the_leaf(column: str) -> None:
    edited = record()._replace(**{column: EDITED[column]})
    assert leaf_of(edited) != LEAF


@pytest.mark.parametrize("column", [*EDITED, *sorted(NOT_IN_THE_LEAF - {"sequence"})])
def test_a_stored_record_that_was_edited_does_not_match(column: str) -> None:
    stored = record()._replace(leaf_hash=bytes.fromhex(LEAF_HASH))
    assert mismatch(stored) is None
    edited = stored._replace(**{column: EDITED.get(column, b"")})
    of_payload = column in ("data", "context", "salt", "payload_hash")
    assert mismatch(edited) == (PAYLOAD_ALTERED if of_payload else LEAF_ALTERED)


@pytest.mark.parametrize(
    ("salt", "data", "context"),
    [
        (bytes(32), DATA, CONTEXT),
        (SALT, b"{}", CONTEXT),
        (SALT, DATA, b"{}"),
        (SALT, DATA + b"\n", CONTEXT),
    ],
)
def test_the_commitment_holds_salt_data_and_context(
    salt: bytes, data: bytes, context: bytes
) -> None:
    assert payload_hash(salt, data, context).hex() != PAYLOAD


@pytest.mark.parametrize(
    ("instant", "written"),
    [
        (datetime(2026, 11, 22, 23, tzinfo=UTC), "2026-11-22T23:00:00.000000Z"),
        (
            datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=5))),
            "2026-01-01T22:04:05.000006Z",
        ),
    ],
)
def test_instants_are_written_in_utc_with_six_digits(
    instant: datetime, written: str
) -> None:
    assert rfc3339(instant) == written


def test_event_ids_follow_from_the_command() -> None:
    command = UUID("01a20800-0000-7000-8000-00000000000d")
    assert event_id(command, 0) == str(derived(command, 0))
    assert event_id(command, 0) == "f38271ac-c032-5e59-9874-7660398a21c7"
    assert event_id(command, 1) != event_id(command, 0)
