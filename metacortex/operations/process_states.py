"""Whether each process works, hangs, or has ended, by its last heartbeat."""

from metacortex.kernel.database import Reader
from metacortex.operations import queries_state
from metacortex.operations.queries_runs import Row

STALLED_S = 10.0  # five heartbeats
GONE_S = 60.0  # nobody hangs for so long and comes back
HISTORY_S = 24 * 3600.0  # processes that are remembered as gone


def state_of(process: Row) -> str:
    """Return whether a process works, hangs, or has ended."""
    silent_s = (process["now"] - process["seen_at"]).total_seconds()
    if process["stopped_at"] is not None or silent_s > GONE_S:
        return "gone"
    hangs = process["loop_delay_ms"] > STALLED_S * 1_000
    return "stalled" if silent_s > STALLED_S or hangs else "alive"


async def judged_processes(reads: Reader) -> list[Row]:
    """Return the processes of the last day, with their states."""
    found = await queries_state.processes(reads, HISTORY_S)
    for it in found:
        it["state"] = state_of(it)
    return found


async def processes(reads: Reader) -> list[Row]:
    """Return the processes of the last day, as operators see them."""
    internal = ("now", "figures", "stopped_at")
    return [
        {name: value for name, value in it.items() if name not in internal}
        for it in await judged_processes(reads)
    ]
