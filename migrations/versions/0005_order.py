"""Order siblings by rank; sections of projects; comments as resources.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
locks = ("commands.tasks", "queries.tasks")
rebuild = True  # documents get the new fields


def _effective(own: str) -> str:
    """Return the rank that a row sorts by: its own, or that of its creation."""
    since = "created_at - '1970-01-01 00:00:00+00'::timestamptz"
    return (
        f"coalesce({own}, lpad(to_hex((extract(epoch from {since})"
        " * 1000000)::bigint), 15, '0') || replace(id::text, '-', '') || '1')"
        ' COLLATE "C"'
    )


def upgrade() -> None:
    """Add ranks; the task lists are written anew meanwhile."""
    op.execute("ALTER TABLE commands.tasks ADD COLUMN rank TEXT")
    op.execute(
        "CREATE INDEX ix_tasks_rank ON commands.tasks (workspace_id,"
        f" coalesce(parent_id, workspace_id), ({_effective('rank')}), id)"
    )
    op.execute(
        'ALTER TABLE queries.tasks ADD COLUMN rank TEXT COLLATE "C" NOT NULL'
        " GENERATED ALWAYS AS"
        f""" ({_effective("document ->> 'rank'")}) STORED"""
    )
    op.execute("DROP INDEX queries.ix_tasks_parent")
    op.execute(
        "CREATE INDEX ix_tasks_parent ON queries.tasks"
        " (workspace_id, parent_id, rank, id) WHERE parent_id IS NOT NULL"
    )
    op.execute(
        "CREATE INDEX ix_tasks_top ON queries.tasks (workspace_id, rank, id)"
        " WHERE parent_id IS NULL"
    )
    _sections()
    _comments()


_META = """workspace_id UUID NOT NULL, id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_{0} PRIMARY KEY (workspace_id, id)"""


def _sections() -> None:
    op.execute(
        f"CREATE TABLE commands.sections ({_META.format('sections')},"
        " version INTEGER NOT NULL, name TEXT NOT NULL, project_id UUID NOT NULL,"
        " rank TEXT, deleted BOOLEAN NOT NULL)"
    )
    op.execute(
        "CREATE INDEX ix_sections_rank ON commands.sections"
        f" (workspace_id, project_id, ({_effective('rank')}), id)"
    )
    op.execute(
        f"CREATE TABLE queries.sections ({_META.format('sections')},"
        " document JSON NOT NULL, name TEXT NOT NULL,"
        ' project_id UUID NOT NULL, rank TEXT COLLATE "C" NOT NULL GENERATED'
        f""" ALWAYS AS ({_effective("document ->> 'rank'")}) STORED,"""
        " deleted BOOLEAN NOT NULL)"
    )
    op.execute(
        "CREATE INDEX ix_sections_project ON queries.sections"
        " (workspace_id, project_id, rank, id)"
    )
    for name in ("section_id", "deleted_section_id"):
        op.execute(f"ALTER TABLE commands.tasks ADD COLUMN {name} UUID")
        op.execute(
            f"CREATE INDEX ix_tasks_{name.removesuffix('_id')} ON commands.tasks"
            f" (workspace_id, {name}) WHERE {name} IS NOT NULL"
        )
    op.execute("ALTER TABLE queries.tasks ADD COLUMN section_id UUID")
    op.execute(
        "CREATE INDEX ix_tasks_section ON queries.tasks"
        " (workspace_id, section_id, rank, id) WHERE section_id IS NOT NULL"
    )


def _comments() -> None:
    """Keep what was said; who said it, and when, is in the records alone."""
    op.execute(
        f"CREATE TABLE queries.comments ({_META.format('comments')}, document JSON NOT"
        " NULL, task_id UUID NOT NULL, deleted BOOLEAN NOT NULL)"
    )
    op.execute(
        "CREATE INDEX ix_comments_task ON queries.comments"
        " (workspace_id, task_id, created_at, id)"
    )
    op.execute(
        "ALTER TABLE commands.tasks ADD COLUMN comments JSON NOT NULL DEFAULT '[]'"
    )
    op.execute(
        "UPDATE commands.tasks t SET comments = c.comments FROM"
        " (SELECT workspace_id, stream_id, json_agg(json_build_object("
        "'id', data ->> 'comment_id', 'author_id', actor_id, 'text', data ->> 'body',"
        " 'created_at', to_char(recorded_at AT TIME ZONE 'UTC',"
        """ 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))"""
        " ORDER BY (data ->> 'comment_id')::uuid) AS comments"
        " FROM events.log WHERE type = 'task.commented' GROUP BY 1, 2) c"
        " WHERE t.workspace_id = c.workspace_id AND t.id = c.stream_id"
    )


def downgrade() -> None:
    """Forget sections, and every order but that of creation."""
    op.execute("DROP TABLE queries.comments")
    op.execute("ALTER TABLE commands.tasks DROP COLUMN comments")
    op.execute("ALTER TABLE queries.tasks DROP COLUMN section_id")
    op.execute("ALTER TABLE commands.tasks DROP COLUMN deleted_section_id")
    op.execute("ALTER TABLE commands.tasks DROP COLUMN section_id")
    op.execute("DROP TABLE queries.sections, commands.sections")
    op.execute("DROP INDEX queries.ix_tasks_top")
    op.execute("ALTER TABLE queries.tasks DROP COLUMN rank")  # with ix_tasks_parent
    op.execute(
        "CREATE INDEX ix_tasks_parent ON queries.tasks (workspace_id, parent_id)"
        " WHERE parent_id IS NOT NULL"
    )
    op.execute("ALTER TABLE commands.tasks DROP COLUMN rank")  # with ix_tasks_rank
