"""The OpenAPI document: FastAPI's, completed with what all operations share.

FastAPI describes paths, parameters, bodies and answers from the signatures. Added here:
headers, errors by operation, examples, and the form that generators expect.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import TypeAdapter
from starlette.routing import BaseRoute

from metacortex.api import examples, parsing
from metacortex.api.comments import AddCommentBody, CommentTextBody
from metacortex.api.errors import status_of_class
from metacortex.api.fields import Body
from metacortex.api.middleware import PREFIX
from metacortex.api.modules import COMMANDS, MODULES
from metacortex.api.routing import EnvelopeRoute, LeanRoute, is_protected
from metacortex.api.schemas import StreamedEvent
from metacortex.kernel.errors import CODES

REF = "#/components/schemas/{model}"
Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_SEQUENCE: Schema = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}

REQUEST_HEADERS: Mapping[str, Schema] = {
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
        "schema": _TEXT,
    },
    "Metacortex-Min-Sequence": {
        "description": "Wait until the read model shows this sequence.",
        "schema": _SEQUENCE,
    },
    "Prefer": {
        "description": (
            "wait=N: for at most so many seconds; handling=lenient: answer"
            " with what there is then, and say so in meta.stale; of a list, count=none:"
            " leave meta.total null, at no cost; count=exact: count however many there"
            " are, where auditors are told no more than 10,000 otherwise (RFC 7240)."
        ),
        "schema": _TEXT,
        "example": "wait=2, handling=lenient",
    },
    "Last-Event-ID": {
        "description": "Resume after this sequence.",
        "schema": _SEQUENCE,
    },
}

RESPONSE_HEADERS: Mapping[str, Schema] = {
    "X-Request-Id": {
        "description": "The request's own id, or one of ours.",
        "schema": _TEXT,
    },
    "X-Correlation-Id": {
        "description": "What the request belongs to; its own id if it named nothing.",
        "schema": _TEXT,
    },
    "Metacortex-Sequence": {
        "description": "The sequence of the log that the answer shows.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "ETag": {
        "description": "The version in quotes, or a weak tag of the answer.",
        "schema": _TEXT,
    },
    "Preference-Applied": {
        "description": "count=none or count=exact, if it was preferred.",
        "schema": _TEXT,
    },
    "Location": {"description": "Where the new resource is.", "schema": _TEXT},
    "Idempotency-Replayed": {
        "description": "Present if the command had been answered before.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WWW-Authenticate": {
        "description": "The challenge (RFC 6750, section 3).",
        "schema": _TEXT,
    },
    "Allow": {"description": "The methods that the path takes.", "schema": _TEXT},
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "RateLimit": {
        "description": "What is left (r) until the window ends in t seconds, where"
        " rates are limited (draft-ietf-httpapi-ratelimit-headers-10).",
        "schema": _TEXT,
    },
    "RateLimit-Policy": {
        "description": "The quota (q) of a window of w seconds, by name.",
        "schema": _TEXT,
    },
}

IDS = ("X-Request-Id", "X-Correlation-Id")
STREAMS = ("streamEvents", "streamOperations")
RATES = ("RateLimit", "RateLimit-Policy")
WITH_ERROR: Mapping[int, Sequence[str]] = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    429: ("Retry-After", *RATES),
    503: ("Retry-After",),
}

ALWAYS = (
    "method_not_allowed",
    "internal_error",
    "invalid_header",
    "headers_too_large",
    "target_too_long",
)
PROTECTED = (
    "token_missing",
    "token_invalid",
    "token_expired",
    "role_required",
    "rate_limited",
)
UNAVAILABLE = (
    "database_unavailable",
    "keys_unavailable",
    "query_timeout",
    "workspace_busy",
)
WITH_PARAMETERS = ("unknown_parameter", "invalid_parameter")
WITH_CURSOR = ("bad_cursor", "cursor_mismatch")
WITH_BODY = (
    "malformed_json",
    "duplicate_key",
    "too_deep",
    "too_many_fields",
    "body_too_large",
    "request_too_slow",
    "unsupported_content_coding",
    "unsupported_media_type",
    "invalid_field",
    "unknown_field",
    "missing_field",
)
OF_COMMANDS = (
    "idempotency_key_reused",
    "outcome_unknown",
    "overloaded",
    "shutting_down",
    "too_much_at_once",
)


def tags() -> list[dict[str, Any]]:
    """Return the groups of operations, in the order of the document."""
    found = [{"name": it.plural, "description": it.description} for it in MODULES]
    others = {
        "commands": "Batches of commands, their outcome, and undo.",
        "imports": "Lists from elsewhere, worked off in the background.",
        "feeds": "What changed, page by page or as a stream.",
        "audit": "The event records, for auditors.",
        "ops": "The state of the installation, and what mends it, for operators.",
        "meta": "About the service itself; no token needed.",
    }
    return [*found, *({"name": k, "description": v} for k, v in others.items())]


def complete(document: Schema, routes: Sequence[BaseRoute]) -> Schema:
    """Return FastAPI's document, completed; `routes` are the application's."""
    return _Completion(document, routes).run()


class _Completion:
    """Works on one document."""

    def __init__(self, document: Schema, routes: Sequence[BaseRoute]) -> None:
        self._document = document
        self._schemas: Schema = document["components"]["schemas"]
        self._examples = dict(examples.by_operation())
        self._routes = {
            (context.path_format, method.lower()): context
            for context in iter_route_contexts(routes)
            if isinstance(context.original_route, APIRoute)
            for method in context.methods or ()
        }

    def run(self) -> Schema:
        """Return the whole document."""
        paths: Schema = {}
        for path, operations in self._document["paths"].items():
            for method, operation in operations.items():
                self._operation(operation, self._routes[path, method], method)
            if path.startswith(PREFIX):
                paths[path.removeprefix(PREFIX) or "/"] = operations
            else:
                paths[path] = {"servers": [{"url": "/"}], **operations}
        self._document["paths"] = paths
        self._components()
        self._document["security"] = [{"bearer": []}]
        return self._document

    def _operation(self, operation: Schema, route: Any, method: str) -> None:
        """Complete one operation."""
        original = route.original_route
        lean = isinstance(original, LeanRoute)
        if not lean:
            protected = is_protected(route.dependant)
            if not protected and "security" not in operation:
                operation["security"] = []
            if operation.get("security") == [{"bearer": []}]:
                del operation["security"]  # that of the whole document
        if operation.pop("x-example", None) is not None:
            # from the route: FastAPI has taken the nulls out of the document's
            own = original.openapi_extra["x-example"]
            self._examples[operation["operationId"]] = own
        parameters = [_parameter(it) for it in operation.get("parameters", ())]
        operation["parameters"] = parameters
        if operation["operationId"].startswith("list"):
            self._sort_keys(operation)
        if "requestBody" in operation:
            self._body(operation)
        self._responses(
            operation, method, ours=isinstance(original, EnvelopeRoute) or lean
        )

    def _sort_keys(self, operation: Schema) -> None:
        """Say by which keys a list may be sorted."""
        for module in MODULES:
            if module.listing is None:
                continue
            if operation["operationId"] == f"list{module.plural.capitalize()}":
                _say_sort_keys(operation["parameters"], module.listing.query.sorts)

    def _body(self, operation: Schema) -> None:
        """Make an optional body a plain reference, and add its example."""
        body = operation["requestBody"]
        for media, content in body["content"].items():
            schema = content["schema"]
            choices = [it for it in schema.get("anyOf", ()) if it != {"type": "null"}]
            if len(choices) == 1:
                content["schema"] = choices[0]
            example = _body_example(operation)
            if content["schema"] == {"$ref": REF.format(model="Nothing")}:
                example = {}
            if example is not None and media == "application/json":
                content["example"] = example
        body["required"] = bool(body.get("required"))

    def _responses(self, operation: Schema, method: str, *, ours: bool) -> None:
        responses: Schema = operation["responses"]
        successes = {k: v for k, v in responses.items() if k < "400"}
        names = {it["name"] for it in operation["parameters"]}
        told = _success_headers(operation, method, names)
        if operation.get("security") != []:
            told = (*told, *RATES)
        example = self._examples.get(operation["operationId"])
        for response in successes.values():
            if response.get("description") in (None, "Successful Response"):
                response["description"] = "Done"
            if ours:
                response["headers"] = _header_refs(told)
            for content in response.get("content", {}).values():
                if example is not None:
                    content["example"] = example
        if operation["operationId"] == "streamEvents":
            _as_stream(successes["200"], example)
        if "If-None-Match" in names or "ETag" in told and method == "get":
            successes["304"] = {
                "description": "Not changed",
                "headers": _header_refs(told),
            }
        if ours:
            responses.pop("422", None)
        failures = dict(self._failures(operation, names)) if ours else {}
        operation["responses"] = {
            **successes,
            **failures,
            **{
                k: v
                for k, v in responses.items()
                if k not in successes and k not in failures
            },
        }

    def _failures(
        self, operation: Schema, names: set[str]
    ) -> Iterator[tuple[str, Schema]]:
        """Return the answer for each status of the errors of an operation."""
        by_status: dict[int, list[str]] = {}
        for code in sorted(set(_codes(operation, names))):
            by_status.setdefault(status_of_class(CODES[code][0]), []).append(code)
        for status, codes in sorted(by_status.items()):
            yield str(status), _failure_response(status, codes)

    def _components(self) -> None:
        """Add what operations refer to, in one form for all."""
        for name in ("HTTPValidationError", "ValidationError"):
            self._schemas.pop(name, None)
        event = TypeAdapter(StreamedEvent).json_schema(ref_template=REF)
        self._schemas |= event.pop("$defs", {})
        self._schemas["StreamedEvent"] = event
        self._schemas["Failure"] = _failure()
        for schema in self._schemas.values():
            _plain_times(schema)
        components: Schema = self._document["components"]
        components["headers"] = {
            name: {"required": name in IDS, **found}
            for name, found in RESPONSE_HEADERS.items()
        }
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        }


def _codes(operation: Schema, names: set[str]) -> Iterable[str]:
    """Return the codes of all errors that an operation may answer with."""
    yield from ALWAYS
    if any(it["in"] == "path" for it in operation["parameters"]):
        yield "not_found"
    yield "unknown_parameter"
    if any(it["in"] == "query" for it in operation["parameters"]):
        yield from WITH_PARAMETERS
    if "cursor" in names:
        yield from WITH_CURSOR
    if operation.get("security") != []:
        yield from (*PROTECTED, *UNAVAILABLE)
    if "Metacortex-Min-Sequence" in names:
        yield "read_model_lagging"
    if "requestBody" in operation:
        yield from WITH_BODY
    name = operation["operationId"]
    if name in ("listChanges", "streamEvents"):
        yield "resync_required"
    if name in ("streamEvents", "streamOperations"):
        yield "too_many_streams"
    if "Idempotency-Key" in names or name == "runCommands":
        yield from (*OF_COMMANDS, *WITH_BODY)
    if "If-Match" in names:
        yield "version_conflict"
    if command := operation.get("x-command-type"):
        yield from COMMANDS[command].errors
    if name in ("retryRun", "retryFailures", "startSchedule"):
        yield "actor_unknown"
    if name == "listTasks":
        yield "too_many_events"
    if name in ("undoCommand", "runCommands"):
        yield from ("undo_conflict", "not_undoable", "unknown_command")
        yield from ("not_found", "version_conflict")
        yield from {code for route in COMMANDS.values() for code in route.errors}


COMMENT_BODIES: Mapping[str, type[Body]] = {
    "addComment": AddCommentBody,
    "editComment": CommentTextBody,
}
"""The bodies of commands that say in the path what batches say among the arguments."""


def _success_headers(operation: Schema, method: str, names: set[str]) -> Sequence[str]:
    """Return the headers of the answer that succeeds."""
    name = operation["operationId"]
    if name in STREAMS:
        return IDS
    if name == "runCommands":
        return (*IDS, "Metacortex-Sequence")
    if name == "createImport":
        return (*IDS, "Location", "Idempotency-Replayed")
    if "Idempotency-Key" in names:
        told = (*IDS, "Metacortex-Sequence", "ETag", "Idempotency-Replayed")
        return (*told, "Location") if "201" in operation["responses"] else told
    if method != "get":
        return IDS
    if "Metacortex-Min-Sequence" in names:
        shown = (*IDS, "Metacortex-Sequence", "ETag")
        return (*shown, "Preference-Applied") if "cursor" in names else shown
    return (*IDS, "ETag")


def _body_example(operation: Schema) -> Any:
    if operation["operationId"] in COMMENT_BODIES:
        return dict(COMMENT_BODIES[operation["operationId"]].examples)
    if command := operation.get("x-command-type"):
        return dict(COMMANDS[command].body.examples)
    return examples.BODIES.get(operation["operationId"])


def _parameter(found: Schema) -> Schema:
    """Return a parameter as generators expect it: absent is the only null."""
    if found["in"] == "header" and found["name"] in REQUEST_HEADERS:
        own = REQUEST_HEADERS[found["name"]]
        return {"name": found["name"], "in": "header", "required": False, **own}
    schema = {k: v for k, v in found["schema"].items() if k != "title"}
    if schema.get("default") in (None, []):
        schema.pop("default", None)
    about = schema.pop("description", None) or found.get("description")
    choices = [it for it in schema.pop("anyOf", ()) if it != {"type": "null"}]
    if choices:
        schema |= choices[0] if len(choices) == 1 else {"anyOf": choices}
    described = {"description": about} if about else {}
    kept = {k: v for k, v in found.items() if k not in ("schema", "description")}
    return {**kept, **described, "schema": schema}


def _say_sort_keys(parameters: list[Schema], sorts: Iterable[str]) -> None:
    key = f"-?({'|'.join(sorts)})"
    for one in parameters:
        if one["name"] == "sort":
            one["schema"]["pattern"] = f"^{key}(,{key})*$"
            one["description"] += f" Keys: {', '.join(sorts)}."


def _as_stream(response: Schema, example: Any) -> None:
    """Describe an answer that is a stream; OpenAPI 3.1 knows no items of one."""
    schema = {
        "type": "string",
        "description": "Lines of `text/event-stream`; `data` holds a StreamedEvent.",
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": REF.format(model="StreamedEvent")},
    }
    response["content"] = {"text/event-stream": {"schema": schema, "example": example}}


def _failure() -> Schema:
    """Return the schema of an answer that is an error."""
    errors = {"type": "array", "items": {"$ref": REF.format(model="ApiError")}}
    return {
        "type": "object",
        "required": ["data", "meta", "errors"],
        "additionalProperties": False,
        "properties": {
            "data": {"type": "null"},
            "meta": {
                "type": "object",
                "required": ["request_id"],
                "additionalProperties": False,
                "properties": {
                    "request_id": {"type": "string"},
                    "more": {
                        "type": "boolean",
                        "description": "There are more errors than are told.",
                    },
                },
            },
            "errors": {**errors, "minItems": 1, "maxItems": parsing.TOLD},
        },
    }


def _failure_response(status: int, codes: Sequence[str]) -> Schema:
    names = (*IDS, *WITH_ERROR.get(status, ()))
    schema = {"$ref": REF.format(model="Failure")}
    return {
        "description": ", ".join(codes),
        "headers": _header_refs(names),
        "content": {
            "application/json": {
                "schema": schema,
                "example": examples.failure(codes[0], status),
            }
        },
        "x-error-codes": list(codes),
    }


def _header_refs(names: Iterable[str]) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _plain_times(schema: Schema) -> None:
    """Describe local times: `format: time` of JSON Schema demands an offset."""
    for found in schema.get("properties", {}).values():
        for one in (found, *found.get("anyOf", ())):
            if one.get("format") == "time":
                del one["format"]
                one["pattern"] = "^[0-9]{2}:[0-9]{2}:[0-9]{2}$"
