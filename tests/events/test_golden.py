"""The log's backwards compatibility: what is on disk is read for ever.

And the checks for it see what would break it: an event of their own, with one golden
file, is changed as somebody in passing would change it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter

from metacortex.events import codec
from metacortex.kernel.decider import Change
from tests import frozen
from tests.events import golden

FIRST = "lamp.lit.v1.json"
WITH_COLOUR = "lamp.lit.v1-colour.json"
DATA = {"room": "Attic", "bulb": {"from": None, "to": {"watts": "5"}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulb:
    watts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lit:
    room: str
    bulb: Change[Bulb | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class WithDefault(Lit):
    colour: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutDefault(Lit):
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Poorer:
    room: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BulbWithSocket:
    watts: str
    socket: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    room: str
    bulb: Change[BulbWithSocket | None]


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Any]], None]:
    """Let the one event that there is mean another class, as an edit of it would."""

    def to(cls: type[Any]) -> None:
        monkeypatch.setattr(codec, "CLASSES", {"lamp.lit": cls})
        monkeypatch.setattr(codec, "NAMES", {cls: "lamp.lit"})
        monkeypatch.setattr(codec, "VERSIONS", {"lamp.lit": 1})
        monkeypatch.setattr(codec, "_ADAPTERS", {"lamp.lit": TypeAdapter(cls)})

    to(Lit)
    return to


@pytest.fixture
def folder(tmp_path: Path, change: object) -> Path:
    """The golden file of that event, with its hash."""
    show(tmp_path, FIRST)
    sum = frozen.sum_of(tmp_path / FIRST)
    (tmp_path / frozen.SUMS).write_text(f"{sum}  {FIRST}\n")
    assert frozen.broken(tmp_path) == golden.problems(tmp_path) == []
    return tmp_path


def show(folder: Path, name: str, **more: Any) -> None:
    """Write a golden file with the first one's data and more."""
    (folder / name).write_bytes(orjson.dumps({**DATA, **more}))


def test_golden_files_are_as_they_were_added() -> None:
    assert frozen.broken(golden.FOLDER) == []


def test_golden_files_are_read_and_written_and_show_every_field() -> None:
    assert golden.problems() == []


@pytest.mark.parametrize("file", golden.files(), ids=lambda it: it.path.name)
def test_old_data_is_still_read(file: golden.Golden) -> None:
    assert type(file.event()) is codec.CLASSES[file.type]


def test_an_edited_file_is_seen(folder: Path) -> None:
    show(folder, FIRST, colour="red")
    assert frozen.broken(folder) == [
        f"{FIRST} was changed: put it back. Add a file, change none"
    ]


def test_a_removed_file_is_seen_though_its_hash_is_removed_too(folder: Path) -> None:
    (folder / FIRST).unlink()
    assert frozen.broken(folder) == [f"{FIRST} is gone: put it back"]
    (folder / frozen.SUMS).write_text("")
    assert frozen.broken(folder) == []
    first, *_ = golden.problems(folder)
    assert first == f"{FIRST} is missing: it is the first file of its version"


def test_a_file_without_a_hash_is_seen(folder: Path) -> None:
    show(folder, WITH_COLOUR)
    assert frozen.broken(folder) == [
        f"{WITH_COLOUR} is new: sha256sum {WITH_COLOUR} >> SHA256SUMS, in its folder"
    ]


def test_a_field_with_a_default_and_a_file_of_its_own_is_in_order(
    folder: Path, change: Any
) -> None:
    change(WithDefault)
    show(folder, WITH_COLOUR, colour="red")
    assert golden.problems(folder) == []


def test_a_field_without_a_default_is_seen_though_a_file_shows_it(
    folder: Path, change: Any
) -> None:
    change(WithoutDefault)
    show(folder, WITH_COLOUR, colour="red")
    (said,) = golden.problems(folder)
    assert said.startswith(f"{FIRST} cannot be read (")
    assert "a new field needs a default" in said


def test_a_field_that_no_file_shows_is_seen(folder: Path, change: Any) -> None:
    change(WithDefault)
    (said,) = golden.problems(folder)
    assert said.endswith(f"add {WITH_COLOUR}, which shows colour too")


def test_a_nested_field_that_no_file_shows_is_seen(folder: Path, change: Any) -> None:
    change(Nested)
    (said,) = golden.problems(folder)
    assert said.endswith("which shows bulb.socket too")


def test_a_removed_field_is_seen(folder: Path, change: Any) -> None:
    change(Poorer)
    assert golden.problems(folder) == [
        f"{FIRST} is no longer written as it was: that takes a new version"
    ]


def test_a_file_of_a_type_that_is_gone_is_seen(folder: Path) -> None:
    (folder / FIRST).rename(folder / "lamp.broken.v1.json")
    said = golden.problems(folder)
    assert any(it.startswith("lamp.broken.v1.json cannot be read") for it in said)
