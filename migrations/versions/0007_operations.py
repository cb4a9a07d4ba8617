"""Keep runs, schedules, processes, samples, imports and operators' actions.

Revision ID: 0007
Revises: 0006
"""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
locks = ("workers.leases",)

TABLES = (
    "actions",
    "failures",
    "imports",
    "processes",
    "project_minutes",
    "queues",
    "runs",
    "samples",
    "schedule_runs",
    "schedules",
)


def upgrade() -> None:
    """Create the tables; metacortex_app may write to them, and read the leases."""
    sql = Path(__file__).with_suffix(".sql").read_text()
    for statement in sql.split(";"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """Drop the tables, what operators did included, and the grants."""
    op.execute(
        "ALTER DEFAULT PRIVILEGES FOR ROLE metacortex_owner IN SCHEMA workers"
        " REVOKE SELECT, INSERT, UPDATE ON TABLES FROM metacortex_app"
    )
    for table in TABLES:
        op.execute(f"DROP TABLE workers.{table}")
    op.execute("REVOKE ALL ON workers.leases FROM metacortex_app")
    op.execute("REVOKE USAGE ON SCHEMA workers FROM metacortex_app, metacortex_auditor")
