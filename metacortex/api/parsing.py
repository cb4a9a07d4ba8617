"""Reading a request strictly: headers, body, parameters. Nothing unknown passes."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl
from uuid import UUID

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from metacortex.api import json_bodies
from metacortex.api.auth import Caller
from metacortex.api.fields import SURROGATES, Parameters
from metacortex.commands.message import Context
from metacortex.kernel.errors import (
    Invalid,
    Malformed,
    MetaCortexError,
    Several,
    TooLarge,
    Unsupported,
)
from metacortex.kernel.ids import derived, new_id
from metacortex.queries.bus import Freshness
from metacortex.queries.page import Count

M = TypeVar("M", bound=BaseModel)
P = TypeVar("P", bound=Parameters)

KEY_LIMIT = 255
TOLD = 20
"""Errors told of one request: more help nobody, and answers could grow without end."""
HEADER_LIMIT = 256  # characters kept of a user agent, in every event of a request
REFUSED_VERSION = 5  # of keys that are UUIDs: keys that are no UUIDs become of it
SEQUENCE_LIMIT = 2**53 - 1  # what JSON numbers hold exactly everywhere

_SANE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_MATCH = re.compile(r'(?:W/)?"([0-9]{1,9})"')
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_WHOLE = re.compile(r"[0-9]{1,16}")  # as many digits as SEQUENCE_LIMIT has
_WAIT = re.compile(r'wait *= *"?([0-9]{1,9}(?:\.[0-9]{1,3})?)"?')
_COUNT = re.compile(r'count *= *"?(exact|none)"?')
_LENIENT = re.compile(r'handling *= *"?lenient"?')
JSON_TYPES = ("application/json", "application/merge-patch+json")


def sane(value: str | None) -> str | None:
    """Return an id that a client sent if it is fit for logs, else None."""
    return value if value and _SANE.fullmatch(value) else None


def header_error(name: str, detail: str) -> Malformed:
    """Return the error of a header that cannot be read."""
    return Malformed("invalid_header", detail, source={"header": name})


def body_limit(request: Request) -> int:
    """Return how many bytes a body may have."""
    limit: int = request.scope["metacortex"]["body_limit"]
    return limit


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body. Raises TooLarge before more than the limit is held."""
    announced = request.headers.get("content-length", "")
    if _WHOLE.fullmatch(announced) and int(announced) > limit:
        raise TooLarge("body_too_large", meta={"limit": limit})
    body = b""
    async for chunk in request.stream():
        body = body + chunk if body else chunk
        if len(body) > limit:
            raise TooLarge("body_too_large", meta={"limit": limit})
    return body


async def read_json(request: Request, limit: int) -> Any:
    """Return the parsed body, an empty object for none.

    Raises TooLarge, and what `parse_json` raises.
    """
    body = await read_body(request, limit)
    return parse_json(request, body) if body else {}


def parse_json(request: Request, body: bytes) -> Any:
    """Return a body as JSON (RFC 8259): without NaN, and without a name twice.

    Raises Unsupported, Malformed, and Invalid for a lone surrogate.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in JSON_TYPES:
        raise Unsupported("unsupported_media_type")
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        raise Unsupported("unsupported_content_coding")
    try:
        found = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        if _has_lone_surrogates(body):
            detail = "A lone surrogate cannot be stored"
            raise Invalid("invalid_field", detail, source={"pointer": ""}) from error
        raise Malformed("malformed_json", str(error)) from error
    json_bodies.check(body, found)
    return found


def _has_lone_surrogates(body: bytes) -> bool:
    """Tell whether a body is JSON (RFC 8259, section 8.2) with what is no character."""
    try:
        found = json.dumps(json.loads(body), ensure_ascii=False)
    except (ValueError, RecursionError):
        return False
    return SURROGATES.search(found) is not None


def validated(model: type[M], found: Any, prefix: str = "") -> M:
    """Return the model of a parsed body. Raises Several, one per bad field."""
    if found.__class__ is dict and len(found) > TOLD:
        _check_known(model, found, prefix)
    try:
        return model.model_validate(found, context="body")
    except ValidationError as error:
        raise Several([field_error(one, prefix) for one in _errors(error)]) from None


def _check_known(model: type[BaseModel], found: Any, prefix: str) -> None:
    """Refuse more unknown fields than are told, before each is an error of its own."""
    unknown = [name for name in found if name not in model.model_fields]
    if len(unknown) > TOLD:
        places = [{"loc": (name,), **_UNKNOWN} for name in unknown[: TOLD + 1]]
        raise Several([field_error(it, prefix) for it in places])


_UNKNOWN = {"type": "extra_forbidden", "msg": "Extra inputs are not permitted"}


def _errors(error: ValidationError) -> list[Any]:
    """Return the errors that are told, and one more where there are more."""
    found = error.errors(include_url=False, include_context=False)
    return list(found[: TOLD + 1])


_KINDS = {"extra_forbidden": "unknown_field", "missing": "missing_field"}


def field_error(found: Mapping[str, Any], prefix: str = "") -> MetaCortexError:
    """Return the error of a field of the body."""
    pointer = prefix + "".join(f"/{json_bodies.escaped(step)}" for step in found["loc"])
    code = _KINDS.get(found["type"], "invalid_field")
    return Invalid(code, _said(found), source={"pointer": pointer})


_SAID = {
    "model_type": "Input should be an object",
    "tuple_type": "Input should be an array",
    "list_type": "Input should be an array",
    "dict_type": "Input should be an object",
}


def _said(found: Mapping[str, Any]) -> str:
    """Return what is wrong, in the words of JSON."""
    said = _SAID.get(found["type"]) or str(found["msg"]).removeprefix("Value error, ")
    if found["type"] in ("too_long", "too_short") and isinstance(found["input"], str):
        said = said.replace(" item", " character")
    return said


def parameters(model: type[P], query: str) -> P:
    """Return the model of a query string. Raises Several, one per bad parameter."""
    try:
        return model.model_validate(_values(query, model.multiple()))
    except ValidationError as error:
        raise Several([parameter_error(one) for one in _errors(error)]) from None


def _values(query: str, multiple: Collection[str]) -> dict[str, Any]:
    """Return the values of a query string by name. Raises Malformed for a repeat."""
    found: dict[str, Any] = {}
    for name, value in _pairs(query):
        if name in multiple:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise _repeated(name)
        else:
            found[name] = value
    return found


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError as error:
        detail = "It is not percent-encoded UTF-8, or has too many parts"
        raise Malformed("invalid_parameter", detail) from error


def _repeated(name: str) -> Malformed:
    source = {"parameter": name}
    return Malformed("invalid_parameter", "It is given twice", source=source)


def check_names(query: str, known: Collection[str], multiple: Collection[str]) -> None:
    """Refuse parameters that are unknown, and repeats where one is taken.

    Raises Malformed.
    """
    seen: set[str] = set()
    for name, _ in _pairs(query):
        if name not in known:
            raise Malformed("unknown_parameter", source={"parameter": name})
        if name in seen and name not in multiple:
            raise _repeated(name)
        seen.add(name)


def parameter_error(found: Mapping[str, Any]) -> MetaCortexError:
    """Return the error of a query parameter."""
    unknown = found["type"] == "extra_forbidden"
    name = str(found["loc"][0]) if found["loc"] else ""
    return Malformed(
        "unknown_parameter" if unknown else "invalid_parameter",
        "" if unknown else _said(found),
        source={"parameter": name},
    )


def path_id(request: Request) -> UUID:
    """Return the id in the path; the router lets nothing else through."""
    found: UUID = request.path_params["id"]
    return found


def command_id(request: Request, caller: Caller) -> UUID:
    """Return the id of the command: the client's key, or one of ours.

    A key that is no UUID is made one, below the caller, so that others' keys differ.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return new_id()
    return as_command_id(key.strip('"'), caller)


def as_command_id(key: str, caller: Caller) -> UUID:
    """Return the command id that a client's key stands for. Raises Malformed.

    A UUID of version 5 may be what another member's key has become: ids of commands
    are told to all members.
    """
    if not _KEY.fullmatch(key):
        raise header_error("Idempotency-Key", "1 to 255 visible ASCII characters")
    if _UUID.fullmatch(key):
        found = UUID(key)
        if found.version == REFUSED_VERSION:
            raise header_error("Idempotency-Key", "Not a UUID of version 5: try 4 or 7")
        return found
    return derived(caller.workspace_id, f"{caller.user_id}\n{key}")


def expected_version(request: Request) -> int | None:
    """Return the version that the client saw. Raises Malformed."""
    value = request.headers.get("if-match")
    if value is None or value.strip() == "*":
        return None
    found = _MATCH.fullmatch(value.strip())
    if found is None:
        raise header_error("If-Match", 'a version in quotes, such as "7"')
    return int(found[1])


def matches(request: Request, tag: str) -> bool:
    """Whether `If-None-Match` names a tag, be it weak or strong (RFC 9110)."""
    given = request.headers.get("if-none-match", "").split(",")
    found = {one.strip().removeprefix("W/") for one in given}
    return "*" in found or tag.removeprefix("W/") in found


def whole(value: str | None) -> int | None:
    """Return a header's sequence, None if it is none that JSON numbers can hold."""
    if value is None or not _WHOLE.fullmatch(value):
        return None
    found = int(value)
    return found if found <= SEQUENCE_LIMIT else None


def context(request: Request, caller: Caller, id: UUID) -> Context:
    """Return who asks, and in the course of what."""
    about = request.scope["metacortex"]
    headers = request.headers
    return Context(
        workspace_id=caller.workspace_id,
        actor_id=caller.user_id,
        command_id=id,
        correlation_id=about["correlation_id"],
        causation_id=None,
        request_id=about["request_id"],
        ip=about["ip"],
        user_agent=_kept(headers.get("user-agent")),
        session_id=caller.session_id,
        client=_kept(headers.get("metacortex-client")),
    )


def _kept(value: str | None) -> str | None:
    return None if value is None else value.replace("\x00", "")[:HEADER_LIMIT]


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a query waits when it is not told, and at most."""

    default_s: float
    limit_s: float


def freshness(request: Request, waits: Waits) -> Freshness:
    """Return the sequence that the client has seen. Raises Malformed."""
    value = request.headers.get("metacortex-min-sequence")
    if value is None:
        return Freshness()
    sequence = whole(value)
    if sequence is None:
        raise header_error("Metacortex-Min-Sequence", "a whole number from 0")
    wait_s, lenient = waits.default_s, False
    for preference in _preferences(request):
        wait = _WAIT.fullmatch(preference)
        wait_s = min(float(wait[1]), waits.limit_s) if wait else wait_s
        lenient = lenient or _LENIENT.fullmatch(preference) is not None
    return Freshness(sequence, wait_s, lenient)


def count(request: Request) -> Count | None:
    """Return whether the client wants rows of a list counted, None if it does not say.

    The first that says so counts, as RFC 7240 has it.
    """
    for preference in _preferences(request):
        if found := _COUNT.fullmatch(preference):
            return cast(Count, found[1])
    return None


def _preferences(request: Request) -> Iterator[str]:
    """Return the preferences of a request, RFC 7240."""
    for preference in request.headers.get("prefer", "").lower().split(","):
        yield preference.strip()
