"""What an API process tells in its heartbeat: requests, and how long they take."""

from collections.abc import Mapping
from itertools import accumulate

from prometheus_client import Histogram

from metacortex.api.middleware import SECONDS

SHARE = 0.99
STREAMS = "/stream"  # these last as long as somebody listens


class Figures:
    """Numbers since the last heartbeat; called once for each."""

    def __init__(self, seconds: Histogram = SECONDS) -> None:
        self._seconds = seconds
        self._before: dict[float, float] = {}

    def __call__(self) -> Mapping[str, float]:
        """Return the requests answered in all, and the 99th percentile since before."""
        buckets = self._buckets()
        new = {le: n - self._before.get(le, 0.0) for le, n in buckets.items()}
        self._before = buckets
        return {
            "requests_total": sum(buckets.values()),
            "request_p99_ms": quantile(new, SHARE) * 1_000,
        }

    def _buckets(self) -> dict[float, float]:
        """Return requests by bucket, over all routes."""
        found: dict[float, float] = {}
        for metric in self._seconds.collect():
            below: dict[tuple[tuple[str, str], ...], float] = {}
            for sample in metric.samples:
                if not sample.name.endswith("_bucket"):
                    continue
                labels = dict(sample.labels)
                if labels.get("route", "").endswith(STREAMS):
                    continue
                upto = float(labels.pop("le"))
                route = tuple(sorted(labels.items()))
                count = sample.value - below.get(route, 0.0)
                found[upto] = found.get(upto, 0.0) + count
                below[route] = sample.value
        return found


def quantile(buckets: Mapping[float, float], share: float) -> float:
    """Return seconds that this share does not exceed, straight within a bucket."""
    bounds = sorted(buckets)
    wanted = share * sum(buckets.values())
    if not wanted:
        return 0.0
    sums = list(accumulate(buckets[it] for it in bounds))
    number = next(i for i, total in enumerate(sums) if total >= wanted)
    low = bounds[number - 1] if number else 0.0
    if bounds[number] == float("inf"):
        return low
    inside = wanted - (sums[number] - buckets[bounds[number]])
    return low + (bounds[number] - low) * inside / buckets[bounds[number]]
