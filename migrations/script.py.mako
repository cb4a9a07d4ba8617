"""${message}.

Revision ID: ${up_revision}
Revises: ${down_revision}
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
locks: tuple[str, ...] | None = None  # the tables that it alters; None locks all
rebuild = False  # True: read rows of before differ from the log until a rebuild


def upgrade() -> None:
    """Say what it does, and do it with op."""
    ${upgrades if upgrades else 'op.execute("SELECT 1")'}


def downgrade() -> None:
    """Take it back."""
    ${downgrades if downgrades else 'op.execute("SELECT 1")'}
