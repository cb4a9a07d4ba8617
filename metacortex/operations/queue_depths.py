"""What waits in the broker, read without registering as one of its workers.

Dramatiq keeps a queue as the list `<namespace>:<queue>` with its messages in a hash
`.msgs`, delayed ones as `.DQ` (`dramatiq/brokers/redis/dispatch.lua`). Each look costs
Redis the same however much waits.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis

from metacortex.wakeups import NAMESPACE


@dataclass(frozen=True, slots=True)
class Depth:
    """Messages of one queue; `oldest_age_s` is None where nothing waits."""

    ready: int
    delayed: int
    oldest_age_s: float | None


async def depths(client: Redis, queues: Sequence[str]) -> dict[str, Depth]:
    """Return what waits in each queue. Raises what Redis does."""
    pipeline: Any = client.pipeline(transaction=False)
    for queue in queues:
        key = f"{NAMESPACE}:{queue}"
        pipeline.llen(key).llen(f"{key}.DQ").lindex(key, 0)
    found = iter(await pipeline.execute())
    lines = {queue: [next(found) for _ in range(3)] for queue in queues}
    return {
        queue: Depth(ready, delayed, await _age(client, queue, first))
        for queue, (ready, delayed, first) in lines.items()
    }


async def _age(client: Redis, queue: str, id: bytes | None) -> float | None:
    """Return for how many seconds a message has waited, if it still does."""
    if id is None:
        return None
    found: Any = client.hget(f"{NAMESPACE}:{queue}.msgs", id.decode())
    message = await found
    if message is None:  # taken meanwhile
        return None
    sent_ms: float = orjson.loads(message)["message_timestamp"]
    return max(0.0, time.time() - sent_ms / 1_000)
