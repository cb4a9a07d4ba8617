"""A PgBouncer in transaction mode, with so few sessions that clients share them."""

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from metacortex.devtools.embedded.server import Lock, Server, hold, spawn
from tests.conftest import Urls

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SESSIONS = 2  # of the server, for each login

_CONFIG = """[databases]
{name} = host={host} port={port} pool_size={sessions}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
server_reset_query =
max_client_conn = 500
"""


@contextmanager
def pgbouncer(folder: Path, urls: Urls) -> Iterator[Urls]:
    """Run one before a database; give the URLs that lead through it."""
    assert PGBOUNCER is not None
    there, own = make_url(urls.owner), _free_port()
    folder = folder / f"pgbouncer-{own}"
    folder.mkdir()
    config = _CONFIG.format(
        name=there.database,
        host=there.query.get("host", there.host),
        port=there.query.get("port", there.port or 5432),
        sessions=SESSIONS,
        own=own,
        folder=folder,
    )
    (folder / "ini").write_text(config)
    logins = [make_url(it) for it in (urls.owner, urls.app, urls.projector)]
    lines = [f'"{it.username}" "{it.password or ""}"' for it in logins]
    (folder / "users").write_text("\n".join([*lines, '"metacortex_auditor" ""']))
    server = _started(folder, own)
    server.wait_ready()
    try:
        yield Urls(
            redis=urls.redis,
            **{
                role: make_url(getattr(urls, role))
                .set(host="127.0.0.1", port=own, query={})
                .render_as_string(hide_password=False)
                for role in ("owner", "app", "projector", "auditor")
            },
        )
    finally:
        server.stop()


def _started(folder: Path, port: int) -> Server:
    lock: Lock = hold(folder / "lock")
    command = [*_as_nobody(), str(PGBOUNCER), str(folder / "ini")]
    return Server(
        name="pgbouncer",
        url="",
        process=spawn(command, folder / "log", signal.SIGINT),
        log=folder / "log",
        is_ready=lambda: _listens(port),
        stop_signals=(signal.SIGTERM, signal.SIGKILL),
        lock=lock,
    )


def _as_nobody() -> list[str]:
    """Return what goes before a command that refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["unshare", "--user", "--map-user=65534", "--map-group=65534"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
    return found


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
