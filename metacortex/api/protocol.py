"""HTTP/1.1 as uvicorn speaks it, with limits: sizes, slowness, and what must not be.

uvicorn has no limits of its own but one for idle connections. What is refused here
never becomes a request; it is answered in the envelope all the same
(docs/decisions/0020-limits.md).
"""

import asyncio
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from metacortex.api import envelope, middleware
from metacortex.api.connections import (
    LINGER_BYTES,
    LINGER_S,
    LOOK_S,
    PIPELINE_LIMIT,
    RATE_GRACE_S,
    REFUSED,
    STALL_S,
    Connections,
)
from metacortex.api.errors import status_of
from metacortex.api.head import too_many_bytes, too_many_headers
from metacortex.kernel.errors import (
    Malformed,
    MetaCortexError,
    TargetTooLong,
    TooSlow,
)
from metacortex.kernel.http_limits import HEADER_LINES, HEADERS_BYTES, TARGET_BYTES
from metacortex.kernel.ids import new_id

logger = structlog.get_logger(__name__)

HEAD_BYTES = TARGET_BYTES + HEADERS_BYTES
LENGTH_DIGITS = 15  # of Content-Length; a petabyte, and exact in every language
LOOKED_AT = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect"})


class Phase(Enum):
    """What a connection is waiting for."""

    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    """The application has the whole request."""
    REST = auto()
    """The answer is out, but not all of the request is in."""
    IDLE = auto()
    LAST = auto()
    """The answers to the requests before; what comes is dropped."""
    CLOSING = auto()
    """Answered for good: what still comes is dropped."""


class Refusal(Exception):
    """Raised inside the parser, which then stops."""


class Protocol(HttpToolsProtocol):
    """One connection. Answers in the envelope even what is no HTTP."""

    def __init__(
        self, *given: Any, connections: Connections, hsts: bool = False, **named: Any
    ) -> None:
        super().__init__(*given, **named)
        self._all = connections
        self._limits = connections.limits
        self._hsts = hsts
        self._phase = Phase.HEAD
        self._since = self.loop.time()
        self._bytes = 0  # of the head, of the body, or of what is dropped
        self._refusal: MetaCortexError | None = None
        self._hosts = 0
        self._has_body = False
        self._unsent = (0, self._since)  # bytes of the answer, and since when as many
        self.url = b""

    # What the transport tells

    def connection_made(  # type: ignore[override]  # uvicorn's own is as narrow
        self, transport: asyncio.Transport
    ) -> None:
        """Begin, or refuse one connection too many."""
        super().connection_made(transport)
        self._enter(Phase.HEAD)
        peer = self.client[0] if self.client else None
        error = self._all.add(self, peer, self.loop)
        if error is not None:
            self._answer(error)
            self._phase = Phase.CLOSING
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._all.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless all is said."""
        if self._phase in (Phase.CLOSING, Phase.LAST):
            self._bytes += len(data)
            if self._bytes > LINGER_BYTES:
                self.transport.close()
            return
        if self._phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        if self._phase is Phase.HEAD:
            self._bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._unsupported_upgrade_warning()
        except httptools.HttpParserError:
            error = Malformed("bad_request", "Invalid HTTP request received.")
            self._refuse(self._refusal or error)
            return
        if self._phase is Phase.HEAD and self._bytes > HEAD_BYTES:
            self._refuse(too_many_bytes())

    def look(self, now: float) -> None:
        """End the connection if something is overdue."""
        if self.flow.write_paused:
            self._look_at_answer(now)
        elif self._phase is Phase.HEAD:
            self._look_at_head(now)
        elif self._phase is Phase.BODY:
            self._look_at_body(now)
        elif self._phase is Phase.IDLE and now - self._since > self._limits.idle_s:
            self.transport.close()
        elif self._phase in (Phase.REST, Phase.CLOSING):
            if now - self._since > LINGER_S:
                self.transport.close()

    def _look_at_answer(self, now: float) -> None:
        """Hang up on who takes nothing of the answer."""
        unsent = self.transport.get_write_buffer_size()
        before, since = self._unsent
        if unsent != before:
            self._unsent = (unsent, now)
        elif now - since > STALL_S:
            REFUSED.labels("answer_not_taken").inc()
            self.transport.abort()

    def _look_at_head(self, now: float) -> None:
        if self.flow.read_paused:  # it waits for us
            self._since = now
        elif now - self._since > self._limits.head_s:
            if self._bytes:
                self._refuse(TooSlow("request_too_slow"))
            else:  # a browser opens connections that it may never use
                self.transport.close()

    def _look_at_body(self, now: float) -> None:
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self._since = min(now, self._since + LOOK_S)  # it waits for us
            return
        waited = now - self._since
        slow = self._bytes < self._limits.body_rate * waited
        if waited > self._limits.body_s or (waited > RATE_GRACE_S and slow):
            self._refuse(TooSlow("request_too_slow"))

    # What the parser tells

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._hosts, self._has_body = 0, False
        if self._phase is not Phase.HEAD:
            self._enter(Phase.HEAD)

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self.url += url
        if len(self.url) > TARGET_BYTES:
            meta = {"limit": TARGET_BYTES}
            self._stop(TargetTooLong("target_too_long", meta=meta))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header line."""
        name = name.lower()
        if name in LOOKED_AT:
            self._look_at_header(name, value)
        self.headers.append((name, value))
        if len(self.headers) > HEADER_LINES:
            self._stop(too_many_headers())

    def _look_at_header(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        elif name == b"content-length":
            self._has_body = value != b"0"
            if len(value) > LENGTH_DIGITS:
                self._stop(_bad("The Content-Length is not to be believed"))
        elif value.lower() != b"chunked":  # others, and two: RFC 9112, section 6.1
            self._stop(_bad("The Transfer-Encoding is not chunked"))
        else:
            self._has_body = True

    def on_headers_complete(self) -> None:
        """Hand the request to the application, which may answer before its body."""
        one = self._hosts == 1
        if not one and (self._hosts or self.parser.get_http_version() == "1.1"):
            self._stop(_bad("There must be one Host"))  # RFC 9112, section 3.2
        if len(self.pipeline) >= PIPELINE_LIMIT:
            self._stop(_bad("Too many requests wait for those before"))
        super().on_headers_complete()
        self._enter(Phase.BODY)
        if self._has_body:
            self.cycle.transport = _Closing(self)  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; after the answer, drop it."""
        self._bytes += len(body)
        if self._phase is Phase.REST and self._bytes > LINGER_BYTES:
            self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is in."""
        super().on_message_complete()
        done = self.cycle.response_complete
        self._enter(Phase.IDLE if done else Phase.ANSWER)

    def on_response_complete(self) -> None:
        """The answer is out: go on, or wait for what is left of the request."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._phase is Phase.ANSWER:
            self._enter(Phase.IDLE)
        elif self._phase is Phase.BODY:
            self._enter(Phase.REST)

    # Ends

    def _enter(self, phase: Phase) -> None:
        self._phase, self._since, self._bytes = phase, self.loop.time(), 0

    def _stop(self, error: MetaCortexError) -> None:
        """Stop the parser. Raises Refusal."""
        self._refusal = error
        raise Refusal

    def _refuse(self, error: MetaCortexError) -> None:
        """Answer, and hang up; where an earlier request has no answer yet, after it."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if self._phase is Phase.HEAD or self.pipeline:
                cycle.keep_alive = False
                self._enter(Phase.LAST)
                return
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.close()
                return
        self._answer(error)
        self.hang_up()

    def _answer(self, error: MetaCortexError) -> None:
        """Write an answer, past the application."""
        REFUSED.labels(error.code).inc()
        id = str(new_id())
        peer = self.client[0] if self.client else None
        logger.info("request_refused", request_id=id, code=error.code, ip=peer)
        response = envelope.failure(id, error)
        headers = [
            *response.raw_headers,
            *middleware.security_headers(self._hsts),
            (b"cache-control", middleware.NEVER),
            (b"x-request-id", id.encode()),
            (b"x-correlation-id", id.encode()),
            (b"connection", b"close"),
        ]
        status = HTTPStatus(status_of(error))
        first = f"HTTP/1.1 {status.value} {status.phrase}".encode()
        lines = [first, *map(b": ".join, headers)]
        self.transport.write(b"\r\n".join([*lines, b"", response.body]))

    def hang_up(self) -> None:
        """Send no more, and drop what comes: a reset could overtake the answer."""
        self._enter(Phase.CLOSING)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)

    @property
    def is_receiving(self) -> bool:
        """Whether the body of the request is still on its way."""
        return self._phase is Phase.BODY


class _Closing:
    """The transport of a request with a body: it is not closed under the client."""

    __slots__ = ("_protocol", "is_closing", "write")

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self.write = protocol.transport.write
        self.is_closing = protocol.transport.is_closing

    def close(self) -> None:
        """Close, once the client had time to read the answer."""
        if self._protocol.is_receiving:
            self._protocol.hang_up()
        else:
            self._protocol.transport.close()


def _bad(detail: str) -> MetaCortexError:
    return Malformed("bad_request", detail)
