"""Every filter and every sort starts in an index and reads few rows of a workspace.

Lists of what grows are asked for among many workspaces, as Postgres plans them with
figures of its own (ANALYZE). A new filter or sort fails here until it has a value.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from metacortex.kernel.clock import now
from metacortex.kernel.database import READS, DriverConnection, driver_pool, engine
from metacortex.kernel.decider import names_of
from metacortex.queries import first_tasks, page, task_words
from metacortex.queries.activity import ListActivity, ListRecords
from metacortex.queries.page import ListQuery
from metacortex.queries.receipts import ListCommands, ListReceipts
from metacortex.queries.tasks import ListTasks
from tests.conftest import Urls

ROWS = 20_000  # of the workspace: ten times what a list may read
MOST_READ = 2_500  # rows, or entries of an index
MOST_BUFFERS = 4_000  # a third of the workspace's pages
OTHERS = 40
SPACE, PROJECT, PARENT, SECTION, TAG, COMMAND = (uuid4() for _ in range(6))
QUERIES = (ListTasks, ListActivity, ListRecords, ListCommands, ListReceipts)

_AGE = "(:n - i) * interval '1 minute'"
_ID = "md5(CAST(:w AS text) || i)::uuid"
TASKS = (
    "INSERT INTO queries.tasks (workspace_id, id, created_at, updated_at, document,"
    " title, status, priority, due_key, due_local, project_id, parent_id, section_id,"
    " tags, assignee_id, created_by, archived, deleted) SELECT CAST(:w AS uuid),"
    f" {_ID}, now() - {_AGE}, now() - i * 7919 % :n * interval '1 minute',"
    " json_build_object('description', repeat('word ', 40)),"
    " 'Title ' || hashint4(i) || CASE WHEN"
    " i % 50 = 0 THEN ' zebra' ELSE '' END, CASE WHEN i % 10 > 2 THEN 'completed' WHEN"
    " i % 10 = 1 THEN 'blocked' ELSE 'pending' END, CASE WHEN i % 10 = 3 THEN 3 ELSE 1"
    f" END, d, d, CASE WHEN i % 20 = 4 THEN CAST(:project AS uuid) WHEN i % 20 > 4 THEN"
    f" CAST(:other AS uuid) END, CASE WHEN i % 99 = 5 THEN CAST(:parent AS uuid) WHEN"
    " i % 2 = 0 THEN md5(CAST(:w AS text) || i / 9)::uuid END, CASE WHEN i % 40 = 6"
    " THEN CAST(:section AS uuid) END, CASE WHEN i % 30 = 7 THEN ARRAY[CAST(:tag AS"
    " uuid)] ELSE ARRAY[md5(CAST(:w AS text) || i % 9)::uuid] END, 'user_' || i % 40,"
    " 'user_' || i % 20, i % 12 = 0, i % 25 = 8 FROM generate_series(1, :n) i,"
    " LATERAL (SELECT CASE WHEN i % 4 = 0 THEN now()::timestamp + (i % 300 - 30)"
    " * interval '1 day' END AS d) due"
)
ACTIVITY = (
    "INSERT INTO queries.activity (workspace_id, sequence, event_id, stream_type,"
    " stream_id, type, actor_id, command_id, correlation_id, request_id, recorded_at"
    " {columns}) SELECT CAST(:w AS uuid), i, gen_random_uuid(), CASE WHEN i % 99 = 0"
    " THEN 'tag' ELSE 'task' END, md5(CAST(:w AS text) || i / 3)::uuid, CASE WHEN"
    " i % 99 = 0 THEN 'tag.edited' ELSE 'task.edited' END, 'user_' || i % 20,"
    " CASE WHEN i = 77 THEN CAST(:command AS uuid) ELSE gen_random_uuid() END,"
    f" 'of ' || i, 'of ' || i, now() - {_AGE} {{values}}"
    " FROM generate_series(1, :n) i"
)
RECEIPTS = (
    "INSERT INTO commands.receipts (workspace_id, command_id, type, fingerprint,"
    " actor_type, actor_id, outcome, first_sequence, last_sequence, recorded_at,"
    " correlation_id) SELECT CAST(:w AS uuid), gen_random_uuid(), CASE WHEN i % 99 = 0"
    " THEN 'tag.edit' ELSE 'task.edit' END, '', 'user', 'user_' || i % 20, CASE WHEN"
    " i % 200 = 0 THEN 'refused' ELSE 'applied' END, i, i,"
    f" now() - {_AGE}, 'c' FROM generate_series(1, :n) i"
)
WORDS = (
    "INSERT INTO queries.task_words SELECT workspace_id, id, created_at, deleted,"
    " to_tsvector('simple', title) FROM queries.tasks WHERE workspace_id = :w"
)
SHOWN = "INSERT INTO queries.checkpoints (workspace_id, sequence) VALUES (:w, :n)"


async def fill(url: str) -> None:
    """Write a large workspace among small ones, and let Postgres learn of it."""
    database = create_async_engine(url, isolation_level="AUTOCOMMIT")
    places = {"project": PROJECT, "parent": PARENT, "section": SECTION, "tag": TAG}
    async with database.connect() as connection:
        has = "SELECT count(*) FROM information_schema.columns WHERE table_name ="
        had = await connection.scalar(
            text(f"{has} 'activity' AND column_name = 'document'")
        )
        lines = ACTIVITY.format(
            columns=", document" if had else "", values=", '{}'" if had else ""
        )
        spaces = [(uuid4(), 200) for _ in range(OTHERS)]
        for space, count in [(SPACE, ROWS), *spaces]:
            values = {"w": space, "n": count, "other": uuid4(), "command": COMMAND}
            for statement in (TASKS, WORDS, lines, RECEIPTS, SHOWN):
                asked = text(statement)
                given = {**values, **places}
                await connection.execute(
                    asked, {it: given[it] for it in asked._bindparams}
                )
        # all tables: other tests have left rows of which Postgres may not know yet
        await connection.execute(text("VACUUM ANALYZE"))
    await database.dispose()


class Explaining(DriverConnection):
    """Answers as the database does, and keeps what it said it would do."""

    plans: list[Any]

    async def row(self, statement: TextClause, values: Mapping[str, Any]) -> Any:
        """Return the one row that a statement gives; explain it before."""
        explained = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}")
        found = await super().row(explained, values)
        self.plans.append(found[0][0]["Plan"])
        return await super().row(statement, values)


@pytest.fixture(scope="module")
async def reads(urls: Urls) -> AsyncIterator[AsyncEngine]:
    """The database as lists see it, with a large workspace in it."""
    await fill(urls.owner)
    database = engine(urls.app, session=READS)
    yield database
    await database.dispose()


async def explained(reads: AsyncEngine, query: ListQuery) -> tuple[page.Page, Any]:
    """Return a page, and the plans of the statements that it took."""
    async with driver_pool(reads).begin() as direct:
        reader = Explaining(direct._driver)
        reader.plans = []
        return await page.fetch(reader, query), reader.plans


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Return a plan's nodes."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


GROWING = ("tasks", "task_words", "activity", "receipts", "log")
"""Others hold what tests before left, and are scanned where that is little."""
SCANNED = 50
"""Pages that need no index: the log is as small where no other test has written."""


def wrong(plans: Sequence[Mapping[str, Any]], times: int = 1) -> list[str]:
    """Say what reads a table that grows without an index, or too much."""
    found = []
    every = [it for plan in plans for it in nodes(plan) if it["Actual Loops"]]
    for node in every:
        pages = node["Shared Hit Blocks"] + node["Shared Read Blocks"]
        scanned = node["Node Type"] == "Seq Scan" and pages > SCANNED
        if scanned and node["Relation Name"] in GROWING:
            found.append(f"seq scan of {node['Relation Name']}")
    rows = sum(
        (it["Actual Rows"] + it.get("Rows Removed by Filter", 0)) * it["Actual Loops"]
        for it in every
        if it["Node Type"] == "Bitmap Index Scan" or it.get("Relation Name") in GROWING
    )
    buffers = sum(it["Shared Hit Blocks"] + it["Shared Read Blocks"] for it in plans)
    if rows > times * MOST_READ:
        found.append(f"{rows} rows read")
    if buffers > times * MOST_BUFFERS:
        found.append(f"{buffers} buffers")
    return found


DAY = date.today()
VALUES: Mapping[str, Sequence[Any]] = {
    "deleted": (True, False),
    "archived": (True, False),
    "status": (("blocked",), ("in_progress",), ("pending", "blocked")),
    "priority": (("urgent",), ("low",), ("urgent", "low")),
    "project_id": ((PROJECT,), (uuid4(),), ("none",), (PROJECT, uuid4())),
    "section_id": ((SECTION,), (uuid4(),), ("none",)),
    "parent_id": ((PARENT,), (uuid4(),), ("none",)),
    "assignee_id": (("user_3",), ("nobody",)),
    "created_by": (("user_3",), ("nobody",)),
    "tag": ((TAG,), (uuid4(),), (TAG, uuid4())),
    "due_from": (DAY + timedelta(days=250),),
    "due_to": (DAY - timedelta(days=20),),
    "overdue": (True, False),
    "q": ("zebra", "xylophone"),
    "updated_since": (now() - timedelta(hours=20),),
    "stream_id": (uuid4(),),
    "command_id": (COMMAND, uuid4()),
    "correlation_id": ("of 77", "of none"),
    "request_id": ("of 77", "of none"),
    "stream_type": (("tag",), ("person",), ("task",)),
    "type": (("tag.edited",), ("person.edited",), ("task.edited",)),
    "actor_id": (("user_3",), ("nobody",)),
    "since": (now() - timedelta(hours=20),),
    "until": (now() - timedelta(hours=20),),
    "event_id": (uuid4(),),
    "outcome": (("refused",), ("unchanged",), ("applied",)),
}
MODIFIERS = {"as_of", "tag_mode", "time_zone", "now"}
UNBOUNDED = {"type", "actor_id"}
"""Filters of receipts that read all of them if few match: an index of each would cost
every command, 3 to 6 µs and 70 bytes."""


def fields(query: type[ListQuery]) -> list[str]:
    """Return the filters of a list."""
    return [
        it
        for it in names_of(query)
        if it not in names_of(ListQuery) and it not in MODIFIERS
    ]


def asked(query: type[ListQuery], **given: Any) -> Any:
    """Return a list of the large workspace."""
    moment: dict[str, datetime] = {"now": now()} if query is ListTasks else {}
    return query(**{"workspace_id": SPACE, **moment, **given})


FILTERS = [
    (query, name)
    for query in QUERIES
    for name in fields(query)
    if not (issubclass(query, ListCommands) and name in UNBOUNDED)
]


@pytest.mark.parametrize(("query", "name"), FILTERS)
async def test_a_filter_starts_in_an_index(
    reads: AsyncEngine, query: type[ListQuery], name: str
) -> None:
    for value in VALUES[name]:
        _, plans = await explained(reads, asked(query, **{name: value}, count="none"))
        assert wrong(plans) == [], (value, plans)


KEPT = (
    "deleted",
    "archived",
    "status",
    "priority",
    "project_id",
    "overdue",
    "created_by",
    "assignee_id",
    "tag",
)


@pytest.mark.parametrize("name", KEPT)
async def test_a_kept_total_reads_no_tasks(reads: AsyncEngine, name: str) -> None:
    for value in VALUES[name][: 2 if name == "tag" else None]:  # of two, it is counted
        query = asked(ListTasks, **{name: value})
        found, plans = await explained(reads, query)
        assert wrong(plans) == [], (value, plans)
        every = replace(query, count="none", per_page=ROWS)
        assert found.total == len(await rows(reads, every))


async def rows(reads: AsyncEngine, query: ListQuery) -> list[Any]:
    """Return the rows of a page."""
    found = await page.fetch(driver_pool(reads), query)
    listed: list[Any] = orjson.loads(b"[" + found.documents + b"]")
    return listed


SEARCHES = [
    (q, sort, given)
    for q in ("zebra", "xylophone", "title -zebra")
    for sort in ((), ("-created_at",), ("due",))
    for given in (
        {},
        {"status": ("pending",)},
        {"due_from": DAY + timedelta(days=250)},
    )
]


@pytest.mark.parametrize(("q", "sort", "given"), SEARCHES)
async def test_a_search_finds_the_same_with_its_index_as_row_by_row(
    reads: AsyncEngine,
    monkeypatch: pytest.MonkeyPatch,
    q: str,
    sort: Sequence[str],
    given: Mapping[str, Any],
) -> None:
    first = asked(ListTasks, q=q, sort=sort, **given)
    found, plans = await explained(reads, replace(first, count="none"))
    if sort or "title" not in q:  # an order by relevance reads all that is found
        assert wrong(plans, 2) == [], plans  # the first rows, and all that is found
    queries = [first, replace(first, cursor=found.next_cursor), replace(first, page=3)]
    queries += [replace(it, count="none") for it in queries]
    reader = driver_pool(reads)
    large = [await page.fetch(reader, it) for it in queries]
    monkeypatch.setattr(task_words, "LARGE", ROWS)
    assert large == [await page.fetch(reader, it) for it in queries]
    assert large[0].total or q == "xylophone" or "due_from" in given
    assert [it.documents for it in large[:3]] == [it.documents for it in large[3:]]


NO_TAG = uuid4()
LOOKED_FOR: Sequence[Mapping[str, Any]] = (
    {"tag": (TAG,)},
    {"tag": (NO_TAG,)},
    {"updated_since": now() - timedelta(hours=2)},
    {"updated_since": now() - timedelta(days=9)},
)


@pytest.mark.parametrize("first", [0, 3, 300, ROWS])
@pytest.mark.parametrize("sort", first_tasks.ORDERS)
@pytest.mark.parametrize("given", LOOKED_FOR)
async def test_the_first_tasks_of_a_list_have_what_the_index_finds(
    reads: AsyncEngine,
    monkeypatch: pytest.MonkeyPatch,
    given: Mapping[str, Any],
    sort: Sequence[str],
    first: int,
) -> None:
    """However many are looked at, and wherever a page begins."""
    reader, lists = driver_pool(reads), asked(ListTasks, sort=sort, **given)

    async def pages() -> list[page.Page]:
        one = await page.fetch(reader, lists)
        two = await page.fetch(reader, replace(lists, cursor=one.next_cursor))
        few = replace(lists, count="none", page=7, per_page=3)
        return [one, two, await page.fetch(reader, few)]

    with monkeypatch.context() as patch:
        patch.setattr(first_tasks, "ORDERS", ())
        found = await pages()
    monkeypatch.setattr(ListTasks, "first", first)
    assert await pages() == found
    assert (found[0].total == 0) == (given == {"tag": (NO_TAG,)})


SORTS = [
    *((query, query.default_sort) for query in QUERIES),
    (ListTasks, ("-priority", "due")),
    *(
        (ListTasks, (direction + name,))
        for name in ListTasks.sorts
        for direction in ("", "-")
        if name != "relevance"
    ),
]
"""Lists of events and commands have one order."""


@pytest.mark.parametrize(("query", "sort"), SORTS)
async def test_a_sort_starts_in_an_index(
    reads: AsyncEngine, query: type[ListQuery], sort: Sequence[str]
) -> None:
    within = query.sorted_within.get(sort[0].removeprefix("-"))
    given = {within: ("none",)} if within else {}
    first = asked(query, sort=sort, count="none", **given)
    found, plans = await explained(reads, first)
    assert wrong(plans) == [], plans
    far = replace(first, page=ROWS // 200 * 4 // 10, per_page=200)
    deep = await page.fetch(driver_pool(reads), far)
    cursors = [found.next_cursor, deep.next_cursor]
    for cursor, per_page in zip(cursors, (first.per_page, 200), strict=True):
        query_on = replace(first, cursor=cursor, per_page=per_page)
        _, plans = await explained(reads, query_on)
        assert cursor is not None and wrong(plans) == [], plans


LAST = 17_600 // 50  # pages of the tasks that are not deleted come to more


@pytest.mark.parametrize("sort", ["-created_at", "due", "priority"])
async def test_a_page_far_out_is_read_from_the_nearer_end(
    reads: AsyncEngine, sort: str
) -> None:
    query = asked(ListTasks, sort=(sort,), page=LAST + 10)
    found, plans = await explained(reads, query)
    assert wrong(plans) == [], plans
    near = await page.fetch(driver_pool(reads), replace(query, count="none"))
    assert (found.documents, found.next_cursor) == (near.documents, near.next_cursor)
    beyond = await page.fetch(driver_pool(reads), replace(query, page=LAST * 10))
    assert (beyond.documents, beyond.next_cursor) == (b"", None)
    assert beyond.total == found.total
