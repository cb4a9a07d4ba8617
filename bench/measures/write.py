"""Our bus without HTTP: against pgbench, against `eventsourcing`, and a lone caller.

64 callers of our lane, each of which awaits its command before the next, against 64
clients of pgbench that do only the state upsert and the event insert. pgbench runs
twice: with one message per statement, as such a transaction is written, and with both
writes in one statement, which saves it three round trips.
"""

from functools import partial

from bench import ours
from bench.host import Host, call, say
from bench.peers import pgbench
from bench.results import Row

CALLERS = 64
SHAPES = {"one hot workspace": 1, "64 workspaces": 64}
MODES = ((1, 1), (1, 4), (1, 8), (2, 1), (2, 4), (2, 8), (4, 4))
"""Processes of the eventsourcing library and threads of each; its best is compared."""
OURS, PGBENCH, EVENTSOURCING = "ours_write", "peer_pgbench", "peer_eventsourcing"


def _env(host: Host) -> dict[str, str]:
    return host.once(OURS, lambda: ours.create(host, OURS))


def _ours(host: Host, workspaces: int) -> float:
    spec = {"callers": CALLERS, "workspaces": workspaces, "seconds": host.scale.seconds}
    rate: float = ours.task(_env(host), task="write", **spec)["per_s"]
    return rate


def _statements(host: Host) -> pgbench.Statements:
    """Learn the peer's statements from rows that our own commands wrote."""
    ours.task(_env(host), task="write", callers=1, workspaces=1, seconds=0.5)
    ours.create(host, PGBENCH)
    mine, theirs = host.engine(OURS), host.engine(PGBENCH)
    with mine.connect() as sample, theirs.connect() as target:
        pgbench.strip(target, ours.STATE_TABLE, ours.EVENT_TABLE)
        learned = pgbench.learn(sample, ours.STATE_TABLE, ours.EVENT_TABLE)
    mine.dispose()
    theirs.dispose()
    return learned


def bus(host: Host) -> list[Row]:
    """Commands a second against transactions a second."""
    statements = _statements(host)
    runs = iter(range(1, 1000))  # keeps the keys of pgbench's runs apart

    def peer(script: str, workspaces: int) -> float:
        return pgbench.run(
            host.binaries / "pgbench",
            host.socket_folder,
            PGBENCH,
            statements,
            form=script,
            workspaces=workspaces,
            number=next(runs),
            seconds=host.scale.seconds,
            script=host.folder / "transaction.sql",
        )

    rows = []
    for shape, count in SHAPES.items():
        mine, plain, single = host.alternate(
            f"bus, {shape}",
            partial(_ours, host, count),
            partial(peer, pgbench.PLAIN, count),
            partial(peer, pgbench.SINGLE, count),
        )
        what = f"bus, {CALLERS} callers, {shape}"
        rows.append(Row(what, "per s", mine, plain, "pgbench", at_least=1.0))
        one = f"{what}; peer in one statement"
        rows.append(Row(one, "per s", mine, single, "pgbench"))
    return rows


def lone(host: Host) -> list[Row]:
    """One caller alone: what a command takes when nothing shares its transaction."""

    def run() -> tuple[float, float]:
        spec = {"callers": 1, "workspaces": 1, "seconds": host.scale.seconds}
        found = ours.task(_env(host), task="write", **spec)
        return found["p50_ms"], found["p99_ms"]

    (values,) = host.alternate("lone caller", run)
    p50, p99 = zip(*values, strict=True)
    return [
        Row("bus, lone caller, p50", "ms", p50, below=1.5),
        Row("bus, lone caller, p99", "ms", p99),
    ]


def eventsourcing(host: Host) -> list[Row]:
    """Our bus against the library's best number of processes and threads."""
    host.create_database(EVENTSOURCING)

    def peer(mode: tuple[int, int]) -> float:
        processes, threads = mode
        env = {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": EVENTSOURCING,
            "POSTGRES_HOST": host.socket_folder,
            "POSTGRES_USER": "postgres",
            "POSTGRES_PASSWORD": "",
        }
        how = {"processes": processes, "threads": threads}
        spec = {"env": env, **how, "seconds": host.scale.seconds}
        rate: float = call("bench.peers.eventstore", spec)["per_s"]
        return rate

    rates = {mode: peer(mode) for mode in MODES}
    best = max(rates, key=rates.__getitem__)
    say(f"eventsourcing by processes and threads: {rates}")
    name = "eventsourcing, {} processes of {} threads".format(*best)
    rows = []
    for shape, count in SHAPES.items():
        mine, theirs = host.alternate(
            f"against eventsourcing, {shape}",
            partial(_ours, host, count),
            partial(peer, best),
        )
        what = f"bus against a library, {CALLERS} callers, {shape}"
        rows.append(Row(what, "per s", mine, theirs, name, at_least=10.0))
    return rows
