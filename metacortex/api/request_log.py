"""One line in the log for each request, found again by the id that the client saw.

Nothing of the request stands in it as it came: ids are checked, users come from a
verified token, paths are templates. So no value can begin a line of its own.
"""

from collections.abc import Mapping
from typing import Any

from metacortex.logs import Writer

SAMPLED = frozenset({"/health/live", "/health/ready", "/metrics"})
EVERY = 100  # of those that are answered well, one line: probes come every few seconds


class RequestLog:
    """Writes the lines of one process."""

    def __init__(self, write: Writer) -> None:
        self._write = write
        self._probes = 0

    def answered(
        self,
        about: Mapping[str, Any],
        method: str,
        route: str | None,
        status: int,
        seconds: float,
    ) -> None:
        """Log an answer; `about` is what the layers have noted of the request."""
        if route in SAMPLED and status < 400:
            self._probes += 1
            if self._probes % EVERY != 1:
                return
        caller = about.get("caller")
        line = {
            "request_id": about["request_id"],
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1_000, 3),
            "ip": about["ip"],
        }
        if about["correlation_id"] != about["request_id"]:
            line["correlation_id"] = about["correlation_id"]
        if caller is not None:
            line["user"] = caller.user_id
            line["workspace"] = caller.workspace_id
        if "commands" in about:
            line["commands"], line["events"] = about["commands"], about["events"]
        if "code" in about:
            line["code"] = about["code"]
        self._write("request", line)
