"""Find what undid a command by an index, not by reading all later events of a stream.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None
locks = ("events.log",)


def upgrade() -> None:
    """Index the few events that name a cause: those of an undo."""
    op.execute(
        "CREATE INDEX ix_log_cause ON events.log"
        " (workspace_id, causation_id, stream_id) WHERE causation_id IS NOT NULL"
    )


def downgrade() -> None:
    """Look through the events of a stream again."""
    op.execute("DROP INDEX events.ix_log_cause")
