"""What `up` shows: progress and the children's lines on stderr, the URLs on stdout."""

import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

COLOURS = {"api": 36, "worker": 33, "migrate": 32}  # ANSI foregrounds
WIDTH = max(map(len, COLOURS))


class Screen:
    """Writes plainly; colours only where a person looks."""

    def __init__(self) -> None:
        coloured = sys.stderr.isatty()
        self._prefixes = {
            name: f"\x1b[{colour}m{name:<{WIDTH}} |\x1b[0m " if coloured else ""
            for name, colour in COLOURS.items()
        }

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def line(self, name: str, text: str) -> None:
        prefix = self._prefixes.get(name) or f"{name:<{WIDTH}} | "
        print(prefix + text, file=sys.stderr, flush=True)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Say what has been done, and in how many seconds; nothing if it fails."""
        began = time.monotonic()
        yield
        self.say(f"{what} ({time.monotonic() - began:.1f} s)")

    def result(
        self, rows: Mapping[str, str], token: str | None, exports: Mapping[str, str]
    ) -> None:
        """Show where everything is, and what another shell has to be told."""
        table = Table(show_header=False, title="MetaCortex is up", title_justify="left")
        for name, value in rows.items():
            table.add_row(name, value)
        console = Console(highlight=False)
        console.print(table)
        if token is not None:  # outside the table, which would fold it
            console.print("A token for the user dev:", token, sep="\n", soft_wrap=True)
        if exports:
            lines = [f"  export {k}={shlex.quote(v)}" for k, v in exports.items()]
            said = "In another shell, type first:"
            console.print(said, *lines, sep="\n", soft_wrap=True, markup=False)
        console.print("Ctrl-C stops everything.")
        sys.stdout.flush()
