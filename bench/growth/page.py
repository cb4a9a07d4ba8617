"""The part of RESULTS.md about growth."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.growth.asking import Times

RESULTS = Path(__file__).parent.parent / "RESULTS.md"
BEGIN = "\n## Growth\n"
SMALL_MS = 10.0  # below it a ratio does not matter
RATIO = 3.0


def render(
    version: str,
    rounds: int,
    answers: Mapping[int, Mapping[str, Times]],
    facts: Sequence[tuple[str, str]],
) -> str:
    """Return the part: a line a question, then what else was measured."""
    sizes = list(answers)
    load = ", ".join(f"{it:.1f}" for it in os.getloadavg())
    lines = [
        BEGIN,
        f"{version}; load of the machine at the end: {load} on {os.cpu_count()} cores."
        f" Each answer over HTTP, right after a write in its workspace, {rounds} times"
        " after one that does not count; p50 / p99 in ms. `ratio` is that of the"
        " medians of 100,000 tasks, or the second size, to the first; a median of at"
        f" most {SMALL_MS:g} ms or {RATIO:g} times the first is flat.\n",
        "| question | " + " | ".join(f"{it:,} tasks" for it in sizes) + " | ratio | |",
        "|---|" + "---:|" * (len(sizes) + 1) + "---|",
    ]
    for name in answers[sizes[0]]:
        lines.append(_line(name, [answers[it][name] for it in sizes]))
    lines += ["", "| also | |", "|---|---:|"]
    lines += [f"| {what} | {value} |" for what, value in facts]
    return "\n".join(lines) + "\n"


def _line(name: str, times: Sequence[Times]) -> str:
    first, second = times[0].p50, times[1].p50
    flat = second <= SMALL_MS or second <= RATIO * first
    failed = [status for it in times for status in it.failed]
    verdict = f"**failed: {failed}**" if failed else "" if flat else "**grows**"
    cells = " | ".join(f"{it.p50:.1f} / {it.p99:.1f}" for it in times)
    return f"| {name} | {cells} | {second / first:.1f} | {verdict} |"


def part() -> str:
    """Return the part as it stands in the file, if it does."""
    text = RESULTS.read_text() if RESULTS.exists() else ""
    return BEGIN + text.partition(BEGIN)[2] if BEGIN in text else ""


def write(text: str) -> None:
    """Put the part in the place of the one before."""
    RESULTS.write_text(RESULTS.read_text().partition(BEGIN)[0] + text)
