"""How many tasks there are of each kind, kept beside them, so that no list counts them.

Triggers on `queries.tasks` move the counts in the statement that moves the tasks, in
whatever way it does (docs/decisions/0020-flat-reads.md). A kind is what the columns of
`CountTable` say; a total is a sum of kinds, and a kind of none may be missing.
"""

from uuid import UUID

from sqlalchemy import BigInteger, Index, SmallInteger, Text, text
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


_OF_TASKS = f"(SELECT *, {EXPRESSIONS} FROM queries.tasks) t"
_KIND = ", ".join(KIND)
_DIFFERENCES = text(
    "SELECT concat_ws(' ', coalesce(project_id::text, 'no project'), status, priority,"
    " CASE WHEN archived THEN 'archived' END, CASE WHEN deleted THEN 'deleted' END,"
    " CASE WHEN has_parent THEN 'below another' END,"
    " CASE WHEN has_section THEN 'in a section' END),"
    " sum(kept)::bigint, sum(there)::bigint"
    f" FROM (SELECT {_KIND}, n AS kept, 0 AS there FROM {TABLE}"
    f" WHERE workspace_id = :workspace UNION ALL SELECT {_KIND}, 0,"
    f" count(*) FROM {_OF_TASKS} WHERE workspace_id = :workspace GROUP BY {_KIND}) c"
    f" GROUP BY {_KIND} HAVING sum(kept) <> sum(there) ORDER BY 1 LIMIT :most"
)


async def differences(
    connection: ReadConnection, workspace_id: UUID, most: int
) -> list[str]:
    """Say which counts are not those of the tasks, at most `most` of them."""
    values = {"workspace": workspace_id, "most": most}
    return [
        f"{TABLE} {kind}: counted {kept}, there are {there}"
        for kind, kept, there in await connection.execute(_DIFFERENCES, values)
    ]
