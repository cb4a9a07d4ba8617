"""The head of a request: its headers, read in one pass, and what it may measure."""

from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from metacortex.kernel.errors import HeadersTooLarge, MetaCortexError, TargetTooLong
from metacortex.kernel.http_limits import (
    HEADER_BYTES,
    HEADER_LINES,
    HEADERS_BYTES,
    TARGET_BYTES,
)

Raw = list[tuple[bytes, bytes]]


class RequestHeaders(Headers):
    """A request's headers, found in one step; lines of one name are one list."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._found: dict[bytes, bytes] = dict(self.raw)
        self.repeated: set[bytes] = set()
        if len(self._found) != len(self.raw):
            self._join()

    def _join(self) -> None:
        lines: dict[bytes, list[bytes]] = {}
        for name, value in self.raw:
            lines.setdefault(name, []).append(value)
        for name, values in lines.items():
            if len(values) > 1:
                self._found[name] = b", ".join(values)
                self.repeated.add(name)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a header's value, by its name in lower case."""
        found = self._found.get(key.encode("latin-1"))
        return default if found is None else found.decode("latin-1")


class HeadRequest(Request):
    """A request whose headers are read more than once."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._own = RequestHeaders(scope)

    @property
    def headers(self) -> RequestHeaders:
        """The headers; `get` wants names in lower case."""
        return self._own


def too_large(scope: Scope) -> MetaCortexError | None:
    """Return the error of a head that passes a limit, None for all others."""
    target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if target > TARGET_BYTES:
        return TargetTooLong("target_too_long", meta={"limit": TARGET_BYTES})
    raw: Raw = scope["headers"]
    if len(raw) > HEADER_LINES:
        return too_many_headers()
    total = 0
    for name, value in raw:
        size = len(name) + len(value)
        if size > HEADER_BYTES:
            return _too_large(HEADER_BYTES, "One header has too many bytes")
        total += size
    return too_many_bytes() if total > HEADERS_BYTES else None


def too_many_headers() -> MetaCortexError:
    """Return the error of too many lines."""
    return _too_large(HEADER_LINES, "There are too many header lines")


def too_many_bytes() -> MetaCortexError:
    """Return the error of too many bytes in all."""
    return _too_large(HEADERS_BYTES, "The headers have too many bytes in all")


def _too_large(limit: int, detail: str) -> MetaCortexError:
    return HeadersTooLarge("headers_too_large", detail, meta={"limit": limit})
