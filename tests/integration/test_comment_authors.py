"""What lists look up for each row is found by an index, however many rows there are."""

from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from metacortex.queries.comments import ListComments
from tests.conftest import Urls

PEOPLE = 3_000  # of one workspace: too many to be read for each comment

_FILL = text("""INSERT INTO queries.people (workspace_id, id, created_at, updated_at,
    document, user_id, deleted) SELECT :workspace, gen_random_uuid(), now(), now(),
    '{}', 'user_' || n, false FROM generate_series(1, :people) n""")
_COMMENT = text("""EXPLAIN SELECT """ + ListComments.document + """ FROM (SELECT
    CAST(:workspace AS uuid) AS workspace_id,
    CAST('{"author": {"id": "user_7"}}' AS json) AS document) p""")


async def test_the_author_of_a_comment_is_found_by_an_index(urls: Urls) -> None:
    database = create_async_engine(urls.owner)
    workspace = uuid4()
    async with database.connect() as connection:
        await connection.execute(_FILL, {"workspace": workspace, "people": PEOPLE})
        await connection.exec_driver_sql("ANALYZE queries.people")
        plan = (await connection.execute(_COMMENT, {"workspace": workspace})).scalars()
        lines = "\n".join(plan)
        await connection.rollback()
    await database.dispose()
    assert "Index Scan using ix_people_user" in lines
    assert "user_id =" in lines.partition("Index Cond:")[2].partition("\n")[0]
