"""Golden files: the stored data of an event, as some release wrote it.

`golden/<type>.v<version>.json` is the first one of a type and schema version;
`golden/<type>.v<version>-<field>.json` came with a field that was added later.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

import orjson

from metacortex.events import codec
from metacortex.events.record import canonical

FOLDER = Path(__file__).parent / "golden"

_NAME = re.compile(r"([a-z]+\.[a-z_]+)\.v([1-9][0-9]*)(-[a-z][a-z0-9_]*)?\.json")


class Golden(NamedTuple):
    """One file; `added` names the field that it came with, None for the first one."""

    type: str
    version: int
    added: str | None
    path: Path

    def event(self) -> Any:
        """Return the event that the file decodes to."""
        return codec.decode(self.type, self.version, self.path.read_bytes())


def files(folder: Path = FOLDER) -> list[Golden]:
    """Return every golden file. Fails on a name of another form."""
    return [_parsed(path) for path in sorted(folder.glob("*.json"))]


def _parsed(path: Path) -> Golden:
    match = _NAME.fullmatch(path.name)
    assert match, f"{path.name} is not <type>.v<version>[-<field>].json"
    added = match[3] and match[3][1:]
    return Golden(match[1], int(match[2]), added, path)


def problems(folder: Path = FOLDER) -> list[str]:
    """Say what the golden files show that the codec does not keep, and lack."""
    found = files(folder)
    said = [it for golden in found for it in _unreadable(golden)]
    for type, newest in codec.VERSIONS.items():
        own = [it for it in found if it.type == type]
        firsts = {it.version for it in own if it.added is None}
        said += [
            f"{type}.v{version}.json is missing: it is the first file of its version"
            for version in range(1, newest + 1)
            if version not in firsts
        ]
        now = [it for it in own if it.version == newest]
        said += _unshown(type, newest, now)
    return said


def _unreadable(golden: Golden) -> list[str]:
    """Old data is read for ever, and the newest version is written as it was read."""
    name, data = golden.path.name, golden.path.read_bytes()
    try:
        event = golden.event()
    except (ValueError, codec.UnknownEvent) as error:
        first = str(error).splitlines()[0]
        return [
            f"{name} cannot be read ({first}): a new field needs a default, any other"
            " change a new version with an upcaster"
        ]
    newest = golden.version == codec.VERSIONS[golden.type]
    if newest and codec.encode(event) != canonical(orjson.loads(data)):
        return [f"{name} is no longer written as it was: that takes a new version"]
    return []


def _unshown(type: str, version: int, own: list[Golden]) -> list[str]:
    """One file of the newest version shows all fields of the class, nested ones too."""
    wanted = set(_fields(codec.CLASSES[type]))
    lacks = [wanted - set(_keys(orjson.loads(it.path.read_bytes()))) for it in own]
    fewest = min(lacks, key=len, default=wanted)
    return [
        f"no golden file shows {type} with all its fields: add"
        f" {type}.v{version}-{name.replace('.', '_')}.json, which shows {name} too"
        for name in sorted(fewest)
    ]


def _fields(cls: Any) -> Iterator[str]:
    """Yield the paths of a class's fields; a change has those of its values."""
    for name, type in get_type_hints(cls).items():
        yield name
        for inner in _classes(type):
            yield from (f"{name}.{path}" for path in _fields(inner))


def _classes(type: Any) -> Iterator[Any]:
    """Yield the classes with fields in a type, `Change[Due | None]` for one."""
    if args := get_args(type):
        for arg in args:
            yield from _classes(arg)
    elif dataclasses.is_dataclass(type):
        yield type


def _keys(data: Any) -> Iterator[str]:
    """Yield the paths of what JSON data names.

    `from` and `to`, and what an exchange `removed` and `added`, are no part of them.
    """
    if isinstance(data, list):
        for value in data:
            yield from _keys(value)
    elif isinstance(data, Mapping) and data.keys() == {"from", "to"}:
        yield from _keys(data["from"])
        yield from _keys(data["to"])
    elif isinstance(data, Mapping) and data.keys() == {"removed", "added"}:
        yield from _keys(data["removed"])
        yield from _keys(data["added"])
    elif isinstance(data, Mapping):
        for name, value in data.items():
            yield name
            yield from (f"{name}.{path}" for path in _keys(value))
