"""Serving the application over HTTP, and ending without a waiting client."""

from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from metacortex.api.app import create_app
from metacortex.api.connections import ConnectionLimits, Connections
from metacortex.api.protocol import Protocol
from metacortex.api.proxies import Proxies
from metacortex.settings import Settings


class Server(uvicorn.Server):
    """Tells the application before it waits for open streams to end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        services = getattr(self.config.app.state, "services", None)  # type: ignore
        if services is not None:
            services.closing = True
        super().handle_exit(sig, frame)


def connection_limits(settings: Settings) -> ConnectionLimits:
    """Return how many and how slow connections may be."""
    return ConnectionLimits(
        head_s=settings.head_timeout_s,
        body_s=settings.body_timeout_s,
        body_rate=settings.body_min_rate,
        idle_s=settings.idle_timeout_s,
        total=settings.connection_limit,
        per_address=settings.connection_limit_per_address,
        limit_near=settings.limit_near_connections,
        proxies=Proxies(settings.trusted_proxies),
    )


def make_server(settings: Settings, *, host: str, port: int, grace_s: int) -> Server:
    """Return a server that `run` starts. Raises UnsafeSettings."""
    connections = Connections(connection_limits(settings))
    protocol: Any = partial(
        Protocol, connections=connections, hsts=settings.is_production
    )
    return Server(
        uvicorn.Config(
            create_app(settings),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            http=protocol,
            ws="none",
            proxy_headers=False,  # it believes whoever calls from this machine
            timeout_graceful_shutdown=grace_s,
        )
    )
