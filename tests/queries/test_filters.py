"""Every filter of a list is a condition, and finds what it names and nothing else."""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.api import modules
from metacortex.events import codec
from metacortex.kernel.database import Reader, driver_pool, engine
from metacortex.kernel.decider import names_of
from metacortex.kernel.ids import new_id
from metacortex.queries import fold, page
from metacortex.queries.activity import ListActivity, ListRecords
from metacortex.queries.page import ListQuery
from metacortex.queries.receipts import ListCommands, ListReceipts
from metacortex.queries.registry import PROJECTIONS
from metacortex.queries.tables import (
    SHARED,
    ReadTable,
    with_texts,
    word_columns,
    words_of,
)
from metacortex.queries.verify import written_columns
from tests.conftest import Urls
from tests.factories import OF
from tests.queries.spec import recorded
from tests.values import two

LISTS = {
    module.stream_type: module.listing.query
    for module in modules.MODULES
    if module.listing is not None
}
QUERIES: list[type[ListQuery]] = [
    *LISTS.values(),
    ListActivity,
    ListRecords,
    ListCommands,
    ListReceipts,
]
MODIFIERS = {"as_of", "tag_mode", "time_zone", "now"}
"""Fields that say how another one is meant."""


def own_fields(query: type[ListQuery]) -> list[str]:
    """Return the fields that not all lists have."""
    return [it for it in names_of(query) if it not in names_of(ListQuery)]


def value_of(query: type[ListQuery], name: str) -> tuple[Any, Any]:
    """Return two values that a field of a list may have."""
    hint = get_type_hints(query)[name]
    if get_origin(hint) is Sequence:
        one, other = two(get_args(hint)[0])
        return (one,), (other,)
    return two(hint)


def asked(query: type[ListQuery], **fields: Any) -> Any:
    """Return a list of a workspace with these filters."""
    now = {"now": datetime.now(UTC)} if "now" in names_of(query) else {}
    return query(**{"workspace_id": uuid4(), **now, **fields})


def said(query: Any) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions of a list and what they compare with."""
    found = query.filters()
    values = {k: v for k, v in found.values.items() if not k.startswith("now")}
    return found.conditions, values


FILTERS = [
    (query, name)
    for query in QUERIES
    for name in own_fields(query)
    if name not in MODIFIERS
]


@pytest.mark.parametrize(("query", "name"), FILTERS)
def test_a_filter_is_a_condition(query: type[ListQuery], name: str) -> None:
    one, other = (said(asked(query, **{name: it})) for it in value_of(query, name))
    assert one != other, f"{query.__name__} takes {name}, and nothing follows from it"


@pytest.mark.parametrize("type", LISTS)
def test_a_column_is_there_to_be_filtered_or_sorted_by(type: str) -> None:
    query = LISTS[type]
    names = [it for it in own_fields(query) if it not in MODIFIERS]
    every = asked(query, **{name: value_of(query, name)[0] for name in names})
    sorts = (sort.expression for sort in query.sorts.values())
    read = set(re.findall(r"\w+", " ".join([*every.filters().conditions, *sorts])))
    assert set(written_columns(PROJECTIONS[type].table)) - SHARED <= read


@pytest.mark.parametrize("type", LISTS)
def test_a_row_fills_the_columns_of_its_table(type: str) -> None:
    columns = PROJECTIONS[type].columns(row(type))
    assert columns.keys() == set(written_columns(PROJECTIONS[type].table)) - SHARED


@pytest.fixture(scope="module")
async def owner(urls: Urls) -> AsyncIterator[AsyncEngine]:
    """The database as its owner sees it, who may write rows by hand."""
    database = engine(urls.owner)
    yield database
    await database.dispose()


async def keep(database: AsyncEngine, workspace_id: UUID, rows: Iterable[Any]) -> None:
    """Write rows into their read table."""
    for type, row in rows:
        table = PROJECTIONS[type].table
        made = {table: {it: it for it in written_columns(table)}}
        if words := words_of(table):
            made[words] = dict(word_columns(words))
        source = f"json_populate_recordset(NULL::{table}, CAST(:rows AS json))"
        rows = fold.as_json([fold.columns(workspace_id, type, row)])
        async with database.begin() as connection:
            for into, values in made.items():
                await connection.execute(
                    text(
                        f"INSERT INTO {into} ({', '.join(values)})"
                        f" SELECT {', '.join(values.values())}"
                        f" FROM {with_texts(table, source)} r"
                    ),
                    {"rows": rows},
                )


def row(type: str, **fields: Any) -> Any:
    """Return a new row with these values, wherever they come from."""
    born = OF[codec.CLASSES[f"{type}.created"]]()
    found = PROJECTIONS[type].project(None, recorded(born, 1, new_id()))
    return replace(found, **fields)


async def found(reader: Reader, query: ListQuery) -> list[str]:
    """Return the ids that a list shows."""
    shown = await page.fetch(reader, query)
    return [it["id"] for it in orjson.loads(b"[" + shown.documents + b"]")]


BY_COLUMN = [
    (type, name)
    for type, query in LISTS.items()
    for name in own_fields(query)
    if name in ReadTable.metadata.tables[PROJECTIONS[type].table].columns
]


@pytest.mark.parametrize(("type", "name"), BY_COLUMN)
async def test_a_filter_finds_what_it_names(
    owner: AsyncEngine, writes: AsyncEngine, type: str, name: str
) -> None:
    workspace, query = uuid4(), LISTS[type]
    asks = value_of(query, name)
    values = [it[0] if isinstance(it, tuple) else it for it in asks]
    rows = [row(type, **{name: value}) for value in values]
    await keep(owner, workspace, [(type, it) for it in rows])
    for one, ask in zip(rows, asks, strict=True):
        wanted = asked(query, workspace_id=workspace, **{name: ask})
        assert await found(driver_pool(writes), wanted) == [str(one.id)]


@pytest.mark.parametrize("name", ["project_id", "parent_id"])
async def test_none_finds_what_has_no_such(
    owner: AsyncEngine, writes: AsyncEngine, name: str
) -> None:
    workspace, alone = uuid4(), row("task")
    await keep(
        owner, workspace, [("task", alone), ("task", row("task", **{name: new_id()}))]
    )
    query = asked(LISTS["task"], workspace_id=workspace, **{name: ("none",)})
    assert await found(driver_pool(writes), query) == [str(alone.id)]
