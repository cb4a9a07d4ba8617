"""Order siblings by rank.

Revision ID: 0005
Revises: 0003
"""

from alembic import op

revision = "0005"
down_revision = "0003"
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


def downgrade() -> None:
    """Forget every order but that of creation."""
    op.execute("DROP INDEX queries.ix_tasks_top")
    op.execute("ALTER TABLE queries.tasks DROP COLUMN rank")  # with ix_tasks_parent
    op.execute(
        "CREATE INDEX ix_tasks_parent ON queries.tasks (workspace_id, parent_id)"
        " WHERE parent_id IS NOT NULL"
    )
    op.execute("ALTER TABLE commands.tasks DROP COLUMN rank")  # with ix_tasks_rank
