"""Pages keep up with the code: what they name exists, what they link to is there."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import DECISIONS, PAGES, ROOT, code, name
from tests.http.described import SPEC

CODE = [
    path
    for folder in ("metacortex", "migrations", "tests", "bench")
    for path in (ROOT / folder).rglob("*.py")
]
FOLDERS = ("api", "bench", "commands", "docs", "events", "queries", "tests")
PLANNED = re.compile(r"metacortex/\w+/notes\.py")
"""The module that CONTRIBUTING adds as an example."""
MADE = "bench/RESULTS.md"
"""What `make bench` writes."""


def _anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_resolve(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), link
        assert not anchor or anchor in _anchors(found), link


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_speak_of_no_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(work|root|home|tmp|Users)/", text)
    assert not re.search(r"\bTODO\b|\bFIXME\b|@\d{4}@", text)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_pages_name_exist(page: Path) -> None:
    for word in code(page):
        if not re.fullmatch(r"[\w.-]+(/[\w.-]*)+", word):
            continue
        if word == MADE or PLANNED.fullmatch(word):
            continue
        if word.partition("/")[0] in FOLDERS + ("metacortex", "migrations"):
            inside = ROOT / "metacortex" / word
            assert (
                (ROOT / word).exists() or inside.exists() or _is_package(inside)
            ), word


def _is_package(file: Path) -> bool:
    return file.with_suffix("").is_dir()


def test_every_decision_that_the_code_names_exists() -> None:
    known = {f"docs/decisions/{page.name}" for page in DECISIONS}
    named = {
        found
        for path in CODE
        for found in re.findall(
            r"docs/decisions/\d{4}[\w-]*\.md", path.read_text(encoding="utf-8")
        )
    }
    assert named
    assert named <= known


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    numbers = [int(page.name[:4]) for page in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    for page in DECISIONS:
        title = page.read_text(encoding="utf-8").splitlines()[0].partition(". ")[2]
        assert f"| [{page.name[:4]}]({page.name}) | {title} |" in index


@pytest.mark.parametrize("page", DECISIONS, ids=name)
def test_a_decision_is_one_page_in_five_parts(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    heads = [line for line in lines if line.startswith("#")]
    assert heads[0].startswith(f"# {int(page.name[:4])}. ")
    parts = ["Context", "Decision", "Consequences", "Alternatives"]
    assert heads[1:] == [f"## {part}" for part in parts]
    assert len(lines) <= 60


def _contracts() -> set[str]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        found = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return {contract["id"] for contract in found}


@pytest.mark.parametrize("page", DECISIONS, ids=name)
def test_what_enforces_a_decision_exists(page: Path) -> None:
    _, _, enforced = page.read_text(encoding="utf-8").partition("Enforced by:\n\n")
    items = enforced.strip().splitlines()
    assert items
    for item in items:
        contract = re.fullmatch(r"- contract `([\w-]+)`", item)
        test = re.fullmatch(r"- `([\w/.-]+)(?:::(\w+))?`", item)
        assert contract or test, item
        if contract:
            assert contract[1] in _contracts(), item
        elif test:
            text = (ROOT / test[1]).read_text(encoding="utf-8")
            assert not test[2] or f"def {test[2]}(" in text, item


def test_every_route_that_pages_name_exists() -> None:
    known = {
        (method.upper(), path)
        for path, operations in SPEC["paths"].items()
        for method in operations
    }
    found = 0
    for page in PAGES:
        for word in code(page):
            request = re.fullmatch(r"(GET|POST|PATCH|DELETE) /api/v1(/\S+)", word)
            if request:
                found += 1
                assert (request[1], request[2]) in known, word
    assert found


def test_the_tables_that_contributing_names_exist() -> None:
    words = set(code(ROOT / "CONTRIBUTING.md"))
    for table in ("UPCASTERS", "MODULES", "STATES", "CODES", "SCHEMA", "EVENTS"):
        assert table in words
        assert any(
            re.search(rf"^{table}\b.* = ", path.read_text(), re.MULTILINE)
            for path in CODE
            if path.is_relative_to(ROOT / "metacortex")
        ), table
