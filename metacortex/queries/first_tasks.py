"""The first tasks of a list, looked at before an index finds all of a tag or a change.

Postgres knows how common a tag or a change is in all workspaces together, not in one:
it read all of a list of which nothing had changed, and all that had a common tag to
show one page (docs/decisions/0024-words-apart.md).
"""

from collections.abc import Sequence

from metacortex.queries import counts
from metacortex.queries.page import Filters
from metacortex.queries.statements import Found

TABLE = "queries.tasks"
TAGGED = "tags && CAST(:tag AS uuid[])"
CHANGED = "updated_at >= :updated_since"
FIRST = 2_000  # tasks, read in 1 ms: a page is full if one in forty is wanted
CHEAPER = 2  # tasks read in the order of creation cost less than one found by an index
ORDERS = (
    ["-created_at"],
    ["created_at"],
    ["-priority"],
    ["priority"],
    ["-priority", "due"],
)
"""The orders in which Postgres misjudges how soon a page is full."""
_LIVE = "workspace_id = :workspace AND NOT deleted"
_FOUND = {
    "tag": (TAGGED, "workspace_id IS NOT DISTINCT FROM :workspace"),
    "updated_since": (CHANGED, _LIVE),
}
"""By filter its condition, and the others in a form in which only its index serves."""


def looked_for(filters: Filters, sort: Sequence[str]) -> str | None:
    """Return the filter that the first tasks are looked at for, if it is the only one.

    In other orders Postgres chooses well, or tasks are read from all over the disk.
    """
    names = (filters.columns or set()) - {"deleted"}
    name = names.pop() if len(names) == 1 else ""
    live = "NOT deleted" in filters.conditions
    known = name in _FOUND and live and [*sort] in ORDERS
    return name if known else None


def found(name: str) -> Found:
    """Return what is looked through: the first tasks, then what the index finds."""
    condition, others = _FOUND[name]
    far = f"(SELECT * FROM {TABLE} WHERE {condition} AND {others} OFFSET 0)"
    return Found(rows=TABLE, matches=condition, far=far)


def sizes(name: str) -> str | None:
    """Return the SQL of how many tasks have the tag, and how many there are."""
    if name != "tag":
        return None
    tagged = counts.facet_total("tag", f"{_LIVE} AND {counts.OF_TAG}")
    return f"SELECT ({tagged}), ({counts.total(_LIVE)})"


def first(sizes: Sequence[int], sort: Sequence[str], wanted: int) -> int:
    """Return how many tasks are looked at until `wanted` of them are found.

    None of them where the index of a tag finds all that have it for less.
    """
    if not sizes or not sort[0].endswith("created_at"):
        return FIRST
    tagged, live = sizes
    pays = tagged and wanted * live / tagged < CHEAPER * tagged
    return CHEAPER * tagged if pays else 0
