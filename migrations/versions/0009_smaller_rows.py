"""Say what an event did in its record alone; write a task's words where they change.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
locks = ("queries.activity", "queries.tasks")

_DESCRIPTION = "coalesce(document ->> 'description', '')"
_CJK = (
    r"\u1100-\u11FF\u3005-\u3007\u3041-\u3096\u309D-\u309F\u30A1-\u30FA\u30FC-\u30FF"
    r"\u3105-\u312F\u3131-\u318E\u31A0-\u31BF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF"
    r"\uAC00-\uD7A3\uF900-\uFAFF\uFF66-\uFF9F\U00020000-\U000323AF"
)


def _spaced(text: str) -> str:
    apart = rf"regexp_replace({text}, '([{_CJK}]+)', ' \1 ', 'g')"
    return (
        f"CASE WHEN {text} ~ '[{_CJK}]' THEN"
        rf" regexp_replace({apart}, '([{_CJK}])', '\1 \1', 'g') ELSE {text} END"
    )


def _words(text: str) -> str:
    joined = rf"regexp_replace({text}, '(^|\s)[^\s/-]+(?=\s|$)', ' ', 'g')"
    again = f"CASE WHEN {text} ~ '[/-]' THEN ' ' || translate({joined}, '/-', '  ')"
    return f"to_tsvector('simple', {_spaced(text)} || {again} ELSE '' END)"


def upgrade() -> None:
    """Drop the documents of the task log; keep vectors as plain values.

    Both are changes of the catalogue alone: no row is written. Old rows take their room
    until something writes them again, as `metacortex rebuild` does.
    """
    op.execute("ALTER TABLE queries.activity DROP COLUMN document")
    op.execute("ALTER TABLE queries.tasks ALTER COLUMN search DROP EXPRESSION")
    op.execute("ALTER TABLE queries.tasks ALTER COLUMN search DROP NOT NULL")


def downgrade() -> None:
    """Take documents back, empty: `metacortex rebuild` fills them."""
    op.execute("ALTER TABLE queries.tasks DROP COLUMN search")
    op.execute(
        "ALTER TABLE queries.tasks ADD COLUMN search TSVECTOR GENERATED ALWAYS AS"
        f" (setweight({_words('title')}, 'A') || {_words(_DESCRIPTION)})"
        " STORED NOT NULL"
    )
    op.execute(
        "ALTER TABLE queries.activity ADD COLUMN document JSON NOT NULL DEFAULT '{}'"
    )
    op.execute("ALTER TABLE queries.activity ALTER COLUMN document DROP DEFAULT")
