"""Pages: filters, sorts, exact totals and cursors, in one statement.

One statement is one snapshot, so the sequence, the total and the rows of an answer
belong together. Documents are joined by Postgres and passed through as bytes.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, Literal, cast
from uuid import UUID

from sqlalchemy import text

from metacortex.kernel.database import DIALECT, Reader, Table
from metacortex.kernel.decider import names_of
from metacortex.queries import cursors, statements, words
from metacortex.queries.cursors import Key
from metacortex.queries.statements import Asked, Found
from metacortex.queries.watermarks import Watermark

PER_PAGE = 50
PER_PAGE_LIMIT = 200  # beyond it, a page costs more than two requests
FAR = 1_000  # rows before a page; fewer are passed over in less than a millisecond
COUNT_LIMIT = 10_000  # what auditors are told without asking; more is "many"
PAGE_LIMIT = 1_000_000  # an offset beyond 200 million rows helps nobody


class Filters:
    """Conditions that are joined by AND, with the values they compare with."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.values: dict[str, Any] = {}
        self.columns: set[str] | None = set()
        """What is compared, None once it is more than that."""
        self.inverted = False
        """Whether a GIN index finds what is asked for."""
        self.ranged: Collection[str] = ()
        """The orders of an index of which a part is asked for.

        In another order all of the part is looked through, in the index: what is due
        long ago was created long ago, and Postgres would look for it among the newest.
        """

    def add(self, condition: str, **values: Any) -> "Filters":
        """Add a condition; its names must be bound by `values`."""
        self.columns = None
        return self._add(condition, **values)

    def _add(self, condition: str, **values: Any) -> "Filters":
        self.conditions.append(condition)
        self.values.update(values)
        return self

    def compare(self, column: str, condition: str, **values: Any) -> "Filters":
        """Add a condition that is told by a name, by which kept counts may know it."""
        if self.columns is not None:
            self.columns.add(column)
        return self._add(condition, **values)

    def elsewhere(self, name: str, **values: Any) -> "Filters":
        """Say that what the list looks through has been found by something."""
        if self.columns is not None:
            self.columns.add(name)
        self.values.update(values)
        return self

    def join(self, other: "Filters") -> "Filters":
        """Add all conditions of another."""
        self.columns = None
        self.conditions += other.conditions
        self.values |= other.values
        return self

    def equal(self, column: str, value: Any) -> "Filters":
        """Add: the column has the value.

        Whether is written out, so that partial indexes are found.
        """
        if isinstance(value, bool):
            return self.compare(column, column if value else f"NOT {column}")
        return self.compare(column, f"{column} = :{column}", **{column: value})

    def by_columns(
        self, table: type[Table], query: "ListQuery", **instead: Any
    ) -> "Filters":
        """Add, for each field of the query that is a column: it has that value.

        Of several values it has one; None is no condition. `instead` are values as the
        column holds them.
        """
        for name, type in _filtered(table, query.__class__):
            value = instead[name] if name in instead else getattr(query, name)
            if isinstance(value, (list, tuple)):
                self.among(name, type, value)
            elif value is not None:
                self.equal(name, value)
        return self

    def among(
        self, column: str, type: str, values: Sequence[Any], sql: str = ""
    ) -> "Filters":
        """Add: the column has one of the values; `none` stands for null.

        `sql` is what is compared, as an index has it, if it is not the column itself.
        """
        if not values:
            return self
        sql = sql or column
        given = [value for value in values if value != "none"]
        if not given:
            return self.compare(f"no {column}", f"{sql} IS NULL")
        if len(values) == 1:  # so that an index gives the rest of its order
            one = f"{sql} = CAST(:{column} AS {type})"
            return self.compare(column, one, **{column: given[0]})
        some = f"{sql} = ANY (CAST(:{column} AS {type}[]))"
        if len(given) < len(values):
            some = f"({some} OR {sql} IS NULL)"
        return self.compare(column, some, **{column: given})


@dataclass(frozen=True, slots=True)
class Sort:
    """What a sort key compares, never null; `descending` is what it then compares.

    Both so that what is missing always comes last.
    """

    expression: str
    type: str
    descending: str | None = None
    flipped: bool = False
    """Whether a list that descends compares the expression in ascending order."""
    then: str | None = None
    """The sort by which ties are broken where nothing else is asked for."""

    def key(self, descending: bool) -> Key:
        """Return what is compared in a direction."""
        expression = self.descending if descending else None
        return expression or self.expression, self.type, descending is not self.flipped


Count = Literal["exact", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery(ABC):
    """A page of a read table; subclasses say which, filtered and sorted how."""

    workspace_id: UUID
    page: int | None = None
    per_page: int = PER_PAGE
    cursor: str | None = None
    sort: Sequence[str] = ()
    count: Count | None = None
    """Whether to count; without it as the list does."""
    sizes: Sequence[int] = ()
    """How many rows there are of what is `sized`."""

    table: ClassVar[str]
    reads: ClassVar[str] = "p.workspace_id, p.id, p.document"
    """The columns that `document` is put together from."""
    document: ClassVar[str] = "p.document::text"
    key: ClassVar[str] = "id"
    key_type: ClassVar[str] = "uuid"
    sorts: ClassVar[Mapping[str, Sort]]
    sorted_within: ClassVar[Mapping[str, str]] = {}
    """By sort key that orders siblings, the filter that must have one value."""
    count_limit: ClassVar[int | None] = None
    """What is counted up to unless an exact total is asked for; beyond it is null."""
    default_sort: ClassVar[tuple[str, ...]]

    def sized(self, filters: Filters) -> str | None:
        """Return the SQL of how many rows there are, where that makes a difference."""
        return None

    @property
    def first(self) -> int:
        """How many rows of a list are looked at before what an index finds."""
        return 0

    def kept_total(self, columns: Collection[str], where: str) -> str | None:
        """Return the SQL of the total where nothing has to be counted for it."""
        return None

    def found(self, filters: Filters, keys: Sequence[Key]) -> Found:
        """Return what is looked through."""
        return Found(rows=self.table)

    @property
    def timeless(self) -> bool:
        """Whether the answer depends on the sequence alone, not on the clock."""
        return True

    def sorted_by(self) -> Sequence[str]:
        """Return the sort keys in force, `-` before the descending ones."""
        return self.sort or self.default_sort

    @abstractmethod
    def filters(self) -> Filters:
        """Return the conditions of the list."""


@cache
def _filtered(table: Hashable, query: Hashable) -> Sequence[tuple[str, str]]:
    """Return the fields of a query that are columns of a table, with their types."""
    columns = cast(type[Table], table).__table__.columns
    own = set(names_of(cast(type[Any], query))) - set(names_of(ListQuery))
    return [
        (name, columns[name].type.compile(dialect=DIALECT).lower())
        for name in names_of(cast(type[Any], query))
        if name in own and name in columns
    ]


@dataclass(frozen=True, slots=True)
class Page:
    """A page as Postgres built it: `documents` is the inside of a JSON array."""

    shown: Watermark
    total: int | None
    documents: bytes
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """A table that comes with the statement: its SQL as a part of WITH, and values."""

    sql: str
    values: Mapping[str, Any]


async def fetch(reader: Reader, query: ListQuery, source: Source | None = None) -> Page:
    """Return a page. Raises Malformed for a cursor that is not of this query."""
    filters = query.filters()
    sized = query.sized(filters)
    if sized is not None:
        within = {**filters.values, "workspace": query.workspace_id}
        query = replace(query, sizes=tuple(await reader.row(text(sized), within)))
    keys = tuple(_keys(query))
    found = query.found(filters, keys)
    mark = _fingerprint(query, filters)
    after = cursors.decoded(query.cursor, mark, keys)
    values = {
        **filters.values,
        **{f"k{index}": value for index, value in enumerate(after or ())},
        "workspace": query.workspace_id,
        "first": query.first,
        **(source.values if source else {}),
    }
    asked = Asked(
        table=query.table,
        found=found,
        columns=query.reads,
        document=query.document,
        where=_where(filters, scanned=_is_ranked(query) and filters.inverted),
        near=_where(filters, scanned=False, without=found.matches),
        keys=keys,
        after=after is not None,
        source="" if source is None else f"{source.sql}, ",
        total=_total(query, filters, found.rows),
        key=query.key,
        ranged=bool(filters.ranged) and keys[0][0] not in filters.ranged,
    )
    offset = (query.page - 1) * query.per_page if query.page else 0
    if offset >= FAR and query.count != "none":
        far = await _from_the_end(reader, asked, values, offset, query.per_page, mark)
        if far is not None:
            return far
    limits = _limits(query.per_page + 1, offset, query.per_page)
    apart = offset >= FAR or asked.ranged or found.apart
    keys_first = apart and source is None
    row = await reader.row(
        statements.page_of(asked, keys_first=keys_first), {**values, **limits}
    )
    return _page(row, mark, row[-1] > query.per_page)


def _limits(limit: int, offset: int, per_page: int) -> Mapping[str, int]:
    return {"limit": limit, "offset": offset, "per_page": per_page}


def _page(row: Sequence[Any], mark: str, more: bool) -> Page:
    sequence, rebuilds, total, documents, last, _ = row
    return Page(
        shown=Watermark(sequence or 0, rebuilds or 0),
        total=total,
        documents=(documents or "").encode(),
        next_cursor=cursors.encoded(mark, last) if more else None,
    )


async def _from_the_end(
    reader: Reader,
    asked: Asked,
    values: Mapping[str, Any],
    offset: int,
    per_page: int,
    mark: str,
) -> Page | None:
    """Return a page that is nearer to the end than to the beginning, else None.

    Also None where the list has grown or shrunk since it was counted.
    """
    (total,) = await reader.row(statements.counting(asked), values)
    left = None if total is None else total - offset
    if left is None or left > offset:
        return None
    limit = max(0, min(per_page, left))
    limits = _limits(limit, max(0, left - limit), per_page)
    backwards = statements.page_of(asked, keys_first=not asked.source, backwards=True)
    row = await reader.row(backwards, {**values, **limits})
    return _page(row, mark, left > per_page) if row[2] == total else None


def _is_ranked(query: ListQuery) -> bool:
    return query.sorted_by()[:1] in (("-relevance",), ("relevance",))


def _where(filters: Filters, *, scanned: bool, without: str = "") -> str:
    """Return all conditions, or all but one.

    `scanned`: the one on the workspace is in a form that is found in no index. What an
    inverted index finds is of one workspace; Postgres cannot know, and would read all
    of its other rows' places as well.
    """
    equals = "IS NOT DISTINCT FROM" if scanned else "="
    conditions = [it for it in filters.conditions if it != without]
    return " AND ".join([f"workspace_id {equals} :workspace", *conditions])


def _total(query: ListQuery, filters: Filters, rows: str) -> str:
    """Return the SQL of the total: of kept counts where they can tell."""
    if query.count == "none":
        return statements.UNCOUNTED
    if filters.columns is not None:
        kept = query.kept_total(filters.columns, _where(filters, scanned=False))
        if kept is not None:
            return f"({kept})"
    where = _where(filters, scanned=filters.inverted)
    if query.count_limit is not None and query.count != "exact":
        some = f"SELECT FROM {rows} p WHERE {where} LIMIT {query.count_limit + 1}"
        counted = f"CASE WHEN count(*) <= {query.count_limit} THEN count(*) END"
        return f"(SELECT {counted} FROM ({some}) c)"
    return f"(SELECT count(*) FROM {rows} p WHERE {where})"


_NAMED = (
    "(strpos(lower(name), lower(:q)) > 0"
    f" OR {words.vector('name')} @@ to_tsquery('simple', :words))"
)


def named(q: str) -> Filters:
    """Find names by a part of them, as one types it, or by words."""
    return Filters().add(_NAMED, q=q, words=words.query(q))


def _keys(query: ListQuery) -> list[Key]:
    """Return expression, type and direction of each sort key, the id last."""
    keys: list[Key] = []
    names = list(query.sorted_by())
    for name in names:
        sort = query.sorts[name.removeprefix("-")]
        keys.append(sort.key(name.startswith("-")))
        if name == names[-1] and sort.then:
            keys.append(query.sorts[sort.then].key(False)[:2] + keys[-1][2:])
    if keys and keys[-1][0] == query.key:  # no two rows have the same
        return keys
    descending = keys[-1][2] if keys else True
    return [*keys, (query.key, query.key_type, descending)]


def _fingerprint(query: ListQuery, filters: Filters) -> str:
    """Return what queries share whose cursors may be exchanged."""
    volatile = ("now", "now_local")
    values = {k: v for k, v in filters.values.items() if k not in volatile}
    parts = repr(
        (query.table, filters.conditions, values, query.sorted_by(), query.per_page)
    )
    return hashlib.sha256(parts.encode()).hexdigest()[:16]
