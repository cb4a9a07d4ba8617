"""Find people by the id of their user: comments name their authors so.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
locks = ("queries.people",)


def upgrade() -> None:
    """Index the read table of people."""
    op.execute("CREATE INDEX ix_people_user ON queries.people (workspace_id, user_id)")


def downgrade() -> None:
    """Look through all people of a workspace again."""
    op.execute("DROP INDEX queries.ix_people_user")
