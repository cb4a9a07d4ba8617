"""The pages that are made from the code are up to date and complete."""

from collections.abc import Callable

import pytest

from metacortex.kernel.errors import CODES
from metacortex.reference import DOCS, PAGES, errors_page, settings_page
from metacortex.settings import Settings


@pytest.mark.parametrize("name", PAGES)
def test_the_file_is_what_the_code_says(name: str) -> None:
    page: Callable[[], str] = PAGES[name]
    remedy = "run `python -m metacortex.reference`"
    assert (DOCS / name).read_text(encoding="utf-8") == page(), remedy


def test_every_setting_is_listed_once() -> None:
    page = settings_page()
    for name, field in Settings.model_fields.items():
        variable = field.validation_alias or f"METACORTEX_{name.upper()}"
        assert page.count(f"| `{variable}` |") == 1


def test_every_code_is_listed_once() -> None:
    page = errors_page()
    assert all(page.count(f"| `{code}` |") == 1 for code in CODES)


def test_kinds_and_bounds_are_said() -> None:
    lines = settings_page().splitlines()
    rows = {line.split("`")[1]: line for line in lines if line.startswith("| `")}
    assert "| whole number, ≥ 1, ≤ 65535 | `8000` |" in rows["METACORTEX_PORT"]
    assert "| `production`, `development`, `test` |" in rows["ENVIRONMENT"]
    assert "| true or false | unset |" in rows["METACORTEX_DOCS_ENABLED"]
    assert "| list | unset |" in rows["METACORTEX_CORS_ORIGINS"]
