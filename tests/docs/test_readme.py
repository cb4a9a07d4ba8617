"""The README's walk, typed as it stands into a shell beside a real `metacortex up`."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.pages import ROOT, blocks
from tests.untraced import untraced

START_S = 60  # a cold start on a busy machine of two cores; the usual one takes ten
WALK_S = 600  # only there to end a hang: thirty starts of Python take 10 s
STOP_S = 30  # the grace period, twice and more: it must end by itself


class Stack(NamedTuple):
    """Where a running installation is."""

    port: int
    environ: dict[str, str]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2)
    except OSError:
        return False
    return True


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Everything that `make up` starts, until SIGINT."""
    port, folder = _free_port(), tmp_path / "data"
    named = {"METACORTEX_DATA_DIR": str(folder)}
    kept = {k: v for k, v in untraced().items() if "_URL" not in k}
    environ = {**kept, **named}
    up = [sys.executable, "-m", "metacortex", "up", "--port", str(port)]
    with (tmp_path / "up.log").open("w+") as log:
        process = subprocess.Popen(up, cwd=ROOT, env=environ, stdout=log, stderr=log)
        try:
            until = time.monotonic() + START_S
            while not _answers(port) and time.monotonic() < until:
                assert process.poll() is None, (tmp_path / "up.log").read_text()
                time.sleep(0.1)
            yield Stack(port, environ)
            process.send_signal(signal.SIGINT)
            assert process.wait(STOP_S) == 0, (tmp_path / "up.log").read_text()
        finally:
            process.kill()
            process.wait()


FLAT = "# Shopping\n- [ ] milk\n- [ ] bread\n- [x] salt\n"


class Shows(NamedTuple):
    """What the walk shows of a list: sizes of pages, open subtasks, completed ones."""

    pages: str
    open: int
    completed: int


def test_the_walk_shows_what_it_says(stack: Stack) -> None:
    """With the list of the repository, as the README stands."""
    walk(stack, None, Shows("20 of 35\n15 of 35\n", 5, 11))


def test_the_walk_takes_a_long_list_and_a_flat_one(
    stack: Stack, shared: Path, tmp_path: Path
) -> None:
    long = shared / "data/interview-checklist.md"
    walk(stack, long, Shows("20 of 463\n20 of 463\n", 3, 4))
    (tmp_path / "flat.md").write_text(FLAT)
    flat = Shows("3 of 3\n0 of 3\n", 1, 3)
    walk(stack, tmp_path / "flat.md", flat, user="eve")


def walk(stack: Stack, listed: Path | None, shows: Shows, user: str = "ada") -> None:
    """Type what the README says, in a user's name, and compare what is shown."""
    script = "\n".join(blocks(ROOT / "README.md", "sh"))
    script = script.replace(".venv/bin/metacortex", f"{sys.executable} -m metacortex")
    script = script.replace("--user ada", f"--user {user}")
    walked = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env={
            **stack.environ,
            "API": f"http://127.0.0.1:{stack.port}/api/v1",
            **({} if listed is None else {"LIST": str(listed)}),
        },
        capture_output=True,
        text=True,
        timeout=WALK_S,
    )
    said = walked.stdout
    assert walked.returncode == 0, said + walked.stderr
    assert shows.pages in said
    assert f"open_subtasks {shows.open}\n" in said
    assert f"{shows.completed} completed, such as" in said
    assert f'"id": "user_{user}"' in said
    assert '"from": "pending",\n' in said
    assert "then: completed\nnow: pending\n" in said
    assert f"'user_{user}', 'task.completed'" in said
    assert said.count("role_required\n") == 1
    assert "Nothing lags." in said
    assert "failing" not in said
    assert " events, as appended\n" in said
    assert said.endswith(": equal\n")


def test_the_table_of_targets_is_that_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {line.split(":")[0] for line in makefile.splitlines() if ": ## " in line}
    targets |= {line.split(":")[0] for line in makefile.splitlines() if ") ## " in line}
    rows = [
        line.split("`")[1].split()
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.startswith("| `make")
    ]
    assert {row[1] for row in rows if len(row) > 1} == targets - {"help"}
