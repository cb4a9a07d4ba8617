"""Ask one question right after a write, so that no page of before answers it."""

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any
from urllib.parse import urlencode

API = "/api/v1"
SEE_S = 10  # how long a read waits for what was written


@dataclass
class Client:
    """One user over one keep-alive connection."""

    port: int
    token: str
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes, float]:
        """Return status, body and how many milliseconds it took."""
        told = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        sent = None if body is None else json.dumps(body)
        if sent is not None:
            told["Content-Type"] = "application/json"
        begin = time.perf_counter()
        self.connection.request(method, path, sent, told)
        answer = self.connection.getresponse()
        found = answer.read()
        return answer.status, found, (time.perf_counter() - begin) * 1e3

    def ask(
        self, path: str, headers: Mapping[str, str] | None = None, **query: object
    ) -> Any:
        """Return what a GET answers. Raises ValueError outside 2xx."""
        asked = f"{API}{path}" + (f"?{urlencode(query)}" if query else "")
        status, found, _ = self.send("GET", asked, headers=headers)
        if status != 200:
            raise ValueError(f"{status} to {asked}: {found[:300]!r}")
        return json.loads(found)


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of each answer, and what went wrong."""

    ms: Sequence[float]
    failed: Sequence[int] = ()

    @property
    def p50(self) -> float:
        return median(self.ms)

    @property
    def p99(self) -> float:
        return sorted(self.ms)[min(len(self.ms) - 1, int(len(self.ms) * 0.99))]


@dataclass
class Asker:
    """Writes and asks in turn, in one workspace."""

    client: Client
    task: str
    turn: int = 0

    def write(self) -> None:
        """Edit a task, and wait until lists show it."""
        self.turn += 1
        body = {"description": f"Edit {self.turn}"}
        path = f"{API}/tasks/{self.task}"
        status, found, _ = self.client.send("PATCH", path, body)
        if status != 200:
            raise ValueError(f"{status}: {found[:300]!r}")
        sequence = json.loads(found)["meta"]["sequence"]
        seen = {"Metacortex-Min-Sequence": str(sequence), "Prefer": f"wait={SEE_S}"}
        self.client.ask(f"/tasks/{self.task}", seen)

    def times(
        self, path: str, rounds: int, headers: Mapping[str, str] | None = None
    ) -> Times:
        """Return how long answers take, each right after a write."""
        found, failed = [], []
        for number in range(rounds + 1):
            self.write()
            status, _, ms = self.client.send("GET", f"{API}{path}", headers=headers)
            if status != 200:
                failed.append(status)
            if number:  # the first makes prepared statements and reads pages from disk
                found.append(ms)
        return Times(found, failed)
