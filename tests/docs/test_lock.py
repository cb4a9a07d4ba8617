"""The locks pin what pip resolves: each package with the extras that others ask of it.

Some releases of pip take a requirement with an extra for one that is not pinned, look
for its newest release, and stop at the missing hash.
"""

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"^([a-z0-9.-]+)(?:\[([a-z0-9, -]+)\])?==(\S+)", re.MULTILINE)
LOCKS = ["requirements.lock", "requirements-image.lock"]


def pins(lock: str) -> dict[str, set[str]]:
    """Return the extras of each pinned package."""
    found = PINNED.findall((ROOT / lock).read_text())
    return {name: set(extras.split(", ")) - {""} for name, extras, _ in found}


def asked(name: str) -> list[Requirement]:
    """Return what a package asks for, without what needs an extra of its own."""
    try:
        found = [Requirement(one) for one in requires(name) or ()]
    except PackageNotFoundError:  # of another platform
        return []
    return [it for it in found if it.marker is None or it.marker.evaluate()]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_extra_that_is_asked_for_is_pinned(lock: str) -> None:
    pinned = pins(lock)
    missing = {
        f"{it.name}[{', '.join(it.extras)}], for {name}"
        for name in pinned
        for it in asked(name)
        if it.extras - pinned[it.name.lower().replace("_", "-")]
    }
    assert len(pinned) > 30
    assert not missing


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert all("--hash=sha256:" in part for part in PINNED.split(text)[4::4])
