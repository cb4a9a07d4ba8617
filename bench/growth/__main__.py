"""`python -m bench.growth [--quick | --full]`: what grows with a workspace.

Workspaces of 1,000 and 100,000 tasks, with --full of 1,000,000 too, loaded through the
lane and projected by the worker. Writes its part of RESULTS.md, except with --quick.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import ours, sections
from bench.growth import page
from bench.growth.asking import Asker, Client, Times
from bench.growth.costs import disk, idle, importing, rebuild, writing
from bench.growth.peer import lists
from bench.growth.questions import COUNT_NONE, WITHOUT_TOTAL, questions
from bench.host import FULL, QUICK, Host, call, free_port, host, say

DATABASE = "growth"
BEHIND = """SELECT coalesce(sum(h.sequence - coalesce(c.sequence, 0)), 0)
    FROM events.heads h LEFT JOIN queries.checkpoints c USING (workspace_id)"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How large, and how often each question is asked."""

    sizes: Sequence[int]
    rounds: int
    import_tasks: int
    writes: int
    small: int = 10_000
    """Tasks of the workspace to which writes into the others are compared."""


PLANS = {
    "quick": Plan((200, 2_000), 3, 300, writes=5, small=300),
    "default": Plan((1_000, 100_000), 15, 5_000, writes=300),
    "full": Plan((1_000, 100_000, 1_000_000), 15, 100_000, writes=300),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="whether it works at all")
    parser.add_argument("--full", action="store_true", help="1,000,000 tasks as well")
    given = parser.parse_args()
    name = "quick" if given.quick else "full" if given.full else "default"
    with host(QUICK if given.quick else FULL) as running:
        text = measured(running, PLANS[name])
    print(text)
    if name != "quick":
        sections.replace(sections.GROWTH, text)


def measured(running: Host, plan: Plan) -> str:
    """Return the page's part."""
    env = ours.create(running, DATABASE)
    port = free_port()
    api = ours.start(running, "api", env, port)
    worker = ours.start(running, "worker", env, port)
    facts: list[tuple[str, str]] = []
    answers: dict[int, Mapping[str, Times]] = {}
    for size in (plan.small, *plan.sizes):
        facts += load(running, env, size)
    running.sql("VACUUM ANALYZE", DATABASE)
    for size in plan.sizes:
        say(f"asking in the workspace of {size:,} tasks")
        answers[size] = ask(running, port, size, plan.rounds)
    facts += disk(running, DATABASE, sum(plan.sizes) + plan.small)
    sizes = (plan.small, *plan.sizes[1:])
    tokens = ours.tokens(running.folder, [user(it) for it in sizes]).tokens
    facts += writing(port, dict(zip(sizes, tokens, strict=True)), plan.writes)
    wait(running)
    facts += importing(running, port, plan.import_tasks)
    wait(running)
    facts += rebuild(running, env, user(plan.sizes[1]))
    facts += idle([api, worker])
    facts += lists(running, port, user, plan.sizes, plan.rounds)
    return page.render(running.version(), plan.rounds, answers, facts)


def user(size: int) -> str:
    return f"grower{size}"


def load(running: Host, env: dict[str, str], size: int) -> list[tuple[str, str]]:
    """Fill a workspace through the lane; return how fast, and its WAL."""
    workspace = ours.workspaces_of([user(size)])[0]
    before = running.value("SELECT pg_current_wal_lsn() - '0/0'", DATABASE)
    begin = time.monotonic()
    spec = {"workspace": workspace, "tasks": size}
    done = call("bench.growth.filling", spec, env)
    wait(running)
    took = time.monotonic() - begin
    wal = running.value("SELECT pg_current_wal_lsn() - '0/0'", DATABASE) - before
    say(f"{size:,} tasks: {done['commands']:,} commands, visible after {took:.0f} s")
    what = f"{size:,} tasks by {done['commands']:,} commands, in batches of 100"
    return [
        (f"{what}: commands a second", f"{done['per_s']:,.0f}"),
        (f"{what}: all visible after", f"{took:.1f} s"),
        (f"{what}: WAL a command", f"{wal / done['commands'] / 1000:.1f} kB"),
    ]


def wait(running: Host) -> None:
    """Wait until the worker has projected everything; it says how much is left."""
    said = time.monotonic()
    while left := running.value(BEHIND, DATABASE):
        if time.monotonic() - said > 10:
            say(f"{left:,} events to project")
            said = time.monotonic()
        time.sleep(0.2)


def ask(running: Host, port: int, size: int, rounds: int) -> Mapping[str, Times]:
    """Return how long each answer takes in a workspace."""
    token = ours.tokens(running.folder, [user(size)]).tokens[0]
    client = Client(port, token)
    task = client.ask("/tasks", per_page=1, status="pending")["data"][0]["id"]
    asker = Asker(client, task)
    found: dict[str, Times] = {}
    asked = questions(client, size)
    for name, path in asked.items():
        found[name] = asker.times(path, rounds)
    for name in WITHOUT_TOTAL:
        found[f"{name}; count=none"] = asker.times(asked[name], rounds, COUNT_NONE)
    return found


if __name__ == "__main__":
    main()
