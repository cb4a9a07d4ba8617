"""The application behind a real socket, and people of other roles.

Streams and outside tools need a server: in process, a test client would wait for the
end of an answer that has none.
"""

import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from metacortex.api.app import local_issuer
from metacortex.api.server import Server, make_server
from metacortex.settings import Settings
from metacortex.workers import Worker

START_S = 60  # only there to end a hang: beginning to listen takes one or two

GRACE_S = 30  # streams end within one; what they do at a shutdown must be their own


@dataclass(frozen=True)
class Live:
    """A server that listens on the loopback interface."""

    server: Server
    thread: threading.Thread

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self.server.handle_exit(signal.SIGTERM, None)
        self.thread.join(START_S)
        assert not self.thread.is_alive()


def listen(settings: Settings) -> Live:
    """Return the application, served in a thread of its own."""
    server = make_server(settings, host="127.0.0.1", port=0, grace_s=GRACE_S)
    thread = threading.Thread(target=server.run)
    thread.start()
    ends = time.monotonic() + START_S
    while not server.started:
        assert thread.is_alive() and time.monotonic() < ends
        time.sleep(0.02)
    return Live(server, thread)


@pytest.fixture(scope="session")
def live(settings: Settings, worker: Worker) -> Iterator[Live]:
    """A server that all tests may ask, and none may stop."""
    served = listen(settings)
    yield served
    served.stop()


@pytest.fixture
def token(settings: Settings) -> str:
    """A stranger's token."""
    return local_issuer(settings).token(f"u{uuid4().hex[:16]}")
