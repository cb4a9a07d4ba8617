"""A migration after the newest one, in a folder of its own, that only a test runs."""

from pathlib import Path

from alembic.config import Config
from sqlalchemy import Connection

from tests.conftest import ROOT

REVISION = "scratch"

_FILE = """'''A migration of a test.'''
from alembic import op

revision = {revision!r}
down_revision = {after!r}
locks = {locks!r}
rebuild = {rebuild!r}


def upgrade():
    for statement in {statements!r}:
        op.execute(statement)
"""


def write(
    folder: Path,
    *statements: str,
    after: str,
    locks: tuple[str, ...] | None = None,
    rebuild: bool = False,
) -> None:
    """Write a migration of some statements into a folder of versions."""
    folder.mkdir(exist_ok=True)
    found = _FILE.format(
        revision=REVISION,
        after=after,
        locks=locks,
        rebuild=rebuild,
        statements=statements,
    )
    (folder / "scratch.py").write_text(found)


def config(folder: Path | None = None, connection: Connection | None = None) -> Config:
    """Return Alembic's settings, with one more folder of versions if given."""
    found = Config(ROOT / "alembic.ini")
    found.set_main_option("script_location", str(ROOT / "migrations"))
    if folder is not None:
        versions = ROOT / "migrations" / "versions"
        found.set_main_option("version_locations", f"{versions}:{folder}")
    if connection is not None:
        found.attributes["connection"] = connection
    return found
