"""The statements of pages: rows, total and sequence in one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import TextClause, text

from metacortex.queries import cursors
from metacortex.queries.cursors import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a statement is made of."""

    table: str
    found: str
    """What of the table is looked through: the table, or another that has all keys."""
    columns: str
    document: str
    where: str
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


@lru_cache(maxsize=1024)
def page_of(
    asked: Asked, *, keys_first: bool = False, backwards: bool = False
) -> TextClause:
    """Return the statement; documents are put together for the page's rows alone.

    `keys_first`: rows that are passed over are seen in an index, where it has all that
    is asked. `backwards`: the offset counts from the list's end.
    """
    keys = asked.keys
    raw = ", ".join(f"{sql} AS r{n}" for n, (sql, _, _) in enumerate(keys))
    names = [f"r{n}" for n in range(len(keys))]
    numbered = _ordered([(f"q.r{n}", "", down) for n, (_, _, down) in enumerate(keys)])
    beyond = f" AND ({cursors.beyond(keys)})" if asked.after else ""
    columns = f"p.{asked.key} AS this" if keys_first else asked.columns
    where = f"WHERE {asked.where}"
    source = f"{asked.found} p {where}"
    if asked.ranged:  # OFFSET 0: what is found comes before its order
        source = f"(SELECT * FROM {source} OFFSET 0) p WHERE true"
    rows = f"""(SELECT {columns}, {raw} FROM {source}{beyond}
        ORDER BY {_ordered(keys, backwards)} LIMIT :limit OFFSET :offset) q"""
    if keys_first:
        rows += f""" JOIN {asked.table} p ON p.workspace_id = :workspace
            AND p.{asked.key} = q.this"""
    shown = f"{asked.columns}, {', '.join(names)}" if keys_first else "q.*"
    cursor = ", ".join(f"{name}::text" for name in names)
    return text(f"""WITH {asked.source}page AS (SELECT {shown},
        row_number() OVER (ORDER BY {numbered}) AS n FROM {rows})
        SELECT (SELECT sequence FROM queries.checkpoints
        WHERE workspace_id = :workspace), (SELECT rebuilds FROM queries.checkpoints
        WHERE workspace_id = :workspace),
        {asked.total},
        (SELECT string_agg({asked.document}, ',' ORDER BY n) FROM (SELECT * FROM page
        ORDER BY n LIMIT :per_page) p),
        (SELECT json_build_array({cursor})::text FROM page
        ORDER BY n OFFSET :per_page - 1 LIMIT 1),
        (SELECT count(*) FROM page)""")
