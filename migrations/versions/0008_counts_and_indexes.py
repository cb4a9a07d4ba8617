"""Keep counts of tasks by kind, and indexes for every list.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
locks = ("commands.receipts", "queries.activity", "queries.tasks")

KIND = (
    "workspace_id, project_id, status, priority, archived, deleted, has_parent,"
    " has_section"
)
OF_TASK = (
    "workspace_id, project_id, status, priority, archived, deleted,"
    " parent_id IS NOT NULL AS has_parent, section_id IS NOT NULL AS has_section"
)
EVENTS = {
    "INSERT": ("NEW TABLE AS added", "SELECT {kind}, 1 AS d FROM added"),
    "DELETE": ("OLD TABLE AS gone", "SELECT {kind}, -1 AS d FROM gone"),
    "UPDATE": (
        "OLD TABLE AS gone NEW TABLE AS added",
        "SELECT {kind}, 1 AS d FROM added UNION ALL SELECT {kind}, -1 FROM gone",
    ),
}
"""By what happens to tasks, what a trigger sees of it, and how counts move."""

_OPEN = "status IN ('pending', 'in_progress', 'blocked')"
_LIVE = {
    "created": "created_at, id",
    "updated": "updated_at, id",
    "title": "lower(title), id",
    "due_last": "coalesce(due_key, '-infinity'), id",
    "priority": "priority, id",
    "status": "status, created_at, id",
    "project": "project_id, created_at, id",
    "created_by": "created_by, created_at, id",
}
_SOME = {
    "assignee": ("assignee_id, created_at, id", "assignee_id IS NOT NULL"),
    "archived": ("created_at, id", "archived"),
    "late_at": ("due_at", f"due_at IS NOT NULL AND {_OPEN}"),
    "late_local": ("due_local", f"due_local IS NOT NULL AND {_OPEN}"),
}
_ACTIVITY = {
    "command": "command_id",
    "type": "type, sequence",
    "stream_type": "stream_type, sequence",
    "actor": "actor_id, sequence",
    "correlation": "correlation_id",
    "request": "request_id",
}


def _index(schema: str, table: str, name: str, keys: str, where: str = "") -> None:
    op.execute(
        f"CREATE INDEX ix_{table}_{name} ON {schema}.{table} (workspace_id, {keys})"
        + (f" WHERE {where}" if where else "")
    )


def _count(event: str, tables: str, moved: str) -> None:
    """Make the trigger that moves the counts after statements of a kind."""
    name = f"count_tasks_{event.lower()}"
    op.execute(f"""CREATE FUNCTION queries.{name}() RETURNS trigger
        LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$ BEGIN
        INSERT INTO queries.task_counts AS c ({KIND}, n)
        SELECT {KIND}, sum(d) FROM ({moved.format(kind=OF_TASK)}) m GROUP BY {KIND}
        HAVING sum(d) <> 0 ON CONFLICT ({KIND}) DO UPDATE SET n = c.n + excluded.n;
        RETURN NULL; END $$""")
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON queries.tasks REFERENCING {tables}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION queries.{name}()"
    )
    op.execute(f"ALTER TABLE queries.tasks ENABLE ALWAYS TRIGGER {name}")


def upgrade() -> None:
    """Create the indexes and the counts, count what is there, and keep counting."""
    _indexes()
    op.execute("""CREATE TABLE queries.task_counts (
        workspace_id UUID NOT NULL, project_id UUID, status TEXT NOT NULL,
        priority SMALLINT NOT NULL, archived BOOLEAN NOT NULL,
        deleted BOOLEAN NOT NULL, has_parent BOOLEAN NOT NULL,
        has_section BOOLEAN NOT NULL, n BIGINT NOT NULL)""")
    op.execute(
        f"CREATE UNIQUE INDEX uq_task_counts_kind ON queries.task_counts ({KIND})"
        " NULLS NOT DISTINCT"
    )
    op.execute(
        f"INSERT INTO queries.task_counts ({KIND}, n) SELECT {KIND}, count(*)"
        f" FROM (SELECT {OF_TASK} FROM queries.tasks) t GROUP BY {KIND}"
    )
    for event, (tables, moved) in EVENTS.items():
        _count(event, tables, moved)


def _indexes() -> None:
    op.execute("DROP INDEX queries.ix_tasks_created")
    op.execute("DROP INDEX queries.ix_tasks_project")
    op.execute("ALTER TABLE queries.tasks ADD COLUMN due_key TIMESTAMP")
    op.execute(
        "UPDATE queries.tasks SET due_key = due_date + coalesce((document -> 'due'"
        " ->> 'time')::time, '23:59:59.999999') WHERE due_date IS NOT NULL"
    )
    op.execute("ALTER TABLE queries.tasks DROP COLUMN due_date")
    for name, keys in _LIVE.items():
        _index("queries", "tasks", name, keys, "NOT deleted")
    for name, (keys, where) in _SOME.items():
        _index("queries", "tasks", name, keys, f"NOT deleted AND {where}")
    op.execute(
        "CREATE INDEX ix_tasks_due ON queries.tasks (workspace_id,"
        " coalesce(due_key, 'infinity'), id) INCLUDE (due_key, created_at)"
        " WHERE NOT deleted"
    )
    _index("queries", "tasks", "trash", "created_at, id", "deleted")
    # The pending list of 256 kB, not 4 MB: whoever fills it waits until it is merged.
    op.execute(
        "CREATE INDEX ix_tasks_tags ON queries.tasks USING gin (tags)"
        " WITH (gin_pending_list_limit = 256)"
    )
    op.execute(
        "CREATE INDEX ix_tasks_search ON queries.tasks"
        " USING gin ((ARRAY[workspace_id]), search)"
        " WITH (gin_pending_list_limit = 256)"
    )
    for name, keys in _ACTIVITY.items():
        _index("queries", "activity", name, keys)
    _index(
        "commands",
        "receipts",
        "recorded",
        "recorded_at, coalesce(last_sequence, 0), command_id",
    )
    _index(
        "commands",
        "receipts",
        "outcome",
        "outcome, recorded_at",
        "outcome <> 'applied'",
    )


def downgrade() -> None:
    """Count at every list again."""
    op.execute("DROP INDEX commands.ix_receipts_recorded")
    op.execute("DROP INDEX commands.ix_receipts_outcome")
    for name in _ACTIVITY:
        op.execute(f"DROP INDEX queries.ix_activity_{name}")
    for name in (*_LIVE, *_SOME, "due", "trash", "tags", "search"):
        op.execute(f"DROP INDEX queries.ix_tasks_{name}")
    op.execute("ALTER TABLE queries.tasks ADD COLUMN due_date DATE")
    op.execute("UPDATE queries.tasks SET due_date = due_key::date")
    op.execute("ALTER TABLE queries.tasks DROP COLUMN due_key")
    _index("queries", "tasks", "created", "created_at, id")
    _index("queries", "tasks", "project", "project_id")
    for event in EVENTS:
        name = f"count_tasks_{event.lower()}"
        op.execute(f"DROP TRIGGER {name} ON queries.tasks")
        op.execute(f"DROP FUNCTION queries.{name}()")
    op.execute("DROP TABLE queries.task_counts")
