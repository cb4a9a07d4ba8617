"""The OpenAPI 3.1 document, made from the same tables that the routes are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from functools import lru_cache
from typing import Any

import orjson
from pydantic import BaseModel, TypeAdapter

from metacortex import __version__
from metacortex.api import audit, batch, examples, feed, shapes
from metacortex.api.components import (
    COMMAND_ERRORS,
    COMMANDED,
    FRESH,
    IDS,
    OPEN_ERRORS,
    QUERIED,
    QUERY_ERRORS,
    REF,
    Schema,
    asked,
    components,
    envelope,
    failure,
    many,
    path_id,
    responses,
)
from metacortex.api.modules import MODULES
from metacortex.api.routes import (
    Command,
    Listing,
    Module,
    OneParameters,
    PageParameters,
)


@lru_cache
def document() -> bytes:
    """Return the document as JSON."""
    return orjson.dumps(Builder().build())


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A query that no module owns; its example is found by its id."""

    id: str
    path: str
    summary: str
    tag: str
    data: type[Any]
    many: bool = False
    meta: type[BaseModel] = shapes.QueryMeta
    parameters: type[BaseModel] | None = None
    headers: Sequence[str] = FRESH
    answered: Sequence[str] = QUERIED


_TAGGED = (*IDS, "ETag")

OTHERS = (
    Other(
        id="getCommand",
        path="/commands/{id}",
        summary="What became of a command",
        tag="commands",
        data=shapes.Receipt,
    ),
    Other(
        id="taskStats",
        path="/tasks/stats",
        summary="Count tasks",
        tag="tasks",
        data=shapes.TaskStats,
        parameters=feed.StatsParameters,
    ),
    Other(
        id="listChanges",
        path="/changes",
        summary="What changed after a sequence",
        tag="feeds",
        data=shapes.Changed,
        many=True,
        meta=shapes.ChangesMeta,
        parameters=feed.ChangeParameters,
    ),
    Other(
        id="listAuditEvents",
        path="/audit/events",
        summary="The event records",
        tag="audit",
        data=shapes.AuditEvent,
        many=True,
        meta=shapes.PageMeta,
        parameters=audit.RecordFilters,
    ),
    Other(
        id="getAuditEvent",
        path="/audit/events/{id}",
        summary="One event record",
        tag="audit",
        data=shapes.AuditEvent,
    ),
    Other(
        id="listErrors",
        path="/meta/errors",
        summary="Every error code",
        tag="meta",
        data=shapes.ErrorCode,
        many=True,
        meta=shapes.Meta,
        headers=(),
        answered=_TAGGED,
    ),
    Other(
        id="listStateMachines",
        path="/meta/state-machines",
        summary="Which command each state takes",
        tag="meta",
        data=shapes.StateMachines,
        meta=shapes.Meta,
        headers=(),
        answered=_TAGGED,
    ),
)


class Builder:
    """Gathers the components that the operations refer to."""

    def __init__(self) -> None:
        self.schemas: Schema = {"Failure": failure()}
        self.paths: dict[str, Schema] = {}
        self._rest = examples.of_the_rest()
        self._ref(shapes.Meta)
        self._ref(shapes.Error)

    def build(self) -> Schema:
        """Return the whole document."""
        for module in MODULES:
            self._module(module)
        for other in OTHERS:
            self._other(other)
        self._commands()
        self._stream()
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "MetaCortex",
                "version": __version__,
                "description": "Tasks, projects and tags, with their whole history.",
            },
            "servers": [{"url": "/api/v1"}],
            "paths": self.paths,
            "components": components(self.schemas),
            "security": [{"bearer": []}],
        }

    def _ref(self, type: Any) -> Schema:
        """Return a reference to the schema of what answers hold, which is added."""
        name: str = type.__name__
        if name not in self.schemas:
            schema = TypeAdapter(type).json_schema(
                ref_template=REF, mode="serialization"
            )
            self._keep(schema, answered=True)
            self.schemas[name] = _as_answered(schema) if is_dataclass(type) else schema
        return {"$ref": REF.format(model=name)}

    def _body(self, type: Any, example: Mapping[str, Any]) -> Schema:
        """Return the schema of a request's body, which is added."""
        name: str = type.__name__
        if name not in self.schemas:
            schema = TypeAdapter(type).json_schema(ref_template=REF, mode="validation")
            self._keep(schema, answered=False)
            self.schemas[name] = schema
            if example:
                schema["examples"] = [dict(example)]
        content: Schema = {"schema": {"$ref": REF.format(model=name)}}
        content["example"] = dict(example)
        required = bool(self.schemas[name].get("required"))
        return {"required": required, "content": {"application/json": content}}

    def _keep(self, schema: Schema, answered: bool) -> None:
        """Move what a schema defines to where all find it."""
        for name, found in schema.pop("$defs", {}).items():
            is_row = answered and found.get("additionalProperties") is not False
            self.schemas.setdefault(name, _as_answered(found) if is_row else found)

    def _add(self, method: str, path: str, operation: Schema) -> None:
        self.paths.setdefault(path, {})[method.lower()] = operation

    def _parameters(self, model: type[BaseModel] | None) -> list[Schema]:
        if model is None:
            return []
        schema = model.model_json_schema(ref_template=REF)
        self._keep(schema, answered=False)
        return [_query(name, found) for name, found in schema["properties"].items()]

    def _module(self, module: Module) -> None:
        row = self._ref(module.row)
        for command in module.commands:
            self._command(module, command, row)
        told = examples.of_queries(module)
        for path, operation, schema in self._queries(module, row):
            example = told[operation["operationId"]]
            operation["responses"] = responses(
                200, schema, example, QUERIED, QUERY_ERRORS
            )
            self._add("GET", path, operation)

    def _queries(
        self, module: Module, row: Schema
    ) -> Sequence[tuple[str, Schema, Schema]]:
        """Return path, operation and answer of each query."""
        base, noun = f"/{module.plural}", module.stream_type.capitalize()
        page, single = self._ref(shapes.PageMeta), self._ref(shapes.QueryMeta)
        listing = module.listing
        many_of = _operation(
            f"list{module.plural.capitalize()}", listing.summary, module.plural
        )
        many_of["parameters"] = [
            *_sorted_by(self._parameters(listing.parameters), listing),
            *asked(*FRESH),
        ]
        one = _operation(f"get{noun}", f"Get a {module.stream_type}", module.plural)
        one["description"] = "As it is, as it was at an instant, or at a version."
        one["parameters"] = [
            path_id(),
            *self._parameters(OneParameters),
            *asked(*FRESH),
        ]
        summary = f"Who changed this {module.stream_type}, when, from what to what"
        history = _operation(f"get{noun}History", summary, module.plural)
        history["parameters"] = [
            path_id(),
            *self._parameters(PageParameters),
            *asked(*FRESH),
        ]
        lines = many(self._ref(shapes.Activity))
        return (
            (base, many_of, envelope(many(self._ref(listing.row)), page)),
            (f"{base}/{{id}}", one, envelope(row, single)),
            (f"{base}/{{id}}/history", history, envelope(lines, page)),
        )

    def _command(self, module: Module, command: Command, row: Schema) -> None:
        verb = command.name.partition(".")[2]
        noun = module.stream_type.capitalize()
        operation = _operation(f"{verb}{noun}", command.summary, module.plural)
        operation["x-command-type"] = command.name
        operation["parameters"] = asked("Idempotency-Key", "If-Match")
        if "{id}" in command.path:
            operation["parameters"].insert(0, path_id())
        if command.method != "DELETE":
            operation["requestBody"] = self._body(command.body, command.body.examples)
        operation["responses"] = responses(
            command.status,
            envelope(row, self._ref(shapes.CommandMeta)),
            examples.of_command(module, command),
            (*COMMANDED, "Location") if command.status == 201 else COMMANDED,
            COMMAND_ERRORS,
        )
        self._add(command.method, f"/{module.plural}{command.path}", operation)

    def _other(self, other: Other) -> None:
        operation = _operation(other.id, other.summary, other.tag)
        operation["parameters"] = [
            *([path_id()] if "{id}" in other.path else []),
            *self._parameters(other.parameters),
            *asked(*other.headers),
        ]
        if other.tag == "meta":
            operation["security"] = []
        data = self._ref(other.data)
        operation["responses"] = responses(
            200,
            envelope(many(data) if other.many else data, self._ref(other.meta)),
            self._rest[other.id],
            other.answered,
            OPEN_ERRORS if other.tag == "meta" else QUERY_ERRORS,
        )
        self._add("GET", other.path, operation)

    def _commands(self) -> None:
        """Describe what takes commands of every module."""
        run = _operation("runCommands", "Run up to 100 commands in order", "commands")
        run["parameters"] = self._parameters(batch.BatchParameters)
        run["requestBody"] = self._body(batch.BatchBody, batch.BatchBody.examples)
        run["responses"] = responses(
            200,
            envelope(self._ref(shapes.BatchResults), self._ref(shapes.BatchMeta)),
            self._rest["runCommands"],
            (*IDS, "Metacortex-Sequence"),
            COMMAND_ERRORS,
        )
        run["responses"]["207"] = run["responses"]["200"]
        self._add("POST", "/commands", run)
        undo = _operation("undoCommand", "Take a command back", "commands")
        undo["parameters"] = [path_id(), *asked("Idempotency-Key")]
        rows = {"anyOf": [self._ref(module.row) for module in MODULES]}
        undo["responses"] = responses(
            200,
            envelope(rows, self._ref(shapes.CommandMeta)),
            self._rest["undoCommand"],
            COMMANDED,
            COMMAND_ERRORS,
        )
        self._add("POST", "/commands/{id}/undo", undo)

    def _stream(self) -> None:
        stream = _operation("streamEvents", "Events as they become visible", "feeds")
        stream["parameters"] = asked("Last-Event-ID")
        text, example = {"type": "string"}, self._rest["streamEvents"]
        stream["responses"] = responses(
            200, text, example, IDS, QUERY_ERRORS, feed.EVENT_STREAM
        )
        self._add("GET", "/events/stream", stream)


def _operation(id: str, summary: str, tag: str) -> Schema:
    return {"operationId": id, "summary": summary, "tags": [tag]}


def _as_answered(schema: Schema) -> Schema:
    """Return the schema of a row: answers leave nothing out, and hold nothing else."""
    properties = schema.get("properties", {})
    for found in properties.values():
        found.pop("default", None)
        for one in (found, *found.get("anyOf", ())):
            if one.get("format") == "time":  # in JSON Schema that has an offset
                del one["format"]
                one["pattern"] = "^[0-9]{2}:[0-9]{2}:[0-9]{2}$"
    return {**schema, "required": [*properties], "additionalProperties": False}


def _query(name: str, schema: Schema) -> Schema:
    """Return a parameter of a query, where absent is the only null."""
    found = {k: v for k, v in schema.items() if k != "title"}
    if found.get("default") in (None, []):
        del found["default"]
    about = {key: found.pop(key) for key in ("description",) if key in found}
    choices = [one for one in found.pop("anyOf", ()) if one != {"type": "null"}]
    if choices:
        found |= choices[0] if len(choices) == 1 else {"anyOf": choices}
    return {"name": name, "in": "query", "required": False, **about, "schema": found}


def _sorted_by(parameters: list[Schema], listing: Listing) -> list[Schema]:
    """Return the parameters, `sort` with the keys that the list knows."""
    key = f"-?({'|'.join(listing.query.sorts)})"
    for one in parameters:
        if one["name"] == "sort":
            one["schema"] = {**one["schema"], "pattern": f"^{key}(,{key})*$"}
    return parameters
