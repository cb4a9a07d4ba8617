"""The `eventsourcing` library on Postgres: the peer of our bus as an event store.

Its documented shape: an `Aggregate` with `@event` methods and an `Application` that
gets, changes and saves it, in its fastest mode that keeps its promises: aggregates are
kept in memory (`AGGREGATE_CACHE_MAXSIZE`), and used without a look at what others have
stored, since a conflict is refused anyway; several processes, as one has one GIL.
`POSTGRES_ENABLE_DB_FUNCTIONS` stays off, as it is by default: that path takes no table
lock and lets readers of the log skip events.

Run as `python -m bench.peers.eventstore`, JSON in, JSON out.
"""

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import cycle
from multiprocessing import get_context
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

EDITS = ("low", "high", "medium")  # one creation, then three edits, as on our side
FASTEST = {"AGGREGATE_CACHE_MAXSIZE": "10000", "AGGREGATE_CACHE_FASTFORWARD": "n"}
DESCRIPTION = "Agree on the date, book the room and send the agenda to everybody."


class Task(Aggregate):
    @event("Created")
    def __init__(self, title: str, description: str, priority: str) -> None:
        self.title = title
        self.description = description
        self.priority = priority

    @event("Edited")
    def edit(self, title: str, priority: str) -> None:
        self.title = title
        self.priority = priority


class Tasks(Application[UUID]):
    def create_task(self, title: str) -> UUID:
        task = Task(title, DESCRIPTION, "high")
        self.save(task)
        return task.id

    def edit_task(self, task_id: UUID, title: str, priority: str) -> None:
        task: Task = self.repository.get(task_id)
        task.edit(title, priority)
        self.save(task)


def commands(tasks: Tasks, name: int) -> Iterator[None]:
    """Carry out one command each time it is advanced."""
    for turn in cycle(range(1_000_000)):
        task_id = tasks.create_task(f"Prepare meeting {turn} of caller {name}")
        yield
        for number, priority in enumerate(EDITS):
            tasks.edit_task(task_id, f"Meeting moved, edit {number}", priority)
            yield


def count(tasks: Tasks, name: int, end: float) -> int:
    done = 0
    for _ in commands(tasks, name):
        done += 1
        if time.perf_counter() >= end:
            break
    return done


def run(env: dict[str, str], threads: int, seconds: float) -> float:
    """Return commands a second, all threads together; one each goes before."""
    tasks = Tasks(env={**env, **FASTEST})
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda name: count(tasks, name, 0.0), range(threads)))
        begin = time.perf_counter()
        ends = [begin + seconds] * threads
        done = sum(pool.map(count, [tasks] * threads, range(threads), ends))
        elapsed = time.perf_counter() - begin
    tasks.close()
    return done / elapsed


def main() -> None:
    spec = json.load(sys.stdin)
    processes = spec.pop("processes")
    Tasks(env=spec["env"]).close()  # makes the tables, which two at once cannot
    spec["env"]["CREATE_TABLE"] = "n"
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        begun = [pool.submit(run, **spec) for _ in range(processes)]
        json.dump({"per_s": sum(it.result() for it in begun)}, sys.stdout)


if __name__ == "__main__":
    main()
