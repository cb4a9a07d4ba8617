"""The first schema; written out in the SQL file beside this one.

Revision ID: 0001
Revises:
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything, statement by statement."""
    sql = Path(__file__).with_suffix(".sql").read_text()
    body, dollar, rest = sql.partition("CREATE FUNCTION")
    function, _, after = rest.partition("END $$;")
    _each(body)
    op.execute(f"{dollar}{function}END $$")
    _each(after)


def downgrade() -> None:
    """There is nothing before this; the log is not thrown away by a command."""
    raise RuntimeError("the first schema cannot be taken back: drop the database")


def _each(sql: str) -> None:
    """Run statements one at a time: asyncpg prepares each of them."""
    lines = (line for line in sql.splitlines() if not line.startswith("--"))
    for statement in "\n".join(lines).split(";"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)
