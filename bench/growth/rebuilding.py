"""Fold a workspace's read tables again; a process of its own, so that it is measured.

Run as `python -m bench.growth.rebuilding`, JSON in and out.
"""

import json
import resource
import sys
import time
from typing import Any
from uuid import UUID

import uvloop

from metacortex.kernel.database import engine
from metacortex.kernel.gc_tuning import tune_gc
from metacortex.queries.projector import Projector
from metacortex.settings import load_settings


async def rebuild(workspace: str) -> dict[str, Any]:
    """Return how many events, how many a second, and the memory at most."""
    settings = load_settings()
    projecting = engine(settings.projector_url)
    begin = time.perf_counter()
    events = await Projector(projecting).rebuild(UUID(workspace))
    took = time.perf_counter() - begin
    await projecting.dispose()
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"events": events, "per_s": events / took, "peak_mb": peak_kb / 1000}


def main() -> None:
    tune_gc()
    json.dump(uvloop.run(rebuild(json.load(sys.stdin)["workspace"])), sys.stdout)


if __name__ == "__main__":
    main()
