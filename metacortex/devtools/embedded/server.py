"""What embedded servers share: a lock, a private folder for sockets, a child's life.

A server dies with the process that started it, however that dies
(kernel/processes.py; Linux only, elsewhere the next start ends what was left).
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from metacortex.kernel.processes import die_with_parent

SOCKET_FOLDER_LIMIT = 90  # bytes; a socket path ends at 107, the file takes 14
START_TIMEOUT_S = 60.0  # crash recovery may take long; a fresh start takes 0.3
STOP_TIMEOUT_S = 10.0  # a fast shutdown writes one checkpoint
POLL_S = 0.02
SAFE_PATH = re.compile(r"[\w./+@-]+", re.ASCII)  # Postgres splits paths at commas


class EmbeddedError(Exception):
    """An embedded server cannot be started; the message says what to do."""


class MissingBinary(EmbeddedError):
    """Neither the machine nor the wheels have the server."""


class AlreadyRunning(EmbeddedError):
    """Another live process holds the folder."""


class UnusableFolder(EmbeddedError):
    """The data folder cannot be made or written to."""


class StartFailed(EmbeddedError):
    """The server ended or stayed silent; the message ends with its last log lines."""


@dataclass(frozen=True)
class Lock:
    """An exclusive claim, kept while the process lives and `release` is not called."""

    file: IO[str]

    def release(self) -> None:
        self.file.close()


def hold(path: Path) -> Lock:
    """Claim a lock file and write our process id into it.

    Raises AlreadyRunning, naming the process that holds it, and UnusableFolder. The
    file itself stays.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise UnusableFolder(
            f"{path.parent} cannot hold data ({error.strerror}): choose another folder "
            "with --data-dir or METACORTEX_DATA_DIR."
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise AlreadyRunning(
            f"{path.parent} is in use by process {holder}: stop that one first, or "
            "choose another folder with METACORTEX_DATA_DIR."
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return Lock(file)


@dataclass(frozen=True)
class Server:
    """A running server that belongs to this process."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    log: Path
    is_ready: Callable[[], bool]
    stop_signals: Sequence[signal.Signals]
    lock: Lock

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return when the server takes connections.

        Raises StartFailed, having stopped the server.
        """
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise StartFailed(
                    f"{self.name} did not start; {self.log} ends:\n{tail(self.log)}"
                )
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End the server, ever less gently. A stopped one stays stopped."""
        _end(self.process, self.stop_signals)
        self.lock.release()


def spawn(
    command: Sequence[str], log: Path, at_parents_death: signal.Signals
) -> subprocess.Popen[bytes]:
    """Start a child that Ctrl-C at the terminal does not reach, but our end does."""
    log.touch(mode=0o600)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(at_parents_death),
        )


def _end(process: subprocess.Popen[bytes], signals: Sequence[signal.Signals]) -> None:
    for number in signals:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            continue


def socket_folder(data_dir: Path) -> Path:
    """Return a folder for sockets that only we can enter, and whose path is short."""
    folder = data_dir / "run"
    name = str(folder)
    if len(os.fsencode(name)) > SOCKET_FOLDER_LIMIT or not SAFE_PATH.fullmatch(name):
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"metacortex-{os.geteuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
        raise EmbeddedError(f"{folder} belongs to someone else: remove it.")
    folder.chmod(0o700)
    return folder


def package_folder(package: str) -> Path | None:
    """Find a package without importing it: its launchers run code on import."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def tail(file: Path, lines: int = 10) -> str:
    try:
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
