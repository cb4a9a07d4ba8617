"""Let names change hands in a statement, find joined words, count rebuilds.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
locks = ("commands.tags", "queries.checkpoints", "queries.tasks")

_DESCRIPTION = "coalesce(document ->> 'description', '')"


def _words(text: str) -> str:
    joined = rf"regexp_replace({text}, '(^|\s)[^\s/-]+(?=\s|$)', ' ', 'g')"
    again = f"CASE WHEN {text} ~ '[/-]' THEN ' ' || translate({joined}, '/-', '  ')"
    return f"to_tsvector('simple', {text} || {again} ELSE '' END)"


def _search(title: str, description: str) -> None:
    op.execute("ALTER TABLE queries.tasks DROP COLUMN search")
    op.execute(
        "ALTER TABLE queries.tasks ADD COLUMN search TSVECTOR GENERATED ALWAYS AS"
        f" (setweight({title}, 'A') || {description}) STORED NOT NULL"
    )


def upgrade() -> None:
    """Change the schema; the task lists are written anew meanwhile."""
    op.execute("DROP INDEX commands.uq_tags_live_name")
    op.execute(
        "ALTER TABLE commands.tags ADD CONSTRAINT ex_tags_live_name EXCLUDE USING btree"
        " (workspace_id WITH =, name_key WITH =) WHERE (NOT deleted) DEFERRABLE"
    )
    _search(_words("title"), _words(_DESCRIPTION))
    op.execute(
        "ALTER TABLE queries.checkpoints ADD COLUMN rebuilds INTEGER NOT NULL DEFAULT 0"
    )


def downgrade() -> None:
    """Go back to a unique index, whole words and no count."""
    op.execute("ALTER TABLE queries.checkpoints DROP COLUMN rebuilds")
    _search(
        "to_tsvector('simple', title)",
        f"to_tsvector('simple', {_DESCRIPTION})",
    )
    op.execute("ALTER TABLE commands.tags DROP CONSTRAINT ex_tags_live_name")
    op.execute(
        "CREATE UNIQUE INDEX uq_tags_live_name ON commands.tags"
        " (workspace_id, name_key) WHERE NOT deleted"
    )
