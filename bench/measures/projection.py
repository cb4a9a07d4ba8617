"""How fast one projector catches up from nothing, and how fast a rebuild folds again.

In many workspaces and in one; two processes share the rebuild of many.
"""

from bench import ours
from bench.host import Host
from bench.results import Row

WORKSPACES = {"64 workspaces": 64, "one workspace": 1}
READ_TABLES = """
    SELECT string_agg(schemaname || '.' || tablename, ', ')
    FROM pg_tables WHERE schemaname = 'queries'
    """


def projection(host: Host) -> list[Row]:
    """Events a second, one creation to three edits."""
    return [
        row
        for shape, count in WORKSPACES.items()
        for row in _measure(host, shape, count)
    ]


def _measure(host: Host, shape: str, count: int) -> list[Row]:
    database = f"ours_projection_{count}"
    env = ours.create(host, database)
    users = [f"writer{number}" for number in range(count)]
    each = host.scale.events // count
    spaces = ours.workspaces_of(users)
    ours.task(env, task="seed", workspaces=spaces, each=each, edits=True)
    host.sql("VACUUM ANALYZE", database)

    def catch_up() -> float:
        host.sql(f"TRUNCATE {host.value(READ_TABLES, database)}", database)
        found = ours.task(env, task="project")
        if found["events"] != each * count:
            raise ValueError(f"{found['events']} of {each * count} events projected")
        return float(found["per_s"])

    def fold_again() -> float:
        found = ours.task(env, task="rebuild", processes=processes)
        if found["events"] != each * count:
            raise ValueError(f"{found['events']} of {each * count} events folded")
        return float(found["per_s"])

    processes = min(2, count)  # a workspace is not shared
    said = "two processes" if processes == 2 else "one process"
    caught_up, folded = host.alternate(f"projection, {shape}", catch_up, fold_again)
    events = each * count
    return [
        Row(
            f"projection of {events:,} events, {shape}",
            "per s",
            caught_up,
            above=30_000,
        ),
        Row(
            f"rebuild of {events:,} events, {shape}, {said}",
            "per s",
            folded,
            above=40_000,
        ),
    ]
