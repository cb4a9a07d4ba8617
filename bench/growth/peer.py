"""The uncached list against the service with an ORM, at the same size.

Each request comes with a token that was never seen, so that both sides verify it; on
both, a task is written before each list.
"""

from collections.abc import Callable, Sequence

from bench import ours
from bench.growth.asking import API, Client, Times
from bench.host import Host, free_port
from bench.measures.http import SEED_CRUD
from metacortex.api.issuer import LocalIssuer

CRUD = "growth_crud"
PATH = f"{API}/tasks?page=1&per_page=50"


def lists(
    running: Host,
    port: int,
    user: Callable[[int], str],
    sizes: Sequence[int],
    rounds: int,
) -> list[tuple[str, str]]:
    """Return the medians of both sides, by size."""
    theirs = _crud(running, sizes)
    found = []
    for size in sizes:
        mine = Times(_asked(running, port, user(size), rounds)).p50
        peer = Times(_asked(running, theirs, f"reader{sizes.index(size)}", rounds)).p50
        what = f"list 50 of {size:,} tasks after a write, new token each, p50"
        found.append((f"{what}: ours", f"{mine:.1f} ms"))
        found.append((f"{what}: FastAPI + ORM", f"{peer:.1f} ms"))
    return found


def _asked(running: Host, port: int, name: str, rounds: int) -> list[float]:
    issuer = LocalIssuer(running.folder, ours.ISSUER)
    found = []
    for number in range(rounds + 1):
        client = Client(port, issuer.token(name, ttl_s=ours.TOKEN_TTL_S - number))
        status, answer, _ = client.send("POST", f"{API}/tasks", {"title": "Newest"})
        if status != 201:
            raise ValueError(f"{status}: {answer[:300]!r}")
        fresh = issuer.token(name, ttl_s=ours.TOKEN_TTL_S // 2 - number)
        client.token = fresh
        status, answer, ms = client.send("GET", PATH)
        if status != 200:
            raise ValueError(f"{status}: {answer[:300]!r}")
        found += [ms] if number else []
        client.connection.close()
    return found


def _crud(running: Host, sizes: Sequence[int]) -> int:
    """Start the peer with users of the sizes; return its port."""
    running.create_database(CRUD)
    port = free_port()
    env = {
        "CRUD_DATABASE_URL": running.url(CRUD).render_as_string(hide_password=False),
        "CRUD_PUBLIC_KEY": ours.tokens(running.folder, []).public_key,
        "CRUD_PORT": str(port),
    }
    service = running.service("crud", ["-m", "bench.peers.crud"], env)
    service.wait_ready(f"http://127.0.0.1:{port}/openapi.json")
    for number, size in enumerate(sizes):
        seed = SEED_CRUD.format(text=ours.DESCRIPTION, users=1, each=size)
        running.sql(seed.replace("'user_reader' || u", f"'user_reader{number}'"), CRUD)
    running.sql("VACUUM ANALYZE", CRUD)
    return port
