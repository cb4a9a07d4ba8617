"""What a workspace costs besides answers: disk, imports, rebuilds, idle processes."""

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence

from bench import ours
from bench.growth.asking import API, Client, Times
from bench.growth.filling import title
from bench.host import Host, Service, call, say

DATABASE = "growth"
Fact = tuple[str, str]
IDLE_S = 10
BATCH = 100
PARTS = 16  # of a workspace, from each of which tasks are edited
TICKS = os.sysconf("SC_CLK_TCK")


def disk(running: Host, database: str, tasks: int) -> list[Fact]:
    """Return bytes of each table, by event, task or command."""
    events = running.value("SELECT sum(sequence) FROM events.heads", database)
    receipts = running.value("SELECT count(*) FROM commands.receipts", database)

    def size(table: str) -> int:
        found: int = running.value(
            f"SELECT pg_total_relation_size('{table}')", database
        )
        return found

    whole = running.value(
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace::regnamespace::text IN ('events', 'commands', 'queries')",
        database,
    )
    return [
        ("bytes an event, all tables and indexes", f"{whole / events:,.0f}"),
        ("bytes an event in the log", f"{size('events.log') / events:,.0f}"),
        ("bytes an event in the task log", f"{size('queries.activity') / events:,.0f}"),
        ("bytes a task in its read table", f"{size('queries.tasks') / tasks:,.0f}"),
        ("bytes a task in its state table", f"{size('commands.tasks') / tasks:,.0f}"),
        (
            "bytes a command in its receipt",
            f"{size('commands.receipts') / receipts:,.0f}",
        ),
    ]


def importing(running: Host, port: int, tasks: int) -> list[Fact]:
    """Return how long a command takes to be visible elsewhere during an import."""
    busy, other = ours.tokens(running.folder, ["importer", "bystander"]).tokens
    over = threading.Event()
    began = time.monotonic()

    def send() -> None:
        client = Client(port, busy)
        for first in range(0, tasks, BATCH):
            commands = [
                {"id": f"c{n}", "type": "task.create", "args": {"title": title(n)}}
                for n in range(first, first + BATCH)
            ]
            status, found, _ = client.send(
                "POST", f"{API}/commands", {"commands": commands}
            )
            if status != 200:
                raise ValueError(f"{status}: {found[:300]!r}")
        over.set()

    sender = threading.Thread(target=send)
    sender.start()
    seen = Times(_visible(Client(port, other), over))
    sender.join()
    took = time.monotonic() - began
    what = f"visible in another workspace during an import of {tasks:,} tasks"
    return [
        (f"{what}, p50", f"{seen.p50:.0f} ms"),
        (f"{what}, p99", f"{seen.p99:.0f} ms"),
        (
            f"import of {tasks:,} tasks through /commands",
            f"{tasks / took:,.0f} a second",
        ),
    ]


def _visible(client: Client, over: threading.Event) -> list[float]:
    found = []
    while not over.is_set():
        begin = time.perf_counter()
        _, made, _ = client.send("POST", f"{API}/tasks", {"title": "Seen?"})
        sequence = json.loads(made)["meta"]["sequence"]
        client.ask("/tasks", {"Metacortex-Min-Sequence": str(sequence)}, per_page=1)
        found.append((time.perf_counter() - begin) * 1e3)
        time.sleep(0.02)
    return found


def writing(port: int, users: Mapping[int, str], rounds: int) -> list[Fact]:
    """Return how long a creation and an edit take in workspaces, by turns.

    `users` by how many tasks they have; the ratios are to the first of them.
    """
    clients = {size: Client(port, token) for size, token in users.items()}
    known = {size: _spread(it, size) for size, it in clients.items()}
    created: dict[int, list[float]] = {size: [] for size in users}
    edited: dict[int, list[float]] = {size: [] for size in users}
    for number in range(rounds):
        for size, client in clients.items():
            created[size].append(_write(client, "POST", "/tasks", title(number)))
            id = known[size][number % len(known[size])]
            path = f"/tasks/{id}"
            edited[size].append(_write(client, "PATCH", path, f"Edit {number}"))
    facts = []
    for what, found in (("create", created), ("edit", edited)):
        times = {size: Times(ms) for size, ms in found.items()}
        first = next(iter(times.values())).p50
        facts += [
            (
                f"{what} among {size:,} tasks, p50 / p99 (ratio)",
                f"{it.p50:.2f} / {it.p99:.2f} ms ({it.p50 / first:.2f})",
            )
            for size, it in times.items()
        ]
    return facts


def _spread(client: Client, size: int) -> list[str]:
    """Return tasks from all over a workspace, none twice."""
    pages = max(1, size // 60)  # some are archived
    asked = sorted({pages * part // PARTS + 1 for part in range(PARTS)})
    found = [client.ask("/tasks", page=it, archived="false")["data"] for it in asked]
    return [it["id"] for several in zip(*found, strict=False) for it in several]


def _write(client: Client, method: str, path: str, called: str) -> float:
    status, found, ms = client.send(method, f"{API}{path}", {"title": called})
    if status not in (200, 201):
        raise ValueError(f"{status}: {found[:300]!r}")
    return ms


def rebuild(running: Host, env: dict[str, str], user: str) -> list[Fact]:
    """Return how fast a workspace is folded again."""
    workspace = ours.workspaces_of([user])[0]
    done = call("bench.growth.rebuilding", {"workspace": workspace}, env)
    say(f"rebuild: {done}")
    return [
        (f"rebuild of {done['events']:,} events", f"{done['per_s']:,.0f} a second"),
        ("memory of the rebuild, at most", f"{done['peak_mb']:.0f} MB"),
    ]


def idle(services: Sequence[Service]) -> list[Fact]:
    """Return what processes take while nothing happens."""
    before = [_cpu_s(it) for it in services]
    time.sleep(IDLE_S)
    spent = [
        (_cpu_s(it) - then) / IDLE_S * 100
        for it, then in zip(services, before, strict=True)
    ]
    cpu = ", ".join(
        f"{it.name} {share:.1f}" for it, share in zip(services, spent, strict=True)
    )
    memory = ", ".join(f"{it.name} {it.memory_mb:.0f}" for it in services)
    return [
        ("idle: % of a core", f"{sum(spent):.1f} ({cpu})"),
        (
            "memory after all that, MB",
            f"{sum(it.memory_mb for it in services):.0f} ({memory})",
        ),
    ]


def _cpu_s(service: Service) -> float:
    return service.cpu_ticks / TICKS
