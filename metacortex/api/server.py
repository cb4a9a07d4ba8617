"""Serving the application over HTTP, and ending without a waiting client."""

from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from metacortex.api import envelope, middleware
from metacortex.api.app import create_app
from metacortex.kernel.errors import Malformed
from metacortex.kernel.ids import new_id
from metacortex.settings import Settings


class Protocol(HttpToolsProtocol):
    """Answers in the envelope even what is no HTTP, and so never becomes a request."""

    def send_400_response(self, msg: str) -> None:
        """Answer, and hang up."""
        id = str(new_id())
        response = envelope.failure(id, Malformed("bad_request", msg))
        headers = [
            *response.raw_headers,
            *middleware.security_headers(),
            (b"x-request-id", id.encode()),
            (b"x-correlation-id", id.encode()),
            (b"connection", b"close"),
        ]
        lines = [b"HTTP/1.1 400 Bad Request", *map(b": ".join, headers)]
        self.transport.write(b"\r\n".join([*lines, b"", response.body]))
        self.transport.close()


class Server(uvicorn.Server):
    """Tells the application before it waits for open streams to end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        services = getattr(self.config.app.state, "services", None)  # type: ignore
        if services is not None:
            services.closing = True
        super().handle_exit(sig, frame)


def make_server(settings: Settings, *, host: str, port: int, grace_s: int) -> Server:
    """Return a server that `run` starts. Raises UnsafeSettings."""
    return Server(
        uvicorn.Config(
            create_app(settings),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            http=Protocol,
            ws="none",
            timeout_graceful_shutdown=grace_s,
        )
    )
