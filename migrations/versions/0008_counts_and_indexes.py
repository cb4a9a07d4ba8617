"""Keep counts of tasks by kind, and indexes for every list.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
locks = ("queries.tasks",)

KIND = "workspace_id, project_id, status, priority, archived, deleted"
EVENTS = {
    "INSERT": ("NEW TABLE AS added", "SELECT {kind}, 1 AS d FROM added"),
    "DELETE": ("OLD TABLE AS gone", "SELECT {kind}, -1 AS d FROM gone"),
    "UPDATE": (
        "OLD TABLE AS gone NEW TABLE AS added",
        "SELECT {kind}, 1 AS d FROM added UNION ALL SELECT {kind}, -1 FROM gone",
    ),
}
"""By what happens to tasks, what a trigger sees of it, and how counts move."""


def _count(event: str, tables: str, moved: str) -> None:
    """Make the trigger that moves the counts after statements of a kind."""
    name = f"count_tasks_{event.lower()}"
    op.execute(f"""CREATE FUNCTION queries.{name}() RETURNS trigger
        LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$ BEGIN
        INSERT INTO queries.task_counts AS c ({KIND}, n)
        SELECT {KIND}, sum(d) FROM ({moved.format(kind=KIND)}) m GROUP BY {KIND}
        HAVING sum(d) <> 0 ON CONFLICT ({KIND}) DO UPDATE SET n = c.n + excluded.n;
        RETURN NULL; END $$""")
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON queries.tasks REFERENCING {tables}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION queries.{name}()"
    )
    op.execute(f"ALTER TABLE queries.tasks ENABLE ALWAYS TRIGGER {name}")


def upgrade() -> None:
    """Create the counts, count what is there, and keep counting."""
    op.execute("""CREATE TABLE queries.task_counts (
        workspace_id UUID NOT NULL, project_id UUID, status TEXT NOT NULL,
        priority SMALLINT NOT NULL, archived BOOLEAN NOT NULL,
        deleted BOOLEAN NOT NULL, n BIGINT NOT NULL)""")
    op.execute(
        f"CREATE UNIQUE INDEX uq_task_counts_kind ON queries.task_counts ({KIND})"
        " NULLS NOT DISTINCT"
    )
    op.execute(
        f"INSERT INTO queries.task_counts ({KIND}, n) SELECT {KIND}, count(*)"
        f" FROM queries.tasks GROUP BY {KIND}"
    )
    for event, (tables, moved) in EVENTS.items():
        _count(event, tables, moved)


def downgrade() -> None:
    """Count at every list again."""
    for event in EVENTS:
        name = f"count_tasks_{event.lower()}"
        op.execute(f"DROP TRIGGER {name} ON queries.tasks")
        op.execute(f"DROP FUNCTION queries.{name}()")
    op.execute("DROP TABLE queries.task_counts")
