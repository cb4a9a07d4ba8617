"""Drive one HTTP server over keep-alive connections and say how it fared.

The rule: a run is bounded in connections and in time; every answer outside 2xx and
every lost connection is counted and reported, never part of a rate. With a `rate`,
operations begin on a timetable and their latency counts from the time they were due, so
that a server that stalls cannot hide it (coordinated omission).

Run as `python -m bench.load`, a specification as JSON on standard input, the tally as
JSON on standard output: a process of its own, so that it takes no time from the server.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict, dataclass, field
from statistics import quantiles
from typing import Any, cast

import httptools
import uvloop

WARM_UP_S = 0.5  # connections, prepared statements and caches are made in it
DRAIN_S = 5.0  # what is under way at the end may still answer; then it counts as lost
REOPEN_S = 0.1  # so that a server that is down is not hammered
TASKS_EACH = 2  # what one connection edits in turn; two, so that no row stays hot
PAGES = 20  # 1,000 tasks of one user, 50 a page
DESCRIPTION = "Agree on the date, book the room and send the agenda to everybody."


@dataclass(frozen=True, slots=True)
class Spec:
    """One run: connection `i` speaks with `tokens[i % len(tokens)]`."""

    port: int
    scenario: str
    tokens: list[str]
    connections: int = 64
    seconds: float = 3.0
    rate: float | None = None  # operations a second; None: as fast as answers come


@dataclass(slots=True)
class Tally:
    """What happened between the warm-up and the end."""

    seconds: float
    count: int = 0
    per_s: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    failures: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.per_s:.0f}/s, p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[bytes, bytes]


class Refused(Exception):
    """The server answered outside 2xx; the argument is the status."""


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request under way at most."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._headers: dict[bytes, bytes] = {}
        self._parser = httptools.HttpResponseParser(self)

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", self._port)

    async def ask(self, request: bytes) -> Answer:
        """Send `request` and return its answer.

        Raises Refused outside 2xx and ConnectionError when the server hangs up.
        """
        if self._transport is None:
            raise ConnectionError
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        answer = await self._answer
        if not 200 <= answer.status < 300:
            raise Refused(answer.status)
        return answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError())

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            status = self._parser.get_status_code()
            self._answer.set_result(Answer(status, self._headers))


class Client:
    """What one user does over one connection; each method is one operation."""

    def __init__(self, connection: Connection, name: int, token: str) -> None:
        self.connection = connection
        self._name = name
        self._head = (
            "Host: 127.0.0.1\r\n"
            f"Authorization: Bearer {token}\r\n"
            "Accept: application/json\r\n"
        )
        self._turn = 0
        self._tasks: list[str] = []

    async def prepare(self) -> None:
        """Create the tasks that later operations edit and read."""
        for _ in range(TASKS_EACH):
            answer = await self.create()
            self._tasks.append(answer.headers[b"location"].decode())

    async def create(self) -> Answer:
        self._turn += 1
        title = f"Prepare meeting {self._turn} of caller {self._name}"
        body = {"title": title, "description": DESCRIPTION, "priority": "high"}
        return await self._send("POST", "/api/v1/tasks", body)

    async def edit(self) -> Answer:
        """Change two fields of one of the own tasks: never an edit without effect."""
        self._turn += 1
        path = self._tasks[self._turn % TASKS_EACH]
        priority = ("low", "high")[self._turn // TASKS_EACH % 2]
        body = {"title": f"Meeting moved, edit {self._turn}", "priority": priority}
        return await self._send("PATCH", path, body)

    async def list(self) -> Answer:
        """Ask for the next page of the own tasks, with the exact total."""
        self._turn += 1
        page = (self._turn + self._name) % PAGES + 1
        return await self._get(f"/api/v1/tasks?page={page}&per_page=50")

    async def edit_then_list(self) -> Answer:
        """Edit, then list what shows the edit (a header that only ours reads)."""
        return await self._after(await self.edit(), "/api/v1/tasks?page=1&per_page=50")

    async def edit_then_see(self) -> Answer:
        """Edit, then read the task until it shows the edit: command to visible."""
        edited = await self.edit()
        return await self._after(edited, self._tasks[self._turn % TASKS_EACH])

    async def _after(self, edited: Answer, path: str) -> Answer:
        sequence = edited.headers.get(b"metacortex-sequence", b"0").decode()
        return await self._get(path, f"Metacortex-Min-Sequence: {sequence}\r\n")

    async def _get(self, path: str, headers: str = "") -> Answer:
        request = f"GET {path} HTTP/1.1\r\n{self._head}{headers}\r\n"
        return await self.connection.ask(request.encode())

    async def _send(self, method: str, path: str, value: dict[str, str]) -> Answer:
        body = json.dumps(value)
        request = (
            f"{method} {path} HTTP/1.1\r\n{self._head}"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        return await self.connection.ask(request.encode())


Operation = Callable[[Client], Awaitable[Answer]]

SCENARIOS: dict[str, Operation] = {
    "create": Client.create,
    "edit": Client.edit,
    "list": Client.list,
    "edit_then_list": Client.edit_then_list,
    "edit_then_see": Client.edit_then_see,
}


class Run:
    """One specification being carried out."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._operation = SCENARIOS[spec.scenario]
        self._latencies: list[float] = []
        self._failures: Counter[str] = Counter()
        self._begin = 0.0
        self._end = 0.0

    async def __call__(self) -> Tally:
        clients = [await self._client(n) for n in range(self._spec.connections)]
        if self._spec.scenario.startswith("edit"):
            await asyncio.gather(*(client.prepare() for client in clients))
        self._begin = time.perf_counter() + WARM_UP_S
        self._end = self._begin + self._spec.seconds
        callers = [asyncio.create_task(caller) for caller in self._callers(clients)]
        done, late = await asyncio.wait(
            callers, timeout=WARM_UP_S + self._spec.seconds + DRAIN_S
        )
        for caller in late:
            caller.cancel()
        self._failures["unanswered"] += len(late)
        for caller in done:
            caller.result()  # a fault of the generator itself must not pass
        for client in clients:
            client.connection.close()
        return self._tally()

    async def _client(self, number: int) -> Client:
        connection = Connection(self._spec.port)
        await connection.open()
        tokens = self._spec.tokens
        return Client(connection, number, tokens[number % len(tokens)])

    def _callers(self, clients: list[Client]) -> list[Coroutine[Any, Any, None]]:
        if self._spec.rate is None:
            return [self._closed(client) for client in clients]
        due: asyncio.Queue[float | None] = asyncio.Queue()
        paced = [self._paced(client, due) for client in clients]
        return [self._timetable(due, self._spec.rate), *paced]

    async def _closed(self, client: Client) -> None:
        while (now := time.perf_counter()) < self._end:
            await self._operate(client, now)

    async def _paced(self, client: Client, due: asyncio.Queue[float | None]) -> None:
        while (moment := await due.get()) is not None:
            await self._operate(client, moment)

    async def _timetable(self, due: asyncio.Queue[float | None], rate: float) -> None:
        start, count = time.perf_counter(), 0
        while (moment := start + count / rate) < self._end:
            await asyncio.sleep(moment - time.perf_counter())
            due.put_nowait(moment)
            count += 1
        for _ in range(self._spec.connections):
            due.put_nowait(None)

    async def _operate(self, client: Client, due: float) -> None:
        try:
            await self._operation(client)
        except Refused as refusal:
            self._failures[str(refusal)] += 1
        except ConnectionError:
            self._failures["disconnected"] += 1
            await self._reopen(client.connection)
        else:
            self._record(due, time.perf_counter())

    async def _reopen(self, connection: Connection) -> None:
        await asyncio.sleep(REOPEN_S)
        try:
            await connection.open()
        except OSError:
            self._failures["unreachable"] += 1

    def _record(self, due: float, done: float) -> None:
        """Count what ended in time; on a timetable, whatever was due in time."""
        moment = done if self._spec.rate is None else due
        if self._begin <= moment < self._end:
            self._latencies.append((done - due) * 1000)

    def _tally(self) -> Tally:
        tally = Tally(self._spec.seconds, len(self._latencies))
        tally.per_s = tally.count / self._spec.seconds
        if tally.count > 1:
            hundredths = quantiles(self._latencies, n=100)
            tally.p50_ms, tally.p99_ms = hundredths[49], hundredths[98]
        tally.failures = {
            name: count for name, count in self._failures.items() if count
        }
        return tally


def main() -> None:
    spec = Spec(**json.load(sys.stdin))
    tally = uvloop.run(Run(spec)())
    json.dump(asdict(tally), sys.stdout)


if __name__ == "__main__":
    main()
