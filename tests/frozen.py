"""Files that are never edited, with a list of hashes as `sha256sum` writes it."""

import hashlib
from pathlib import Path

SUMS = "SHA256SUMS"


def broken(folder: Path) -> list[str]:
    """Say how a folder differs from its list of hashes, and what to do about it."""
    kept = _sums(folder)
    there = {path.name: path for path in sorted(folder.iterdir()) if path.name != SUMS}
    found = [f"{name} is gone: put it back" for name in sorted(kept.keys() - there)]
    for name, path in there.items():
        if name not in kept:
            found.append(f"{name} is new: sha256sum {name} >> {SUMS}, in its folder")
        elif sum_of(path) != kept[name]:
            found.append(f"{name} was changed: put it back. Add a file, change none")
    return found


def sum_of(path: Path) -> str:
    """Return the hash of a file, as the list has it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sums(folder: Path) -> dict[str, str]:
    lines = (folder / SUMS).read_text().splitlines()
    pairs = [line.split("  ", 1) for line in lines]
    assert len({name for _, name in pairs}) == len(pairs), "a name stands twice"
    return {name: sum for sum, name in pairs}
