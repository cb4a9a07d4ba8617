"""What the lane counts: commands by type and outcome, and how they came together."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from prometheus_client import Counter, Histogram

from metacortex.commands.message import Answer, Result, Unit
from metacortex.commands.registry import NAMES
from metacortex.kernel import tracing

COMMANDS = Counter(
    "metacortex_commands_total",
    "Commands answered: applied, unchanged, replayed, or the code of the refusal",
    ("type", "outcome"),
)
BATCH = Histogram(
    "metacortex_lane_batch_commands",
    "Commands that shared a transaction",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)


def count(unit: Unit, results: Sequence[Result]) -> list[Result]:
    """Count what the commands of a unit came to; return it as a list.

    Commands after the one that a unit failed at have no result.
    """
    for request, result in zip(unit.requests, results, strict=False):
        _child(NAMES[request.command.__class__], _outcome(result)).inc()
    return list(results)


def traced(unit: Unit) -> AbstractContextManager[None]:
    """Return a span around the commands of a unit, until they are answered."""
    names = [NAMES[it.command.__class__] for it in unit.requests]
    correlation = unit.requests[0].context.correlation_id
    return tracing.command(unit.workspace_id, names, correlation)


def _outcome(result: Result) -> str:
    if not isinstance(result, Answer):
        return result.code
    return "replayed" if result.replayed else result.receipt.outcome


@lru_cache(maxsize=None)  # as many as there are types, times codes
def _child(type: str, outcome: str) -> Any:
    return COMMANDS.labels(type, outcome)
