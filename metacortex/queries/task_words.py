"""The words of tasks: their table, and how a list finds tasks by them.

They stand apart from the tasks, so that whoever completes a task leaves their index
alone, and a search reads rows of a tenth of the size
(docs/decisions/0024-words-apart.md).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from metacortex.kernel.database import Table
from metacortex.queries import words
from metacortex.queries.statements import Found
from metacortex.queries.tables import INSTANT, OF, SCHEMA, TEXTS, WORDS
from metacortex.queries.task_indexes import OF_WORKSPACE, WORD_INDEXES

TASKS = "queries.tasks"
TABLE = "queries.task_words"
_DESCRIPTION = "coalesce(description, '')"
SEARCHED = f"setweight({words.vector('title')}, 'A') || {words.vector(_DESCRIPTION)}"
MATCHES = "search @@ to_tsquery('simple', :q)"
RELEVANCE = "ts_rank_cd(search, to_tsquery('simple', :q))::float8"
LARGE = 5_000  # tasks: a search reads them in 10 ms, and an index of all workspaces not
FIRST = 1_000  # rows of a list, read in 1.5 ms: a word of one in twenty fills a page
MOST_FIRST = 6_000  # where an index finds as many of a word of one in a hundred
KNOWN = {"deleted", "q"}
"""The filters that the words tell without the tasks."""
SORTED = {RELEVANCE, "created_at", "id"}
"""And the keys."""


class TaskWordsTable(Table):
    """What tasks are found by. A row is written where one of its texts changes.

    It has what a search that asks for nothing else compares and sorts by.
    """

    __tablename__ = "task_words"
    __table_args__ = (*WORD_INDEXES, {"schema": SCHEMA, "info": {OF: TASKS}})

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(INSTANT)
    deleted: Mapped[bool]
    search: Mapped[Any] = mapped_column(
        TSVECTOR, info={WORDS: SEARCHED, TEXTS: ("title", "description", "deleted")}
    )


_JOINED = "(SELECT t.*, w.search FROM {tasks} t JOIN {words} w ON {on} w.id = t.id)"
_SAME = "w.workspace_id = t.workspace_id AND"
_ONE_BY_ONE = (
    f"(SELECT t.*, w.search FROM {{}} t CROSS JOIN LATERAL (SELECT search FROM {TABLE}"
    f" w WHERE {_SAME} w.id = t.id OFFSET 0) w)"
)
"""Few tasks with their words, in a form that does not read the words of all others."""
_INDEXED = (
    f"(SELECT * FROM {TABLE} WHERE {MATCHES} AND {OF_WORKSPACE} @>"
    " ARRAY[CAST(:workspace AS uuid)] AND workspace_id IS NOT DISTINCT FROM :workspace"
    " OFFSET 0)"
)
"""What the index finds. It knows the workspace; so that Postgres does not look for all
its rows in another as well, the condition on it is in a form that is found in none."""
_SCANNED = (
    f"(SELECT * FROM {TABLE} WHERE workspace_id = :workspace AND ({MATCHES}) IS TRUE)"
)
"""What is found row by row: the condition on words is in a form that no index has."""


def first(tasks: int) -> int:
    """Return how many tasks in the order of creation are looked at before the index.

    The larger the workspace, the more the index finds, each on a page of its own.
    """
    return min(MOST_FIRST, max(FIRST, tasks // 150))


def found(*, tasks: int, alone: bool, whole: bool) -> Found:
    """Return what a search looks through.

    `tasks`: how many there are. `alone`: the words tell all that is compared and sorted
    by. `whole`: all that is found is needed, for the order or the total.
    """
    large = tasks > LARGE
    rows = _INDEXED if large else _SCANNED
    matches = MATCHES if large and not whole else ""
    on = "" if large else _SAME
    return Found(
        rows=rows if alone else _JOINED.format(tasks=TASKS, words=rows, on=on),
        apart=alone or whole,
        once=whole,
        with_words=_ONE_BY_ONE,
        matches=matches,
    )
