"""Structured logs, on stderr: one JSON object a line, or lines for people."""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
import structlog
from prometheus_client import Counter

QUIET = ("dramatiq", "asyncio", "uvicorn.access", "alembic.runtime.plugins")


def configure(level: str, format: Literal["json", "console"]) -> None:
    """Send our logs and those of libraries through one pipeline."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if format == "json":
        last: list[structlog.typing.Processor] = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    else:
        last = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelName(level.upper())
        ),
        cache_logger_on_first_use=True,
    )


DROPPED = Counter(
    "metacortex_log_lines_dropped_total", "Log lines that nobody took in time"
)

Writer = Callable[[str, Mapping[str, Any]], None]
"""Writes one line of the level info: what happened, and about what."""

STDERR = 2
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS


def line_writer(level: str, format: Literal["json", "console"]) -> Writer:
    """Return what writes a line of the level info fast, as often as there are requests.

    In JSON it is what `configure` makes of the same call, at a tenth of the cost: one
    dump and one write, so that lines of several processes do not mix.
    """
    if logging.getLevelName(level.upper()) > logging.INFO:
        return _write_nothing
    return _write_json if format == "json" else _write_for_people


def _write_nothing(event: str, about: Mapping[str, Any]) -> None:
    """Lines of this level are not wanted."""


def _write_for_people(event: str, about: Mapping[str, Any]) -> None:
    structlog.get_logger("metacortex.requests").info(event, **about)


def _write_json(event: str, about: Mapping[str, Any]) -> None:
    line = orjson.dumps(
        {**about, "event": event, "level": "info", "timestamp": datetime.now(UTC)},
        option=_OPTIONS,
    )
    try:
        os.write(STDERR, line)
    except BlockingIOError:  # nobody reads: the service goes on without the line
        DROPPED.inc()
