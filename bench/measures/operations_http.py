"""The operators' pages over HTTP with a million runs in the log, and what idle costs.

    python -m bench --operations [--runs 1000000] [--idle 60]

Pages: one API process on a database of `bench.measures.operations`, one request after
the other on one connection, each endpoint as often as `ROUNDS` says. `/health/live`,
which asks nothing, tells what the machine itself costs just then. Idle: CPU
seconds of all processes of `metacortex up` on an empty folder, with one operators'
stream open and without.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from bench.host import free_port, say
from bench.measures.operations import fill
from bench.sections import OPERATIONS
from metacortex.api.app import local_issuer
from metacortex.api.auth import Role
from metacortex.embedded import (
    create_database,
    start_postgres,
    start_redis,
    with_parts,
)
from metacortex.settings import Settings, load_settings

ROUNDS = 60  # the third slowest is the 95th percentile
LIMIT_MS, LIMIT_CPU = 100.0, 0.03
SETTLE_S = 15.0  # after a start: first vacuums, caches that fill
READY_S = 90.0
ALIVE = "/health/live"
PAGES = (
    ALIVE,
    "overview",
    "series?metric=events",
    "runs",
    "runs?per_page=200",
    "runs?actor=verify_workspace",
    "runs?actor=nobody",
    "runs?queue=imports",
    "runs?outcome=failed",
    "runs?outcome=failed&outcome=crashed",
    "runs?outcome=crashed",
    "runs?actor=rebuild_workspace&outcome=failed",
    "runs?open=true",
    "runs?worker={worker}",
    "runs?correlation_id={correlation_id}",
    "runs?command_id={command_id}",
    "runs?fingerprint={fingerprint}",
    "runs?from=2026-01-01T00:00:00Z&outcome=failed",
    "runs?q={workspace_id}",
    "runs?q=bridge%20500000",
    "runs?q=bridge",
    "runs?q=verify_workspace",
    "runs?q=tunnel",
    "runs/{id}",
    "failures",
    "failures?open=true",
    "schedules",
    "queues",
    "workers",
    "projections",
    "projections?behind=true",
    "database",
    "actions",
    "actions?target={id}",
)


@contextmanager
def process(env: dict[str, str], *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `metacortex …` until the block ends."""
    found = subprocess.Popen(
        [sys.executable, "-m", "metacortex", *command],
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield found
    finally:
        found.send_signal(signal.SIGTERM)
        found.wait(30)


def client(settings: Settings, port: int) -> httpx2.Client:
    """Return a connection of an operator, once the API is ready."""
    base, until = f"http://127.0.0.1:{port}", time.monotonic() + READY_S
    while True:
        try:
            if httpx2.get(f"{base}/health/ready", timeout=2).status_code == 200:
                break
        except httpx2.TransportError:
            pass
        if time.monotonic() > until:
            raise TimeoutError("the API is not ready")
        time.sleep(0.1)
    token = local_issuer(settings).token("olga", None, Role.OPERATOR)
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.Client(base_url=f"{base}/api/v1/ops", headers=headers, timeout=60)


async def pages(runs: int) -> list[tuple[str, float, float]]:
    """Return each page with its median and 95th percentile in ms."""
    with tempfile.TemporaryDirectory(prefix="mc-") as name:
        folder, port = Path(name), free_port()
        postgres, redis = start_postgres(folder), start_redis(folder)
        try:
            owner = await create_database(postgres.url, "operations")
            await fill(owner, runs)
            url = with_parts(owner, user="metacortex_app")
            env = {
                "ENVIRONMENT": "test",
                "DATABASE_URL": url,
                "REDIS_URL": redis.url,
                "METACORTEX_DATA_DIR": name,
            }
            settings = load_settings(
                environment="test", database_url=url, data_dir=folder
            )
            with process(env, "api", "--port", str(port)):
                with client(settings, port) as http:
                    return [measured(http, page) for page in filled(http)]
        finally:
            redis.stop()
            postgres.stop()


def filled(http: httpx2.Client) -> Sequence[str]:
    """Return the pages, with the ids of a failed run."""
    [run] = http.get("/runs?open=true&per_page=1").raise_for_status().json()["data"]
    run["fingerprint"] = run["error"]["fingerprint"]
    return [page.format(**run) for page in PAGES]


def measured(http: httpx2.Client, page: str) -> tuple[str, float, float]:
    """Ask again and again."""
    if page == ALIVE:
        page = str(http.base_url).partition("/api/")[0] + ALIVE
    http.get(page).raise_for_status()
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        http.get(page).raise_for_status()
        took.append((time.perf_counter() - began) * 1_000)
    page = ALIVE if page.endswith(ALIVE) else page
    found = (page, statistics.median(took), statistics.quantiles(took, n=20)[-1])
    print(f"{page[:60]:60} {found[1]:8.1f} {found[2]:8.1f}", flush=True)
    return found


def idle(seconds: float) -> tuple[float, float]:
    """Return the cores that an idle installation uses: unwatched, and watched."""
    with tempfile.TemporaryDirectory(prefix="mc-") as name:
        port = free_port()
        env = {"METACORTEX_DATA_DIR": name}
        with process(env, "up", "--port", str(port)) as running:
            while not (Path(name) / "services.env").exists():
                time.sleep(0.1)
            http = client(load_settings(data_dir=name), port)
            time.sleep(SETTLE_S)
            unwatched = used(running.pid, seconds)
            closing = threading.Event()
            threading.Thread(target=listen, args=(http, closing), daemon=True).start()
            time.sleep(SETTLE_S)
            watched = used(running.pid, seconds)
            closing.set()
    return unwatched, watched


def listen(http: httpx2.Client, closing: threading.Event) -> None:
    """Read the stream as a dashboard does."""
    with http.stream("GET", "/stream") as stream:
        for _ in stream.iter_lines():
            if closing.is_set():
                return


def used(pid: int, seconds: float) -> float:
    """Return the share of a core that a tree of processes uses."""
    before = cpu_s(pid)
    time.sleep(seconds)
    return (cpu_s(pid) - before) / seconds


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and all below it, ended ones included."""
    stats = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "stat").read_text()
            except OSError:  # it has ended meanwhile
                continue
            stats[int(folder.name)] = line.rpartition(") ")[2].split()
    tree, found = [pid], 0
    for parent in tree:
        tree += [id for id, fields in stats.items() if int(fields[1]) == parent]
        found += sum(map(int, stats[parent][11:15]))
    return found / os.sysconf("SC_CLK_TCK")


def section(
    runs: int, found: Sequence[tuple[str, float, float]], cores: tuple[float, float]
) -> str:
    """Return what RESULTS.md says of it."""
    worst = max(p95 for page, _, p95 in found if page != ALIVE)
    more, load = cores[1] - cores[0], os.getloadavg()[2]
    rows = [f"| `{page}` | {p50:.1f} | {p95:.1f} |" for page, p50, p95 in found]
    verdict = "met" if worst <= LIMIT_MS else "**missed**"
    cost = "met" if more <= LIMIT_CPU else "**missed**"
    return "\n".join(
        [
            f"## {OPERATIONS}",
            "",
            f"Written by `make bench ARGS=--operations`, load average {load:.0f} on"
            f" {os.cpu_count()} cores. Over HTTP with {runs:,} runs in the log: at most"
            f" {LIMIT_MS:g} ms at the 95th percentile, the worst is {worst:.1f} ms:"
            f" {verdict}. Idle, all processes of `metacortex up` use {cores[0]:.1%} of"
            f" a core, with one operators' stream open {cores[1]:.1%}: {more:.1%} more,"
            f" at most {LIMIT_CPU:.0%}: {cost}.",
            "",
            "| page | p50 ms | p95 ms |",
            "|---|---:|---:|",
            *(it.replace("{", "").replace("}", "") for it in rows),
            "",
        ]
    )


async def operations(runs: int, idle_s: float) -> str:
    """Measure both."""
    cores = idle(idle_s)
    say(json.dumps({"idle": cores}))
    found: list[Any] = await pages(runs)
    return section(runs, found, cores)
