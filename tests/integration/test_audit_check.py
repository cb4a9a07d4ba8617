"""`metacortex audit check` names the first event that is not as it was appended."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from metacortex import audit_check
from metacortex.audit_check import Verdict, logs, reading
from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.events import log, merkle
from metacortex.kernel.database import ReadConnection, driver_arguments, engine
from metacortex.queries.batches import Altered
from metacortex.queries.projector import Projector
from metacortex.settings import Settings
from tests.conftest import Urls, migrated
from tests.integration import laws
from tests.integration.forging import forge, hashed, row, unguarded
from tests.integration.test_operating import call
from tests.integration.test_projector import parked
from tests.integration.walking import Walk, unit

PAYLOAD = "the payload hash does not match salt, data and context"
LEAF = "the leaf hash does not match the columns"
SOME_HASH = "sha256('x')"
FORGED = {
    "event_id": ("gen_random_uuid()", LEAF),
    "stream_type": ("'tag'", LEAF),
    "stream_id": ("gen_random_uuid()", LEAF),
    "version": ("version + 1000", LEAF),
    "type": ("'task.started'", LEAF),
    "schema_version": ("2", LEAF),
    "recorded_at": ("recorded_at - interval '1 microsecond'", LEAF),
    "actor_type": ("'system'", LEAF),
    "actor_id": ("'user_somebody_else'", LEAF),
    "command_id": ("gen_random_uuid()", LEAF),
    "command_type": ("'task.start'", LEAF),
    "correlation_id": ("'other'", LEAF),
    "causation_id": ("'other'", LEAF),
    "data": ("""'{"title":"Forged"}'""", PAYLOAD),
    "context": ("NULL", PAYLOAD),
    "salt": (SOME_HASH, PAYLOAD),
    "payload_hash": (SOME_HASH, PAYLOAD),
    "leaf_hash": (SOME_HASH, LEAF),
}
"""By column: what it is changed to, and what is said of the event."""


def test_every_column_is_forged() -> None:
    assert {*FORGED, "workspace_id", "sequence"} == set(log.COLUMNS)


async def verdicts(
    urls: Urls, *workspaces: UUID, processes: int = 1, pooler: bool = False
) -> list[Verdict]:
    arguments = driver_arguments(urls.auditor, pooler=pooler, name="test")
    return [
        it async for it in audit_check.check(arguments, workspaces, processes=processes)
    ]


async def found(urls: Urls, workspace: UUID) -> str:
    """Return what is said of one workspace."""
    [verdict] = await verdicts(urls, workspace)
    assert verdict.workspace_id == workspace
    return str(verdict).removeprefix(f"{workspace}: ")


@pytest.fixture
async def walked(writes: AsyncEngine, workspace: UUID) -> UUID:
    """A workspace with a log of every kind of event, its head not at a power of two."""
    walk, bus = Walk(workspace, Random(11)), Bus(writes)
    await bus.execute(walk.births())
    for _ in range(12):
        await bus.execute([walk.next() for _ in range(5)])
    return workspace


async def size(writes: AsyncEngine, workspace: UUID) -> int:
    return int((await laws.head(writes, workspace))["sequence"])


async def test_a_log_that_nobody_touched_is_as_appended(
    urls: Urls, writes: AsyncEngine, walked: UUID
) -> None:
    assert await found(urls, walked) == (
        f"{await size(writes, walked)} events, as appended"
    )
    assert await verdicts(urls, walked, pooler=True) == await verdicts(urls, walked)


@pytest.mark.parametrize("column", FORGED)
async def test_a_column_changed_by_hand_is_found(
    settings: Settings,
    urls: Urls,
    writes: AsyncEngine,
    projector: Projector,
    workspace: UUID,
    column: str,
) -> None:
    """By the check, by the projector, by `rebuild`, and by `rebuild --verify`."""
    value, says = FORGED[column]
    await create(writes, workspace, 4)
    forgery = (
        f"UPDATE events.log SET {column} = {value}"
        " WHERE workspace_id = :w AND sequence = 3"
    )
    await forge(urls.owner, forgery, w=workspace)
    assert await found(urls, workspace) == f"event 3: {says}"

    with pytest.raises(Altered, match=f"^event 3: {says}$"):
        await projector.rebuild(workspace)
    assert await laws.shown(writes, workspace) == 0
    assert (await projector.turn([workspace])).behind == []
    assert await parked(writes, workspace) == (2, f"Altered('event 3: {says}')")
    assert await projector.verify(workspace) == [f"log: event 3: {says}"]


async def create(writes: AsyncEngine, workspace: UUID, count: int) -> None:
    births = [tasks.CreateTask(task_id=uuid4(), title="Clean") for _ in range(count)]
    await Bus(writes).execute([unit(workspace, it) for it in births])


async def test_a_refused_rebuild_changes_and_parks_nothing(
    settings: Settings,
    urls: Urls,
    writes: AsyncEngine,
    projector: Projector,
    workspace: UUID,
) -> None:
    await create(writes, workspace, 3)
    await projector.turn([workspace])
    before = await read_side(writes, workspace)
    forgery = (
        "UPDATE events.log SET actor_id = 'user_somebody_else'"
        " WHERE workspace_id = :w AND sequence = 2"
    )
    await forge(urls.owner, forgery, w=workspace)
    said = await call(settings, "rebuild", str(workspace))
    assert said.exit_code == 1
    assert said.stdout == f"{workspace}: failed with Altered('event 2: {LEAF}')\n"
    said = await call(settings, "rebuild", str(workspace), "--verify")
    assert (said.exit_code, said.stdout) == (1, f"{workspace}: differs\n")
    assert f"  log: event 2: {LEAF}" in said.stderr.splitlines()
    last = said.stderr.splitlines()[-1]
    assert last.startswith("error: the log itself is altered: rebuild nothing")
    assert await read_side(writes, workspace) == before
    assert await parked(writes, workspace) == (3, None)


async def read_side(writes: AsyncEngine, workspace: UUID) -> list[str]:
    """Return every row of the read tables, and the checkpoint, as texts."""
    rows = []
    async with writes.connect() as connection:
        for table in ("tasks", "activity", "checkpoints"):
            sql = f"SELECT t::text FROM queries.{table} t WHERE workspace_id = :w"
            found = await connection.scalars(
                text(f"{sql} ORDER BY 1"), {"w": workspace}
            )
            rows += list(found)
    return rows


async def test_a_forgery_with_its_hashes_is_found_in_the_tree(
    urls: Urls, writes: AsyncEngine, projector: Projector, workspace: UUID
) -> None:
    await create(writes, workspace, 7)
    async with unguarded(urls.owner) as connection:
        await rehash(connection, workspace, 6)
    assert await found(urls, workspace) == "7 events, as appended"
    receipt = (
        "UPDATE commands.receipts SET actor_id = 'user_x' WHERE workspace_id = :w"
        " AND first_sequence = 6"
    )
    async with unguarded(urls.owner) as connection:
        await rehash(connection, workspace, 6, actor_id="user_x")
        await connection.execute(text(receipt), {"w": workspace})
    what = "the tree of events 5 to 6 is not the head's"
    assert await found(urls, workspace) == f"event 5: {what}"
    with pytest.raises(Altered, match=what):
        await projector.rebuild(workspace)
    assert await projector.verify(workspace) == [f"log: {what}"]


async def rehash(
    connection: AsyncConnection, workspace: UUID, sequence: int, **columns: object
) -> None:
    """Change columns of an event and both its hashes."""
    reader = ReadConnection(connection)
    [record] = await log.read_range(reader, workspace, sequence, sequence)
    values = row(hashed(record._replace(**columns)))  # type: ignore[arg-type]
    sets = ", ".join(
        f"{name} = " + (f"CAST(:{name} AS json)" if name == "data" else f":{name}")
        for name in ("actor_id", "recorded_at", "version", "leaf_hash", "data")
    )
    where = "workspace_id = :workspace_id AND sequence = :sequence"
    await connection.execute(
        text(f"UPDATE events.log SET {sets} WHERE {where}"), values
    )


@pytest.mark.parametrize(
    ("forgery", "says"),
    [
        (
            "DELETE FROM events.log WHERE workspace_id = :w AND sequence = 3",
            "event 3: missing, though the head is at 5",
        ),
        (
            "DELETE FROM events.log WHERE workspace_id = :w AND sequence = 5",
            "event 5: missing, though the head is at 5",
        ),
        (
            "DELETE FROM events.log WHERE workspace_id = :w",
            "event 1: missing, though the head is at 5",
        ),
        (
            "UPDATE events.log SET sequence = 9 WHERE workspace_id = :w"
            " AND sequence = 4",
            "event 4: missing, though the head is at 5",
        ),
        (
            "UPDATE events.heads SET sequence = 6 WHERE workspace_id = :w",
            "event 6: missing, though the head is at 6",
        ),
        (
            "UPDATE events.heads SET sequence = 4 WHERE workspace_id = :w",
            "event 5: beyond the head, which is at 4",
        ),
        (
            "DELETE FROM events.heads WHERE workspace_id = :w",
            "event 1: the workspace has no head",
        ),
        (
            "UPDATE events.heads SET recorded_at = now() + interval '1 hour'"
            " WHERE workspace_id = :w",
            "event 5: not recorded when the head says",
        ),
        (
            "UPDATE events.heads SET frontier = sha256('x') || substr(frontier, 33)"
            " WHERE workspace_id = :w",
            "event 1: the tree of events 1 to 4 is not the head's",
        ),
        (
            "UPDATE events.heads SET frontier = substr(frontier, 1, 32)"
            " WHERE workspace_id = :w",
            "event 5: the tree of events 5 to 5 is not the head's",
        ),
        (
            "UPDATE events.heads SET frontier = frontier || sha256('x')"
            " WHERE workspace_id = :w",
            "event 5: the head's frontier is not one of 5 events",
        ),
        (
            "DELETE FROM commands.receipts WHERE workspace_id = :w"
            " AND first_sequence = 2",
            "event 2: command {2} has no receipt",
        ),
        (
            "UPDATE commands.receipts SET first_sequence = 4 WHERE workspace_id = :w"
            " AND last_sequence = 5",
            "event 4: the receipt of command {5} names events that it has not",
        ),
        (
            "UPDATE commands.receipts SET last_sequence = 3 WHERE workspace_id = :w"
            " AND first_sequence = 2",
            "event 2: the receipt of command {2} names events that it has not",
        ),
        (
            "UPDATE commands.receipts SET last_sequence = 6 WHERE workspace_id = :w"
            " AND first_sequence = 5",
            "event 5: the receipt of command {5} names events that it has not",
        ),
        (
            "UPDATE commands.receipts SET first_sequence = 1, last_sequence = 1"
            " WHERE workspace_id = :w AND first_sequence = 4",
            "event 4: the receipt of command {4} names 1 to 1",
        ),
        (
            "UPDATE commands.receipts SET outcome = 'unchanged' WHERE workspace_id = :w"
            " AND first_sequence = 4",
            "event 4: the receipt of command {4} is of something else",
        ),
        (
            "UPDATE commands.receipts SET actor_id = 'user_x' WHERE workspace_id = :w"
            " AND first_sequence = 4",
            "event 4: the receipt of command {4} is of something else",
        ),
        (
            "INSERT INTO commands.receipts SELECT (json_populate_record(r,"
            """ '{"command_id": "00000000-0000-0000-0000-000000000001"}')).*"""
            " FROM commands.receipts r WHERE workspace_id = :w AND first_sequence = 2",
            "event 2: the receipt of command 00000000-0000-0000-0000-000000000001"
            " names events that it has not",
        ),
        (
            "INSERT INTO commands.receipts SELECT (json_populate_record(r,"
            """ '{"command_id": "00000000-0000-0000-0000-000000000001","""
            """ "first_sequence": 8, "last_sequence": 8}')).*"""
            " FROM commands.receipts r WHERE workspace_id = :w AND first_sequence = 2",
            "event 8: the receipt of command 00000000-0000-0000-0000-000000000001"
            " names events that it has not",
        ),
    ],
)
async def test_a_row_that_is_gone_or_changed_is_found(
    urls: Urls, writes: AsyncEngine, workspace: UUID, forgery: str, says: str
) -> None:
    await create(writes, workspace, 5)
    commands = [str(it.command_id) for it in await laws.records(writes, workspace)]
    await forge(urls.owner, forgery, w=workspace)
    assert await found(urls, workspace) == says.format(None, *commands)


async def test_versions_and_times_are_looked_at_as_well_as_hashes(
    urls: Urls, writes: AsyncEngine, workspace: UUID
) -> None:
    """What only a superuser can forge who makes every hash anew, also the head's."""
    task_id = uuid4()
    make = tasks.CreateTask(task_id=task_id, title="0")
    edits = [tasks.EditTask(task_id=task_id, title=f"{n}") for n in (1, 2)]
    for command in (make, *edits):
        await Bus(writes).execute([unit(workspace, command)])
    await rewrite(urls, workspace, 3, version=7)
    assert await found(urls, workspace) == (
        "event 3: version 7 of its stream follows version 2"
    )
    first = (await laws.records(writes, workspace))[0]
    await rewrite(urls, workspace, 3, version=3)
    assert await found(urls, workspace) == "3 events, as appended"
    await rewrite(urls, workspace, 2, recorded_at=first.recorded_at.replace(year=2020))
    assert await found(urls, workspace) == (
        "event 2: recorded before the event in front of it"
    )


async def rewrite(
    urls: Urls, workspace: UUID, sequence: int, **columns: object
) -> None:
    async with unguarded(urls.owner) as connection:
        await rehash(connection, workspace, sequence, **columns)
        reader = ReadConnection(connection)
        records = await log.read_range(reader, workspace, 1, laws.EVERYTHING)
        edge = merkle.advance(0, [], [it.leaf_hash for it in records])
        sql = "UPDATE events.heads SET frontier = :f WHERE workspace_id = :w"
        values = {"f": b"".join(edge), "w": workspace}
        await connection.execute(text(sql), values)


# Spans, processes, pages


@pytest.mark.parametrize(("span", "page"), [(1, 1), (4, 3), (16, 1000)])
async def test_spans_and_pages_of_any_size_find_the_same(
    urls: Urls,
    writes: AsyncEngine,
    walked: UUID,
    monkeypatch: pytest.MonkeyPatch,
    span: int,
    page: int,
) -> None:
    monkeypatch.setattr(logs, "SPAN", span)
    monkeypatch.setattr(reading, "PAGE", page)
    events = await size(writes, walked)
    assert await found(urls, walked) == f"{events} events, as appended"
    forgery = (
        "UPDATE events.log SET actor_id = 'user_x' WHERE workspace_id = :w"
        " AND sequence IN (22, :last)"
    )
    await forge(urls.owner, forgery, w=walked, last=events)
    assert await found(urls, walked) == f"event 22: {LEAF}"


@pytest.mark.parametrize("span", [1, 2, 4])
async def test_neighbours_are_compared_across_spans(
    urls: Urls,
    writes: AsyncEngine,
    workspace: UUID,
    monkeypatch: pytest.MonkeyPatch,
    span: int,
) -> None:
    monkeypatch.setattr(logs, "SPAN", span)
    task_id = uuid4()
    make = tasks.CreateTask(task_id=task_id, title="0")
    edits = [tasks.EditTask(task_id=task_id, title=f"{n}") for n in range(1, 6)]
    for command in (make, *edits):
        await Bus(writes).execute([unit(workspace, command)])
    assert await found(urls, workspace) == "6 events, as appended"
    await rewrite(urls, workspace, 5, version=9)
    said = await found(urls, workspace)
    assert said in (
        "event 5: version 9 of its stream follows version 4",
        "event 5: the version before its own is not in front of it",
    )
    await rewrite(urls, workspace, 5, version=5)
    records = await laws.records(writes, workspace)
    early = records[0].recorded_at.replace(year=2020)
    await rewrite(urls, workspace, 5, recorded_at=early)
    assert await found(urls, workspace) == (
        "event 5: recorded before the event in front of it"
    )
    await rewrite(urls, workspace, 5, recorded_at=records[4].recorded_at)
    forgery = (
        "UPDATE commands.receipts SET first_sequence = 4 WHERE workspace_id = :w"
        " AND last_sequence = 5"
    )
    await forge(urls.owner, forgery, w=workspace)
    assert await found(urls, workspace) == (
        f"event 4: the receipt of command {records[4].command_id} names events"
        " that it has not"
    )


async def test_large_events_are_read_in_pages_of_bounded_size(
    urls: Urls,
    writes: AsyncEngine,
    workspace: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "READ_BYTES", 5_000)
    task = tasks.CreateTask(task_id=uuid4(), title="0", description="x" * 2_000)
    more = [replace(task, task_id=uuid4()) for _ in range(9)]
    await Bus(writes).execute([unit(workspace, it) for it in (task, *more)])
    pages = []
    read_page = reading._read_page

    def counted(part: object, streams: object, rows: list[object]) -> None:
        pages.append(len(rows))
        read_page(part, streams, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "_read_page", counted)
    assert await found(urls, workspace) == "10 events, as appended"
    assert pages == [3, 3, 3, 1]


@pytest.fixture(scope="module")
async def own(postgres_url: str, redis_url: str) -> AsyncIterator[Urls]:
    """A database of which these tests know every workspace."""
    yield await migrated(postgres_url, f"mc_{uuid4().hex[:8]}", redis_url)


async def test_processes_find_what_one_finds(own: Urls) -> None:
    """All workspaces, one of them without a head, by two processes and by one."""
    database, ids = engine(own.app), [uuid4() for _ in range(5)]
    bus = Bus(database)
    for id in ids:
        walk = Walk(id, Random(3))
        await bus.execute([*walk.births(), *(walk.next() for _ in range(20))])
    refused = uuid4()
    await bus.execute([unit(refused, tasks.StartTask(task_id=uuid4()))])
    await database.dispose()
    forgery = "UPDATE events.log SET actor_id = '' WHERE workspace_id = :w"
    await forge(own.owner, f"{forgery} AND sequence = 17", w=ids[1])
    await forge(own.owner, "DELETE FROM events.heads WHERE workspace_id = :w", w=ids[2])
    alone = await verdicts(own)
    assert [it.workspace_id for it in alone] == sorted([*ids, refused])
    said = {it.workspace_id: str(it).partition(": ")[2] for it in alone}
    assert said[ids[1]] == f"event 17: {LEAF}"
    assert said[ids[2]] == "event 1: the workspace has no head"
    assert said[refused] == "0 events, as appended"
    assert said[ids[0]].endswith(" events, as appended")
    assert await verdicts(own, processes=2) == alone


# The command, and the doctor


async def test_the_command_names_workspace_and_sequence_and_exits_1(
    settings: Settings, urls: Urls, writes: AsyncEngine
) -> None:
    good, bad = sorted([uuid4(), uuid4()])
    await create(writes, good, 2)
    await create(writes, bad, 3)
    said = await call(settings, "audit", "check", str(bad), str(good))
    assert (said.exit_code, said.stdout.splitlines()) == (
        0,
        [f"{good}: 2 events, as appended", f"{bad}: 3 events, as appended"],
    )
    assert said.stderr.startswith("2 of 2 workspaces, 5 events, ")
    forgery = "UPDATE events.log SET salt = NULL WHERE workspace_id = :w"
    await forge(urls.owner, f"{forgery} AND sequence > 1", w=bad)
    said = await call(settings, "audit", "check", str(bad), str(good))
    assert (said.exit_code, said.stdout.splitlines()) == (
        1,
        [f"{good}: 2 events, as appended", f"{bad}: event 2: {PAYLOAD}"],
    )
    assert said.stderr.splitlines()[-1] == (
        "error: 1 of 2 logs are altered, as said: look at their backups"
    )
    said = await call(settings, "audit", "check", str(bad), "--json")
    assert said.exit_code == 1
    assert json.loads(said.stdout) == [
        {"workspace_id": str(bad), "events": 1, "sequence": 2, "what": PAYLOAD}
    ]


async def test_a_workspace_that_is_not_there_is_said(
    settings: Settings, workspace: UUID
) -> None:
    said = await call(settings, "audit", "check", str(workspace))
    assert said.exit_code == 1
    assert said.stderr == f"error: there is no workspace {workspace}\n"


async def test_a_sample_looks_at_part_of_a_long_log(own: Urls, workspace: UUID) -> None:
    """The newest events of the workspace that was written to last, among others."""
    database = engine(own.app)
    await create(database, workspace, 60)
    await database.dispose()
    assert await sampled(own, workspace) == []
    forgery = "UPDATE events.log SET salt = NULL WHERE workspace_id = :w"
    await forge(own.owner, f"{forgery} AND sequence = 55", w=workspace)
    assert await sampled(own, workspace) == [f"{workspace}: event 55: {PAYLOAD}"]


async def sampled(urls: Urls, workspace: UUID) -> list[str]:
    """Return what a sample of 20 events finds in one workspace."""
    arguments = driver_arguments(urls.auditor, pooler=False, name="test")
    seen = await audit_check.sample(arguments, each=1, events=20)
    assert 0 < seen.events <= 40, "of the latest and of a random one"
    return [str(it) for it in seen.found if it.workspace_id == workspace]
