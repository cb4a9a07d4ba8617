"""The log's backwards compatibility: what is on disk is read for ever.

And the checks for it see what would break it, each with a class or a file as a change
in passing would leave it.
"""

import shutil
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter

from metacortex.events import codec
from metacortex.events.tasks import TaskCreated
from metacortex.kernel.decider import Change
from tests import frozen
from tests.events import golden

FIRST = "task.created.v1.json"
WITH_ENERGY = "task.created.v1-energy.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the golden files that a test may change."""
    return Path(shutil.copytree(golden.FOLDER, tmp_path / "golden"))


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let an event's name mean another class, as an edit of the class would."""

    def replace(name: str, cls: type[Any]) -> None:
        monkeypatch.setitem(codec.CLASSES, name, cls)
        monkeypatch.setitem(codec.NAMES, cls, name)
        monkeypatch.setitem(codec._ADAPTERS, name, TypeAdapter(cls))

    return replace


@dataclass(frozen=True, slots=True, kw_only=True)
class WithDefault(TaskCreated):
    energy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutDefault(TaskCreated):
    energy: str


def shown(folder: Path, name: str = WITH_ENERGY, **more: Any) -> None:
    """Write a golden file that shows the first one's fields and more."""
    data = {**orjson.loads((folder / FIRST).read_bytes()), **more}
    (folder / name).write_bytes(orjson.dumps(data))


def test_golden_files_are_as_they_were_added() -> None:
    assert frozen.broken(golden.FOLDER) == []


def test_golden_files_are_read_and_written_and_show_every_field() -> None:
    assert golden.problems() == []


@pytest.mark.parametrize("file", golden.files(), ids=lambda it: it.path.name)
def test_old_data_is_still_read(file: golden.Golden) -> None:
    assert type(file.event()) is codec.CLASSES[file.type]


def test_an_edited_file_is_seen(folder: Path) -> None:
    shown(folder, FIRST, energy="low")
    assert frozen.broken(folder) == [
        f"{FIRST} was changed: put it back. Add a file, change none"
    ]


def test_a_removed_file_is_seen(folder: Path) -> None:
    (folder / FIRST).unlink()
    assert frozen.broken(folder) == [f"{FIRST} is gone: put it back"]
    sums = folder / frozen.SUMS
    kept = [line for line in sums.read_text().splitlines() if FIRST not in line]
    sums.write_text("\n".join(kept) + "\n")
    assert frozen.broken(folder) == []
    first, *_ = golden.problems(folder)
    assert first == f"{FIRST} is missing: it is the first file of its version"


def test_a_file_without_a_hash_is_seen(folder: Path) -> None:
    shown(folder, energy="low")
    assert frozen.broken(folder) == [
        f"{WITH_ENERGY} is new: sha256sum {WITH_ENERGY} >> SHA256SUMS, in its folder"
    ]


def test_a_field_with_a_default_and_a_file_of_its_own_is_in_order(
    folder: Path, replaced: Any
) -> None:
    replaced("task.created", WithDefault)
    shown(folder, energy="low")
    assert golden.problems(folder) == []


def test_a_field_without_a_default_is_seen_though_a_file_shows_it(
    folder: Path, replaced: Any
) -> None:
    replaced("task.created", WithoutDefault)
    shown(folder, energy="low")
    (said,) = golden.problems(folder)
    assert said.startswith(f"{FIRST} cannot be read (")
    assert "a new field needs a default" in said


def test_a_field_that_no_file_shows_is_seen(folder: Path, replaced: Any) -> None:
    replaced("task.created", WithDefault)
    (said,) = golden.problems(folder)
    assert said.endswith(f"add {WITH_ENERGY}, which shows energy too")


def test_a_nested_field_that_no_file_shows_is_seen(folder: Path, replaced: Any) -> None:
    due = make_dataclass("Due", [("date", str), ("alarm", str | None, None)])
    fields = [("due", Change[due] | None, None)]  # type: ignore[valid-type]
    edited = make_dataclass("Edited", fields)
    replaced("task.edited", edited)
    assert any("shows due.alarm too" in it for it in golden.problems(folder))


def test_a_removed_field_is_seen(folder: Path, replaced: Any) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Poorer:
        title: str

    replaced("task.created", Poorer)
    assert golden.problems(folder) == [
        f"{FIRST} is no longer written as it was: that takes a new version"
    ]


def test_a_type_without_any_file_is_seen(folder: Path, replaced: Any) -> None:
    (folder / "tag.created.v1.json").unlink()
    said = golden.problems(folder)
    assert said[0].startswith("tag.created.v1.json is missing")
    assert {"name", "colour"} == {it.split()[-2] for it in said[1:]}


def test_a_file_of_a_type_that_is_gone_is_seen(folder: Path) -> None:
    (folder / FIRST).rename(folder / "task.exploded.v1.json")
    said = golden.problems(folder)
    assert any(it.startswith("task.exploded.v1.json cannot be read") for it in said)
