"""What lists and feeds show of an event: JSON that is put together from its record.

Nothing of it is stored again. Postgres does it for a page (`of_row`), byte for byte as
`document` does it; data is canonical JSON, so that its parts can be passed through.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from metacortex.events import codec
from metacortex.events.record import EventRecord
from metacortex.kernel.clock import rfc3339
from metacortex.queries.registry import PROJECTIONS

SUMMARIES: Mapping[str, str] = {
    name: PROJECTIONS[module.STREAM].summary(object.__new__(cls))
    for module in codec.MODULES
    for name, cls in module.EVENTS.items()
}
"""By type, what an event of it did; a summary looks at the class alone."""


def document(record: EventRecord) -> Mapping[str, Any]:
    """Return what is shown of an event; a birth has values without a `from`."""
    data: Mapping[str, Any] = orjson.loads(record.data)
    return {
        "event_id": record.event_id,
        "sequence": record.sequence,
        "version": record.version,
        "type": record.type,
        "recorded_at": rfc3339(record.recorded_at),
        "actor": {"type": record.actor_type, "id": record.actor_id},
        "command": {"type": record.command_type, "id": record.command_id},
        "stream": {"type": record.stream_type, "id": record.stream_id},
        "correlation_id": record.correlation_id,
        "causation_id": record.causation_id,
        "request_id": orjson.loads(record.context)["request_id"],
        "summary": SUMMARIES[record.type],
        "changes": _changes(data, record.version == 1),
        "details": _details(data, record.version == 1),
    }


def _is_change(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"from", "to"}


def _changes(data: Mapping[str, Any], birth: bool) -> Mapping[str, Any]:
    """Return the field changes of an event's data; absent and null differ."""
    if birth:
        return {name: {"to": value} for name, value in data.items()}
    return {name: value for name, value in data.items() if _is_change(value)}


def _details(data: Mapping[str, Any], birth: bool) -> Mapping[str, Any]:
    """Return what else an event says: a comment's text, for one."""
    if birth:
        return {}
    return {name: value for name, value in data.items() if not _is_change(value)}


# `json_each` gives values as the text that they are, in their order

IS_CHANGE = """CASE WHEN value::text LIKE '{"from":%' THEN (SELECT array_agg(k)
FROM json_object_keys(value) k) = '{from,to}' ELSE false END"""
"""Condition on a row of `json_each`: it is a field's change; keys are sorted."""

CHANGED_FIELDS = f"""(SELECT coalesce(json_agg(key ORDER BY n), '[]')
FROM json_each(l.data) WITH ORDINALITY e(key, value, n)
WHERE l.version = 1 OR {IS_CHANGE})"""

CHANGES_SOMETHING = f"""(l.version = 1 OR l.type = 'task.commented'
OR EXISTS (SELECT FROM json_each(l.data) WHERE key = 'comments' OR {IS_CHANGE}))"""
"""Condition on a record `l`: there is something that an undo can take back."""

_CHANGES_AND_DETAILS = f"""CASE WHEN l.version = 1 THEN (SELECT '{{' || coalesce(
string_agg('"' || key || '":{{"to":' || value || '}}', ',' ORDER BY n), '')
FROM json_each(l.data) WITH ORDINALITY e(key, value, n)) || '}},"details":{{}}'
ELSE (SELECT '{{' || coalesce(string_agg(said, ',' ORDER BY n)
FILTER (WHERE changed), '') || '}},"details":{{' || coalesce(
string_agg(said, ',' ORDER BY n) FILTER (WHERE NOT changed), '') || '}}'
FROM (SELECT n, '"' || key || '":' || value AS said, {IS_CHANGE} AS changed
FROM json_each(l.data) WITH ORDINALITY e(key, value, n)) d) END"""

_SUMMARY = " ".join(
    ["CASE l.type", *(f"WHEN '{it}' THEN '{said}'" for it, said in SUMMARIES.items())]
)
"""An event of a later release was projected by that; here its name must do."""


def of_row(more: str) -> str:
    """Return the SQL of the document of a row `p` of the task log.

    `more` are further fields: an expression to append, of the record `l`.
    """
    return f"""(SELECT '{{"event_id":"' || l.event_id || '","sequence":' || l.sequence
|| ',"version":' || l.version || ',"type":' || to_json(l.type)
|| ',"recorded_at":"' || to_char(l.recorded_at AT TIME ZONE 'UTC',
'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","actor":{{"type":' || to_json(l.actor_type)
|| ',"id":' || to_json(l.actor_id) || '}},"command":{{"type":'
|| to_json(l.command_type) || ',"id":"' || l.command_id || '"}},"stream":{{"type":'
|| to_json(l.stream_type) || ',"id":"' || l.stream_id || '"}},"correlation_id":'
|| to_json(l.correlation_id) || ',"causation_id":'
|| coalesce(to_json(l.causation_id)::text, 'null') || ',"request_id":'
|| coalesce((l.context -> 'request_id')::text, 'null') || ',"summary":'
|| to_json({_SUMMARY} ELSE l.type END) || ',"changes":' || {_CHANGES_AND_DETAILS}
{more} || '}}' FROM events.log l
WHERE l.workspace_id = p.workspace_id AND l.sequence = p.sequence)"""
