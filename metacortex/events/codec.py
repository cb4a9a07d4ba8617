"""Encode and decode events: classes by name, old data through upcasters.

The log identifies events by name and schema version, never by a class path. Old data
passes through the upcasters of its type, in order, when it is decoded; each is a pure
function from one version to the next (docs/decisions/0004-event-records.md).
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from pydantic import TypeAdapter

from metacortex.events import people, projects, sections, tags, tasks
from metacortex.events.record import EventRecord, Recorded, canonical

MODULES = (tags, projects, sections, tasks, people)
"""One module of events per noun; a new noun adds its name here."""

Upcaster = Callable[[Mapping[str, Any]], Mapping[str, Any]]

UPCASTERS: dict[str, tuple[Upcaster, ...]] = {}
"""By type: the function at index n turns data of version n + 1 into n + 2."""

CLASSES: dict[str, type[Any]] = {
    name: cls for module in MODULES for name, cls in module.EVENTS.items()
}
NAMES: dict[type[Any], str] = {cls: name for name, cls in CLASSES.items()}
VERSIONS: dict[str, int] = {name: 1 + len(UPCASTERS.get(name, ())) for name in CLASSES}

_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    name: TypeAdapter(cls) for name, cls in CLASSES.items()
}


class UnknownEvent(Exception):
    """The log has an event that this release cannot read. It must not be skipped."""


def encode(event: Any) -> bytes:
    """Return the canonical data of an event; fields at their default are left out."""
    serializer = _ADAPTERS[NAMES[event.__class__]].serializer
    return canonical(
        serializer.to_python(event, mode="json", by_alias=True, exclude_defaults=True)
    )


def decode(name: str, schema_version: int, data: bytes | str) -> Any:
    """Return the event that a record holds. Raises UnknownEvent."""
    newest = VERSIONS.get(name)
    if newest is None or schema_version > newest:
        raise UnknownEvent(f"{name} version {schema_version}")
    if schema_version == newest:
        return _ADAPTERS[name].validator.validate_json(data)
    content: Mapping[str, Any] = orjson.loads(data)
    for upcast in UPCASTERS[name][schema_version - 1 :]:
        content = upcast(content)
    return _ADAPTERS[name].validate_json(canonical(content))


def read(record: EventRecord) -> Recorded[Any]:
    """Return the record with its event decoded. Raises UnknownEvent."""
    event = decode(record.type, record.schema_version, record.data)
    if hasattr(event, "recorded"):
        event = event.recorded(record.actor_id, record.recorded_at)
    return Recorded(record, event)
