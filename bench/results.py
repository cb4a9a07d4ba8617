"""Rows of the report: medians, ratios, verdicts, and the page they are printed on.

The rule: a verdict is computed, never written; runs with failed answers cannot meet a
target.
"""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

PACKAGES = (
    *("fastapi", "uvicorn", "sqlalchemy", "asyncpg", "pydantic", "pyjwt", "orjson"),
    *("dramatiq", "redis", "eventsourcing", "psycopg", "uvloop", "httptools"),
)
HEADER = "| what | unit | target | ours | peer | ratio | verdict |"


@dataclass(frozen=True, slots=True)
class Row:
    """One line: the same thing measured on both sides, one value a round.

    `at_least` is a ratio of ours to the peer's; `below` and `above` are bounds on ours,
    in `unit`. Without any of them the row informs and has no verdict.
    """

    what: str
    unit: str
    ours: Sequence[float]
    peer: Sequence[float] = ()
    peer_name: str = ""
    at_least: float | None = None
    below: float | None = None
    above: float | None = None
    failures: Mapping[str, int] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return median(self.ours) / median(self.peer) if self.peer else None

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f"≥ {self.at_least:g} x"
        if self.above is not None:
            return f"≥ {self.above:,.0f}"
        return "" if self.below is None else f"< {self.below:g}"

    @property
    def verdict(self) -> str:
        if self.failures:
            return "**failed answers: " + _counts(self.failures) + "**"
        if self.at_least is not None and self.ratio is not None:
            return "met" if self.ratio >= self.at_least else "**missed**"
        if self.below is not None:
            return "met" if median(self.ours) < self.below else "**missed**"
        if self.above is not None:
            return "met" if median(self.ours) >= self.above else "**missed**"
        return ""

    def __str__(self) -> str:
        peer = f"{_number(median(self.peer))} ({self.peer_name})" if self.peer else ""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        ours = _number(median(self.ours))
        cells = (self.what, self.unit, self.target, ours, peer, ratio, self.verdict)
        return "| " + " | ".join(cells) + " |"

    def runs(self) -> str:
        """The single values behind the medians, for whoever doubts them."""
        sides = {"ours": self.ours, self.peer_name: self.peer}
        values = (f"{side} {_list(runs)}" for side, runs in sides.items() if runs)
        return f"- {self.what} ({self.unit}): {'; '.join(values)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _list(values: Sequence[float]) -> str:
    return ", ".join(map(_number, values))


def _counts(failures: Mapping[str, int]) -> str:
    return ", ".join(f"{name} x {count}" for name, count in failures.items())


def machine() -> str:
    """Describe the machine by what changes the figures."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB of memory, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def page(rows: Sequence[Row], postgres: str, how: str) -> str:
    """Return the whole report as Markdown."""
    libraries = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    table = [HEADER, "|---|---|---|---:|---:|---:|---|", *map(str, rows)]
    return "\n".join(
        [
            "# Results",
            "",
            "Written by `make bench`; do not edit. " + how,
            "",
            f"Machine: {machine()}. Database: {postgres}. Libraries: {libraries}.",
            "",
            *table,
            "",
            "## Single runs",
            "",
            *(row.runs() for row in rows),
            "",
        ]
    )
