"""What is shown of an event: Postgres puts it together as Python does."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.events.codec import CLASSES
from metacortex.events.log import COLUMNS
from metacortex.events.record import EventRecord, canonical
from metacortex.kernel.database import driver_pool, engine
from metacortex.queries import activity, page
from metacortex.queries.activity import ListActivity, ListRecords, thin_after
from metacortex.queries.event_documents import document
from tests.conftest import Urls
from tests.events import golden
from tests.queries.spec import recorded

CONTEXT = canonical({"request_id": 'r "7" \\ \x01 ü\n'})


@pytest.fixture(scope="module")
async def owner(urls: Urls) -> AsyncIterator[AsyncEngine]:
    """The database as its owner sees it, who may write rows by hand."""
    database = engine(urls.owner)
    yield database
    await database.dispose()


def every_event(workspace_id: UUID) -> list[EventRecord]:
    """Return a record of each golden file, each the only one of its stream."""
    found = []
    for number, file in enumerate(golden.files(), 1):
        birth = file.type.endswith(".created")
        record = recorded(file.event(), 1 if birth else 2, uuid4()).record._replace(
            workspace_id=workspace_id,
            sequence=number,
            event_id=uuid4(),
            schema_version=file.version,
            data=canonical(orjson.loads(file.path.read_bytes())),
            context=CONTEXT,
            causation_id=None if number % 2 else 'cause "ü"',
            salt=b"salt",
            payload_hash=b"payload",
            leaf_hash=b"leaf",
        )
        found.append(record)
    return found


async def keep(database: AsyncEngine, records: Sequence[EventRecord]) -> None:
    """Write records, and their lines of the task log, as if they had happened."""
    names, values = ", ".join(COLUMNS), ", ".join(f":{it}" for it in COLUMNS)
    async with database.begin() as connection:
        for it, line in zip(records, activity.lines(records), strict=True):
            row = it._asdict() | {"data": it.data.decode(), "context": CONTEXT.decode()}
            sql = f"INSERT INTO events.log ({names}) VALUES ({values})"
            for name in ("data", "context"):
                sql = sql.replace(f":{name}", f"CAST(CAST(:{name} AS text) AS json)")
            await connection.execute(text(sql), row)
            names_of_line = ", ".join(line)
            bound = ", ".join(f":{name}" for name in line)
            sql = f"INSERT INTO queries.activity ({names_of_line}) VALUES ({bound})"
            await connection.execute(text(sql), line)


async def test_a_page_says_byte_for_byte_what_the_record_amounts_to(
    owner: AsyncEngine,
) -> None:
    workspace = uuid4()
    records = every_event(workspace)
    assert {it.type for it in records} == set(CLASSES)
    await keep(owner, records)
    reader = driver_pool(owner)
    query = ListActivity(workspace_id=workspace, per_page=200, sort=("sequence",))
    shown = await page.fetch(reader, query)
    wanted = [orjson.dumps(document(it)) for it in records]
    assert shown.documents == b",".join(wanted)

    audited = await page.fetch(
        reader, ListRecords(workspace_id=workspace, per_page=200, sort=("sequence",))
    )
    more = [
        {
            "schema_version": it.schema_version,
            "data": orjson.Fragment(it.data),
            "context": orjson.Fragment(it.context),
            "salt": it.salt.hex(),
            "payload_hash": it.payload_hash.hex(),
            "leaf_hash": it.leaf_hash.hex(),
        }
        for it in records
    ]
    wanted = [orjson.dumps({**document(it), **m}) for it, m in zip(records, more)]
    assert audited.documents == b",".join(wanted)


async def test_a_stream_names_the_changed_fields(owner: AsyncEngine) -> None:
    workspace = uuid4()
    records = every_event(workspace)
    await keep(owner, records)
    rows = await thin_after(driver_pool(owner), workspace, 0, 1_000)
    assert [(it[0], it[1]) for it in rows] == [(it.sequence, it.type) for it in records]
    for record, (_, _, said) in zip(records, rows, strict=True):
        thin = orjson.loads(said)
        assert thin["changed_fields"] == list(document(record)["changes"])
        assert thin["version"] == record.version
