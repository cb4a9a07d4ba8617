"""Let nobody connect but the roles of this installation, and nobody make tables.

Revision ID: 0011
Revises: 0010
"""

from alembic import op
from sqlalchemy import text

from metacortex.grants import APP, AUDITOR, OWNER, PROJECTOR

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
locks = ()

ROLES = f"{APP}, {PROJECTOR}, {AUDITOR}"


def upgrade() -> None:
    """Take CONNECT and TEMPORARY from PUBLIC, where the login may.

    It belongs to the database's owner, whom the login is or is not; where it is not,
    `metacortex doctor` names the statement.
    """
    _as_login(
        "REVOKE CONNECT, TEMPORARY ON DATABASE {0} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {{0}} TO {ROLES}, {{1}}",
    )


def downgrade() -> None:
    """Give both back, as every new database has them."""
    _as_login("GRANT CONNECT, TEMPORARY ON DATABASE {0} TO PUBLIC")


def _as_login(*statements: str) -> None:
    """Run statements as whoever has logged in, about the database and that login."""
    connection = op.get_bind()
    connection.exec_driver_sql("RESET ROLE")
    row = connection.execute(_LOGIN).one()
    for statement in statements if row.may else ():
        connection.exec_driver_sql(statement.format(row.database, row.login))
    connection.exec_driver_sql(f"SET LOCAL ROLE {OWNER}")


_LOGIN = text(
    "SELECT quote_ident(datname) AS database, quote_ident(session_user) AS login,"
    " pg_has_role(session_user, datdba, 'MEMBER') AS may"
    " FROM pg_database WHERE datname = current_database()"
)
