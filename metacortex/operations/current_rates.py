"""Rates of now: counted by the API's processes, or sampled by the scheduler."""

import time
from collections.abc import Mapping, Sequence

from metacortex.operations.queries_runs import Row

RATE_S = 5.0  # heartbeats come every two seconds; a rate needs some of them


class CurrentRates:
    """Remembers what processes had counted at the look before."""

    def __init__(self) -> None:
        self._counted: tuple[float, Mapping[str, float]] | None = None
        self._rates: dict[str, float | None] = {}

    def of(
        self, processes: Sequence[Row], samples: Mapping[str, float]
    ) -> dict[str, float | None]:
        """Return the rates, None for what nobody knows."""
        self._count(processes)
        sampled = {
            "commands_per_s": samples.get("commands"),
            "events_per_s": samples.get("events"),
            "requests_per_s": None,
            "p99_ms": samples.get("request_p99_ms"),
        }
        return {name: self._rates.get(name, value) for name, value in sampled.items()}

    def _count(self, processes: Sequence[Row]) -> None:
        """Difference what API processes have counted since the look before."""
        now, totals = time.monotonic(), dict[str, float]()
        for process in processes:
            for name, value in process["figures"].items():
                if name.endswith("_total"):
                    totals[f"{process['id']}/{name}"] = value
        before = self._counted
        if before is not None and now - before[0] < RATE_S:
            return
        self._counted = (now, totals)
        if before is None or now - before[0] > 10 * RATE_S:
            self._rates = {}
            return
        self._rates = {
            f"{name}_per_s": _grown(totals, before[1], name) / (now - before[0])
            for name in ("requests",)
        }


def _grown(now: Mapping[str, float], before: Mapping[str, float], name: str) -> float:
    """Return by how much a figure grew, over the processes that had it before."""
    keys = [key for key in now if key.endswith(f"/{name}_total") and key in before]
    return sum(max(0.0, now[key] - before[key]) for key in keys)
