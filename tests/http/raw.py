"""HTTP as bytes on a socket, for what no client library would send."""

import socket
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

PATIENCE_S = 30  # only there to end a hang


@dataclass(frozen=True)
class Answered:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        """The code of the first error."""
        found: str = self.json["errors"][0]["code"]
        return found


class Wire:
    """One connection to a server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._socket = socket.create_connection((parts.hostname, parts.port or 80))
        self._socket.settimeout(PATIENCE_S)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def send(self, *parts: bytes | str) -> None:
        """Send what is said, with CRLF after each."""
        sent = [it.encode("latin-1") if isinstance(it, str) else it for it in parts]
        self._socket.sendall(b"".join(it + b"\r\n" for it in sent))

    def send_bytes(self, data: bytes) -> None:
        """Send exactly these bytes."""
        self._socket.sendall(data)

    def answer(self) -> Answered:
        """Return the next answer, whose length is known."""
        first = self._file.readline().split()
        assert first, "hung up without an answer"
        headers: dict[str, str] = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(": ")
            headers[name.lower()] = value
        body = self._file.read(int(headers["content-length"]))
        return Answered(int(first[1]), headers, body)

    def answers(self) -> int:
        """Return how many answers there are until the end of the connection."""
        return self._file.read().count(b"HTTP/1.1 ")

    def hung_up(self) -> bool:
        """Wait for the end of the connection; False if an answer comes instead."""
        return self._file.read(1) == b""
