"""How many tasks there are of each kind, kept beside them, so that no list counts them.

Triggers on `queries.tasks` move the counts in the statement that moves the tasks, in
whatever way it does (docs/decisions/0020-flat-reads.md). A kind is what the columns of
`CountTable` say; a total is a sum of kinds, and a kind of none may be missing.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import BigInteger, Index, SmallInteger, Text, TextClause, text
from sqlalchemy.orm import Mapped, mapped_column

from metacortex.kernel.database import ReadConnection, Table
from metacortex.queries.tables import SCHEMA

TABLE = "queries.task_counts"
KIND = (
    "project_id",
    "status",
    "priority",
    "archived",
    "deleted",
    "has_parent",
    "has_section",
)
"""What of a task is counted by."""
EXPRESSIONS = (
    "parent_id IS NOT NULL AS has_parent, section_id IS NOT NULL AS has_section"
)
"""What of it are no columns of tasks."""
KNOWN = {*KIND, "no project_id", "no parent_id", "no section_id"}
"""The filters whose total is a sum of kinds; rows of others are counted."""

_AS_TASKS = f"""(SELECT *, CASE WHEN has_parent THEN workspace_id END AS parent_id,
CASE WHEN has_section THEN workspace_id END AS section_id FROM {TABLE})"""
"""The counts with the columns of tasks that conditions name, null where theirs are."""


FACET_TABLE = "queries.task_facets"
FACETS: Mapping[str, tuple[str, str]] = {
    "created_by": ("created_by", ""),
    "assignee_id": ("assignee_id", ""),
    "tag": (
        "tag::text",
        " CROSS JOIN LATERAL (SELECT DISTINCT unnest(tags) AS tag) of_task",
    ),
}
"""What tasks are counted by one at a time: the SQL of its values, and their source."""
TOLD = {"status", "priority", "archived", "deleted"}
"""The filters that the counts of a facet tell apart."""
OF_TAG = "value = (CAST(:tag AS uuid[]))[1]::text"
"""The condition of having a tag, for the counts of tags."""
TABLES = (TABLE, FACET_TABLE)


def facet_total(facet: str, where: str) -> str:
    """Return the SQL of how many tasks meet conditions on it and what is `TOLD`."""
    rows = f"SELECT *, value AS {facet} FROM {FACET_TABLE} WHERE facet = '{facet}'"
    return f"SELECT coalesce(sum(n), 0)::bigint FROM ({rows}) p WHERE {where}"


def total(where: str) -> str:
    """Return the SQL of how many tasks meet conditions on what is `KNOWN`."""
    return f"SELECT coalesce(sum(n), 0)::bigint FROM {_AS_TASKS} p WHERE {where}"


class CountTable(Table):
    """How many tasks of a workspace are of a kind."""

    __tablename__ = "task_counts"
    __table_args__ = (
        Index(
            "uq_task_counts_kind",
            "workspace_id",
            *KIND,
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        {"schema": SCHEMA},
    )

    workspace_id: Mapped[UUID] = mapped_column()
    project_id: Mapped[UUID | None] = mapped_column()
    status: Mapped[str] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(SmallInteger)
    archived: Mapped[bool] = mapped_column()
    deleted: Mapped[bool] = mapped_column()
    has_parent: Mapped[bool] = mapped_column()
    has_section: Mapped[bool] = mapped_column()
    n: Mapped[int] = mapped_column(BigInteger)

    __mapper_args__ = {
        "primary_key": (
            workspace_id,
            project_id,
            status,
            priority,
            archived,
            deleted,
            has_parent,
            has_section,
        )
    }


class FacetTable(Table):
    """How many tasks with a tag, or of a person, are of a status and so on."""

    __tablename__ = "task_facets"
    __table_args__ = ({"schema": SCHEMA},)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    facet: Mapped[str] = mapped_column(Text, primary_key=True)
    """A key of `FACETS`."""
    value: Mapped[str] = mapped_column(Text, primary_key=True)
    status: Mapped[str] = mapped_column(Text, primary_key=True)
    priority: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    archived: Mapped[bool] = mapped_column(primary_key=True)
    deleted: Mapped[bool] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)


_OF_TASKS = f"(SELECT *, {EXPRESSIONS} FROM queries.tasks) t"
_OF_FACETS = " UNION ALL ".join(
    f"SELECT workspace_id, {', '.join(sorted(TOLD))}, '{facet}' AS facet,"
    f" {value} AS value FROM queries.tasks{source}"
    for facet, (value, source) in FACETS.items()
)

SOURCES: Mapping[str, tuple[Sequence[str], str]] = {
    TABLE: (KIND, _OF_TASKS),
    FACET_TABLE: (
        ("facet", "value", *sorted(TOLD)),
        f"(SELECT * FROM ({_OF_FACETS}) f WHERE value IS NOT NULL) t",
    ),
}
"""What makes a kind in each table, besides its workspace, and what is counted."""


def _differences(table: str, said: str) -> TextClause:
    """Return the statement that names the kinds that are not counted as they are."""
    kind, tasks = SOURCES[table]
    names = ", ".join(kind)
    return text(
        f"SELECT concat_ws(' ', {said}), sum(kept)::bigint, sum(there)::bigint"
        f" FROM (SELECT {names}, n AS kept, 0 AS there FROM {table}"
        f" WHERE workspace_id = :workspace UNION ALL SELECT {names}, 0, count(*)"
        f" FROM {tasks} WHERE workspace_id = :workspace GROUP BY {names}) c"
        f" GROUP BY {names} HAVING sum(kept) <> sum(there) ORDER BY 1 LIMIT :most"
    )


_SAID = (
    "status, priority, CASE WHEN archived THEN 'archived' END,"
    " CASE WHEN deleted THEN 'deleted' END"
)
_COMPARED = {
    TABLE: _differences(
        TABLE,
        f"coalesce(project_id::text, 'no project'), {_SAID},"
        " CASE WHEN has_parent THEN 'below another' END,"
        " CASE WHEN has_section THEN 'in a section' END",
    ),
    FACET_TABLE: _differences(FACET_TABLE, f"facet, value, {_SAID}"),
}


async def differences(
    connection: ReadConnection, workspace_id: UUID, most: int
) -> list[str]:
    """Say which counts are not those of the tasks, at most `most` of each table."""
    values = {"workspace": workspace_id, "most": most}
    return [
        f"{table} {kind}: counted {kept}, there are {there}"
        for table, statement in _COMPARED.items()
        for kind, kept, there in await connection.execute(statement, values)
    ]
