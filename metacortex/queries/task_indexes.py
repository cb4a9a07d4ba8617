"""The indexes of tasks as lists show them, and the SQL that finds them.

Lists name these expressions as the indexes have them, or Postgres would not know them
again. What each costs the projector stands in docs/scale.md, and
`tests/integration/test_plans.py` asserts that every filter and sort starts in one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Index, text

OPEN = ("pending", "in_progress", "blocked")
IS_OPEN = f"status IN {OPEN}"
DUE = "coalesce(due_key, 'infinity')"
URGENCY = "(-priority)"
"""The most urgent tasks first, in the direction in which what is due first is first."""
DUE_LAST = "coalesce(due_key, '-infinity')"
"""What tasks are sorted by when the latest come first: those without come last, too."""
OF_WORKSPACE = "ARRAY[workspace_id]"
"""What a GIN index takes of a workspace without the extension btree_gin."""

_PENDING_KB = {"gin_pending_list_limit": 256}
"""Not 4 MB: whoever fills the list waits until it is merged into the index."""
_NEWEST = ("created_at", "id")
_SIBLINGS = ("rank", "id")
_ORDERS: Mapping[str, Sequence[Any]] = {
    "created": _NEWEST,
    "updated": ("updated_at", "id"),
    "title": (text("lower(title)"), "id"),
    "due_last": (text(DUE_LAST), "id"),
    "priority": (text(URGENCY), text(DUE), "id"),
    "status": ("status", *_NEWEST),
    "project": ("project_id", *_NEWEST),
    "created_by": ("created_by", *_NEWEST),
}
"""Of all tasks that are not deleted: for orders, and for filters in the order of a list
that is not sorted."""


def _index(name: str, *keys: Any, where: str, include: Sequence[str] = ()) -> Index:
    """Return an index; what it includes lets rows be counted without being read."""
    options: dict[str, Any] = {"postgresql_where": text(where)}
    if include:
        options["postgresql_include"] = include
    return Index(f"ix_tasks_{name}", "workspace_id", *keys, **options)


def _live(name: str, *keys: Any, also: str) -> Index:
    return _index(name, *keys, where=f"NOT deleted AND {also}")


INDEXES = (
    _index(
        "due", text(DUE), "id", where="NOT deleted", include=["due_key", "created_at"]
    ),
    *(_index(name, *keys, where="NOT deleted") for name, keys in _ORDERS.items()),
    _live("assignee", "assignee_id", *_NEWEST, also="assignee_id IS NOT NULL"),
    _live("archived", *_NEWEST, also="archived"),
    _live("late_at", "due_at", also=f"due_at IS NOT NULL AND {IS_OPEN}"),
    _live("late_local", "due_local", also=f"due_local IS NOT NULL AND {IS_OPEN}"),
    _index("trash", *_NEWEST, where="deleted"),
    _index("parent", "parent_id", *_SIBLINGS, where="parent_id IS NOT NULL"),
    _index("section", "section_id", *_SIBLINGS, where="section_id IS NOT NULL"),
    _index("top", *_SIBLINGS, where="parent_id IS NULL"),
    Index("ix_tasks_tags", "tags", postgresql_using="gin", postgresql_with=_PENDING_KB),
)

WORD_INDEXES = (
    Index(
        "ix_task_words_search",
        text(f"({OF_WORKSPACE})"),
        "search",
        postgresql_using="gin",
        postgresql_with=_PENDING_KB,
    ),
)
