"""The page of threats names all ten, and only tests that are there."""

import re

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)
THREATS = re.split(r"^## (?=API\d+ )", PAGE, flags=re.MULTILINE)[1:]


def test_every_threat_of_the_list_has_tests() -> None:
    numbers = [re.match(r"API(\d+) ", it) for it in THREATS]
    assert [int(it[1]) for it in numbers if it] == list(range(1, 11))
    for threat in THREATS:
        assert re.search(r"^- `tests/", threat, re.MULTILINE), threat.splitlines()[0]


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_what_holds_it_exists(file: str, test: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not test or re.search(rf"^(async )?def {test}\(", text, re.MULTILINE)


def test_the_root_says_how_to_report() -> None:
    assert "## Report a vulnerability" in (ROOT / "SECURITY.md").read_text("utf-8")
    assert "](../SECURITY.md)" in PAGE
