"""The HTTP interface against a plain CRUD service with an audit trail.

64 keep-alive connections over loopback, one API process on each side. Writes are
measured with the API alone, since one process meets one process, and again while the
worker projects, since that is what the machine does in production. Lists are of one
user's 1,000 tasks among the tasks of 99 others, 50 a page with the exact total.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping

from bench import ours
from bench.host import Host, Service, call, free_port, get_json, say
from bench.load import Tally
from bench.results import Row

OURS, CRUD = "ours_http", "peer_crud"
CONNECTIONS = 64
TASKS_EACH = 1000  # of one user
RATE = 200  # commands a second while the time to visible is measured
CATCH_UP_S = 60.0
PAGE = "/api/v1/tasks?page=2&per_page=50"
WRITERS = [f"writer{number}" for number in range(CONNECTIONS)]

SEED_CRUD = """
    INSERT INTO tasks (id, owner_id, title, description, status, priority, created_at,
                       updated_at)
    SELECT gen_random_uuid(), 'user_reader' || u, 'Prepare meeting ' || n, '{text}',
           'pending', 'high', now() - n * interval '1 minute', now()
    FROM generate_series(0, {users} - 1) AS u, generate_series(1, {each}) AS n
    """
BEHIND = """
    SELECT count(*) FROM events.heads LEFT JOIN queries.checkpoints c
    USING (workspace_id) WHERE heads.sequence > coalesce(c.sequence, 0)
    """


class Sides:
    """The processes of both sides; started at first use, stopped with the host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._env = ours.create(host, OURS)
        self.port, self.peer_port = free_port(), free_port()
        self.api = ours.start(host, "api", self._env, self.port)
        self.peer = self._crud()

    @property
    def worker(self) -> Service:
        """The worker, which is the scheduler that sweeps for it, too."""

        def begin() -> Service:
            return ours.start(self._host, "worker", self._env, self.port)

        return self._host.once("worker", begin)

    def seed(self) -> None:
        """Give the readers their tasks, on both sides."""
        users = [f"reader{number}" for number in range(self._host.scale.users)]
        spaces = ours.workspaces_of(users)
        ours.task(
            self._env, task="seed", workspaces=spaces, each=TASKS_EACH, edits=False
        )
        text = ours.DESCRIPTION
        seed = SEED_CRUD.format(text=text, users=len(users), each=TASKS_EACH)
        self._host.sql(seed, CRUD)
        self.catch_up()
        self._host.sql("VACUUM ANALYZE", OURS)
        self._host.sql("VACUUM ANALYZE", CRUD)
        self._check()

    def _check(self) -> None:
        """Raise ValueError unless both sides answer a full page with the total."""
        token = ours.tokens(self._host.folder, ["reader0"]).tokens[0]
        mine = get_json(self.port, PAGE, token)
        theirs = get_json(self.peer_port, PAGE, token)
        found = [(len(mine["data"]), mine["meta"]["total"])]
        found.append((len(theirs["items"]), theirs["total"]))
        if found != [(50, TASKS_EACH)] * 2:
            raise ValueError(f"rows and total, ours and the peer's: {found}")

    def catch_up(self) -> None:
        """Wait until the worker has projected everything; raises TimeoutError."""
        begin, _ = time.monotonic(), self.worker
        while self._host.value(BEHIND, OURS):
            if time.monotonic() - begin > CATCH_UP_S:
                raise TimeoutError("the worker does not catch up")
            time.sleep(0.2)
        say(f"the worker caught up in {time.monotonic() - begin:.1f} s")

    def _crud(self) -> Service:
        self._host.create_database(CRUD)
        url = self._host.url(CRUD).render_as_string(hide_password=False)
        env = {
            "CRUD_DATABASE_URL": url,
            "CRUD_PUBLIC_KEY": ours.tokens(self._host.folder, []).public_key,
            "CRUD_PORT": str(self.peer_port),
        }
        service = self._host.service("crud", ["-m", "bench.peers.crud"], env)
        service.wait_ready(f"http://127.0.0.1:{self.peer_port}/openapi.json")
        return service


def sides(host: Host) -> Sides:
    return host.once("the API and its peer", lambda: Sides(host))


def _load(
    host: Host, port: int, scenario: str, users: list[str], rate: float | None = None
) -> Tally:
    spec = {
        "port": port,
        "scenario": scenario,
        "tokens": ours.tokens(host.folder, users).tokens,
        "connections": CONNECTIONS,
        "seconds": host.scale.seconds,
        "rate": rate,
    }
    return Tally(**call("bench.load", spec))


def _compare(
    host: Host, what: str, scenario: str, users: list[str], target: float | None
) -> Row:
    both = sides(host)
    mine, theirs = host.alternate(
        what,
        lambda: _load(host, both.port, scenario, users),
        lambda: _load(host, both.peer_port, scenario, users),
    )
    return Row(
        what,
        "per s",
        [tally.per_s for tally in mine],
        [tally.per_s for tally in theirs],
        "FastAPI + ORM",
        at_least=target,
        failures=_failures([*mine, *theirs]),
    )


def _failures(tallies: Iterable[Tally]) -> Mapping[str, int]:
    return sum((Counter(tally.failures) for tally in tallies), Counter[str]())


def http_write(host: Host) -> list[Row]:
    """Create and edit, one user a connection: the API alone, then with the worker."""
    alone = "the API alone"
    rows = [
        _compare(host, f"HTTP, create a task, {alone}", "create", WRITERS, 6.0),
        _compare(host, f"HTTP, edit tasks, {alone}", "edit", WRITERS, 6.0),
    ]
    sides(host).catch_up()
    what = "HTTP, edit tasks, the worker projecting meanwhile"
    return [*rows, _compare(host, what, "edit", WRITERS, None)]


def http_list(host: Host) -> list[Row]:
    """Pages of one user's tasks: unchanged data, then each page after an edit."""
    sides(host).seed()
    reader = ["reader0"]
    unchanged = "HTTP, list 50 of 1,000 tasks, unchanged data: our cache"
    after = "HTTP, edit and then list what shows it (pairs)"
    return [
        _compare(host, unchanged, "list", reader, 6.0),
        _compare(host, after, "edit_then_list", reader, 6.0),
    ]


def visible(host: Host) -> list[Row]:
    """From sending a command until a query that asks for its sequence answers."""
    both = sides(host)
    both.catch_up()
    _load(host, both.port, "edit_then_see", WRITERS, RATE)  # a worker that just began
    (tallies,) = host.alternate(
        f"visible at {RATE} commands/s",
        lambda: _load(host, both.port, "edit_then_see", WRITERS, RATE),
    )
    failures = _failures(tallies)
    p50, p99 = zip(*((tally.p50_ms, tally.p99_ms) for tally in tallies), strict=True)
    what = f"command to visible, {RATE} commands/s"
    return [
        Row(f"{what}, p50", "ms", p50, failures=failures),
        Row(f"{what}, p99", "ms", p99, below=100, failures=failures),
    ]


def memory(host: Host) -> list[Row]:
    """What the processes hold after all that; run alone, after a short load."""
    both = sides(host)
    both.catch_up()
    _load(host, both.port, "edit", WRITERS)
    _load(host, both.peer_port, "edit", WRITERS)
    peer = [both.peer.memory_mb]
    api = [both.api.memory_mb]
    return [
        Row("memory of the API", "MB", api, peer, "FastAPI + ORM", below=250),
        Row("memory of the worker", "MB", [both.worker.memory_mb], below=250),
    ]
