"""A quick look at some logs, for `metacortex doctor`."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from metacortex.audit_check.heads import LATEST, RANDOM, heads
from metacortex.audit_check.logs import Head, Log, Span, Verdict, earlier
from metacortex.audit_check.reading import PAGE, Arguments, connected, read


@dataclass(frozen=True, slots=True)
class Sample:
    """What was looked at, and what was found to be wrong."""

    workspaces: int
    events: int
    found: Sequence[Verdict]


async def sample(arguments: Arguments, *, each: int = 5, events: int = PAGE) -> Sample:
    """Check the `each` latest workspaces and as many random ones.

    At most `events` of each: all there are, or the newest half and as many in a row
    from anywhere, which are then not compared with the head and the receipts.
    """
    async with connected(arguments) as connection:
        rows = [
            *await connection.fetch(LATEST, each),
            *await connection.fetch(RANDOM, each),
        ]
        ids = {UUID(row[0]) for row in rows}
        verdicts = (
            [
                await _sampled(connection, head, events)
                async for head in heads(connection, list(ids))
            ]
            if ids
            else []
        )
    wrong = [verdict for verdict in verdicts if verdict.found is not None]
    return Sample(len(verdicts), sum(it.events for it in verdicts), wrong)


async def _sampled(connection: Any, head: Head, events: int) -> Verdict:
    id, newest = head.workspace_id, head.sequence
    if newest <= events:
        log = Log(head)
        log.join(await read(connection, Span(id, 1, newest, newest)))
        return log.verdict()
    half = events // 2
    begin = random.randint(1, newest - events)
    spans = [Span(id, it, it + half - 1, newest) for it in (begin, newest - half + 1)]
    parts = [await read(connection, span) for span in spans]
    found = earlier(*(part.found for part in parts))
    return Verdict(id, sum(part.events for part in parts), found)
