"""The envelope around every JSON answer: `{data, meta, errors}`, built from bytes."""

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import orjson
from starlette.requests import Request
from starlette.responses import Response

from metacortex.api import parsing
from metacortex.api.errors import describe, status_of
from metacortex.kernel.errors import MetaCortexError, Several

JSON = "application/json"


def request_id(request: Request) -> str:
    """Return the id under which this request is answered and logged."""
    found: str = request.scope["metacortex"]["request_id"]
    return found


def answer(
    request: Request,
    data: bytes,
    meta: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    tagged: bool = True,
) -> Response:
    """Return an answer around data that is JSON already.

    What a query answers has an `ETag`, unless it is not `tagged`: that of its content
    where nothing better is given.
    """
    if tagged and request.method in ("GET", "HEAD") and status == 200:
        headers = {"ETag": _tag(data, meta), **(headers or {})}
        if parsing.matches(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
    about = orjson.dumps({"request_id": request_id(request), **(meta or {})})
    body = b'{"data":' + data + b',"meta":' + about + b',"errors":[]}'
    return Response(body, status, headers, JSON)


def _tag(data: bytes, meta: Mapping[str, Any] | None) -> str:
    return f'W/"{crc32(orjson.dumps(meta or {}), crc32(data)):x}-{len(data):x}"'


def listing(
    request: Request,
    documents: bytes,
    meta: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    tagged: bool = True,
) -> Response:
    """Return an answer whose data is an array; `documents` is its inside."""
    data = b"[" + documents + b"]"
    return answer(request, data, meta, headers=headers, tagged=tagged)


def several(error: MetaCortexError) -> Sequence[MetaCortexError]:
    """Return the errors that an error stands for."""
    return error.errors if isinstance(error, Several) else (error,)


def failure(
    request_id: str, error: MetaCortexError, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the answer to a request that failed."""
    errors = several(error)
    meta: dict[str, Any] = {"request_id": request_id}
    if len(errors) > parsing.TOLD:
        meta["more"] = True
    found = [describe(one) for one in errors[: parsing.TOLD]]
    body = {"data": None, "meta": meta, "errors": found}
    sent = {**_hints(error), **(headers or {})}
    return Response(orjson.dumps(body), status_of(error), sent, JSON)


def refuse(
    request: Request, error: MetaCortexError, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the answer to a request that failed, and note the code for the log."""
    request.scope["metacortex"]["code"] = error.code
    return failure(request_id(request), error, headers)


def _hints(error: MetaCortexError) -> dict[str, str]:
    status = status_of(error)
    if status in (429, 503):
        return {"Retry-After": str(error.meta.get("retry_after_s", 1))}
    if status == 401:  # RFC 6750, section 3.1: no code where there was no token
        refused = "" if error.code == "token_missing" else ' error="invalid_token"'
        return {"WWW-Authenticate": f"Bearer{refused}"}
    if error.code == "unsupported_content_coding":  # RFC 9110, section 15.5.16
        return {"Accept-Encoding": "identity"}
    return {}


def sequence_header(sequence: int) -> dict[str, str]:
    """Return the header that says which sequence an answer shows."""
    return {"Metacortex-Sequence": str(sequence)}
