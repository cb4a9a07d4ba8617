"""`/metrics` on an address of its own, for a network that only Prometheus reaches.

A few lines of HTTP/1.0: on the API's own port the path wants an operator's token in
production, and scrapers have none.
"""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST

HEAD_BYTES = 16_384  # a scraper's request is some 300
HEAD_S = 10.0


class MetricsPort:
    """Answers one question, on one address."""

    def __init__(self, bind: str, metrics: Callable[[], Awaitable[bytes]]) -> None:
        """Take `host:port`, the host of IPv6 in brackets; listen on nothing yet."""
        host, _, port = bind.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._metrics = metrics
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen. Raises OSError."""
        self._server = await asyncio.start_server(
            self._serve, self._host, self._port, limit=HEAD_BYTES
        )

    async def stop(self) -> None:
        """End."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            async with asyncio.timeout(HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._answer(head.split(b"\r\n")[0]))
                await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone, or asked no question
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> bytes:
        if line.split(b" ")[:2] != [b"GET", b"/metrics"]:
            return b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        body = await self._metrics()
        kind, size = CONTENT_TYPE_LATEST.encode(), len(body)
        head = b"HTTP/1.0 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
        return head % (kind, size) + body
