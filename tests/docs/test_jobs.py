"""The page about jobs says what the code declares."""

import re

from metacortex.operations.actors import ACTORS
from metacortex.operations.schedules import IN_PROCESS, entries
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of a section's table, without its head."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [it for it in section.splitlines() if it.startswith("| ")][2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def test_every_actor_is_described_as_it_is() -> None:
    assert rows("Actors") == [
        [
            it.name,
            it.queue,
            str(it.max_attempts),
            f"{it.time_limit_s:.0f} s",
            ", ".join(it.arguments),
        ]
        for it in ACTORS.values()
    ]


def test_every_schedule_is_described_as_it_is() -> None:
    listed = rows("Schedules")
    declared = entries(1.0)
    assert [it[0] for it in listed] == [it.name for it in declared]
    for (_, runs, when, missed), entry in zip(listed, declared, strict=True):
        assert runs == ("in the scheduler" if entry.name in IN_PROCESS else entry.actor)
        assert missed == entry.missed
        if entry.cron:
            assert when == f"{entry.cron}`, {entry.time_zone}"
        else:
            assert re.search(rf"every (`METACORTEX_\w+|{entry.interval_s:.0f} s)", when)
