"""Call the count of a head's write transactions what it is.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
locks = ("events.heads",)


def upgrade() -> None:
    """Rename the column; the processes of the release before cannot write any more."""
    op.execute("ALTER TABLE events.heads RENAME COLUMN turn TO write_count")


def downgrade() -> None:
    """Rename it back."""
    op.execute("ALTER TABLE events.heads RENAME COLUMN write_count TO turn")
