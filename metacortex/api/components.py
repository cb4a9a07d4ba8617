"""What the OpenAPI document says in many places: headers, errors, the envelope."""

from collections.abc import Mapping, Sequence
from typing import Any

from metacortex.api.errors import status_of_class
from metacortex.kernel.errors import CODES

REF = "#/components/schemas/{model}"
Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_SEQUENCE: Schema = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}

ASKED: Mapping[str, Schema] = {
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
            " with what there is then, and say so in meta.stale (RFC 7240)."
        ),
        "schema": _TEXT,
        "example": "wait=2, handling=lenient",
    },
    "Last-Event-ID": {
        "description": "Resume after this sequence.",
        "schema": _SEQUENCE,
    },
}
"""Headers of requests."""

ANSWERED: Mapping[str, Schema] = {
    "X-Request-Id": {
        "description": "The request's own id, or one of ours.",
        "schema": _TEXT,
    },
    "X-Correlation-Id": {
        "description": "What the request belongs to; its own id if nothing was said.",
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
    "Location": {"description": "Where the new resource is.", "schema": _TEXT},
    "Idempotency-Replayed": {
        "description": "That the command had been answered before.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WWW-Authenticate": {
        "description": "The challenge (RFC 6750, section 3).",
        "schema": _TEXT,
    },
    "Allow": {"description": "The methods that there are.", "schema": _TEXT},
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
}
"""Headers of answers."""

IDS = ("X-Request-Id", "X-Correlation-Id")
COMMANDED = (*IDS, "Metacortex-Sequence", "ETag", "Idempotency-Replayed")
QUERIED = (*IDS, "Metacortex-Sequence", "ETag")
WITH_ERROR = {401: "WWW-Authenticate", 405: "Allow", 503: "Retry-After"}

COMMAND_ERRORS = (400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 500, 503)
QUERY_ERRORS = (400, 401, 403, 404, 405, 500, 503)
OPEN_ERRORS = (400, 405, 500)
"""Of what needs no token."""

FRESH = ("Metacortex-Min-Sequence", "Prefer", "If-None-Match")


def components(schemas: Schema) -> Schema:
    """Return all that operations refer to."""
    return {
        "schemas": schemas,
        "headers": {
            name: {"required": name in IDS, **found} for name, found in ANSWERED.items()
        },
        "responses": {str(status): _refusal(status) for status in COMMAND_ERRORS},
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        },
    }


def path_id() -> Schema:
    """Return the one parameter that paths have."""
    schema = {"type": "string", "format": "uuid"}
    return {"name": "id", "in": "path", "required": True, "schema": schema}


def asked(*names: str) -> list[Schema]:
    """Return headers of a request."""
    return [
        {"name": name, "in": "header", "required": False, **ASKED[name]}
        for name in names
    ]


def many(item: Schema) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": item}


def envelope(data: Schema, meta: Schema) -> Schema:
    """Return the schema of an answer that is no error."""
    return {
        "type": "object",
        "required": ["data", "meta", "errors"],
        "additionalProperties": False,
        "properties": {
            "data": data,
            "meta": meta,
            "errors": {"type": "array", "maxItems": 0},
        },
    }


def failure() -> Schema:
    """Return the schema of an answer that is an error."""
    meta = {"$ref": REF.format(model="Meta")}
    errors = {**many({"$ref": REF.format(model="Error")}), "minItems": 1}
    found = envelope({"type": "null"}, meta)
    found["properties"]["errors"] = errors
    return found


def _refusal(status: int) -> Schema:
    codes = sorted(
        code for code, (cls, _) in CODES.items() if status_of_class(cls) == status
    )
    names = [*IDS, WITH_ERROR[status]] if status in WITH_ERROR else IDS
    error = {"code": codes[0], "status": status, "title": CODES[codes[0]][1]}
    example = {
        "data": None,
        "meta": {"request_id": "0199d2c4-6f3e-7c11-9a55-0d9f3b1f6c00"},
        "errors": [{**error, "detail": error["title"], "meta": {}}],
    }
    schema = {"$ref": REF.format(model="Failure")}
    return {
        "description": ", ".join(codes),
        "headers": _answered(names),
        "content": {"application/json": {"schema": schema, "example": example}},
    }


def _answered(names: Sequence[str]) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def responses(
    status: int,
    schema: Schema,
    example: Any,
    headers: Sequence[str],
    errors: Sequence[int],
    media: str = "application/json",
) -> Schema:
    """Return the answers of an operation; what has a tag may not have changed."""
    found: Schema = {
        str(status): {
            "description": "Done",
            "headers": _answered(headers),
            "content": {media: {"schema": schema, "example": example}},
        }
    }
    if errors is not COMMAND_ERRORS and "ETag" in headers:
        found["304"] = {"description": "Not changed", "headers": _answered(headers)}
    for error in errors:
        found[str(error)] = {"$ref": f"#/components/responses/{error}"}
    return found
