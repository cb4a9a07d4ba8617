"""Keep people, who created a task, and pairs of characters to search for.

Revision ID: 0006
Revises: 0004
"""

from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None
locks = ("commands.members", "queries.tasks")
rebuild = True

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


def _words_of_before(text: str) -> str:
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
    """Add people, the role of members, and what tasks are found by."""
    op.execute("""CREATE TABLE commands.people (
        workspace_id UUID NOT NULL, id UUID NOT NULL, version INTEGER NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
        user_id TEXT NOT NULL, name TEXT, avatar_url TEXT, time_zone TEXT,
        week_start TEXT NOT NULL, theme TEXT NOT NULL, joined BOOLEAN NOT NULL,
        deleted BOOLEAN NOT NULL, PRIMARY KEY (workspace_id, id))""")
    op.execute(
        "CREATE UNIQUE INDEX uq_people_user ON commands.people (workspace_id, user_id)"
    )
    op.execute("""CREATE TABLE queries.people (
        workspace_id UUID NOT NULL, id UUID NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE NOT NULL, document JSON NOT NULL,
        user_id TEXT NOT NULL, name TEXT, deleted BOOLEAN NOT NULL,
        PRIMARY KEY (workspace_id, id))""")
    op.execute("ALTER TABLE commands.members ADD COLUMN role TEXT")
    op.execute("ALTER TABLE queries.tasks ADD COLUMN created_by TEXT")
    _search(_words("title"), _words(_DESCRIPTION))


def downgrade() -> None:
    """Go back to whole words; people are forgotten, their events stay."""
    _search(_words_of_before("title"), _words_of_before(_DESCRIPTION))
    op.execute("ALTER TABLE queries.tasks DROP COLUMN created_by")
    op.execute("ALTER TABLE commands.members DROP COLUMN role")
    op.execute("DROP TABLE queries.people")
    op.execute("DROP TABLE commands.people")
