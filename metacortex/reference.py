"""Writes the pages of settings, errors and limits from the code that they describe.

Two accounts of one fact drift apart, so these pages are derived and a test compares
them with the files. `python -m metacortex.reference` writes them.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from metacortex.api.errors import status_of_class
from metacortex.kernel.errors import CODES, MetaCortexError
from metacortex.limit_table import SECTIONS, Limit
from metacortex.settings import Settings, variable

DOCS = Path(__file__).parent.parent / "docs"

_MADE = "<!-- Made by `python -m metacortex.reference`; edit the code instead. -->"

_SETTINGS = """\
Every setting is an environment variable. An empty variable counts as an unset one, and
lists are written with commas. `metacortex up` writes what it started into
`services.env` in the data folder, and every other command reads it there; a variable of
the environment beats the file, and the file is ignored as a whole where `DATABASE_URL`
names another database. `metacortex describe` prints the settings in force, URLs hidden.
"""

_ERRORS = """\
Every error has a stable `code`; clients may rely on it, never on `title` or `detail`.
`GET /api/v1/meta/errors` answers with the same list.
"""

_LIMITS = """\
What one request, one caller and one process may take, why at this value, and what says
so beyond it. Where a setting is named, the value is its default. Rates are limited in
production only, unless `METACORTEX_RATE_LIMITS` says otherwise
([decision 20](decisions/0020-limits.md)); where they are, every answer to a caller
tells what is left in `RateLimit` and `RateLimit-Policy`, and 429 has a `Retry-After`.
"""

_KINDS: Mapping[Any, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    Path: "folder",
    str: "text",
}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def settings_page() -> str:
    """Return the page of all settings, in the order of the code."""
    rows = [
        (f"`{variable(name)}`", _kind(field), _default(field), _said(field))
        for name, field in Settings.model_fields.items()
    ]
    heads = ("Variable", "Kind", "Default", "Meaning")
    return _page("Settings", _SETTINGS, [_table(heads, rows)])


def _kind(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(rule, name)}"
        for rule in field.metadata
        for name, sign in _BOUNDS.items()
        if getattr(rule, name, None) is not None
    ]
    return ", ".join([_type(field.annotation), *bounds])


def _type(annotation: Any) -> str:
    """Return what an annotation means to whoever writes the variable."""
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is tuple:
        return "list"
    inner = [arg for arg in get_args(annotation) if arg is not type(None)]
    found = inner[0] if inner else annotation
    return _KINDS.get(found) or _type(get_args(found)[0])


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value == ():
        return "unset"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _said(field: FieldInfo) -> str:
    return field.description or ""


def errors_page() -> str:
    """Return the page of all error codes, by status and meaning."""
    classes = sorted({cls for cls, _ in CODES.values()}, key=_rank)
    return _page("Errors", _ERRORS, [_section(cls) for cls in classes])


def _rank(cls: type[MetaCortexError]) -> tuple[int, int, str]:
    """Order by status; within one, the general meaning before the special ones."""
    return status_of_class(cls), len(cls.__mro__), cls.__name__


def _section(cls: type[MetaCortexError]) -> str:
    rows = [(f"`{code}`", title) for code, (of, title) in CODES.items() if of is cls]
    said = "" if cls is MetaCortexError else f"{inspect.getdoc(cls)}\n\n"
    name = "Internal" if cls is MetaCortexError else cls.__name__
    heading = f"## {status_of_class(cls)} {name}"
    return f"{heading}\n\n{said}{_table(('Code', 'Title'), rows)}"


def limits_page() -> str:
    """Return the page of all limits, by section."""
    return _page("Limits", _LIMITS, [_limits(*one) for one in SECTIONS.items()])


def _limits(heading: str, limits: Sequence[Limit]) -> str:
    heads = ("Limit", "Value", "Beyond it", "Header", "Setting", "Reason")
    return f"## {heading}\n\n{_table(heads, [_limit(it) for it in limits])}"


def _limit(limit: Limit) -> tuple[str, ...]:
    value, setting = limit.value, ""
    if limit.setting is not None:
        value = Settings.model_fields[limit.setting].default
        setting = f"`{variable(limit.setting)}`"
    assert value is not None, limit.of
    shown = f"{value:,} {limit.unit}"
    header = f"`{limit.header}`" if limit.header else ""
    return limit.of, shown, _beyond(limit), header, setting, limit.reason


def _beyond(limit: Limit) -> str:
    """Return status and code of the error, or what happens in place of one."""
    if limit.code is None:
        return limit.beyond
    status = status_of_class(CODES[limit.code][0])
    return f"{status} [`{limit.code}`](errors.md)"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(_lines(heads, rows)) + "\n"


def _lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for cells in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(cells)} |"


def _page(title: str, about: str, parts: Sequence[str]) -> str:
    return "\n".join([f"# {title}\n", f"{_MADE}\n", about, *parts])


PAGES = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "limits.md": limits_page,
}
"""By file name in `docs/`: what makes the page."""


def main() -> None:
    """Write the pages."""
    DOCS.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
