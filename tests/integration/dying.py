"""A worker whose jobs kill it: `python -m tests.integration.dying DATABASE REDIS`."""

import asyncio
import os
import signal
import sys

from metacortex.operations.actors import REBUILD
from metacortex.operations.jobs import Job
from tests.conftest import Urls
from tests.integration.operating import Operating


async def die(job: Job) -> None:
    """End the process as a crash would."""
    os.kill(os.getpid(), signal.SIGKILL)


async def main(database: str, redis: str) -> None:
    """Serve until killed."""
    urls = Urls(owner="", app="", projector=database, auditor="", redis=redis)
    async with Operating.on(urls) as operating, operating.worker({REBUILD: die}):
        print("serves", flush=True)
        await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
