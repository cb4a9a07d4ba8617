"""Serving the application over HTTP, and ending without a waiting client."""

from types import FrameType

import uvicorn

from metacortex.api.app import create_app
from metacortex.settings import Settings


class Server(uvicorn.Server):
    """Tells the application before it waits for open streams to end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        machine = getattr(self.config.app.state, "machine", None)  # type: ignore
        if machine is not None:
            machine.closing = True
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
            timeout_graceful_shutdown=grace_s,
        )
    )
