"""What commands say: data on stdout, progress on stderr, errors last and exit 1."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from metacortex.kernel import driver_errors
from metacortex.kernel.driver_errors import cause, is_unreachable, sqlstate
from metacortex.kernel.errors import MetaCortexError

T = TypeVar("T")

err = Console(stderr=True)

REMEDIES = {
    "28": "the database refuses this login: check DATABASE_URL and its namesakes",
    "3D": "there is no such database: create it, then run `metacortex migrate`",
    "3F": "the schema is not there: run `metacortex migrate`",
    "42P01": "a table is not there: run `metacortex migrate`",
    "42501": "this login lacks a right: `metacortex doctor` names it",
}
"""By the beginning of an SQLSTATE, what an operator can do about it."""


def fail(message: str) -> NoReturn:
    """Say what is wrong as the last line, and exit 1."""
    err.print(
        f"error: {message}",
        style="bold red",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    raise typer.Exit(1)


def say(line: str) -> None:
    """Print a line of progress as it stands."""
    err.print(line, highlight=False, soft_wrap=True, markup=False)


def run(work: Awaitable[T]) -> T:
    """Run a coroutine; anticipated trouble becomes an error line."""

    async def wait() -> T:
        return await work

    with anticipated():
        return asyncio.run(wait())


@contextmanager
def anticipated() -> Iterator[None]:
    """Turn trouble that an operator can mend into an error line."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read has seen enough, as `head` has
    except MetaCortexError as error:
        fail(str(error))
    except Exception as error:
        if remedy := _remedy(error):
            fail(remedy)
        raise


def _remedy(error: Exception) -> str | None:
    state = sqlstate(error) or ""
    reason = first_line(cause(error))
    for beginning, remedy in REMEDIES.items():
        if state.startswith(beginning):
            return f"{remedy} ({reason})"
    if is_unreachable(error):
        return f"the database does not answer ({reason}); is `metacortex up` running?"
    if (found := driver_errors.remedy(error)) is not None:
        return f"{found} ({reason})"
    if driver_errors.meaning(error) is not None:
        return f"{driver_errors.public(error).title} ({reason})"
    return None


def first_line(error: object) -> str:
    """Return the first line of an error, without the driver's name of its class."""
    lines = str(error).splitlines()
    return lines[0].rpartition(">: ")[2] if lines else type(error).__name__


def show(found: Any, as_json: bool, title: str) -> None:
    """Print a mapping, or a list of them, for programs or for people."""
    if as_json:
        print(json.dumps(found, indent=2, default=str))
        return
    rows = found if isinstance(found, list) else [found]
    table = Table(title=title, title_justify="left")
    for name in rows[0] if rows else ():
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console().print(table, markup=False)


class Bar:
    """A bar on a terminal, lines elsewhere; used as a context manager."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar = Progress(
            TextColumn("Importing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(what),
            console=err,
        )
        self._task = self._bar.add_task(what)

    def __enter__(self) -> Callable[[int, int], None]:
        if err.is_terminal:
            self._bar.start()
        return self._progress

    def __exit__(self, *_: object) -> None:
        if err.is_terminal:
            self._bar.stop()

    def _progress(self, done: int, total: int) -> None:
        if err.is_terminal:
            self._bar.update(self._task, completed=done, total=total)
        else:
            print(f"{done} of {total} {self._what}", file=sys.stderr, flush=True)
