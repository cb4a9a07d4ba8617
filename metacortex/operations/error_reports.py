"""What is kept of an error: its kind, a text without secrets, and where it came from.

Texts are what operators read: never parameters of statements, which are users' data.
"""

import hashlib
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from metacortex.kernel.driver_errors import cause
from metacortex.operations.actors import SECRET

LIMIT = 4_096  # characters of a text: enough for a traceback, little in a million rows
OURS = str(Path(__file__).parents[1])
MASK = "***"

_IN_URL = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
_NAMED = re.compile(
    rf"(?i)(\b\w*(?:{SECRET.pattern})\w*[\"']?\s*[:=]\s*(?:bearer\s+|basic\s+)?[\"']?)"
    r"[^\s\"',;)}\]]+"
)
_BEARER = re.compile(r"(?i)(\bbearer\s+)[\w.~+/=-]+")
_VALUES = re.compile(r"\n(DETAIL|CONTEXT):.*", re.DOTALL)  # Postgres quotes rows there


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as a run keeps it; failures of one cause share their fingerprint."""

    type: str
    message: str
    fingerprint: str
    traceback: str


def failure(actor: str, error: BaseException) -> Failure:
    """Return what is kept of an error of an actor."""
    found = cause(error)
    kind = type(found).__name__
    told = masked(_VALUES.sub("", str(found)))
    frames = "".join(traceback.format_tb(error.__traceback__))
    return Failure(
        type=kind,
        message=told or kind,
        fingerprint=fingerprint(actor, kind, _innermost(error.__traceback__)),
        traceback=_tail(masked(f"{frames}{kind}: {told}", limit=None)),
    )


def fingerprint(actor: str, kind: str, place: str) -> str:
    """Return what failures of one cause have in common, in 16 characters."""
    return hashlib.sha256(f"{actor}\n{kind}\n{place}".encode()).hexdigest()[:16]


def masked(text: str, limit: int | None = LIMIT) -> str:
    """Return a text without passwords and tokens, cut to a length."""
    text = _IN_URL.sub(rf"\1{MASK}@", text.replace("\0", ""))
    text = _BEARER.sub(rf"\1{MASK}", _NAMED.sub(rf"\1{MASK}", text))
    return text if limit is None or len(text) <= limit else text[: limit - 1] + "…"


def masked_arguments(value: Any) -> Any:
    """Return arguments without what is named like a secret, texts cut."""
    if isinstance(value, dict):
        return {
            name: MASK if SECRET.search(name.lower()) else masked_arguments(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked_arguments(inner) for inner in value]
    return masked(value) if isinstance(value, str) else value


def _tail(text: str) -> str:
    """Keep the end of a traceback: the error stands there."""
    return text if len(text) <= LIMIT else "…" + text[1 - LIMIT :]


def _innermost(tb: TracebackType | None) -> str:
    """Return the last frame in code of ours; no line, which the next edit moves."""
    ours = [it for it in _codes(tb) if it[0].startswith(OURS)]
    if not ours:
        return ""
    file, name = ours[-1]
    return f"{Path(file).relative_to(OURS)}:{name}"


def _codes(tb: TracebackType | None) -> Iterator[tuple[str, str]]:
    while tb is not None:
        code = tb.tb_frame.f_code
        yield code.co_filename, code.co_qualname
        tb = tb.tb_next
