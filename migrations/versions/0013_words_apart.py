"""Keep words apart from tasks, counts by tag and person, and fewer bytes of indexes.

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None
locks = ("queries.activity", "queries.tasks")

_KIND = (
    "project_id",
    "status",
    "priority",
    "archived",
    "deleted",
    "has_parent",
    "has_section",
)
KIND = ", ".join(("workspace_id", *_KIND))
OF_TASK = (
    "workspace_id, project_id, status, priority, archived, deleted,"
    " parent_id IS NOT NULL AS has_parent, section_id IS NOT NULL AS has_section"
)
WHOSE = "created_by, assignee_id, tags"
"""What tasks are counted by besides: the counts of each tell its status and so on."""
FACET = "workspace_id, facet, value, status, priority, archived, deleted"
FACETS = (
    "(SELECT 'created_by' AS facet, created_by AS value UNION ALL SELECT"
    " 'assignee_id', assignee_id UNION ALL SELECT DISTINCT 'tag', tag::text"
    " FROM unnest(tags) tag)"
)
COUNTED = {
    "INSERT": "SELECT {of}, 1 AS d FROM added",
    "DELETE": "SELECT {of}, -1 AS d FROM gone",
    "UPDATE": "SELECT {of}, 1 AS d FROM added UNION ALL SELECT {of}, -1 FROM gone",
}
"""By what happens to tasks, how counts move; the triggers are of revision 0008."""


def _function(event: str, body: str) -> None:
    """Set what the trigger after statements of a kind does."""
    op.execute(f"""CREATE OR REPLACE FUNCTION queries.count_tasks_{event.lower()}()
        RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
        AS $$ BEGIN {body}; RETURN NULL; END $$""")


def _counts(event: str) -> None:
    """Let the trigger after statements of a kind move the counts of both tables."""
    moved = COUNTED[event].format(of=f"{OF_TASK}, {WHOSE}")
    _function(
        event,
        f"""WITH moved AS MATERIALIZED (
            SELECT {KIND}, {WHOSE}, sum(d) AS d FROM ({moved}) m
            GROUP BY {KIND}, {WHOSE} HAVING sum(d) <> 0
        ), kinds AS (
            INSERT INTO queries.task_counts AS c ({KIND}, n)
            SELECT {KIND}, sum(d) FROM moved GROUP BY {KIND} HAVING sum(d) <> 0
            ON CONFLICT ({KIND}) DO UPDATE SET n = c.n + excluded.n
        )
        INSERT INTO queries.task_facets AS c ({FACET}, n)
        SELECT {FACET}, sum(d) FROM moved CROSS JOIN LATERAL {FACETS} f
        WHERE value IS NOT NULL GROUP BY {FACET} HAVING sum(d) <> 0
        ON CONFLICT ({FACET}) DO UPDATE SET n = c.n + excluded.n""",
    )


def _counts_of_kinds(event: str) -> None:
    """Let the trigger move the counts of kinds alone, as revision 0008 has it."""
    moved = COUNTED[event].format(of=OF_TASK)
    _function(
        event,
        f"""INSERT INTO queries.task_counts AS c ({KIND}, n)
        SELECT {KIND}, sum(d) FROM ({moved}) m GROUP BY {KIND}
        HAVING sum(d) <> 0 ON CONFLICT ({KIND}) DO UPDATE SET n = c.n + excluded.n""",
    )


def upgrade() -> None:
    """Move vectors to their own table; count by tag and person what is there."""
    _words()
    _facets()
    for event in COUNTED:
        _counts(event)
    _activity(True)
    # the most urgent first and of these the next to be done: one index, one direction
    op.execute("DROP INDEX queries.ix_tasks_priority")
    op.execute(
        "CREATE INDEX ix_tasks_priority ON queries.tasks (workspace_id, (-priority),"
        " coalesce(due_key, 'infinity'), id) WHERE NOT deleted"
    )
    # Postgres learns nothing of the expressions of a partial index
    op.execute(
        "CREATE STATISTICS queries.st_tasks_urgency ON (-priority) FROM queries.tasks"
    )


_ACTIVITY = {
    "event": ("workspace_id, event_id", "event_id"),
    "command": ("workspace_id, command_id", "command_id"),
    "stream_type": (
        "workspace_id, stream_type, sequence",
        "workspace_id, stream_type, sequence) WHERE (stream_type <> 'task'",
    ),
    "correlation": (
        "workspace_id, correlation_id",
        "workspace_id, correlation_id)"
        " WHERE (correlation_id IS DISTINCT FROM request_id",
    ),
}
"""By index of the task log, its columns before and after."""


def _activity(after: bool) -> None:
    for name, keys in _ACTIVITY.items():
        op.execute(f"DROP INDEX queries.ix_activity_{name}")
        op.execute(
            f"CREATE INDEX ix_activity_{name} ON queries.activity ({keys[after]})"
        )


def _words() -> None:
    op.execute("""CREATE TABLE queries.task_words (
        workspace_id UUID NOT NULL, id UUID NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL, deleted BOOLEAN NOT NULL,
        search TSVECTOR NOT NULL,
        CONSTRAINT pk_task_words PRIMARY KEY (workspace_id, id))""")
    op.execute(
        "INSERT INTO queries.task_words SELECT workspace_id, id, created_at, deleted,"
        " coalesce(search, '') FROM queries.tasks"
    )
    op.execute(
        "CREATE INDEX ix_task_words_search ON queries.task_words"
        " USING gin ((ARRAY[workspace_id]), search)"
        " WITH (gin_pending_list_limit = 256)"
    )
    op.execute("ALTER TABLE queries.tasks DROP COLUMN search")  # and its index


def _facets() -> None:
    op.execute(f"""CREATE TABLE queries.task_facets (
        workspace_id UUID NOT NULL, facet TEXT NOT NULL, value TEXT NOT NULL,
        status TEXT NOT NULL, priority SMALLINT NOT NULL, archived BOOLEAN NOT NULL,
        deleted BOOLEAN NOT NULL, n BIGINT NOT NULL,
        CONSTRAINT pk_task_facets PRIMARY KEY ({FACET}))""")
    op.execute(
        f"INSERT INTO queries.task_facets ({FACET}, n) SELECT {FACET}, count(*)"
        f" FROM queries.tasks CROSS JOIN LATERAL {FACETS} f"
        f" WHERE value IS NOT NULL GROUP BY {FACET}"
    )


def downgrade() -> None:
    """Search the tasks themselves, and count by tag and person in an index.

    The vectors go back as they are; `metacortex rebuild` makes rows small again.
    """
    op.execute("DROP STATISTICS queries.st_tasks_urgency")
    op.execute("DROP INDEX queries.ix_tasks_priority")
    op.execute(
        "CREATE INDEX ix_tasks_priority ON queries.tasks (workspace_id, priority, id)"
        " WHERE NOT deleted"
    )
    _activity(False)
    for event in COUNTED:
        _counts_of_kinds(event)
    op.execute("DROP TABLE queries.task_facets")
    op.execute("ALTER TABLE queries.tasks ADD COLUMN search TSVECTOR")
    op.execute(
        "UPDATE queries.tasks t SET search = w.search FROM queries.task_words w"
        " WHERE w.workspace_id = t.workspace_id AND w.id = t.id"
    )
    op.execute(
        "CREATE INDEX ix_tasks_search ON queries.tasks"
        " USING gin ((ARRAY[workspace_id]), search)"
        " WITH (gin_pending_list_limit = 256)"
    )
    op.execute("DROP TABLE queries.task_words")
