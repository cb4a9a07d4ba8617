"""What a rebuild leaves alone: rows that already are what the log amounts to.

To write them again would cost each of their indexes an entry, and leave as many dead.
"""

from collections.abc import Collection, Sequence


def differs(
    table: str,
    new: str,
    names: Sequence[str],
    key: Sequence[str],
    kept: Collection[str] = (),
) -> str:
    """Return the condition that a table lacks a row `new`, or has it otherwise.

    A column of `kept` is as it should be where the new row does not know it. By a
    sub-select for each row: a join would be planned for other numbers of rows.
    """
    found = " AND ".join(f"s.{it} = {new}.{it}" for it in key)
    same = " AND ".join(
        f"({new}.{it} IS NULL OR {_same(new, it)})" if it in kept else _same(new, it)
        for it in names
        if it not in key
    )
    return f"(SELECT {same} FROM {table} s WHERE {found}) IS NOT TRUE"


def _same(new: str, name: str) -> str:
    """Documents are compared as they are sent: the type json has no equality."""
    cast = "::text" if name == "document" else ""
    return f"s.{name}{cast} IS NOT DISTINCT FROM {new}.{name}{cast}"
