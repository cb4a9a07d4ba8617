"""Pages: filters, sorts, exact totals and cursors, in one statement.

One statement is one snapshot, so the sequence, the total and the rows of an answer
belong together. Documents are joined by Postgres and passed through as bytes.
"""

import base64
import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, ClassVar, cast
from uuid import UUID

import orjson
from sqlalchemy import TextClause, text

from metacortex.kernel.database import DIALECT, Reader, Table
from metacortex.kernel.decider import names_of
from metacortex.kernel.errors import Malformed
from metacortex.queries import words
from metacortex.queries.watermarks import Watermark

PER_PAGE = 50
PER_PAGE_LIMIT = 200  # beyond it, a page costs more than two requests
PAGE_LIMIT = 1_000_000  # an offset beyond 200 million rows helps nobody


class Filters:
    """Conditions that are joined by AND, with the values they compare with."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.values: dict[str, Any] = {}
        self.columns: set[str] | None = set()
        """What is compared, None once it is more than columns with values."""

    def add(self, condition: str, **values: Any) -> "Filters":
        """Add a condition; its names must be bound by `values`."""
        self.columns = None
        return self._add(condition, **values)

    def _add(self, condition: str, **values: Any) -> "Filters":
        self.conditions.append(condition)
        self.values.update(values)
        return self

    def _compare(self, column: str, condition: str, **values: Any) -> "Filters":
        if self.columns is not None:
            self.columns.add(column)
        return self._add(condition, **values)

    def join(self, other: "Filters") -> "Filters":
        """Add all conditions of another."""
        self.columns = None
        self.conditions += other.conditions
        self.values |= other.values
        return self

    def equal(self, column: str, value: Any) -> "Filters":
        """Add: the column has the value."""
        return self._compare(column, f"{column} = :{column}", **{column: value})

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

    def among(self, column: str, type: str, values: Sequence[Any]) -> "Filters":
        """Add: the column has one of the values; `none` stands for null."""
        if not values:
            return self
        given = [value for value in values if value != "none"]
        if not given:
            return self._compare(column, f"{column} IS NULL")
        if len(values) == 1:  # so that an index gives the rest of its order
            one = f"{column} = CAST(:{column} AS {type})"
            return self._compare(column, one, **{column: given[0]})
        some = f"{column} = ANY (CAST(:{column} AS {type}[]))"
        if len(given) < len(values):
            some = f"({some} OR {column} IS NULL)"
        return self._compare(column, some, **{column: given})


@dataclass(frozen=True, slots=True)
class Sort:
    """What a sort key compares; `missing` is the greatest value, where null occurs."""

    expression: str
    type: str
    missing: str | None = None

    def ordered(self, descending: bool) -> str:
        """Return the expression without nulls: what is missing always comes last."""
        if self.missing is None:
            return self.expression
        extreme = f"-{self.missing}" if descending else self.missing
        return f"coalesce({self.expression}, '{extreme}')"


Counted = tuple[str, Collection[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery(ABC):
    """A page of a read table; subclasses say which, filtered and sorted how."""

    workspace_id: UUID
    page: int | None = None
    per_page: int = PER_PAGE
    cursor: str | None = None
    sort: Sequence[str] = ()

    table: ClassVar[str]
    reads: ClassVar[str] = "p.workspace_id, p.id, p.document"
    """The columns that `document` is put together from."""
    document: ClassVar[str] = "p.document::text"
    key: ClassVar[str] = "id"
    key_type: ClassVar[str] = "uuid"
    sorts: ClassVar[Mapping[str, Sort]]
    sorted_within: ClassVar[Mapping[str, str]] = {}
    """By sort key that orders siblings, the filter that must have one value."""
    counted: ClassVar[Counted | None] = None
    """A table of kept counts `n`, and the columns that it counts by."""
    default_sort: ClassVar[tuple[str, ...]]

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
    total: int
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
    filters.conditions.insert(0, "workspace_id = :workspace")
    keys = _keys(query)
    mark = _fingerprint(query, filters)
    after = _after(query.cursor, mark, keys)
    statement = _statement(
        query.table,
        query.reads,
        query.document,
        " AND ".join(filters.conditions),
        tuple(keys),
        after is not None,
        "" if source is None else f"{source.sql}, ",
        _total(query, filters),
    )
    values = {
        **filters.values,
        **{f"k{index}": value for index, value in enumerate(after or ())},
        "workspace": query.workspace_id,
        "limit": query.per_page + 1,
        "offset": 0 if query.page is None else (query.page - 1) * query.per_page,
        "per_page": query.per_page,
        **(source.values if source else {}),
    }
    row = await reader.row(statement, values)
    sequence, rebuilds, total, documents, last, fetched = row
    more = fetched > query.per_page
    return Page(
        shown=Watermark(sequence or 0, rebuilds or 0),
        total=total,
        documents=(documents or "").encode(),
        next_cursor=_cursor(mark, last) if more else None,
    )


def _total(query: ListQuery, filters: Filters) -> str:
    """Return what the total is selected from: kept counts where they can tell."""
    if query.counted is not None and filters.columns is not None:
        table, columns = query.counted
        if filters.columns <= set(columns):
            return f"coalesce(sum(n), 0)::bigint FROM {table}"
    return f"count(*) FROM {query.table}"


_NAMED = (
    "(strpos(lower(name), lower(:q)) > 0"
    f" OR {words.vector('name')} @@ to_tsquery('simple', :words))"
)


def named(q: str) -> Filters:
    """Find names by a part of them, as one types it, or by words."""
    return Filters().add(_NAMED, q=q, words=words.query(q))


_Key = tuple[str, str, bool]


def _keys(query: ListQuery) -> list[_Key]:
    """Return expression, type and direction of each sort key, the id last."""
    keys = []
    for name in query.sorted_by():
        sort = query.sorts[name.removeprefix("-")]
        descending = name.startswith("-")
        keys.append((sort.ordered(descending), sort.type, descending))
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


def _cursor(mark: str, last: str) -> str:
    raw = orjson.dumps([mark, *orjson.loads(last)])
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _after(cursor: str | None, mark: str, keys: Sequence[_Key]) -> Sequence[str] | None:
    if cursor is None:
        return None
    source = {"parameter": "cursor"}
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = orjson.loads(base64.b64decode(padded, b"-_", validate=True))
    except ValueError as error:
        raise Malformed("bad_cursor", source=source) from error
    if not isinstance(found, list) or not all(isinstance(it, str) for it in found):
        raise Malformed("bad_cursor", source=source)
    if found[:1] != [mark]:
        raise Malformed("cursor_mismatch", source=source)
    if len(found) != len(keys) + 1 or not all(map(_fits, found[1:], keys)):
        raise Malformed("bad_cursor", source=source)
    return found[1:]


# Python reads more than this: eight digits without a colon, for one
_TIME = r"[0-9]{4}(-[0-9]{2}){2} [0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,6})?"
_FORMS: Mapping[str, tuple[re.Pattern[str], Callable[[str], object]]] = {
    "bigint": (re.compile(r"-?[0-9]{1,18}"), int),
    "float8": (re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?(e-?[0-9]{1,2})?"), float),
    "timestamp": (re.compile(_TIME), datetime.fromisoformat),
    "smallint": (re.compile(r"-?[0-9]{1,4}"), int),
    "text": (re.compile(r"[^\x00]*"), str),
    "timestamptz": (
        re.compile(_TIME + r"[+-](0[0-9]|1[0-5])(:[0-5][0-9])?"),
        datetime.fromisoformat,
    ),
    "uuid": (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), UUID),
}
"""By type, how Postgres writes its values, and what else must accept them."""

_EXTREMES = ("infinity", "-infinity")


def _fits(value: str, key: _Key) -> bool:
    """Tell whether a cursor's value is one that Postgres takes for the key."""
    form, parse = _FORMS[key[1]]
    if key[1] == "timestamp" and value in _EXTREMES:
        return True
    try:
        return form.fullmatch(value) is not None and parse(value) is not None
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def _statement(
    table: str,
    columns: str,
    document: str,
    where: str,
    keys: tuple[_Key, ...],
    after: bool,
    source: str,
    total: str,
) -> TextClause:
    """Return the statement; documents are put together for the page's rows alone."""
    order = ", ".join(f"{sql} {'DESC' if down else 'ASC'}" for sql, _, down in keys)
    sorted_by = ", ".join(f"{sql} AS s{n}" for n, (sql, _, _) in enumerate(keys))
    shown = ", ".join(f"s{n}::text AS k{n}" for n in range(len(keys)))
    names = ", ".join(f"k{n}" for n in range(len(keys)))
    beyond = f" AND ({_beyond(keys)})" if after else ""
    return text(f"""WITH {source}page AS (SELECT *, {shown}, row_number() OVER () AS n
        FROM (SELECT {columns}, {sorted_by} FROM {table} p WHERE {where}{beyond}
        ORDER BY {order} LIMIT :limit OFFSET :offset) p)
        SELECT (SELECT sequence FROM queries.checkpoints
        WHERE workspace_id = :workspace), (SELECT rebuilds FROM queries.checkpoints
        WHERE workspace_id = :workspace),
        (SELECT {total} p WHERE {where}),
        (SELECT string_agg({document}, ',' ORDER BY n) FROM (SELECT * FROM page
        ORDER BY n LIMIT :per_page) p),
        (SELECT json_build_array({names})::text FROM page
        ORDER BY n OFFSET :per_page - 1 LIMIT 1),
        (SELECT count(*) FROM page)""")


def _beyond(keys: Sequence[_Key], index: int = 0) -> str:
    """Return the condition of standing after `:k0, :k1, …` in a mixed order."""
    sql, type, down = keys[index]
    bound = f"CAST(CAST(:k{index} AS text) AS {type})"
    step = f"{sql} {'<' if down else '>'} {bound}"
    if index + 1 == len(keys):
        return step
    return f"{step} OR ({sql} = {bound} AND ({_beyond(keys, index + 1)}))"
