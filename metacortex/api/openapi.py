"""The OpenAPI 3.1 document, made from the same tables that the routes are made from."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from pydantic import BaseModel, TypeAdapter

from metacortex import __version__
from metacortex.api import audit, batch, feed
from metacortex.api.errors import status_of_class
from metacortex.api.modules import MODULES
from metacortex.api.routes import (
    Command,
    HistoryParameters,
    Listing,
    Module,
    OneParameters,
)
from metacortex.kernel.errors import CODES

REF = "#/components/schemas/{model}"
Schema = dict[str, Any]

HEADERS: Mapping[str, Schema] = {
    "Idempotency-Key": {
        "description": "Makes a repeat harmless: a UUID, or any 1 to 255 characters.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    },
    "If-Match": {
        "description": "The version that the client saw, in quotes; * for any.",
        "schema": {"type": "string", "pattern": r'^(\*|"[0-9]{1,9}")$'},
    },
    "If-None-Match": {
        "description": "An ETag; 304 if the answer is still the same.",
        "schema": {"type": "string"},
    },
    "Metacortex-Min-Sequence": {
        "description": "Wait until the read model shows this sequence.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
    },
    "Last-Event-ID": {
        "description": "Resume after this sequence.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
    },
}

COMMAND_ERRORS = (400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 503)
QUERY_ERRORS = (400, 401, 403, 404, 405, 503)


@lru_cache
def document() -> bytes:
    """Return the document as JSON."""
    return orjson.dumps(Builder().build())


class Builder:
    """Gathers the components that the operations refer to."""

    def __init__(self) -> None:
        self.schemas: Schema = {"Error": _error(), "Failure": _failure()}
        self.paths: dict[str, Schema] = {}

    def build(self) -> Schema:
        """Return the whole document."""
        self._rest()
        for module in MODULES:
            self._module(module)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "MetaCortex",
                "version": __version__,
                "description": "Tasks, projects and tags, with their whole history.",
            },
            "servers": [{"url": "/api/v1"}],
            "paths": self.paths,
            "components": {
                "schemas": self.schemas,
                "securitySchemes": {
                    "bearer": {
                        "type": "http",
                        "scheme": "bearer",
                        "bearerFormat": "JWT",
                    }
                },
                "responses": {
                    str(status): _response(status)
                    for status in sorted({*COMMAND_ERRORS, *QUERY_ERRORS})
                },
            },
            "security": [{"bearer": []}],
        }

    def _ref(self, type: Any, mode: Any = "serialization") -> Schema:
        """Return a reference to the schema of a class, which is added."""
        name: str = type.__name__
        if name not in self.schemas:
            schema = TypeAdapter(type).json_schema(ref_template=REF, mode=mode)
            self.schemas.update(schema.pop("$defs", {}))
            self.schemas[name] = schema
            if isinstance(getattr(type, "examples", None), dict) and type.examples:
                schema["examples"] = [type.examples]
        return {"$ref": REF.format(model=name)}

    def _add(self, method: str, path: str, operation: Schema) -> None:
        self.paths.setdefault(path, {})[method.lower()] = operation

    def _module(self, module: Module) -> None:
        base, noun = f"/{module.plural}", module.stream_type.capitalize()
        row = self._ref(module.row)
        for command in module.commands:
            self._command(module, command, row)
        self._list(module, module.listing)
        one = _operation(f"get{noun}", f"Get a {module.stream_type}", module.plural)
        one["description"] = "As it is, as it was at an instant, or at a version."
        one["parameters"] = [
            _path_id(),
            *self._parameters(OneParameters),
            *_headers("Metacortex-Min-Sequence", "If-None-Match"),
        ]
        one["responses"] = _responses(200, _envelope(row), QUERY_ERRORS, 304)
        self._add("GET", f"{base}/{{id}}", one)
        self._history(module, base, noun)

    def _history(self, module: Module, base: str, noun: str) -> None:
        history = _operation(
            f"get{noun}History",
            f"Who changed this {module.stream_type}, when, from what to what",
            module.plural,
        )
        history["parameters"] = [
            _path_id(),
            *self._parameters(HistoryParameters),
            *_headers("Metacortex-Min-Sequence", "If-None-Match"),
        ]
        self.schemas["Activity"] = _activity()
        shown = _envelope(_many({"$ref": REF.format(model="Activity")}))
        history["responses"] = _responses(200, shown, QUERY_ERRORS, 304)
        self._add("GET", f"{base}/{{id}}/history", history)

    def _command(self, module: Module, command: Command, row: Schema) -> None:
        verb = command.name.partition(".")[2]
        noun = module.stream_type.capitalize()
        operation = _operation(f"{verb}{noun}", command.summary, module.plural)
        operation["x-command-type"] = command.name
        operation["parameters"] = _headers("Idempotency-Key", "If-Match")
        if "{id}" in command.path:
            operation["parameters"].insert(0, _path_id())
        body = self._ref(command.body, "validation")
        required = bool(self.schemas[command.body.__name__].get("required"))
        if command.method != "DELETE":
            operation["requestBody"] = _body(body, required, command.body.examples)
        responses = _responses(command.status, _envelope(row), COMMAND_ERRORS)
        operation["responses"] = responses
        self._add(command.method, f"/{module.plural}{command.path}", operation)

    def _list(self, module: Module, listing: Listing) -> None:
        nouns = module.plural.capitalize()
        operation = _operation(f"list{nouns}", listing.summary, module.plural)
        operation["parameters"] = [
            *_sorted_by(self._parameters(listing.parameters), listing),
            *_headers("Metacortex-Min-Sequence", "If-None-Match"),
        ]
        shown = _envelope(_many(self._ref(listing.row)))
        operation["responses"] = _responses(200, shown, QUERY_ERRORS, 304)
        self._add("GET", f"/{module.plural}", operation)

    def _parameters(self, model: type[BaseModel]) -> list[Schema]:
        schema = model.model_json_schema(ref_template=REF)
        self.schemas.update(schema.get("$defs", {}))
        return [
            {"name": name, "in": "query", "required": False, "schema": _query(found)}
            for name, found in schema["properties"].items()
        ]

    def _rest(self) -> None:
        """Describe what no module owns."""
        run = _operation("runCommands", "Run up to 100 commands in order", "commands")
        run["parameters"] = self._parameters(batch.BatchParameters)
        body = self._ref(batch.BatchBody, "validation")
        run["requestBody"] = _body(body, True, batch.BatchBody.examples)
        run["responses"] = _responses(
            200, _envelope({"type": "object"}), COMMAND_ERRORS
        )
        run["responses"]["207"] = run["responses"]["200"]
        self._add("POST", "/commands", run)
        receipt = _operation("getCommand", "What became of a command", "commands")
        receipt["parameters"] = [_path_id(), *_headers("If-None-Match")]
        receipt["responses"] = _responses(
            200, _envelope({"type": "object"}), QUERY_ERRORS, 304
        )
        self._add("GET", "/commands/{id}", receipt)
        undo = _operation("undoCommand", "Take a command back", "commands")
        undo["parameters"] = [_path_id(), *_headers("Idempotency-Key")]
        undo["responses"] = _responses(
            200, _envelope({"type": "object"}), COMMAND_ERRORS
        )
        self._add("POST", "/commands/{id}/undo", undo)
        self._feeds()
        self._lookups()

    def _feeds(self) -> None:
        stats = _operation("taskStats", "Count tasks", "tasks")
        stats["parameters"] = [
            *self._parameters(feed.StatsParameters),
            *_headers("Metacortex-Min-Sequence", "If-None-Match"),
        ]
        stats["responses"] = _responses(
            200, _envelope({"type": "object"}), QUERY_ERRORS, 304
        )
        self._add("GET", "/tasks/stats", stats)
        changes = _operation("listChanges", "What changed after a sequence", "feeds")
        changes["parameters"] = [
            *self._parameters(feed.ChangeParameters),
            *_headers("Metacortex-Min-Sequence", "If-None-Match"),
        ]
        changes["responses"] = _responses(
            200, _envelope(_many({"type": "object"})), QUERY_ERRORS, 304
        )
        self._add("GET", "/changes", changes)
        stream = _operation("streamEvents", "Events as they become visible", "feeds")
        stream["parameters"] = _headers("Last-Event-ID")
        stream["responses"] = _responses(200, None, QUERY_ERRORS)
        stream["responses"]["200"]["content"] = {
            "text/event-stream": {"schema": {"type": "string"}}
        }
        self._add("GET", "/events/stream", stream)

    def _lookups(self) -> None:
        events = _operation("listAuditEvents", "The event records", "audit")
        events["parameters"] = [
            *self._parameters(audit.RecordFilters),
            *_headers("Metacortex-Min-Sequence", "If-None-Match"),
        ]
        shown = _envelope(_many({"type": "object"}))
        events["responses"] = _responses(200, shown, QUERY_ERRORS, 304)
        self._add("GET", "/audit/events", events)
        one = _operation("getAuditEvent", "One event record", "audit")
        one["parameters"] = [
            _path_id(),
            *_headers("Metacortex-Min-Sequence", "If-None-Match"),
        ]
        one["responses"] = _responses(
            200, _envelope({"type": "object"}), QUERY_ERRORS, 304
        )
        self._add("GET", "/audit/events/{id}", one)
        for path, id, summary, data in (
            (
                "/meta/errors",
                "listErrors",
                "Every error code",
                _many({"type": "object"}),
            ),
            (
                "/meta/state-machines",
                "listStateMachines",
                "Which command each state takes",
                {"type": "object"},
            ),
        ):
            found = _operation(id, summary, "meta")
            found["security"] = []
            found["responses"] = _responses(200, _envelope(data), (400, 405), 304)
            self._add("GET", path, found)


def _operation(id: str, summary: str, tag: str) -> Schema:
    return {"operationId": id, "summary": summary, "tags": [tag]}


def _path_id() -> Schema:
    schema = {"type": "string", "format": "uuid"}
    return {"name": "id", "in": "path", "required": True, "schema": schema}


def _headers(*names: str) -> list[Schema]:
    return [
        {"name": name, "in": "header", "required": False, **HEADERS[name]}
        for name in names
    ]


def _query(found: Schema) -> Schema:
    """Return a parameter's schema: absent is the only null that a query has."""
    choices = [one for one in found.get("anyOf", ()) if one != {"type": "null"}]
    rest = {k: v for k, v in found.items() if k not in ("anyOf", "default", "title")}
    if not choices:
        return rest
    return {**rest, **choices[0]} if len(choices) == 1 else {**rest, "anyOf": choices}


def _sorted_by(parameters: list[Schema], listing: Listing) -> list[Schema]:
    """Return the parameters, `sort` with the keys that the list knows."""
    key = f"-?({'|'.join(listing.query.sorts)})"
    for one in parameters:
        if one["name"] == "sort":
            one["schema"] = {**one["schema"], "pattern": f"^{key}(,{key})*$"}
    return parameters


def _body(schema: Schema, required: bool, example: Mapping[str, Any]) -> Schema:
    content: Schema = {"schema": schema}
    if example:
        content["example"] = dict(example)
    return {"required": required, "content": {"application/json": content}}


def _many(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _envelope(data: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["data", "meta", "errors"],
        "properties": {
            "data": data,
            "meta": {"type": "object", "required": ["request_id"]},
            "errors": {"type": "array", "maxItems": 0},
        },
    }


def _error() -> Schema:
    return {
        "type": "object",
        "required": ["code", "status", "title", "detail", "meta"],
        "properties": {
            "code": {"type": "string", "enum": sorted(CODES)},
            "status": {"type": "integer"},
            "title": {"type": "string"},
            "detail": {"type": "string"},
            "source": {"type": "object"},
            "meta": {"type": "object"},
        },
    }


def _failure() -> Schema:
    error = {"$ref": REF.format(model="Error")}
    return {
        "type": "object",
        "required": ["data", "meta", "errors"],
        "properties": {
            "data": {"type": "null"},
            "meta": {"type": "object", "required": ["request_id"]},
            "errors": {"type": "array", "minItems": 1, "items": error},
        },
    }


def _activity() -> Schema:
    """Return the schema of a line of the task log."""
    text, whole = {"type": "string"}, {"type": "integer"}
    who = {"type": "object", "required": ["type", "id"]}
    names = {
        "event_id": text,
        "sequence": whole,
        "version": whole,
        "type": text,
        "recorded_at": {"type": "string", "format": "date-time"},
        "actor": who,
        "command": who,
        "stream": who,
        "summary": text,
        "changes": {"type": "object"},
        "details": {"type": "object"},
    }
    return {"type": "object", "required": list(names), "properties": names}


def _response(status: int) -> Schema:
    codes = sorted(
        code for code, (cls, _) in CODES.items() if status_of_class(cls) == status
    )
    schema = {"$ref": REF.format(model="Failure")}
    return {
        "description": ", ".join(codes),
        "content": {"application/json": {"schema": schema}},
    }


def _responses(
    status: int, schema: Schema | None, errors: Sequence[int], also: int | None = None
) -> Schema:
    fine: Schema = {"description": "Done"}
    if schema is not None:
        fine["content"] = {"application/json": {"schema": schema}}
    found: Schema = {str(status): fine}
    if also is not None:
        found[str(also)] = {"description": "Not changed"}
    for error in errors:
        found[str(error)] = {"$ref": f"#/components/responses/{error}"}
    return found
