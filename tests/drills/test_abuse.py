"""The short form of the drill: answers, memory and the log; waits are not judged."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.drills.abuse import drill
from tests.drills.target import SHORT


async def test_nothing_that_one_caller_does_hurts_the_others() -> None:
    with TemporaryDirectory(prefix="mc-") as folder:
        found = await drill(Path(folder), SHORT)
    assert not found.wrongs, f"{found.wrongs}\n{found.table()}"
