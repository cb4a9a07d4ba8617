"""RESULTS.md: what `make bench` measures, then sections with runs of their own."""

import re
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
GROWTH, OPERATIONS, WEB = "Growth", "Operators' pages", "The web app"
ORDER = (GROWTH, OPERATIONS, WEB)
"""The headings; the last one is written by `web/e2e/results.ts`."""


def replace(heading: str | None, text: str) -> None:
    """Write a section in the place of the one before; None for what comes first."""
    found = _parts(RESULTS.read_text() if RESULTS.exists() else "")
    found[heading] = text.strip("\n")
    whole = "\n\n".join(found[it] for it in (None, *ORDER) if it in found)
    RESULTS.write_text(f"{whole}\n")


def _parts(text: str) -> dict[str | None, str]:
    """Return the sections by their headings, the first part under None."""
    headings = "|".join(map(re.escape, ORDER))
    first, *rest = re.split(rf"^## ({headings})$", text, flags=re.MULTILINE)
    found: dict[str | None, str] = {None: first.strip("\n")}
    for heading, body in zip(rest[::2], rest[1::2], strict=True):
        found[heading] = f"## {heading}\n\n{body.strip()}"
    return found
