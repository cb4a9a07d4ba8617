"""Grant tables to come as their schemas say; other kinds need a GRANT of their own.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
locks = ()

DEFAULTS = (
    ("events", "SELECT, INSERT", "metacortex_app"),
    ("events", "SELECT", "metacortex_projector, metacortex_auditor"),
    ("commands", "SELECT, INSERT, UPDATE", "metacortex_app"),
    ("queries", "SELECT", "metacortex_app"),
    ("queries", "SELECT, INSERT, UPDATE, DELETE", "metacortex_projector"),
    ("workers", "SELECT, INSERT, UPDATE, DELETE", "metacortex_projector"),
)
_FOR = "ALTER DEFAULT PRIVILEGES FOR ROLE metacortex_owner IN SCHEMA"


def upgrade() -> None:
    """Set what later tables are granted; those that are there have their grants."""
    for schema, privileges, roles in DEFAULTS:
        op.execute(f"{_FOR} {schema} GRANT {privileges} ON TABLES TO {roles}")


def downgrade() -> None:
    """Grant later tables nothing."""
    for schema, privileges, roles in DEFAULTS:
        op.execute(f"{_FOR} {schema} REVOKE {privileges} ON TABLES FROM {roles}")
