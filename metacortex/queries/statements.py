"""The statements of pages: rows, total and sequence in one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import TextClause, text

from metacortex.queries import cursors
from metacortex.queries.cursors import Key

UNCOUNTED = "NULL::bigint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is looked through for a list: a table, or what an index of words finds.

    With `matches` the first rows of the list are looked at before. Where the condition
    is common they fill the page, which Postgres cannot estimate for one workspace.
    """

    rows: str
    """The SQL of all rows, those found with their words."""
    apart: bool = False
    """Whether the list's rows are read for the page alone, by their keys."""
    once: bool = False
    """Whether the order or the total takes all of them: both are of one finding."""
    with_words: str = "{}"
    """The SQL of some of the list's rows with their words."""
    matches: str = ""
    """The condition of being found, where the first rows (`:first`) are looked at."""
    far: str = ""
    """The SQL of all that meets the condition, if it is not that of `rows`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a statement is made of."""

    table: str
    found: Found
    columns: str
    document: str
    where: str
    near: str
    """The conditions of the first rows: all but the one that is looked for in them."""
    keys: tuple[Key, ...]
    after: bool
    source: str
    total: str
    key: str
    ranged: bool
    """Whether all that is found is looked through, whatever the order."""


@lru_cache(maxsize=1024)
def counting(asked: Asked) -> TextClause:
    """Return the statement of the total alone."""
    source = asked.source.removesuffix(", ")
    return text(f"{f'WITH {source} ' if source else ''}SELECT {asked.total}")


def _ordered(keys: Sequence[Key], backwards: bool = False) -> str:
    return ", ".join(
        f"{sql} {'ASC' if down is backwards else 'DESC'}" for sql, _, down in keys
    )


def _rows(asked: Asked, columns: str, backwards: bool) -> tuple[str, str]:
    """Return what comes before in WITH, and the SQL of a page's rows, as q."""
    found, order = asked.found, _ordered(asked.keys, backwards)
    raw = ", ".join(f"{sql} AS r{n}" for n, (sql, _, _) in enumerate(asked.keys))
    select, where = f"SELECT {columns}, {raw} FROM", f"WHERE {asked.where}"
    beyond = f" AND ({cursors.beyond(asked.keys)})" if asked.after else ""
    page = "LIMIT :limit OFFSET :offset"
    if found.once:
        keys = _raw(asked.keys)
        beyond = f"WHERE {cursors.beyond(keys)}" if asked.after else ""
        hits = f"hits AS MATERIALIZED ({select} {found.rows} p {where}), "
        order = _ordered(keys, backwards)
        return hits, f"(SELECT * FROM hits {beyond} ORDER BY {order} {page}) q"
    if found.matches and not backwards:
        near, rows = _near(asked, select, where, beyond)
        return near, f"({rows} ORDER BY {_ordered(_raw(asked.keys))} {page}) q"
    some = _some(asked, found.rows, where, beyond)
    return "", f"({select} {some} ORDER BY {order} {page}) q"


def _some(asked: Asked, rows: str, where: str, beyond: str) -> str:
    """Return the rows that meet the conditions, before they are put in order."""
    if asked.ranged:  # OFFSET 0: what is found comes before its order
        return f"(SELECT * FROM {rows} p {where} OFFSET 0) p WHERE true{beyond}"
    return f"{rows} p {where}{beyond}"


def _near(asked: Asked, select: str, where: str, beyond: str) -> tuple[str, str]:
    """Return what is found among the first rows, and all of it or of what is found."""
    found, order = asked.found, _ordered(asked.keys)
    some = _some(asked, asked.table, f"WHERE {asked.near}", beyond)
    first = f"(SELECT * FROM {some} ORDER BY {order} LIMIT :first)"
    wanted = "CAST(:limit AS bigint) + CAST(:offset AS bigint)"
    enough = f"(SELECT count(*) FROM near) >= {wanted}"
    near = f"""near AS MATERIALIZED ({select} {found.with_words.format(first)} p
        WHERE {found.matches} ORDER BY {order} LIMIT {wanted}), """
    rows = found.far or found.rows
    far = f"""({select} {rows} p {where}{beyond} AND NOT {enough}
        ORDER BY {order} LIMIT {wanted})"""
    either = f"SELECT * FROM near WHERE {enough} UNION ALL (SELECT * FROM {far} far)"
    return near, f"SELECT * FROM ({either}) either"


def _raw(keys: Sequence[Key], of: str = "") -> Sequence[Key]:
    """Return keys as the columns that a page's rows have them in."""
    return [(f"{of}r{n}", type, down) for n, (_, type, down) in enumerate(keys)]


@lru_cache(maxsize=1024)
def page_of(
    asked: Asked, *, keys_first: bool = False, backwards: bool = False
) -> TextClause:
    """Return the statement; documents are put together for the page's rows alone.

    `keys_first`: rows that are passed over are seen in an index, where it has all that
    is asked. `backwards`: the offset counts from the list's end.
    """
    keys = asked.keys
    names = [f"r{n}" for n in range(len(keys))]
    numbered = _ordered(_raw(keys, "q."))
    columns = f"p.{asked.key} AS this" if keys_first else asked.columns
    before, rows = _rows(asked, columns, backwards)
    if keys_first:
        rows += f""" JOIN {asked.table} p ON p.workspace_id = :workspace
            AND p.{asked.key} = q.this"""
    shown = f"{asked.columns}, {', '.join(names)}" if keys_first else "q.*"
    cursor = ", ".join(f"{name}::text" for name in names)
    counted = asked.found.once and asked.total != UNCOUNTED
    total = "(SELECT count(*) FROM hits)" if counted else asked.total
    return text(f"""WITH {asked.source}{before}page AS (SELECT {shown},
        row_number() OVER (ORDER BY {numbered}) AS n FROM {rows})
        SELECT (SELECT sequence FROM queries.checkpoints
        WHERE workspace_id = :workspace), (SELECT rebuilds FROM queries.checkpoints
        WHERE workspace_id = :workspace),
        {total},
        (SELECT string_agg({asked.document}, ',' ORDER BY n) FROM (SELECT * FROM page
        ORDER BY n LIMIT :per_page) p),
        (SELECT json_build_array({cursor})::text FROM page
        ORDER BY n OFFSET :per_page - 1 LIMIT 1),
        (SELECT count(*) FROM page)""")
