"""How fast one projector catches up from nothing, in many workspaces and in one."""

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
    return [_measure(host, shape, count) for shape, count in WORKSPACES.items()]


def _measure(host: Host, shape: str, count: int) -> Row:
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

    (values,) = host.alternate(f"projection, {shape}", catch_up)
    events = each * count
    return Row(f"projection of {events:,} events, {shape}", "per s", values)
