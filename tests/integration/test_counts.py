"""Kept counts are those of the tasks, however the tasks are written."""

from collections.abc import Sequence
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from metacortex.kernel.clock import now
from metacortex.kernel.database import ReadConnection, driver_pool
from metacortex.queries import counts, page
from metacortex.queries.projector import Projector
from metacortex.queries.tasks import PRIORITIES, STATUSES, ListTasks
from tests.conftest import Urls

SPACES = [uuid4(), uuid4()]
PROJECT, TAG = uuid4(), uuid4()
TASKS = (
    "INSERT INTO queries.tasks AS t (workspace_id, id, created_at, updated_at,"
    " document, title, status, priority, project_id, parent_id,"
    " section_id, tags, assignee_id, created_by, archived, deleted)"
    " SELECT CAST(:w AS uuid), md5(CAST(:w AS text) || i)::uuid, now(), now(),"
    " '{\"a\" : 1}', 't', (CAST(:statuses AS text[]))[1 + i % 5], i % 4,"
    " CASE WHEN i % 3 = 0 THEN CAST(:p AS uuid) END,"
    " CASE WHEN i % 11 = 0 THEN CAST(:p AS uuid) END,"
    " CASE WHEN i % 12 = 0 THEN CAST(:p AS uuid) END, CASE i % 3 WHEN 0 THEN"
    " ARRAY[CAST(:tag AS uuid), gen_random_uuid()] WHEN 1 THEN ARRAY[CAST(:tag AS"
    " uuid), CAST(:tag AS uuid)] ELSE '{}' END, CASE WHEN i % 2 = 0 THEN 'user_1' END,"
    " 'user_' || i % 3, i % 2 = 0, i % 7 = 0"
    " FROM generate_series(1, 200) i"
)
STEPS = (
    TASKS,
    f"{TASKS} ON CONFLICT (workspace_id, id) DO UPDATE SET priority = 3",
    "UPDATE queries.tasks SET title = 'u' WHERE workspace_id = :w",
    "UPDATE queries.tasks SET tags = tags || '{}', assignee_id = created_by"
    " WHERE workspace_id = :w AND status = 'blocked'",
    "UPDATE queries.tasks SET status = 'completed', project_id = NULL"
    " WHERE workspace_id = :w AND priority = 3",
    "WITH gone AS (DELETE FROM queries.tasks WHERE workspace_id = :w AND deleted"
    " RETURNING *) UPDATE queries.tasks SET archived = NOT archived"
    " WHERE workspace_id = :w AND NOT deleted",
    "DELETE FROM queries.tasks WHERE workspace_id = :w AND archived",
    "DELETE FROM queries.tasks WHERE workspace_id = :w",
)


async def run(url: str, workspace_id: UUID, steps: Sequence[str]) -> list[list[str]]:
    """Take steps in a database; return what counts differ in after each."""
    database = create_async_engine(url)
    values = {
        "w": workspace_id,
        "p": PROJECT,
        "tag": TAG,
        "statuses": list(STATUSES),
    }
    found = []
    for step in steps:
        async with database.begin() as connection:
            names = text(step)._bindparams
            await connection.execute(text(step), {it: values[it] for it in names})
            reading = ReadConnection(connection)
            found.append(await counts.differences(reading, workspace_id, 99))
    await database.dispose()
    return found


async def test_counts_move_with_the_tasks_in_every_kind_of_statement(
    urls: Urls,
) -> None:
    assert await run(urls.projector, uuid4(), STEPS) == [[]] * len(STEPS)


@pytest.fixture(scope="module")
async def tasks(urls: Urls) -> UUID:
    """A workspace of two hundred tasks of many kinds."""
    workspace = uuid4()
    await run(urls.projector, workspace, [TASKS])
    return workspace


FILTERS: Sequence[dict[str, Any]] = [
    {
        "status": status,
        "priority": priority,
        "project_id": project,
        "archived": archived,
        "deleted": deleted,
        **none,
    }
    for status, priority, project, archived, deleted, none in product(
        [(), ("pending",), ("pending", "completed")],
        [(), tuple(PRIORITIES)[:1], tuple(PRIORITIES)[1:]],
        [(), (PROJECT,), ("none",), (PROJECT, "none")],
        [None, True, False],
        [True, False],
        [{}, {"parent_id": ("none",)}, {"section_id": ("none",)}],
    )
]


async def test_a_total_of_kept_counts_is_that_of_the_rows(
    writes: AsyncEngine, tasks: UUID
) -> None:
    for given in FILTERS:
        query = ListTasks(workspace_id=tasks, now=now(), per_page=200, **given)
        kept = query.kept_total(query.filters().columns or (), "true")
        assert kept is not None and counts.TABLE in kept, given
        found = await page.fetch(driver_pool(writes), query)
        rows = found.documents.count(b'"subtasks":')
        assert found.total == rows, given


FACETS: Sequence[dict[str, Any]] = [
    {"tag": (TAG,)},
    {"tag": (TAG,), "tag_mode": "all"},
    {"tag": (uuid4(),)},
    {"created_by": ("user_1",)},
    {"created_by": ("user_1", "user_2")},
    {"assignee_id": ("user_1", "user_9")},
]


async def test_a_total_by_tag_or_person_is_that_of_the_rows(
    writes: AsyncEngine, tasks: UUID
) -> None:
    others = [it for it in FILTERS if not it["project_id"] and len(it) == 5]
    for given in [{**facet, **it} for facet in FACETS for it in others]:
        query = ListTasks(workspace_id=tasks, now=now(), per_page=200, **given)
        kept = query.kept_total(query.filters().columns or (), "true")
        assert kept is not None and counts.FACET_TABLE in kept, given
        found = await page.fetch(driver_pool(writes), query)
        rows = found.documents.count(b'"subtasks":')
        assert found.total == rows, given


@pytest.mark.parametrize(
    "given",
    [
        {"tag": (TAG, uuid4())},
        {"tag": (TAG,), "created_by": ("user_1",)},
        {"tag": (TAG,), "project_id": (PROJECT,)},
        {"assignee_id": ("user_1", "none")},
        {"assignee_id": ("none",)},
    ],
)
async def test_what_no_count_can_tell_is_counted_in_the_rows(
    writes: AsyncEngine, tasks: UUID, given: dict[str, Any]
) -> None:
    query = ListTasks(workspace_id=tasks, now=now(), per_page=200, **given)
    columns = query.filters().columns
    assert columns is None or query.kept_total(columns, "true") is None
    found = await page.fetch(driver_pool(writes), query)
    assert found.total == found.documents.count(b'"subtasks":') > 0


async def test_verify_names_a_count_that_differs_and_rebuild_mends_it(
    urls: Urls, projector: Projector
) -> None:
    workspace = uuid4()
    kind = "NULL, 'blocked', 2, true, false, false, true"
    added = f"INSERT INTO {counts.TABLE} VALUES (:w, {kind}, 7)"
    of_tag = f"'tag', '{TAG}', 'blocked', 2, true, false"
    added_to_facet = f"INSERT INTO {counts.FACET_TABLE} VALUES (:w, {of_tag}, 3)"
    found = (await run(urls.projector, workspace, [added, added_to_facet]))[-1]
    assert found == [
        f"{counts.TABLE} no project blocked 2 archived in a section:"
        " counted 7, there are 0",
        f"{counts.FACET_TABLE} tag {TAG} blocked 2 archived: counted 3, there are 0",
    ]
    assert await projector.verify(workspace) == found
    await projector.rebuild(workspace)
    assert await projector.verify(workspace) == []
